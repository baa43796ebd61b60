// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidateFinds(t *testing.T) {
	const csv, annotations = "manifests/widget-operator.clusterserviceversion.yaml", "metadata/annotations.yaml"
	for name, test := range map[string]struct{ file, old, new, want string }{
		"an error": {
			csv, "minKubeVersion: 1.30.0", "minKubeVersion: new",
			"csv.Spec.MinKubeVersion has an invalid value: new",
		},
		"no such capability": {csv, "Basic Install", "Magic", `"Magic" is not a valid capabilities level`},
		"no such category": {
			csv, "categories: Networking", "categories: Widgets",
			`value "Widgets" is not in the set of standard categories`,
		},
		"a warning, no examples": {csv, "alm-examples", "examples", "example annotations not found"},
		"a warning, the channel": {annotations, "stable", "weekly", "not following the recommended naming convention"},
		"a definition is missing": {
			"manifests/widgets.example_widgets.yaml", "kind: CustomResourceDefinition",
			"kind: ConfigMap", "not found in bundle",
		},
		"no package": {
			annotations, "package.v1: widget-operator", "package.v1: ''",
			"package, channels and default channel have to be there",
		},
		"a removed API": {
			"manifests/manager_policy_v1_poddisruptionbudget.yaml", "policy/v1",
			"policy/v1beta1", "this bundle is using APIs which were deprecated and removed in v1.25",
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(golden)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, test.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), test.old) {
				t.Fatalf("%s has no %q", test.file, test.old)
			}
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), test.old, test.new)),
				0o600); err != nil {
				t.Fatal(err)
			}
			if err := validate(folder); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it finds %v, not %q", err, test.want)
			}
		})
	}
	if err := validate("testdata"); err == nil {
		t.Error("a folder that is no bundle is a good one")
	}
}
