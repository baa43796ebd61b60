// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart has Helm lint, render and install the chart that make chart writes, and the one in
// docs/examples/vendor-chart.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const (
	root        = "../.."
	vendorChart = root + "/docs/examples/vendor-chart"
	version     = "v1.2.3"
	image       = "registry.example.com/tools/license-operator:v1.2.3"
	release     = "license-operator"
	// defaultNamespace is that of config/default.
	defaultNamespace = "license-operator-system"
	deployment       = "Deployment license-operator-controller-manager"
)

// scratch is where the chart is written, for all tests.
var scratch string

func TestMain(m *testing.M) {
	code := 1
	var err error
	if scratch, err = os.MkdirTemp("", "license-operator-chart-"); err == nil {
		code = m.Run()
		err = os.RemoveAll(scratch)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var writeChart = sync.OnceValues(func() (string, error) {
	for _, tool := range []string{"helm", "kustomize"} {
		if _, err := os.Stat(filepath.Join(root, "bin", "tools", tool)); err != nil {
			return "", fmt.Errorf("%w; run: make bin/tools/helm bin/tools/kustomize", err)
		}
	}
	_, err := run("", root+"/hack/chart/build", version, image, scratch)
	return filepath.Join(scratch, "chart"), err
})

var writeManifests = sync.OnceValues(func() (string, error) { return run("", root+"/hack/manifests", image) })

// operatorChart is the folder that make chart writes.
func operatorChart(t *testing.T) string {
	t.Helper()
	folder, err := writeChart()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// run is what a command prints, and an error says what it complains of.
func run(input, command string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(command, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	// Helm keeps what it knows of registries and plugins in the home of the user who runs it, and reads settings from
	// HELM_….
	cmd.Env = []string{"HELM_CACHE_HOME=" + scratch, "HELM_CONFIG_HOME=" + scratch, "HELM_DATA_HOME=" + scratch}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "HELM_") && !strings.HasPrefix(variable, "KUBECONFIG=") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s%s", filepath.Base(command), strings.Join(args, " "), err, stderr.String(),
			stdout.String())
	}
	return stdout.String(), nil
}

// helm runs Helm with values, as YAML.
func helm(values string, args ...string) (string, error) {
	return run(values, root+"/bin/tools/helm", append(args, "--values", "-")...)
}

// objects are those of a stream of YAML, by kind and name: no two that are installed have both in common.
func objects(t *testing.T, stream string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(stream), 4096); ; {
		one := unstructured.Unstructured{}
		if err := decoder.Decode(&one.Object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, stream)
		}
		if len(one.Object) == 0 {
			continue
		}
		key := one.GetKind() + " " + one.GetName()
		if all[key] != nil {
			t.Fatalf("%s is there twice", key)
		}
		all[key] = one.Object
	}
}

func render(t *testing.T, chart, release, namespace, values string, args ...string) map[string]map[string]any {
	t.Helper()
	rendered, err := helm(values, append([]string{"template", release, chart, "--namespace", namespace}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, rendered)
}

// field is a map within an object, made if need be.
func field(object map[string]any, path ...any) map[string]any {
	at := any(object)
	for _, key := range path {
		switch key := key.(type) {
		case string:
			if at.(map[string]any)[key] == nil {
				at.(map[string]any)[key] = map[string]any{}
			}
			at = at.(map[string]any)[key]
		case int:
			at = at.([]any)[key]
		}
	}
	return at.(map[string]any)
}

// deployed is what make deploy applies, with what a release does differently: this is the whole of it.
func deployed(t *testing.T, release, namespace string) map[string]map[string]any {
	t.Helper()
	manifests, err := writeManifests()
	if err != nil {
		t.Fatal(err)
	}
	want := objects(t, strings.ReplaceAll(manifests, ": "+defaultNamespace+"\n", fmt.Sprintf(": %q\n", namespace)))
	delete(want, "Namespace "+namespace) // --create-namespace makes it
	ofRelease(want, release)
	for _, kind := range []string{"licensedproducts", "licensekeys"} {
		field(want["CustomResourceDefinition "+kind+".license-operator.io"], "metadata",
			"annotations")["helm.sh/resource-policy"] = "keep"
	}
	return want
}

// ofRelease labels objects as those of a release.
func ofRelease(objects map[string]map[string]any, release string) {
	for _, object := range objects {
		labels := field(object, "metadata", "labels")
		labels["app.kubernetes.io/managed-by"] = "Helm"
		labels["app.kubernetes.io/instance"] = release
		labels["helm.sh/chart"] = "license-operator-1.2.3"
	}
}

func TestDefaultsAreWhatDeployApplies(t *testing.T) {
	for _, test := range []struct{ release, namespace string }{
		{"license-operator", "license-operator-system"},
		{"acme", "acme-licensing"},
		{"1234", "5678"}, // which YAML takes for numbers
	} {
		got := render(t, operatorChart(t), test.release, test.namespace, "")
		if diff := cmp.Diff(deployed(t, test.release, test.namespace), got); diff != "" {
			t.Errorf("release %s in %s: -want +got:\n%s", test.release, test.namespace, diff)
		}
	}
}

func TestValues(t *testing.T) {
	pod := []any{"spec", "template", "spec"}
	container := []any{"spec", "template", "spec", "containers", 0}
	type all = map[string]map[string]any
	environment := func(objects all, variables ...any) {
		manager := field(objects[deployment], container...)
		manager["env"] = append(variables, manager["env"].([]any)...)
	}
	variable := func(name, value string) any { return map[string]any{"name": name, "value": value} }
	for name, test := range map[string]struct {
		values string
		change func(all)
	}{
		"an image": {
			"image: {repository: 'registry.example.com:5000/operator', tag: v2, pullPolicy: Always}",
			func(o all) {
				field(o[deployment], container...)["image"] = "registry.example.com:5000/operator:v2"
				field(o[deployment], container...)["imagePullPolicy"] = "Always"
			},
		},
		"an image by its digest": {
			"image: {tag: 'v1.2.3@sha256:" + strings.Repeat("a", 64) + "'}",
			func(o all) {
				field(o[deployment], container...)["image"] = image + "@sha256:" + strings.Repeat("a", 64)
			},
		},
		"a registry that wants a password": {
			"imagePullSecrets: [{name: registry}]",
			func(o all) {
				field(o[deployment], pod...)["imagePullSecrets"] = []any{map[string]any{"name": "registry"}}
			},
		},
		"replicas": {"replicaCount: 3", func(o all) { field(o[deployment], "spec")["replicas"] = 3.0 }},
		"settings": {
			"settings: {maxRestriction: ReadOnly, alertsLabels: {release: prometheus, example.com/team: 'true'}, " +
				"alertsNamespace: '42', runbookBaseURL: 'https://wiki.example/?a={{b}}'}",
			func(o all) {
				environment(o, variable("LICENSE_OPERATOR_MAX_RESTRICTION", "ReadOnly"),
					variable("LICENSE_OPERATOR_ALERTS_LABELS", "example.com/team=true,release=prometheus"),
					variable("LICENSE_OPERATOR_ALERTS_NAMESPACE", "42"),
					variable("LICENSE_OPERATOR_RUNBOOK_BASE_URL", "https://wiki.example/?a={{b}}"))
			},
		},
		"a setting, and another environment variable": {
			"{settings: {maxRestriction: Observe}, env: [{name: LICENSE_OPERATOR_METRICS_BIND_ADDRESS, value: '0'}]}",
			func(o all) {
				environment(o, variable("LICENSE_OPERATOR_MAX_RESTRICTION", "Observe"),
					variable("LICENSE_OPERATOR_METRICS_BIND_ADDRESS", "0"))
			},
		},
		"resources": {
			"resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}",
			func(o all) {
				field(o[deployment], container...)["resources"] = map[string]any{
					"requests": map[string]any{"cpu": 1.0, "memory": "64Mi"}, "limits": map[string]any{"memory": "1Gi"},
				}
			},
		},
		"nodes": {
			"{nodeSelector: {disk: ssd}, tolerations: [{operator: Exists}], affinity: null, priorityClassName: " +
				"system-cluster-critical}",
			func(o all) {
				spec := field(o[deployment], pod...)
				delete(spec, "affinity")
				field(spec, "nodeSelector")["disk"] = "ssd"
				spec["tolerations"] = []any{map[string]any{"operator": "Exists"}}
				spec["priorityClassName"] = "system-cluster-critical"
			},
		},
		"labels and annotations of pods": {
			"{podLabels: {team: '1'}, podAnnotations: {'example.com/a': 'b: {{c}}'}}",
			func(o all) {
				field(o[deployment], "spec", "template", "metadata", "labels")["team"] = "1"
				field(o[deployment], "spec", "template", "metadata", "annotations")["example.com/a"] = "b: {{c}}"
			},
		},
		"no network policy, no budget": {
			"{networkPolicy: {enabled: false}, podDisruptionBudget: {enabled: false}}",
			func(o all) {
				delete(o, "NetworkPolicy license-operator-controller-manager")
				delete(o, "PodDisruptionBudget license-operator-controller-manager")
			},
		},
		"definitions that go": {"crds: {keep: false}", func(o all) {
			for _, kind := range []string{"licensedproducts", "licensekeys"} {
				delete(field(o["CustomResourceDefinition "+kind+".license-operator.io"], "metadata", "annotations"),
					"helm.sh/resource-policy")
			}
		}},
		"no definitions": {"crds: {enabled: false}", func(o all) {
			for _, kind := range []string{"licensedproducts", "licensekeys"} {
				delete(o, "CustomResourceDefinition "+kind+".license-operator.io")
			}
		}},
		"scraped": {"serviceMonitor: {enabled: true, labels: {release: prometheus}}", func(o all) {
			manifests, err := run("", root+"/bin/tools/kustomize", "build", root+"/config/prometheus")
			if err != nil {
				t.Fatal(err)
			}
			monitoring := objects(t, manifests)
			ofRelease(monitoring, release)
			field(monitoring["ServiceMonitor license-operator-controller-manager-metrics-monitor"], "metadata",
				"labels")["release"] = "prometheus"
			for name, object := range monitoring {
				o[name] = object
			}
		}},
		"as part of another chart": {"global: {anything: true}", func(all) {}},
	} {
		t.Run(name, func(t *testing.T) {
			want := deployed(t, release, defaultNamespace)
			test.change(want)
			if diff := cmp.Diff(want, render(t, operatorChart(t), release, defaultNamespace, test.values)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"imagePullSecret: [{name: registry}]":   "at '': additional properties 'imagePullSecret' not allowed",
		"settings: {maxRestrictions: ReadOnly}": "at '/settings': additional properties 'maxRestrictions' not allowed",
		"settings: {maxRestriction: readonly}": "at '/settings/maxRestriction': value must be one of '', " +
			"'Observe', 'ReadOnly', 'DefaultTierOnly'",
		"settings: {alertsLabels: 'a=b'}":     "at '/settings/alertsLabels': got string, want null or object",
		"settings: {alertsLabels: {a: true}}": "at '/settings/alertsLabels/a': got boolean, want string",
		"settings: {runbookBaseURL: wiki}":    "at '/settings/runbookBaseURL': 'wiki' does not match pattern",
		"replicaCount: 0":                     "at '/replicaCount': minimum: got 0, want 1",
		"replicaCount: '2'":                   "at '/replicaCount': got string, want integer",
		"image: {repository: 'registry.example.com/operator:v1'}": "at '/image/repository': " +
			"'registry.example.com/operator:v1' does not match pattern",
		"image: {tag: 1.2}":                   "at '/image/tag': got number, want string",
		"image: null":                         "missing property 'image'",
		"imagePullSecrets: [registry]":        "at '/imagePullSecrets/0': got string, want object",
		"podLabels: {control-plane: another}": "at '/podLabels/control-plane': false schema",
		"serviceMonitor: {enabled: 'true'}": "at '/serviceMonitor/enabled': got string, want " +
			"boolean",
		"crds: {kept: true}": "at '/crds': additional properties " +
			"'kept' not allowed",
		"env: [{name: LICENSE_OPERATOR_MAX_RESTRICTION, value: Observe}]": "at '/env/0/name': 'not' failed",
		"resources: {limit: {memory: 1Gi}}": "at '/resources': additional properties " +
			"'limit' not allowed",
		"affinity: {nodeAffinitty: {}}": "at '/affinity': additional " +
			"properties 'nodeAffinitty' not allowed",
		"podAnnotations: {kubectl.kubernetes.io/default-container: somebody-else's}": "at '/podAnnotations/" +
			"kubectl.kubernetes.io~1default-container': false schema",
	} {
		if _, err := helm(values, "template", release, operatorChart(t)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, not one with %q", values, err, want)
		}
	}
}

func TestOlderKubernetesIsRefused(t *testing.T) {
	_, err := helm("", "template", release, operatorChart(t), "--kube-version", "v1.29.9")
	if want := "chart requires kubeVersion: >=1.30.0-0 which is incompatible with Kubernetes v1.29.9"; err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, not one with %q", err, want)
	}
	render(t, operatorChart(t), release, defaultNamespace, "", "--kube-version", "v1.30.1-eks-1234")
}

func TestArchive(t *testing.T) {
	folder := operatorChart(t)
	archived, err := run("", root+"/bin/tools/helm", "template", release,
		filepath.Join(filepath.Dir(folder), "license-operator-1.2.3.tgz"), "--namespace", defaultNamespace)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(render(t, folder, release, defaultNamespace, ""), objects(t, archived)); diff != "" {
		t.Errorf("-folder +archive:\n%s", diff)
	}
}
