// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/manifest"
)

func TestReadInput(t *testing.T) {
	token, document := clitest.Key(t)
	labeled := strings.Replace(document, "spec:",
		"  creationTimestamp: null\n  labels:\n    team: network\n  annotations:\n    ticket: \"42\"\nspec:", 1)
	secret := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: license\nstringData:\n  token: " + token + "\n"
	list := func(items ...string) string {
		var text strings.Builder
		text.WriteString("apiVersion: v1\nkind: List\nitems:\n")
		for _, item := range items {
			text.WriteString("- " + strings.TrimPrefix(clitest.Indented(item, "  "), "  "))
		}
		return text.String()
	}
	bare := keyfile.Key{Token: token}
	inManifest := keyfile.Key{Token: token, ProductName: "acme-mesh"}
	plain := &input{Key: inManifest, name: "acme-mesh-1"}
	for name, test := range map[string]struct {
		text string
		// want is what is read, or err the error.
		want *input
		err  string
	}{
		"a token":    {text: token, want: &input{Key: bare}},
		"a manifest": {text: document, want: plain},
		"a manifest with more": {
			text: labeled + "  certificate: |\n" + clitest.Indented(clitest.PEM, "    "),
			want: &input{
				Key:    keyfile.Key{Token: token, ProductName: "acme-mesh", Certificate: clitest.PEM},
				name:   "acme-mesh-1",
				labels: map[string]string{"team": "network"}, annotations: map[string]string{"ticket": "42"},
			},
		},
		"a manifest without a name": {
			text: strings.Replace(document, "  name: acme-mesh-1", "  labels: {}", 1),
			want: &input{Key: inManifest, labels: map[string]string{}},
		},
		"a manifest in a list": {text: list(document), want: plain},
		"a manifest, quoted":   {text: clitest.Indented(document, "> "), want: plain},
		"a manifest with line breaks in the token": {
			text: strings.Replace(document, token, token[:60]+"\n"+token[60:], 1),
			want: &input{Key: keyfile.Key{Token: token, Repaired: true}},
		},
		"with other objects": {
			text: clitest.Product("acme-mesh", clitest.PEM, "") + "---\n" + document + "---\n" + secret,
			want: &input{
				Key: inManifest, name: "acme-mesh-1",
				ignored: []string{"LicensedProduct acme-mesh", "Secret license"},
			},
		},
		"a Secret": {text: secret, want: &input{Key: bare}},
		"two Secrets": {
			text: secret + "---\n" + secret,
			err:  "found several keys, Secrets license, license: this command applies one",
		},
		"two keys in lists": {
			text: list(document, strings.Replace(document, "acme-mesh-1", "acme-mesh-2", 1)),
			err:  "found several keys, LicenseKeys acme-mesh-1, acme-mesh-2: this command applies one",
		},
		"an unknown field": {
			text: strings.Replace(document, "metadata:", "metadata:\n  label: {}", 1),
			err:  `the LicenseKey cannot be read: unknown field "label"`,
		},
		"a field of the wrong type": {
			text: strings.Replace(document, "acme-mesh-1", "[x]", 1),
			err:  "the LicenseKey cannot be read: its metadata.name is of type array",
		},
		"a name with control characters": {
			text: strings.Replace(document, "acme-mesh-1", `"a\e[31m\u202e"`, 1),
			err: `the LicenseKey's metadata.name, "a\x1b[31m\u202e", cannot be the name of an object: ` +
				manifest.NameShape,
		},
		"a name over two lines": {
			text: strings.Replace(document, "acme-mesh-1", `"a\nLicense:  forged"`, 1),
			err: `the LicenseKey's metadata.name, "a\nLicense:  forged", cannot be the name of an object: ` +
				manifest.NameShape,
		},
		"an invalid product name": {
			text: strings.Replace(document, "productName: acme-mesh", "productName: Acme Mesh", 1),
			err: `the LicenseKey's spec.productName, "Acme Mesh", cannot be the name of an object: ` +
				manifest.NameShape,
		},
		"with a namespace and a finalizer": {
			text: strings.Replace(document, "metadata:", "metadata:\n  namespace: default\n  finalizers: [x]", 1),
			err: "LicenseKey acme-mesh-1 has metadata.finalizers, metadata.namespace, which this command does " +
				"not apply",
		},
		"without a token": {
			text: strings.Replace(document, token, `""`, 1),
			err:  "LicenseKey acme-mesh-1 has no spec.token",
		},
		"a LicenseKey of Calico": {
			text: strings.Replace(document, "license-operator.io/v1alpha1", "projectcalico.org/v3", 1),
			err:  "this is a LicenseKey of projectcalico.org/v3, not a LicenseKey of license-operator.io/v1alpha1",
		},
		"nothing": {text: "", err: "no license key found"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readInput([]byte(test.text))
			if test.err != "" {
				if fmt.Sprint(err) != test.err {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(test.want, got, cmp.AllowUnexported(input{}, keyfile.Key{})); difference !=
				"" {
				t.Error(difference)
			}
		})
	}
}

// The manifest must not have other fields: server-side apply would set them.
func TestManifestOfInput(t *testing.T) {
	key := &input{
		Key:  keyfile.Key{Token: "a.b.c", ProductName: "acme-mesh", Repaired: true},
		name: "acme-mesh-1", labels: map[string]string{},
	}
	want := map[string]any{
		"apiVersion": "license-operator.io/v1alpha1", "kind": "LicenseKey",
		"metadata": map[string]any{"name": "acme-mesh-1", "resourceVersion": "1"},
		"spec":     map[string]any{"productName": "acme-mesh", "token": "a.b.c"},
	}
	if difference := cmp.Diff(want, key.manifest(nil).Object); difference != "" {
		t.Error(difference)
	}
	key.labels, key.annotations, key.Certificate = map[string]string{"team": "network"},
		map[string]string{"ticket": "42"}, clitest.PEM
	want["metadata"] = map[string]any{
		"name": "acme-mesh-1", "resourceVersion": "1", "labels": map[string]any{"team": "network"},
		"annotations": map[string]any{"ticket": "42"},
	}
	want["spec"] = map[string]any{"productName": "acme-mesh", "token": "a.b.c", "certificate": clitest.PEM}
	if difference := cmp.Diff(want, key.manifest(nil).Object); difference != "" {
		t.Error(difference)
	}

	// Labels that this command set before stay, unless they change. It does not touch others.
	existing := &api.LicenseKey{ObjectMeta: metav1.ObjectMeta{
		Name: "acme-mesh-1", UID: "some-uid", ResourceVersion: "42",
		Labels:      map[string]string{"team": "before", "site": "berlin", "hand": "made", "example.com/argo": "x"},
		Annotations: map[string]string{"note": "ours"},
		ManagedFields: []metav1.ManagedFieldsEntry{
			managed(kubeclient.FieldOwner, metav1.ManagedFieldsOperationApply,
				`{"f:metadata":{"f:labels":{".":{},"f:team":{},"f:site":{},"f:gone":{}},`+
					`"f:annotations":{"f:note":{}}},"f:spec":{"f:token":{}}}`),
			managed(kubeclient.FieldOwner, metav1.ManagedFieldsOperationUpdate,
				`{"f:metadata":{"f:labels":{"f:hand":{}}}}`),
			managed("argocd-controller", metav1.ManagedFieldsOperationApply,
				`{"f:metadata":{"f:labels":{"f:example.com/argo":{}}}}`),
		},
	}}
	want["metadata"] = map[string]any{
		"name": "acme-mesh-1", "resourceVersion": "42", "uid": "some-uid",
		"labels":      map[string]any{"team": "network", "site": "berlin"},
		"annotations": map[string]any{"ticket": "42", "note": "ours"},
	}
	if difference := cmp.Diff(want, key.manifest(existing).Object); difference != "" {
		t.Error(difference)
	}
}

func managed(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)}
}
