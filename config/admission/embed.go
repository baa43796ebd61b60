// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission has the admission policies of this folder built in, for an operator that applies them itself:
// package managers such as OLM cannot.
package admission

import (
	"bytes"
	"embed"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed lock.yaml notice.yaml guard.yaml
var manifests embed.FS

// namePrefix and the labels are those that config/default gives to all that it installs; only the manager is another.
const namePrefix = "license-operator-"

func labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "license-operator",
		"app.kubernetes.io/managed-by": "license-operator",
	}
}

// Objects returns the policies and their bindings as they are on a cluster, to be applied in this order: a binding is
// refused to most while its policy is not there.
func Objects() []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, file := range []string{"lock.yaml", "notice.yaml", "guard.yaml"} {
		manifest, err := manifests.ReadFile(file)
		utilruntime.Must(err)
		documents := yaml.NewYAMLToJSONDecoder(bytes.NewReader(manifest))
		for {
			object := &unstructured.Unstructured{}
			err := documents.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			utilruntime.Must(err)
			objects = append(objects, installed(object))
		}
	}
	return objects
}

// installed names an object as config/default does.
func installed(object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetName(namePrefix + object.GetName())
	object.SetLabels(labels())
	if policy, ok, _ := unstructured.NestedString(object.Object, "spec", "policyName"); ok {
		utilruntime.Must(unstructured.SetNestedField(object.Object, namePrefix+policy, "spec", "policyName"))
	}
	return object
}
