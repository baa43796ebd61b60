// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

func TestReadCandidate(t *testing.T) {
	token, manifest := someKey(t)
	labeled := strings.Replace(manifest, "spec:",
		"  creationTimestamp: null\n  labels:\n    team: network\n  annotations:\n    ticket: \"42\"\nspec:", 1)
	secret := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: license\nstringData:\n  token: " + token + "\n"
	list := func(items ...string) string {
		var text strings.Builder
		text.WriteString("apiVersion: v1\nkind: List\nitems:\n")
		for _, item := range items {
			text.WriteString("- " + strings.TrimPrefix(indented(item, "  "), "  "))
		}
		return text.String()
	}
	bare := presentedKey{token: token}
	inManifest := presentedKey{token: token, productName: "acme-mesh"}
	plain := &candidate{presentedKey: inManifest, name: "acme-mesh-1"}
	for name, test := range map[string]struct {
		text string
		// want is what is read, or err why nothing is.
		want *candidate
		err  string
	}{
		"a token":    {text: token, want: &candidate{presentedKey: bare}},
		"a manifest": {text: manifest, want: plain},
		"a manifest with more": {text: labeled + "  certificate: |\n" + indented(somePEM, "    "), want: &candidate{
			presentedKey: presentedKey{token: token, productName: "acme-mesh", certificate: somePEM},
			name:         "acme-mesh-1",
			labels:       map[string]string{"team": "network"}, annotations: map[string]string{"ticket": "42"},
		}},
		"a manifest without a name": {text: strings.Replace(manifest, "  name: acme-mesh-1", "  labels: {}", 1),
			want: &candidate{presentedKey: inManifest, labels: map[string]string{}}},
		"a manifest in a list": {text: list(manifest), want: plain},
		"a manifest, quoted":   {text: indented(manifest, "> "), want: plain},
		"a manifest, torn": {text: strings.Replace(manifest, token, token[:60]+"\n"+token[60:], 1), want: &candidate{
			presentedKey: presentedKey{token: token, repaired: true},
		}},
		"with other objects": {text: product("acme-mesh", somePEM, "") + "---\n" + manifest + "---\n" + secret,
			want: &candidate{
				presentedKey: inManifest, name: "acme-mesh-1",
				left: []string{"LicensedProduct acme-mesh", "Secret license"},
			}},
		"a Secret": {text: secret, want: &candidate{presentedKey: bare}},
		"two Secrets": {text: secret + "---\n" + secret,
			err: "there are several keys in it, Secrets license, license: this command applies one"},
		"two in lists": {text: list(manifest, strings.Replace(manifest, "acme-mesh-1", "acme-mesh-2", 1)),
			err: "there are several keys in it, LicenseKeys acme-mesh-1, acme-mesh-2: this command applies one"},
		"a field that is none": {
			text: strings.Replace(manifest, "metadata:", "metadata:\n  label: {}", 1),
			err:  `the LicenseKey cannot be read: unknown field "label"`,
		},
		"a field of another type": {
			text: strings.Replace(manifest, "acme-mesh-1", "[x]", 1),
			err:  "the LicenseKey cannot be read: its metadata.name is of type array",
		},
		"a name that a terminal would obey": {
			text: strings.Replace(manifest, "acme-mesh-1", `"a\e[31m\u202e"`, 1),
			err: `the LicenseKey's metadata.name, "a\x1b[31m\u202e", cannot be the name of an object: ` +
				objectNameShape,
		},
		"a name over two lines": {
			text: strings.Replace(manifest, "acme-mesh-1", `"a\nLicense:  forged"`, 1),
			err: `the LicenseKey's metadata.name, "a\nLicense:  forged", cannot be the name of an object: ` +
				objectNameShape,
		},
		"a product that cannot be one": {
			text: strings.Replace(manifest, "productName: acme-mesh", "productName: Acme Mesh", 1),
			err:  `the LicenseKey's spec.productName, "Acme Mesh", cannot be the name of an object: ` + objectNameShape,
		},
		"of a namespace, with a finalizer": {
			text: strings.Replace(manifest, "metadata:", "metadata:\n  namespace: default\n  finalizers: [x]", 1),
			err: "LicenseKey acme-mesh-1 has metadata.finalizers, metadata.namespace, which a vendor does not send " +
				"and this command does not apply",
		},
		"without a token": {text: strings.Replace(manifest, token, `""`, 1),
			err: "LicenseKey acme-mesh-1 has no spec.token"},
		"of Calico": {text: strings.Replace(manifest, "license-operator.io/v1alpha1", "projectcalico.org/v3", 1),
			err: "this is a LicenseKey of projectcalico.org/v3, not a LicenseKey of license-operator.io/v1alpha1"},
		"nothing": {text: "", err: "there is no license key in it"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readCandidate([]byte(test.text))
			if test.err != "" {
				if fmt.Sprint(err) != test.err {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(test.want, got, cmp.AllowUnexported(candidate{}, presentedKey{})); difference !=
				"" {
				t.Error(difference)
			}
		})
	}
}

// What is applied holds nothing besides: server-side apply would take it for wanted.
func TestManifestOfCandidate(t *testing.T) {
	key := &candidate{presentedKey: presentedKey{token: "a.b.c", productName: "acme-mesh", repaired: true},
		name: "acme-mesh-1", labels: map[string]string{}}
	want := map[string]any{
		"apiVersion": "license-operator.io/v1alpha1", "kind": "LicenseKey",
		"metadata": map[string]any{"name": "acme-mesh-1", "resourceVersion": "1"},
		"spec":     map[string]any{"productName": "acme-mesh", "token": "a.b.c"},
	}
	if difference := cmp.Diff(want, key.manifest(nil).Object); difference != "" {
		t.Error(difference)
	}
	key.labels, key.annotations, key.certificate = map[string]string{"team": "network"},
		map[string]string{"ticket": "42"}, somePEM
	want["metadata"] = map[string]any{
		"name": "acme-mesh-1", "resourceVersion": "1", "labels": map[string]any{"team": "network"},
		"annotations": map[string]any{"ticket": "42"},
	}
	want["spec"] = map[string]any{"productName": "acme-mesh", "token": "a.b.c", "certificate": somePEM}
	if difference := cmp.Diff(want, key.manifest(nil).Object); difference != "" {
		t.Error(difference)
	}

	// What is there already: labels that this command has set stay, unless they change, and others are none of its
	// business.
	existing := &api.LicenseKey{ObjectMeta: metav1.ObjectMeta{
		Name: "acme-mesh-1", UID: "some-uid", ResourceVersion: "42",
		Labels:      map[string]string{"team": "before", "site": "berlin", "hand": "made", "example.com/argo": "x"},
		Annotations: map[string]string{"note": "ours"},
		ManagedFields: []metav1.ManagedFieldsEntry{
			managed(fieldOwner, metav1.ManagedFieldsOperationApply,
				`{"f:metadata":{"f:labels":{".":{},"f:team":{},"f:site":{},"f:gone":{}},`+
					`"f:annotations":{"f:note":{}}},"f:spec":{"f:token":{}}}`),
			managed(fieldOwner, metav1.ManagedFieldsOperationUpdate, `{"f:metadata":{"f:labels":{"f:hand":{}}}}`),
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
