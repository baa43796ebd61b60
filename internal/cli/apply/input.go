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
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/text"
)

// input is a key to apply.
type input struct {
	keyfile.Key
	// name of the LicenseKey. If it is not given, it is empty until it is made from the license.
	name string
	// labels and annotations of the manifest, if it was one.
	labels, annotations map[string]string
	// ignored are objects of the file that are not applied.
	ignored []string
}

// readInput finds the only key in a file, with what is applied of its manifest.
func readInput(data []byte) (*input, error) {
	objects, _ := manifest.Objects(keyfile.Text(data))
	holder, ignored, err := onlyKeyHolder(objects)
	if err != nil {
		return nil, err
	}
	c := &input{ignored: ignored}
	if holder != nil && holder.Is(keyfile.LicenseKeyKind) {
		if err := c.readManifest(holder); err != nil {
			return nil, err
		}
	}
	c.Key, err = keyfile.Read(data)
	return c, err
}

// onlyKeyHolder is the object with the key, nil if there is none, and the names of the other objects. Several keys are
// an error: the command asks only once.
func onlyKeyHolder(objects []manifest.Object) (holder *manifest.Object, ignored []string, err error) {
	holder = keyfile.Holder(objects)
	if holder == nil {
		return nil, nil, nil
	}
	var same []string
	for i := range objects {
		if o := &objects[i]; o.Is(holder.GroupVersionKind().GroupKind()) {
			same = append(same, o.Name())
		} else {
			ignored = append(ignored, o.Kind+" "+o.Name())
		}
	}
	if len(same) > 1 {
		return nil, nil, keyfile.Unreadable("Give one of them at a time.",
			"found several keys, %ss %s: this command applies one", holder.Kind, strings.Join(same, ", "))
	}
	return holder, ignored, nil
}

// readManifest reads what is applied in addition to the token. It rejects fields that it does not know, for example a
// misspelled one, because they would be ignored without a message.
func (c *input) readManifest(o *manifest.Object) error {
	const compare = "Compare it with 'kubectl explain lk', and with what the vendor sent."
	if o.APIVersion != api.GroupVersion.String() {
		return keyfile.Unreadable(compare, "the LicenseKey has apiVersion %s instead of %s", o.APIVersion,
			api.GroupVersion)
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
			"LicenseKey %s has %s, which this command does not apply", o.Name(), strings.Join(extra, ", "))
	}
	if ref := key.Spec.TokenSecretRef; ref != nil {
		return keyfile.Unreadable(fmt.Sprintf("Check the Secret, in the namespace that license-operator runs in, and "+
			"then apply the manifest as it is:\n  kubectl get secret %s -o yaml | kubectl license inspect -\n"+
			"  kubectl apply -f FILE", text.ShellQuote(ref.Name)),
			"LicenseKey %s reads its token from the entry %s of Secret %s: it cannot be verified before it is applied",
			o.Name(), ref.Key, ref.Name)
	}
	// They are shown before an API server has checked them, and the signature does not cover them.
	for _, named := range []struct{ field, name string }{
		{"metadata.name", key.Name}, {"spec.productName", key.Spec.ProductName},
	} {
		if named.name != "" && !manifest.IsName(named.name) {
			return keyfile.Unreadable(compare, "the LicenseKey's %s, %q, cannot be the name of an object: %s",
				named.field, text.TruncateRunes(named.name, maxShownName), manifest.NameShape)
		}
	}
	c.name, c.labels, c.annotations = key.Name, key.Labels, key.Annotations
	return nil
}

// maxShownName is how many characters are shown of an invalid name.
const maxShownName = 100

// unsuitable are the fields of a LicenseKey that only a cluster sets, or that are not for a key.
func unsuitable(key *api.LicenseKey) (fields []string) {
	metadata := key.ObjectMeta
	metadata.Name, metadata.Labels, metadata.Annotations = "", nil, nil
	var rest map[string]any
	if raw, err := json.Marshal(metadata); err == nil {
		_ = json.Unmarshal(raw, &rest)
	}
	for _, field := range slices.Sorted(maps.Keys(rest)) {
		fields = append(fields, "metadata."+field)
	}
	if !reflect.ValueOf(key.Status).IsZero() {
		fields = append(fields, "a status")
	}
	return fields
}

// versionOfNone is a resourceVersion that no object has. An API server ignores it when it creates the LicenseKey, and
// rejects it when there is one with that name.
const versionOfNone = "1"

// manifest is what is applied to the LicenseKey as it was read, and to no other; nil if there was none. Other fields of
// that LicenseKey stay as they are.
func (c *input) manifest(existing *api.LicenseKey) *unstructured.Unstructured {
	if existing == nil {
		existing = &api.LicenseKey{ObjectMeta: metav1.ObjectMeta{ResourceVersion: versionOfNone}}
	}
	labelSet := ours(existing, "f:labels", existing.Labels)
	annotations := ours(existing, "f:annotations", existing.Annotations)
	maps.Copy(labelSet, c.labels)
	maps.Copy(annotations, c.annotations)
	applied := &unstructured.Unstructured{}
	applied.SetGroupVersionKind(api.GroupVersion.WithKind(manifest.KindLicenseKey))
	applied.SetName(c.name)
	applied.SetResourceVersion(existing.ResourceVersion)
	applied.SetUID(existing.UID)
	if len(labelSet) > 0 {
		applied.SetLabels(labelSet)
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

// ours are the labels or annotations of a LicenseKey that this command applied before. Server-side apply would remove
// them if they were not applied again, and a token alone does not have any.
func ours(key *api.LicenseKey, field string, values map[string]string) map[string]string {
	found := map[string]string{}
	for _, entry := range key.ManagedFields {
		var fields struct {
			Metadata map[string]map[string]json.RawMessage `json:"f:metadata"`
		}
		if entry.Manager != kubeclient.FieldOwner || entry.Operation != metav1.ManagedFieldsOperationApply ||
			entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
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

// changeOf is what applying the key does to the LicenseKey of its name.
func (c *input) changeOf(existing *api.LicenseKey) keyChange {
	switch {
	case strings.TrimSpace(existing.Spec.Token) != c.Token:
		return keyTokenReplaced
	case existing.Spec.Certificate != c.Certificate || !includes(existing.Labels, c.labels) ||
		!includes(existing.Annotations, c.annotations):
		return keyChanged
	default:
		return keyUnchanged
	}
}

func includes(all, some map[string]string) bool {
	return labels.SelectorFromSet(some).Matches(labels.Set(all))
}

// fits rejects changes that the LicenseKey of the name does not allow.
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
			"in. Or: "+strings.ToLower(another[:1])+another[1:],
			"LicenseKey %s exists and reads its token from the entry %s of Secret %s", c.name,
			existing.TokenSecretRef.Key, existing.TokenSecretRef.Name)
	case existing.Certificate != "" && c.Certificate == "":
		return command.FailWithHint(another, "LicenseKey %s exists with a spec.certificate, which the new key does "+
			"not have", c.name)
	}
	return nil
}
