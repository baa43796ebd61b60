// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

const (
	installation = `
apiVersion: v1
kind: Namespace
metadata: {name: here}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: license-operator-lock
  labels: {app.kubernetes.io/managed-by: kustomize}
spec:
  validations:
  - expression: "[{{'a': {}}}].all(x, '{{ .Release.Name }}' != '}}')"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: license-operator-manager-rolebinding}
subjects:
- {kind: ServiceAccount, name: manager, namespace: here}
- {kind: ServiceAccount, name: calico, namespace: calico-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: license-operator-manager, namespace: here}
spec:
  replicas: 2
  template:
    metadata:
      labels: {app: manager}
      annotations: {container: manager}
    spec:
      nodeSelector: {os: linux}
      affinity: {podAntiAffinity: {}}
      containers:
      - name: manager
        image: registry.example.com:5000/tools/license-operator:v1.2.3
        imagePullPolicy: Always
        env: [{name: GOMEMLIMIT, value: 1G}]
        resources: {limits: {memory: 1G}}
`
	monitoring = `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: license-operator-monitor, namespace: here}
`
	labels = `    app.kubernetes.io/instance: {{ .Release.Name | quote }}
    app.kubernetes.io/managed-by: {{ .Release.Service }}
`
	chartLabel = `    helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
`
)

func input(installation, monitoring string) Input {
	return Input{
		Version: "v1.2.3", Installation: strings.NewReader(installation),
		Monitoring: strings.NewReader(monitoring),
	}
}

func TestFiles(t *testing.T) {
	chart, err := Files(input(installation, monitoring))
	if err != nil {
		t.Fatal(err)
	}
	wantNames := []string{
		"Chart.yaml", "templates/NOTES.txt", "templates/_helpers.tpl",
		"templates/clusterrolebinding-manager-rolebinding.yaml", "templates/deployment-manager.yaml",
		"templates/servicemonitor-monitor.yaml", "templates/validatingadmissionpolicy-lock.yaml", "values.schema.json",
		"values.yaml",
	}
	if diff := cmp.Diff(wantNames, slices.Sorted(maps.Keys(chart))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for file, want := range map[string]string{
		"templates/validatingadmissionpolicy-lock.yaml": `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  labels:
` + labels + chartLabel + `  name: license-operator-lock
spec:
  validations:
  - expression: '[{{ "{{" }}''a'': {}}}].all(x, ''{{ "{{" }} .Release.Name }}'' != ''}}'')'
`,
		"templates/clusterrolebinding-manager-rolebinding.yaml": `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  labels:
` + labels + chartLabel + `  name: license-operator-manager-rolebinding
subjects:
- kind: ServiceAccount
  name: manager
  namespace: {{ .Release.Namespace | quote }}
- kind: ServiceAccount
  name: calico
  namespace: calico-system
`,
		"templates/servicemonitor-monitor.yaml": `{{- if .Values.serviceMonitor.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  labels:
` + labels + `    {{- with .Values.serviceMonitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
` + chartLabel + `  name: license-operator-monitor
  namespace: {{ .Release.Namespace | quote }}
{{- end }}
`,
		"templates/deployment-manager.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
` + labels + chartLabel + `  name: license-operator-manager
  namespace: {{ .Release.Namespace | quote }}
spec:
  replicas: {{ .Values.replicaCount }}
  template:
    metadata:
      annotations:
        container: manager
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        app: manager
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- with .Values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
      - env:
        {{- with include "license-operator.env" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        - name: GOMEMLIMIT
          value: 1G
        image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        name: manager
        resources: {{- toYaml .Values.resources | nindent 10 }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.priorityClassName }}
      priorityClassName: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
`,
	} {
		if diff := cmp.Diff(want, chart[file]); diff != "" {
			t.Errorf("%s: -want +got:\n%s", file, diff)
		}
	}

	var values map[string]any
	if err := yaml.UnmarshalStrict([]byte(chart["values.yaml"]), &values); err != nil {
		t.Fatal(err)
	}
	wantValues := map[string]any{
		"image": map[string]any{
			"repository": "registry.example.com:5000/tools/license-operator", "tag": "",
			"pullPolicy": "Always",
		},
		"imagePullSecrets": []any{}, "replicaCount": 2.0, "env": []any{}, "priorityClassName": "",
		"tolerations": []any{},
		"settings": map[string]any{
			"maxRestriction": "", "alertsLabels": map[string]any{}, "alertsNamespace": "",
			"runbookBaseURL": "",
		},
		"resources":      map[string]any{"limits": map[string]any{"memory": "1G"}},
		"nodeSelector":   map[string]any{"os": "linux"},
		"affinity":       map[string]any{"podAntiAffinity": map[string]any{}},
		"podAnnotations": map[string]any{}, "podLabels": map[string]any{},
		"networkPolicy": map[string]any{"enabled": true}, "podDisruptionBudget": map[string]any{"enabled": true},
		"serviceMonitor": map[string]any{"enabled": false, "labels": map[string]any{}},
		"crds":           map[string]any{"enabled": true, "keep": true},
	}
	if diff := cmp.Diff(wantValues, values); diff != "" {
		t.Errorf("values: -want +got:\n%s", diff)
	}
}

func TestFilesRefusesWhatItWouldGetWrong(t *testing.T) {
	replaced := func(old, replacement string) Input {
		return input(strings.Replace(installation, old, replacement, 1), monitoring)
	}
	for name, test := range map[string]struct {
		in   Input
		want string
	}{
		"no version": {Input{Version: "latest"}, `"latest" is no version of a release: make chart VERSION=v1.2.3`},
		"no namespace": {
			replaced("kind: Namespace", "kind: ConfigMap"),
			"an installation has no Namespace: is this what hack/manifests prints?",
		},
		"no Deployment": {
			replaced("kind: Deployment", "kind: DaemonSet"),
			"an installation has 0 Deployments, and this knows values for one",
		},
		"no ServiceMonitor": {
			input(installation, ""),
			"config/prometheus has 0 ServiceMonitors, and this knows values for one",
		},
		"no kind": {
			replaced("kind: Deployment", ""),
			"reading what an installation consists of: an object has no kind or no name: map[",
		},
		"the namespace in words": {replaced("calico-system", "here.svc"), "ClusterRoleBinding " +
			"license-operator-manager-rolebinding: subjects[1].namespace has the namespace here within it"},
		"an object twice": {
			replaced("kind: Deployment", "kind: ClusterRoleBinding\nmetadata: {name: "+
				"license-operator-manager-rolebinding}\n---\nkind: Deployment"),
			"ClusterRoleBinding license-operator-manager-rolebinding is there twice",
		},
		"no node selector": {replaced("nodeSelector: {os: linux}", ""), "the Deployment: " +
			"spec.template.spec.nodeSelector is no map[string]interface {}, of which the chart could make a value"},
		"a marker": {
			replaced("name: calico", "name: helm-template-text-0-"),
			`none may say "helm-template-text-" itself`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Files(test.in); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, not one with %q", err, test.want)
			}
		})
	}
}

func TestSplitImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	for image, want := range map[string][2]string{
		"license-operator":                               {"license-operator", ""},
		"license-operator:v1.2.3":                        {"license-operator", ""},
		"license-operator:v1":                            {"license-operator", "v1"},
		"registry.example.com:5000/a/operator":           {"registry.example.com:5000/a/operator", ""},
		"registry.example.com:5000/a/operator:v1":        {"registry.example.com:5000/a/operator", "v1"},
		"registry.example.com:5000/operator@" + digest:   {"registry.example.com:5000/operator", "v1.2.3@" + digest},
		"registry.example.com/a/operator:v1.2@" + digest: {"registry.example.com/a/operator", "v1.2@" + digest},
	} {
		repository, tag := splitImage(image, "v1.2.3")
		if got := [2]string{repository, tag}; got != want {
			t.Errorf("%s: %q, not %q", image, got, want)
		}
	}
}

// Whatever an object says, Helm's template engine gives it back: braces, markers of YAML and all.
func TestWhatAnObjectSaysIsNoTemplate(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"{{", "}}", "{", "}", "{{-", "-}}", "{{/*", "`", `"`, "'", ": ", "\n", "#",
		" ", "- ", "|", "a", "{{ end }}", "%", "ü", "0", "true",
	})
	rapid.Check(t, func(t *rapid.T) {
		said := strings.Join(rapid.SliceOf(pieces).Draw(t, "said"), "")
		key := "k" + strings.Join(rapid.SliceOf(pieces).Draw(t, "key"), "")
		object := func() map[string]any {
			return map[string]any{
				"kind": "Thing", "metadata": map[string]any{"name": "thing"},
				"spec": map[string]any{key: []any{said}, "x": "old"},
			}
		}
		one := &templated{object: &unstructured.Unstructured{Object: object()}}
		one.set("{{ .New }}", "spec", "x")
		text, err := one.text()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := template.New("").Parse(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		var rendered strings.Builder
		if err := parsed.Execute(&rendered, map[string]any{"New": "new"}); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		var got map[string]any
		if err := yaml.Unmarshal([]byte(rendered.String()), &got); err != nil {
			t.Fatalf("%v in\n%s", err, rendered.String())
		}
		want := object()
		want["spec"].(map[string]any)["x"] = "new"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s\n%s", diff, fmt.Sprint(text))
		}
	})
}
