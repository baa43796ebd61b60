// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart makes a Helm chart of what an installation consists of, so that there is one source for both: config/.
package chart

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Name is the chart's, and starts the names of its objects.
const Name = "license-operator"

// files are the parts of the chart that no object decides. values.yaml is a template, in brackets, for the defaults
// that one does.
//
//go:embed all:files
var files embed.FS

// Input of Files.
type Input struct {
	// Version is that of the release: v1.2.3.
	Version string
	// Installation is what make deploy applies, Monitoring what config/prometheus has: objects, as YAML.
	Installation, Monitoring io.Reader
}

// semver is what Helm takes for the version of a chart, after the v that ours begin with.
var semver = regexp.MustCompile(
	`^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)$`)

// Files is the chart, by the names of its files.
func Files(in Input) (map[string]string, error) {
	version := semver.FindStringSubmatch(in.Version)
	if version == nil {
		return nil, fmt.Errorf("%q is no version of a release: make chart VERSION=v1.2.3", in.Version)
	}
	installation, err := decode(in.Installation)
	if err != nil {
		return nil, fmt.Errorf("reading what an installation consists of: %w", err)
	}
	monitoring, err := decode(in.Monitoring)
	if err != nil {
		return nil, fmt.Errorf("reading config/prometheus: %w", err)
	}

	g := &generator{chart: map[string]string{}, defaults: defaults{Version: in.Version}}
	if err := g.installation(installation); err != nil {
		return nil, err
	}
	if err := g.monitoring(monitoring); err != nil {
		return nil, err
	}
	if err := g.metadata(version[1], in.Version); err != nil {
		return nil, err
	}
	return g.chart, nil
}

func decode(r io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(r, 4096); ; {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(object.Object) == 0: // nothing between two separators
		case object.GetKind() == "" || object.GetName() == "":
			return nil, fmt.Errorf("an object has no kind or no name: %v", object.Object)
		default:
			objects = append(objects, normalized(object))
		}
	}
}

// normalized is an object with the types that unstructured knows: whole numbers are int64.
func normalized(o *unstructured.Unstructured) *unstructured.Unstructured {
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for key := range v {
				v[key] = walk(v[key])
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case float64:
			if whole := int64(v); float64(whole) == v {
				return whole
			}
		}
		return v
	}
	walk(o.Object)
	return o
}

// defaults of values that config/ decides.
type defaults struct {
	Version, Repository, Tag, PullPolicy string
	Replicas                             int64
	Resources, NodeSelector, Affinity    map[string]any
}

type generator struct {
	chart     map[string]string
	defaults  defaults
	namespace string
}

// installation adds what make deploy applies. All of it is always there, but for what values can turn off. The
// namespace is Helm's to create.
func (g *generator) installation(objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			g.namespace = o.GetName()
		}
	}
	if g.namespace == "" {
		return errors.New("an installation has no Namespace: is this what hack/manifests prints?")
	}
	deployments := 0
	for _, o := range objects {
		t := &templated{object: o}
		condition := ""
		switch o.GetKind() {
		case "Namespace":
			continue
		case "CustomResourceDefinition":
			condition = ".Values.crds.enabled"
			t.insert("{{- if .Values.crds.keep }}\nhelm.sh/resource-policy: keep\n{{- end }}", "metadata",
				"annotations")
		case "NetworkPolicy":
			condition = ".Values.networkPolicy.enabled"
		case "PodDisruptionBudget":
			condition = ".Values.podDisruptionBudget.enabled"
		case "Deployment":
			deployments++
			if err := g.deployment(t); err != nil {
				return fmt.Errorf("the Deployment: %w", err)
			}
		}
		if err := g.add(t, condition); err != nil {
			return err
		}
	}
	if deployments != 1 {
		return fmt.Errorf("an installation has %d Deployments, and this knows values for one", deployments)
	}
	return nil
}

// monitoring adds config/prometheus, for those who ask for it.
func (g *generator) monitoring(objects []*unstructured.Unstructured) error {
	monitors := 0
	for _, o := range objects {
		t := &templated{object: o}
		if o.GetKind() == "ServiceMonitor" {
			monitors++
			t.insert("{{- with .Values.serviceMonitor.labels }}\n{{- toYaml . | nindent INDENT }}\n{{- end }}",
				"metadata", "labels")
		}
		if err := g.add(t, ".Values.serviceMonitor.enabled"); err != nil {
			return err
		}
	}
	if monitors != 1 {
		return fmt.Errorf("config/prometheus has %d ServiceMonitors, and this knows values for one", monitors)
	}
	return nil
}

// deployment puts values in the place of what the Deployment says, which become their defaults.
func (g *generator) deployment(t *templated) error {
	d := &g.defaults
	pod := []string{"spec", "template", "spec"}
	containers, ok := t.get(append(pod, "containers")...).([]any)
	if !ok || len(containers) != 1 {
		return fmt.Errorf("it has %d containers, and this knows values for one", len(containers))
	}
	container := &templated{object: &unstructured.Unstructured{Object: containers[0].(map[string]any)}}
	var image string
	var env []any
	for _, field := range []struct {
		of   *templated
		into any
		path []string
	}{
		{t, &d.Replicas, []string{"spec", "replicas"}},
		{t, &d.NodeSelector, append(pod, "nodeSelector")},
		{t, &d.Affinity, append(pod, "affinity")},
		{container, &d.Resources, []string{"resources"}},
		{container, &d.PullPolicy, []string{"imagePullPolicy"}},
		{container, &image, []string{"image"}},
		{container, &env, []string{"env"}},
	} {
		if err := field.of.read(field.into, field.path...); err != nil {
			return err
		}
	}
	d.Repository, d.Tag = splitImage(image, d.Version)

	t.set("{{ .Values.replicaCount }}", "spec", "replicas")
	t.insert("{{- with .Values.podAnnotations }}\n{{- toYaml . | nindent INDENT }}\n{{- end }}", "spec", "template",
		"metadata", "annotations")
	t.insert("{{- with .Values.podLabels }}\n{{- toYaml . | nindent INDENT }}\n{{- end }}", "spec", "template",
		"metadata", "labels")
	for _, key := range []string{"imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"} {
		t.block("{{- with .Values."+key+" }}\n"+key+": {{- toYaml . | nindent NESTED }}\n{{- end }}",
			append(pod, key)...)
	}
	container.markers = t.markers // one object, one count
	container.set(
		`{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}`,
		"image")
	container.set("{{ .Values.image.pullPolicy }}", "imagePullPolicy")
	container.block("resources: {{- toYaml .Values.resources | nindent NESTED }}", "resources")
	container.object.Object["env"] = append(
		[]any{container.mark("{{- with include \"license-operator.env\" . | trim }}\n{{- . | nindent INDENT "+
			"}}\n{{- end }}", true)}, env...)
	t.markers = container.markers
	return nil
}

// splitImage is the repository of an image, and what follows it: no tag if that is the release's own.
func splitImage(image, version string) (repository, tag string) {
	name, digest, _ := strings.Cut(image, "@")
	repository, tag = name, version
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		repository, tag = name[:colon], name[colon+1:]
	}
	if digest != "" {
		return repository, tag + "@" + digest
	}
	if tag == version {
		tag = ""
	}
	return repository, tag
}

// add adds the template of an object, which is there if a condition holds.
func (g *generator) add(t *templated, condition string) error {
	name := fmt.Sprintf("%s %s", t.object.GetKind(), t.object.GetName())
	for _, label := range []struct{ key, expression string }{
		{"app.kubernetes.io/managed-by", "{{ .Release.Service }}"},
		{"app.kubernetes.io/instance", "{{ .Release.Name | quote }}"},
		{"helm.sh/chart", `{{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}`},
	} {
		t.set(label.expression, "metadata", "labels", label.key)
	}
	if err := t.inNamespace(g.namespace); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	text, err := t.text()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if condition != "" {
		text = "{{- if " + condition + " }}\n" + text + "{{- end }}\n"
	}
	file := "templates/" + strings.ToLower(t.object.GetKind()) + "-" + strings.TrimPrefix(t.object.GetName(),
		Name+"-") + ".yaml"
	if _, taken := g.chart[file]; taken {
		return fmt.Errorf("%s is there twice", name)
	}
	g.chart[file] = text
	return nil
}

// metadata adds what is no template of an object.
func (g *generator) metadata(version, appVersion string) error {
	about, err := yaml.Marshal(map[string]any{
		"apiVersion": "v2", "name": Name, "type": "application", "version": version, "appVersion": appVersion,
		"kubeVersion": ">=1.30.0-0",
		"description": "Follows the life of software licenses: verifies license keys offline, counts what is used, " +
			"says in time what ends when, and picks up renewals",
		"home":     "https://github.com/license-operator/license-operator",
		"sources":  []any{"https://github.com/license-operator/license-operator"},
		"keywords": []any{"license", "license key", "licensing", "operator", "network policy", "calico"},
	})
	if err != nil {
		return err
	}
	g.chart["Chart.yaml"] = string(about)
	for _, name := range []string{"values.schema.json", "templates/NOTES.txt", "templates/_helpers.tpl"} {
		content, err := files.ReadFile("files/" + name)
		if err != nil {
			return err
		}
		g.chart[name] = string(content)
	}
	values, err := template.New("values.yaml").Delims("[[", "]]").Funcs(template.FuncMap{"yaml": indented}).
		ParseFS(files, "files/values.yaml")
	if err != nil {
		return err
	}
	var filled bytes.Buffer
	if err := values.Execute(&filled, g.defaults); err != nil {
		return err
	}
	g.chart["values.yaml"] = filled.String()
	return nil
}

// indented is a value as YAML, below its key.
func indented(value any) (string, error) {
	text, err := yaml.Marshal(value)
	if err != nil {
		return "", err
	}
	return "\n  " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n  "), nil
}
