// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kustomize tests that kustomize follows the names that a LicenseKey has of other objects.
package kustomize

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func TestNamesAreFollowed(t *testing.T) {
	// The terms and the token are those of config/samples, which verify, as another suite shows.
	product, key := sample(t, "licensedproduct"), sample(t, "licensekey")
	want := []map[string]any{
		{
			"apiVersion": "license-operator.io/v1alpha1", "kind": "LicensedProduct",
			"metadata": map[string]any{"name": "staging-acme-mesh", "namespace": "license-operator-system"},
			"spec": map[string]any{
				"vendor": "Acme", "audience": "acme-mesh", "renewalURL": "https://acme.example/renew",
				"trustAnchors": product["trustAnchors"],
			},
		},
		{
			"apiVersion": "license-operator.io/v1alpha1", "kind": "LicenseKey",
			"metadata": map[string]any{"name": "staging-acme-mesh-2026", "namespace": "license-operator-system"},
			"spec": map[string]any{
				"productName":    "staging-acme-mesh",
				"tokenSecretRef": map[string]any{"name": "staging-acme-mesh-license-bgh5hg7hd7", "key": "token"},
			},
		},
		{
			"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
			"metadata": map[string]any{
				"name":      "staging-acme-mesh-license-bgh5hg7hd7",
				"namespace": "license-operator-system",
			},
			"data": map[string]any{"token": encoded(key["token"].(string) + "\n")},
		},
	}
	if diff := cmp.Diff(want, build(t, ".")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func build(t *testing.T, folder string) []map[string]any {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	for _, resource := range built.Resources() {
		content, err := resource.Map()
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := content["data"].(map[string]any); ok { // in lines
			data["token"] = strings.ReplaceAll(data["token"].(string), "\n", "")
		}
		objects = append(objects, content)
	}
	return objects
}

// sample is the spec of one of config/samples.
func sample(t *testing.T, kind string) map[string]any {
	t.Helper()
	content, err := os.ReadFile("../../../config/samples/v1alpha1_" + kind + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &object); err != nil {
		t.Fatal(err)
	}
	return object.Spec
}
