// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "write what is made into testdata")

const golden = "testdata/widgets"

func testSettings() *settings {
	return &settings{
		version: "v1.2.3", channels: []string{"stable", "candidate"}, replaces: "v1.2.2",
		skips: []string{"1.2.1", "widget-operator.v1.2.0"}, skipRange: ">=1.0.0 <1.2.0",
		createdAt: "2026-12-01T12:00:00Z", icon: []byte("<svg/>"),
	}
}

func testObjects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("testdata/objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// filesIn reads a folder, and the Dockerfile beside it.
func filesIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, root := range map[string]string{"": folder, "Dockerfile": folder + ".Dockerfile"} {
		if err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if name == "" {
				path, _ = filepath.Rel(folder, path)
				found[path] = string(content)
			} else {
				found[name] = string(content)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func written(made *bundle) map[string]string {
	files := map[string]string{"Dockerfile": string(made.dockerfile)}
	for path, content := range made.files {
		files[path] = string(content)
	}
	return files
}

func TestGenerate(t *testing.T) {
	objects := testObjects(t)
	var before []*unstructured.Unstructured
	for _, object := range objects {
		before = append(before, object.DeepCopy())
	}
	made, err := generate(objects, testSettings())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := write(golden, made); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(filesIn(t, golden), written(made)); diff != "" {
		t.Errorf("not what is in %s; go test -update writes it. -want +got:\n%s", golden, diff)
	}
	if diff := cmp.Diff(before, objects); diff != "" {
		t.Errorf("it changed what it was given: -before +after:\n%s", diff)
	}
	if err := validate(golden); err != nil {
		t.Error(err)
	}
}

// Whatever order kustomize builds in, the bundle is the same.
func TestGenerateInAnyOrder(t *testing.T) {
	objects := testObjects(t)
	want, err := generate(objects, testSettings())
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(objects)
	got, err := generate(objects, testSettings())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written(want), written(got)); diff != "" {
		t.Errorf("-one way +the other way:\n%s", diff)
	}
}

// A version with nothing before it, in the only channel.
func TestGenerateTheFirst(t *testing.T) {
	made, err := generate(testObjects(t), &settings{version: "0.1.0-rc.1", channels: []string{"candidate"}})
	if err != nil {
		t.Fatal(err)
	}
	csv := string(made.files["manifests/widget-operator.clusterserviceversion.yaml"])
	for _, line := range []string{"  name: widget-operator.v0.1.0-rc.1\n", "  version: 0.1.0-rc.1\n"} {
		if !strings.Contains(csv, line) {
			t.Errorf("it has no line %q", line)
		}
	}
	for _, field := range []string{"replaces:", "skips:", "skipRange:", "createdAt:", "icon:"} {
		if strings.Contains(csv, field) {
			t.Errorf("it has %s", field)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	// object finds one to be changed.
	object := func(objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
		for _, o := range objects {
			if o.GetKind() == kind && o.GetName() == name {
				return o
			}
		}
		t.Fatalf("there is no %s %s", kind, name)
		return nil
	}
	set := func(kind, name string, value any,
		path ...string,
	) func([]*unstructured.Unstructured) []*unstructured.Unstructured {
		return func(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
			if err := unstructured.SetNestedField(object(objects, kind, name).Object, value, path...); err != nil {
				t.Fatal(err)
			}
			return objects
		}
	}
	without := func(kind string) func([]*unstructured.Unstructured) []*unstructured.Unstructured {
		return func(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
			return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind })
		}
	}
	with := func(apiVersion, kind, namespace string) func([]*unstructured.Unstructured) []*unstructured.Unstructured {
		return func(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
			added := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
			added.SetName("added")
			added.SetNamespace(namespace)
			return append(objects, added)
		}
	}
	owned := func(change func(entry map[string]any)) func([]*unstructured.Unstructured) []*unstructured.Unstructured {
		return func(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
			csv := object(objects, csvKind, "widget-operator.v0.0.0").Object
			entries, _, _ := unstructured.NestedSlice(csv, "spec", "customresourcedefinitions", "owned")
			change(entries[0].(map[string]any))
			if err := unstructured.SetNestedSlice(csv, entries, "spec", "customresourcedefinitions",
				"owned"); err != nil {
				t.Fatal(err)
			}
			return objects
		}
	}
	container := func(fields map[string]any) func([]*unstructured.Unstructured) []*unstructured.Unstructured {
		return set("Deployment", "manager", []any{fields}, "spec", "template", "spec", "containers")
	}
	for name, test := range map[string]struct {
		settings func(*settings)
		objects  func([]*unstructured.Unstructured) []*unstructured.Unstructured
		want     string
	}{
		"no version": {
			func(s *settings) { s.version = "" }, nil,
			`"" is no semantic version, such as v1.2.3: Version string empty`,
		},
		"a commit": {
			func(s *settings) { s.version = "698e7ea" }, nil,
			`"698e7ea" is no semantic version, such as v1.2.3: No Major.Minor.Patch elements found`,
		},
		"build metadata": {
			func(s *settings) { s.version = "v1.2.3+x" }, nil,
			`version "v1.2.3+x" has build metadata, which stands in no name: leave out what follows the +`,
		},
		"a long version": {
			func(s *settings) { s.version = "1.2.3-" + strings.Repeat("x", 50) }, nil,
			"widget-operator.v1.2.3-" + strings.Repeat("x", 50) +
				" is longer than the 63 characters that OLM allows: shorten the version",
		},
		"no channel": {
			func(s *settings) { s.channels = nil }, nil,
			"a bundle belongs to one channel at least: CHANNELS=stable",
		},
		"a bad channel": {
			func(s *settings) { s.channels = []string{"a/b"} }, nil,
			`"a/b" is no name of a channel: CHANNELS=stable,candidate`,
		},
		"another default": {
			func(s *settings) { s.defaultChannel = "fast" }, nil,
			`the default channel is "fast", and the bundle belongs to stable, candidate: name it in CHANNELS, too`,
		},
		"replaces a newer": {
			func(s *settings) { s.replaces = "v1.3.0" }, nil,
			"REPLACES: 1.3.0 is not older than 1.2.3",
		},
		"replaces itself": {
			func(s *settings) { s.replaces = "v1.2.3" }, nil,
			"REPLACES: 1.2.3 is not older than 1.2.3",
		},
		"replaces nonsense": {
			func(s *settings) { s.replaces = "older" }, nil,
			`REPLACES: "older" is no semantic version, such as v1.2.3: No Major.Minor.Patch elements found`,
		},
		"skips itself": {
			func(s *settings) { s.skips = []string{"1.2.3"} }, nil,
			"SKIPS: 1.2.3 is not older than 1.2.3",
		},
		"a bad range": {
			func(s *settings) { s.skipRange = "old ones" }, nil,
			`SKIP_RANGE "old ones" is no range of versions, such as '>=0.1.0 <0.2.0': Could not get version from ` +
				`string: "old"`,
		},
		"a range of itself": {
			func(s *settings) { s.skipRange = "<=1.2.3" }, nil,
			`SKIP_RANGE "<=1.2.3" skips the version itself, 1.2.3`,
		},
		"a bad time": {
			func(s *settings) { s.createdAt = "today" }, nil,
			`CREATED_AT: parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006": give ` +
				`it as in 2026-12-01T12:00:00Z`,
		},
		"no picture": {func(s *settings) { s.icon = []byte("GIF89a") }, nil, "the icon is no SVG"},

		"no version to write": {nil, without(csvKind), "there is no ClusterServiceVersion: config/manifests/bases " +
			"has the part of it that is written by hand"},
		"two of them": {
			nil, with("operators.coreos.com/v1alpha1", csvKind, ""),
			"there are two ClusterServiceVersions, widget-operator.v0.0.0 and added",
		},
		"a misspelled field": {
			nil, set(csvKind, "widget-operator.v0.0.0", "stable", "spec", "maturty"),
			`ClusterServiceVersion widget-operator.v1.2.3: strict decoding error: unknown field "spec.maturty"`,
		},
		"nothing to run": {nil, without("Deployment"), "there is no Deployment: nothing would run"},
		"no definition": {nil, func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			return without("Widget")(without("CustomResourceDefinition")(o))
		}, "ClusterServiceVersion: it owns widgets.widgets.example, and config/crd has no such definition"},
		"a kind that OLM does not take": {
			nil, with("monitoring.coreos.com/v1", "ServiceMonitor", "widgets"),
			"ServiceMonitor added cannot be in a bundle: OLM does not take the kind, or clusters need not know it; " +
				"leave it out of config/manifests",
		},
		"another namespace": {nil, with("v1", "Service", "elsewhere"), "Service added is in namespace elsewhere, " +
			"and the operator in widgets: OLM installs everything in one"},
		"another kind": {
			nil, owned(func(e map[string]any) { e["kind"] = "Gadget" }),
			"ClusterServiceVersion: it owns kind Gadget, version v1 of widgets.widgets.example, and config/crd has " +
				"kind Widget and no such version",
		},
		"a foreign field": {
			nil, owned(func(e map[string]any) { e["colour"] = "red" }),
			`ClusterServiceVersion: owned definition widgets.widgets.example: strict decoding error: unknown field ` +
				`"colour"`,
		},
		"a field that is gone": {
			nil, owned(func(e map[string]any) { e["statusDescriptors"] = []any{map[string]any{"path": "phase"}} }),
			"ClusterServiceVersion: widgets.widgets.example has a descriptor of status.phase, which is no field of it",
		},
		"a field that is new": {
			nil, owned(func(e map[string]any) { e["specDescriptors"] = []any{map[string]any{"path": "size"}} }),
			"ClusterServiceVersion: widgets.widgets.example has no descriptor of spec.paint: say in " +
				"config/manifests/bases what it is",
		},
		"a version that is new": {
			nil, set(csvKind, "widget-operator.v0.0.0", []any{}, "spec", "customresourcedefinitions", "owned"),
			"ClusterServiceVersion: it does not own version v1 of widgets.widgets.example: add it to " +
				"spec.customresourcedefinitions.owned",
		},
		"no one applies policies": {
			nil, container(map[string]any{"name": "manager", "image": "a:1"}),
			"deployment manager: no one would apply the admission policies (guard): OLM cannot carry them: " +
				"set LICENSE_OPERATOR_MANAGE_ADMISSION_POLICIES to true",
		},
		"no image": {
			nil, container(map[string]any{
				"name": "manager",
				"env":  []any{map[string]any{"name": managesAdmission, "value": "true"}},
			}),
			"deployment manager: container manager has no image",
		},
		"the default account": {
			nil, set("Deployment", "manager", "default", "spec", "template", "spec", "serviceAccountName"),
			"deployment manager: it has no ServiceAccount of its own to give permissions to",
		},
		"no such role": {
			nil, set("RoleBinding", "manager", "another", "roleRef", "name"),
			"RoleBinding manager binds the operator to Role another in namespace widgets, which is not there",
		},
		"an empty role": {nil, set("ClusterRole", "manager", []any{}, "rules"), "ClusterRole manager has no rules"},
		"a shared binding": {
			nil, set("ClusterRoleBinding", "manager", []any{
				map[string]any{"kind": "ServiceAccount", "name": "manager", "namespace": "widgets"},
				map[string]any{"kind": "User", "name": "jane"},
			}, "subjects"),
			"ClusterRoleBinding manager binds the operator and others: give the others a binding of their own, " +
				"since the operator's becomes OLM's",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, objects := testSettings(), testObjects(t)
			if test.settings != nil {
				test.settings(s)
			}
			if test.objects != nil {
				objects = test.objects(objects)
			}
			_, err := generate(objects, s)
			if err == nil {
				t.Fatal("it made a bundle")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Who is bound to a role that the operator is bound to as well keeps it.
func TestSharedRoleStays(t *testing.T) {
	objects := testObjects(t)
	for _, object := range objects {
		if object.GetKind() == "ClusterRoleBinding" && object.GetName() == "viewers" {
			if err := unstructured.SetNestedField(object.Object, "manager", "roleRef", "name"); err != nil {
				t.Fatal(err)
			}
		}
	}
	made, err := generate(objects, testSettings())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"manifests/manager_rbac.authorization.k8s.io_v1_clusterrole.yaml":        true,
		"manifests/viewers_rbac.authorization.k8s.io_v1_clusterrolebinding.yaml": true,
		"manifests/manager_rbac.authorization.k8s.io_v1_clusterrolebinding.yaml": false,
		"manifests/manager_rbac.authorization.k8s.io_v1_role.yaml":               false,
	} {
		if _, got := made.files[path]; got != want {
			t.Errorf("%s is there: %t", path, got)
		}
	}
}

func TestCommands(t *testing.T) {
	objects, err := os.ReadFile("testdata/objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "made")
	icon := filepath.Join(t.TempDir(), "icon.svg")
	if err := os.WriteFile(icon, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := []string{
		"generate", "--version", "v1.2.3", "--channels", "stable,candidate", "--replaces", "v1.2.2", "--skips",
		"1.2.1, widget-operator.v1.2.0", "--skip-range", ">=1.0.0 <1.2.0",
		"--created-at", "2026-12-01T12:00:00Z", "--icon", icon, folder,
	}
	var output bytes.Buffer
	// Twice: over what is there from before, a file that is no longer generated.
	for range 2 {
		if err := run(arguments, bytes.NewReader(objects), &output); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(filesIn(t, golden), filesIn(t, folder)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if err := os.WriteFile(filepath.Join(folder, "manifests", "old.yaml"), []byte("kind: Old\n"),
			0o600); err != nil {
			t.Fatal(err)
		}
	}

	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "work"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		arguments []string
		input     string
		want      string
	}{
		"no command":      {nil, "", "there is no command \"\"\n" + usage},
		"another command": {[]string{"publish"}, "", "there is no command \"publish\"\n" + usage},
		"no folder":       {[]string{"generate", "--version", "1.2.3"}, "", "generate takes one folder"},
		"nothing to read": {
			[]string{"generate", "--version", "1.2.3", "--channels", "stable", folder},
			"",
			"there is no ClusterServiceVersion: config/manifests/bases has the part of it that is written by hand",
		},
		"no YAML": {
			[]string{"generate", "--version", "1.2.3", "--channels", "stable", folder},
			"a: [",
			"what kustomize built cannot be read: error converting YAML to JSON: yaml: line 1: did not find " +
				"expected node content",
		},
		"somebody's folder": {
			append(slices.Clone(arguments[:len(arguments)-1]), occupied), string(objects),
			occupied + " has something in it, and is no bundle: name another folder (BUNDLE_DIR)",
		},
		"validates a folder": {[]string{"validate"}, "", "validate takes one folder"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(test.arguments, strings.NewReader(test.input), &output)
			if err == nil {
				t.Fatal("it did something")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
