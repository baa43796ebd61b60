// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/text"
)

// input is a key that is to be applied.
type input struct {
	keyfile.Key
	// name of the LicenseKey; empty until it is made from the license where nobody gives one.
	name string
	// labels and annotations of the manifest, where it was one.
	labels, annotations map[string]string
	// left are objects of the file that are not applied.
	left []string
}

// readInput finds the one key in a file, with as much of its manifest as is applied.
func readInput(data []byte) (*input, error) {
	objects, _ := manifest.Objects(keyfile.Text(data))
	holder, left, err := onlyKeyHolder(objects)
	if err != nil {
		return nil, err
	}
	c := &input{left: left}
	if holder != nil && holder.Is(keyfile.LicenseKeyKind) {
		if err := c.readManifest(holder); err != nil {
			return nil, err
		}
	}
	c.Key, err = keyfile.Read(data)
	return c, err
}

// onlyKeyHolder is the object that the key is in, nil where there is none, and what else there is. Which of several
// keys is meant is not for a command to guess that asks once.
func onlyKeyHolder(objects []manifest.Object) (holder *manifest.Object, left []string, err error) {
	holder = keyfile.Holder(objects)
	if holder == nil {
		return nil, nil, nil
	}
	var same []string
	for i := range objects {
		switch o := &objects[i]; {
		case o.GroupVersionKind().GroupKind() == holder.GroupVersionKind().GroupKind():
			same = append(same, o.Name())
		default:
			left = append(left, o.Kind+" "+o.Name())
		}
	}
	if len(same) > 1 {
		return nil, nil,
			keyfile.Unreadable("Give one of them at a time.",
				"found several keys, %ss %s: this command applies one", holder.Kind, strings.Join(same, ", "))
	}
	return holder, left, nil
}

// readManifest takes from the manifest what is applied besides the token, and refuses what would be left out: a label
// that is misspelled is none, silently.
func (c *input) readManifest(o *manifest.Object) error {
	const compare = "Compare it with 'kubectl explain lk', and with what the vendor sent."
	if o.APIVersion != api.GroupVersion.String() {
		return keyfile.Unreadable(compare, "the LicenseKey is one of %s, not of %s", o.APIVersion, api.GroupVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(o.Raw))
	decoder.DisallowUnknownFields()
	var key api.LicenseKey
	if err := decoder.Decode(&key); err != nil {
		return keyfile.Unreadable(compare, "the LicenseKey cannot be read: %s",
			strings.TrimPrefix(manifest.DecodingProblem(err), "json: "))
	}
	if extra := unsuitable(&key); len(extra) > 0 {
		return keyfile.Unreadable("Keep only name, labels and annotations in metadata, or apply the manifest as it "+
			"is: kubectl apply -f FILE",
			"LicenseKey %s has %s, which this command does not apply", o.Name(),
			strings.Join(extra, ", "))
	}
	if ref := key.Spec.TokenSecretRef; ref != nil {
		return keyfile.Unreadable(fmt.Sprintf("Look into the Secret, in the namespace that license-operator runs in, "+
			"and "+
			"then apply the manifest as it is:\n"+
			"  kubectl get secret %s -o yaml | kubectl license inspect -\n  kubectl apply -f FILE",
			text.ShellQuote(ref.Name)),
			"LicenseKey %s reads its token from the entry %s of Secret %s: it cannot be verified before it is applied",
			o.Name(), ref.Key, ref.Name)
	}
	// They are shown before any API server has seen them, and no signature covers them.
	for _, named := range []struct{ field, name string }{
		{"metadata.name", key.Name},
		{"spec.productName", key.Spec.ProductName},
	} {
		if named.name != "" && !manifest.IsName(named.name) {
			return keyfile.Unreadable(compare, "the LicenseKey's %s, %q, cannot be the name of an object: %s",
				named.field, text.TruncateRunes(named.name, maxShownName), manifest.NameShape)
		}
	}
	c.name, c.labels, c.annotations = key.Name, key.Labels, key.Annotations
	return nil
}

// maxShownName is how much of something is shown that should be a name and is none.
const maxShownName = 100

// unsuitable are the fields of a LicenseKey that only a cluster sets, or that are not for a key.
func unsuitable(key *api.LicenseKey) []string {
	metadata := key.ObjectMeta
	metadata.Name, metadata.Labels, metadata.Annotations = "", nil, nil
	rest := map[string]any{}
	if raw, err := json.Marshal(metadata); err == nil {
		_ = json.Unmarshal(raw, &rest)
	}
	fields := make([]string, 0, len(rest))
	for _, field := range slices.Sorted(maps.Keys(rest)) {
		fields = append(fields, "metadata."+field)
	}
	if !reflect.ValueOf(key.Status).IsZero() {
		fields = append(fields, "a status")
	}
	return fields
}

// versionOfNone is a resourceVersion that no LicenseKey has: an API server that creates one by applying it disregards
// it, and one that has a LicenseKey of the name refuses it.
const versionOfNone = "1"

// manifest is what is applied to the LicenseKey of the name as it was read, and to no other; nil: there was none.
// Whatever else the cluster has of that key stays as it is.
func (c *input) manifest(existing *api.LicenseKey) *unstructured.Unstructured {
	labels, annotations := c.labels, c.annotations
	applied := &unstructured.Unstructured{}
	applied.SetAPIVersion(api.GroupVersion.String())
	applied.SetKind(manifest.KindLicenseKey)
	applied.SetName(c.name)
	applied.SetResourceVersion(versionOfNone)
	if existing != nil {
		applied.SetResourceVersion(existing.ResourceVersion)
		applied.SetUID(existing.UID)
		labels, annotations = ours(existing, "f:labels", existing.Labels),
			ours(existing, "f:annotations", existing.Annotations)
		maps.Copy(labels, c.labels)
		maps.Copy(annotations, c.annotations)
	}
	if len(labels) > 0 {
		applied.SetLabels(labels)
	}
	if len(annotations) > 0 {
		applied.SetAnnotations(annotations)
	}
	spec := map[string]any{"productName": c.ProductName, "token": c.Token}
	if c.Certificate != "" {
		spec["certificate"] = c.Certificate
	}
	applied.Object["spec"] = spec
	return applied
}

// ours are the labels of a key, or its annotations, that this command has applied before. Whoever applies a key again
// without them removes them, and a token alone comes without any.
func ours(key *api.LicenseKey, field string, values map[string]string) map[string]string {
	found := map[string]string{}
	for i := range key.ManagedFields {
		entry := &key.ManagedFields[i]
		if entry.Manager != kubeclient.FieldOwner || entry.Operation != metav1.ManagedFieldsOperationApply ||
			entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Metadata map[string]map[string]json.RawMessage `json:"f:metadata"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		for name := range fields.Metadata[field] {
			name = strings.TrimPrefix(name, "f:")
			if value, ok := values[name]; ok {
				found[name] = value
			}
		}
	}
	return found
}

// changeOf is what becomes of the LicenseKey that has the name.
func (c *input) changeOf(existing *api.LicenseKey) keyChange {
	switch {
	case strings.TrimSpace(existing.Spec.Token) != c.Token:
		return keyTokenReplaced
	case existing.Spec.Certificate != c.Certificate || !contains(existing.Labels, c.labels) ||
		!contains(existing.Annotations, c.annotations):
		return keyChanged
	default:
		return keyUnchanged
	}
}

func contains(all, some map[string]string) bool {
	for key, value := range some {
		if got, ok := all[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// fits refuses what the LicenseKey that has the name cannot become.
func (c *input) fits(keys []api.LicenseKey) error {
	i := slices.IndexFunc(keys, func(key api.LicenseKey) bool { return key.Name == c.name })
	if i < 0 {
		return nil
	}
	const another = "Give the new key another name, in its manifest or with --name for a token alone."
	switch existing := &keys[i].Spec; {
	case existing.ProductName != c.ProductName:
		return command.FailWithHint(another, "LicenseKey %s exists for LicensedProduct %s and cannot be changed to %s",
			c.name, existing.ProductName, c.ProductName)
	case existing.TokenSecretRef != nil:
		return command.FailWithHint("Put the new token into that Secret, in the namespace that license-operator runs "+
			"in. Or: "+
			strings.ToLower(another[:1])+another[1:],
			"LicenseKey %s exists and reads its token from the entry %s of Secret %s", c.name,
			existing.TokenSecretRef.Key, existing.TokenSecretRef.Name)
	case existing.Certificate != "" && c.Certificate == "":
		return command.FailWithHint(another,
			"LicenseKey %s exists with a spec.certificate, which the new key does not have", c.name)
	}
	return nil
}
