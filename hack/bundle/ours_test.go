// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// ours is the bundle that is committed. That it is what config/ makes is for make verify to say.
const ours = "../../bundle"

func ourBundle(t *testing.T) *manifests.Bundle {
	t.Helper()
	loaded, err := manifests.GetBundleFromDir(ours)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestOurBundleIsGood(t *testing.T) {
	if err := validate(ours); err != nil {
		t.Error(err)
	}
}

// Everything that OLM applies as it is, by its name: the same in every version, so that an upgrade puts one in place of
// the other.
func TestOurManifests(t *testing.T) {
	var got []string
	for _, object := range ourBundle(t).Objects {
		if object.GetKind() != csvKind {
			got = append(got, object.GetKind()+" "+object.GetName())
		}
		if object.GetNamespace() != "" && object.GetKind() != csvKind {
			t.Errorf("%s %s is in a namespace", object.GetKind(), object.GetName())
		}
	}
	slices.Sort(got)
	want := []string{
		"ClusterRole license-operator-license-report-reader",
		"ClusterRole license-operator-licensedproduct-admin-role",
		"ClusterRole license-operator-licensedproduct-editor-role",
		"ClusterRole license-operator-licensedproduct-viewer-role",
		"ClusterRole license-operator-licensekey-admin-role",
		"ClusterRole license-operator-licensekey-editor-role",
		"ClusterRole license-operator-licensekey-viewer-role",
		"ClusterRole license-operator-metrics-reader",
		"ClusterRoleBinding license-operator-calico-apiserver-rolebinding",
		"CustomResourceDefinition licensedproducts.license-operator.io",
		"CustomResourceDefinition licensekeys.license-operator.io",
		"NetworkPolicy license-operator-controller-manager",
		"PodDisruptionBudget license-operator-controller-manager",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOurVersion(t *testing.T) {
	release, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	tag := strings.TrimSpace(string(release))
	csv := ourBundle(t).CSV
	want := []string{
		"license-operator." + tag, strings.TrimPrefix(tag, "v"), "1.30.0", "license-operator:" + tag,
		"license-operator:" + tag,
	}
	got := []string{
		csv.Name, csv.Spec.Version.String(), csv.Spec.MinKubeVersion, csv.Annotations["containerImage"],
		csv.Spec.RelatedImages[0].Image,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// With any other mode than this one OLM gives the operator's Roles to it in other namespaces as well, or in all: it
// would read their Secrets.
func TestOurInstallModes(t *testing.T) {
	want := map[v1alpha1.InstallModeType]bool{
		"OwnNamespace": true, "SingleNamespace": false, "MultiNamespace": false,
		"AllNamespaces": false,
	}
	got := map[v1alpha1.InstallModeType]bool{}
	for _, mode := range ourBundle(t).CSV.Spec.InstallModes {
		got[mode.Type] = mode.Supported
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// kubectl license finds the operator by these, and so do the NetworkPolicy and the PodDisruptionBudget.
func TestOurDeployment(t *testing.T) {
	deployments := ourBundle(t).CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs
	if len(deployments) != 1 || deployments[0].Name != "license-operator-controller-manager" {
		t.Fatalf("the deployments are %+v", deployments)
	}
	found := map[string]string{}
	deployment := deployments[0]
	want := map[string]string{"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager"}
	for what, got := range map[string]map[string]string{
		"pods":     deployment.Spec.Template.Labels,
		"selector": deployment.Spec.Selector.MatchLabels,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", what, diff)
		}
	}
	want["app.kubernetes.io/managed-by"] = "olm"
	if diff := cmp.Diff(want, map[string]string(deployment.Label)); diff != "" {
		t.Errorf("Deployment: -want +got:\n%s", diff)
	}
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		found[variable.Name] = variable.Value
	}
	if diff := cmp.Diff(map[string]string{managesAdmission: "true", "GOMEMLIMIT": ""}, found); diff != "" {
		t.Errorf("env: -want +got:\n%s", diff)
	}
	if secrets := deployment.Spec.Template.Spec.ImagePullSecrets; len(secrets) > 0 {
		t.Errorf("it pulls with %v, which not everybody has", secrets)
	}
}

// What the operator may is what config/rbac says, in the whole cluster and in its own namespace.
func TestOurPermissions(t *testing.T) {
	var cluster, own []rbacv1.PolicyRule
	for _, name := range []string{
		"admission_manager_role.yaml", "role.yaml", "metrics_auth_role.yaml",
		"leader_election_role.yaml",
	} {
		text, err := os.ReadFile("../../config/rbac/" + name)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := read(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			var role rbacv1.Role
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
				t.Fatal(err)
			}
			if object.GetKind() == clusterRole {
				cluster = append(cluster, role.Rules...)
			} else {
				own = append(own, role.Rules...)
			}
		}
	}
	strategy := ourBundle(t).CSV.Spec.InstallStrategy.StrategySpec
	for scope, test := range map[string]struct {
		want []rbacv1.PolicyRule
		got  []v1alpha1.StrategyDeploymentPermissions
	}{"cluster": {cluster, strategy.ClusterPermissions}, "namespace": {own, strategy.Permissions}} {
		if len(test.got) != 1 || test.got[0].ServiceAccountName != "license-operator-controller-manager" {
			t.Errorf("%s: the permissions are %+v", scope, test.got)
			continue
		}
		if diff := cmp.Diff(sorted(test.want), sorted(test.got[0].Rules)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", scope, diff)
		}
	}
	for _, rule := range strategy.ClusterPermissions[0].Rules {
		if slices.Contains(rule.Resources, "secrets") {
			t.Errorf("it may read Secrets everywhere: %v", rule)
		}
	}
}

// sorted are rules as texts.
func sorted(rules []rbacv1.PolicyRule) []string {
	var texts []string
	for _, rule := range rules {
		texts = append(texts, rule.String())
	}
	slices.Sort(texts)
	return texts
}

func TestOurExamples(t *testing.T) {
	var examplesMade []map[string]any
	if err := yaml.Unmarshal([]byte(ourBundle(t).CSV.Annotations[examples]), &examplesMade); err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, example := range examplesMade {
		got = append(got, example["kind"])
	}
	if diff := cmp.Diff([]any{"LicensedProduct", "LicenseKey"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A catalog reads the labels of the image, and what is in the image the annotations: they have to agree.
func TestOurLabels(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(ours, "metadata", "annotations.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(ours + ".Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for line := range strings.Lines(string(image)) {
		if label, isLabel := strings.CutPrefix(line, "LABEL "); isLabel {
			name, value, _ := strings.Cut(strings.TrimSpace(label), "=")
			labels[name] = value
		}
	}
	if diff := cmp.Diff(file.Annotations, labels); diff != "" {
		t.Errorf("-annotations +labels:\n%s", diff)
	}
	if len(labels) == 0 {
		t.Error("there are none")
	}
}
