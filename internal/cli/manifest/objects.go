// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest reads and makes manifests of the plugin's kinds, and knows which names objects can have.
package manifest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Kinds that a file can have.
const (
	KindLicenseKey      = "LicenseKey"
	KindLicensedProduct = "LicensedProduct"
	KindSecret          = "Secret"
)

// maxDocuments is how many documents of a manifest are read at most.
const maxDocuments = 1000

var quotation = regexp.MustCompile(`(?m)^[ \t]*(?:>[ \t]?)+`)

// New is a manifest of one of our kinds, without the fields that only a cluster sets.
func New(kind, name string, spec any) map[string]any {
	return map[string]any{
		"apiVersion": api.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}
}

// Object is one object of a manifest, of any kind.
type Object struct {
	metav1.TypeMeta
	Raw []byte
}

// Is returns true if the object is of a kind, in any version.
func (o *Object) Is(kind schema.GroupKind) bool { return o.GroupVersionKind().GroupKind() == kind }

// Name of the object, to be shown.
func (o *Object) Name() string {
	var named metav1.PartialObjectMetadata
	if json.Unmarshal(o.Raw, &named) != nil || named.Name == "" {
		return "(without a name)"
	}
	return named.Name
}

// Objects reads a manifest of one or more documents, in YAML or JSON, and the items of lists as from kubectl get. If
// nothing can be read, it removes quotation marks of emails. torn is true if other parts cannot be read.
func Objects(text string) (objects []Object, torn bool) {
	for _, attempt := range []string{text, Unquote(text)} {
		if objects, torn = decodeDocuments(attempt); len(objects) > 0 {
			break
		}
	}
	return objects, torn
}

func decodeDocuments(text string) (objects []Object, torn bool) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for range maxDocuments {
		document, err := documents.Read()
		if err != nil {
			return objects, torn || !errors.Is(err, io.EOF)
		}
		// The parser's errors are not shown: they can quote the token.
		raw, err := yaml.YAMLToJSON(document)
		torn = torn || err != nil
		objects = append(objects, expand(raw)...)
	}
	return objects, true
}

// expand is an object, or the items of a list.
func expand(raw []byte) []Object {
	var found Object
	if json.Unmarshal(raw, &found) != nil || found.Kind == "" {
		return nil
	}
	found.Raw = raw
	if !strings.HasSuffix(found.Kind, "List") {
		return []Object{found}
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var items []Object
	for _, item := range list.Items {
		var found Object
		if json.Unmarshal(item, &found) == nil && !strings.HasSuffix(found.Kind, "List") {
			found.Raw = item
			items = append(items, found)
		}
	}
	return items
}

// Unquote removes the quotation marks of emails ("> ", "> > ", ">>") from each line.
func Unquote(text string) string { return quotation.ReplaceAllString(text, "") }

// DecodingProblem describes an error of json without names from Go.
func DecodingProblem(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Sprintf("its %s is of type %s", wrongType.Field, wrongType.Value)
	}
	return err.Error()
}
