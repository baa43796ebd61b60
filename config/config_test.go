// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config tests what kustomize makes of the folders beside it.
package config

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/token"
)

const namespace = "license-operator-system"

// built is what an installation consists of.
func built(t *testing.T) []*unstructured.Unstructured { return builtFrom(t, "default") }

func builtFrom(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, resource := range resources.Resources() {
		content, err := resource.Map()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects
}

// find reads the installed object of a kind and name.
func find(t *testing.T, kind, name string, into any) {
	t.Helper()
	findIn(t, built(t), kind, name, into)
}

func findIn(t *testing.T, objects []*unstructured.Unstructured, kind, name string, into any) {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == kind && object.GetName() == name {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into,
				true); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %s %s is installed", kind, name)
}

func TestNamespacesAreWhereTheyBelong(t *testing.T) {
	namespaced := []string{
		"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding",
		"ServiceAccount",
	}
	for _, object := range built(t) {
		want := ""
		if slices.Contains(namespaced, object.GetKind()) {
			want = namespace
		}
		if got := object.GetNamespace(); got != want {
			t.Errorf("%s %s is in namespace %q, not %q", object.GetKind(), object.GetName(), got, want)
		}
	}
}

func TestCalicoReadsProducts(t *testing.T) {
	var binding rbacv1.ClusterRoleBinding
	find(t, "ClusterRoleBinding", "license-operator-calico-apiserver-rolebinding", &binding)
	want := []rbacv1.Subject{
		{Kind: "ServiceAccount", Name: "calico-apiserver", Namespace: "calico-apiserver"},
		{Kind: "ServiceAccount", Name: "calico-apiserver", Namespace: "calico-system"},
	}
	if diff := cmp.Diff(want, binding.Subjects); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var role rbacv1.ClusterRole
	find(t, "ClusterRole", binding.RoleRef.Name, &role)
	if got := role.Rules[0]; !slices.Equal(got.Resources, []string{"licensedproducts"}) ||
		!slices.Equal(got.Verbs, []string{"get", "list", "watch"}) {
		t.Errorf("they may %v", got)
	}
}

func TestAdmissionManagerMayWriteThePolicies(t *testing.T) {
	var role rbacv1.ClusterRole
	find(t, "ClusterRole", "license-operator-admission-manager-role", &role)
	var names []string
	for _, object := range admission.Objects() {
		names = append(names, object.GetName())
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Compact(names), role.Rules[0].ResourceNames); diff != "" {
		t.Errorf("-policies +role:\n%s", diff)
	}
}

func TestNetworkPolicyIsForTheOperatorsPods(t *testing.T) {
	var policy networkingv1.NetworkPolicy
	find(t, "NetworkPolicy", "license-operator-controller-manager", &policy)
	port := func(protocol corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
		p := networkingv1.NetworkPolicyPort{Protocol: &protocol}
		if number != 0 {
			p.Port = new(intstr.FromInt32(number))
		}
		return p
	}
	want := networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{
			"app.kubernetes.io/name": "license-operator",
			"control-plane":          "controller-manager",
		}},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, 8443), port(corev1.ProtocolTCP, 8081)}},
		},
		Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{
			port(corev1.ProtocolUDP, 53), port(corev1.ProtocolUDP, 5353), port(corev1.ProtocolTCP, 0),
		}}},
	}
	if diff := cmp.Diff(want, policy.Spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pod  labels.Set
		want bool
	}{
		{labels.Set{
			"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager",
			"pod-template-hash": "1",
		}, true},
		{labels.Set{"app.kubernetes.io/name": "license-operator"}, false},
		{labels.Set{"app.kubernetes.io/name": "another", "control-plane": "controller-manager"}, false},
		{labels.Set{"control-plane": "controller-manager"}, false},
		{nil, false},
	} {
		if got := selector.Matches(test.pod); got != test.want {
			t.Errorf("it selects a pod with %v: %t", test.pod, got)
		}
	}
}

// deployment is the operator's, in what was built from a folder.
func deployment(t *testing.T, folder string) appsv1.Deployment {
	t.Helper()
	var found appsv1.Deployment
	findIn(t, builtFrom(t, folder), "Deployment", "license-operator-controller-manager", &found)
	return found
}

func TestWhatIsSelectedAreTheOperatorsPods(t *testing.T) {
	pods := deployment(t, "default")
	var budget policyv1.PodDisruptionBudget
	find(t, "PodDisruptionBudget", "license-operator-controller-manager", &budget)
	// kubectl license finds them by these, and so do the NetworkPolicy and the Service.
	want := map[string]string{"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager"}
	for what, got := range map[string]map[string]string{
		"pods": pods.Spec.Template.Labels, "Deployment": pods.Spec.Selector.MatchLabels,
		"PodDisruptionBudget": budget.Spec.Selector.MatchLabels,
		"affinity": pods.Spec.Template.Spec.Affinity.PodAntiAffinity.
			PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", what, diff)
		}
	}
}

func TestSettingsOfOnesOwn(t *testing.T) {
	found := deployment(t, "../docs/examples/installation")
	pod := found.Spec.Template.Spec
	if diff := cmp.Diff([]corev1.LocalObjectReference{{Name: "registry"}}, pod.ImagePullSecrets); diff != "" {
		t.Errorf("imagePullSecrets: -want +got:\n%s", diff)
	}
	if got, want := pod.Containers[0].Image, "registry.example.com/tools/license-operator:v1.2.3"; got != want {
		t.Errorf("image %s, not %s", got, want)
	}
	names := []string{}
	for _, variable := range pod.Containers[0].Env {
		names = append(names, variable.Name)
	}
	// Beside those of config/manager.
	if diff := cmp.Diff([]string{"LICENSE_OPERATOR_MAX_RESTRICTION", "LICENSE_OPERATOR_ALERTS_LABELS", "GOMEMLIMIT"},
		names); diff != "" {
		t.Errorf("env: -want +got:\n%s", diff)
	}
}

// Nobody but the operator writes statuses.
func TestRolesForPeople(t *testing.T) {
	read, write := []string{"get", "list", "watch"},
		[]string{"create", "delete", "get", "list", "patch", "update", "watch"}
	for _, kind := range []string{"licensedproduct", "licensekey"} {
		for name, verbs := range map[string][]string{"admin": {"*"}, "editor": write, "viewer": read} {
			var role rbacv1.ClusterRole
			find(t, "ClusterRole", "license-operator-"+kind+"-"+name+"-role", &role)
			want := []rbacv1.PolicyRule{
				{APIGroups: []string{"license-operator.io"}, Resources: []string{kind + "s"}, Verbs: verbs},
				{
					APIGroups: []string{"license-operator.io"}, Resources: []string{kind + "s/status"},
					Verbs: []string{"get"},
				},
			}
			if diff := cmp.Diff(want, role.Rules); diff != "" {
				t.Errorf("%s: -want +got:\n%s", role.Name, diff)
			}
		}
	}
	for name, path := range map[string]string{
		"metrics-reader":        "/metrics",
		"license-report-reader": "/license/report",
	} {
		var role rbacv1.ClusterRole
		find(t, "ClusterRole", "license-operator-"+name, &role)
		if diff := cmp.Diff([]rbacv1.PolicyRule{{NonResourceURLs: []string{path}, Verbs: []string{"get"}}},
			role.Rules); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// The samples are real, and for long: a suite has the operator itself verify them, which tells nothing of the years to
// come.
func TestSamplesAreValidForYears(t *testing.T) {
	samples := builtFrom(t, "samples")
	var product api.LicensedProduct
	var key api.LicenseKey
	findIn(t, samples, "LicensedProduct", "acme-mesh", &product)
	findIn(t, samples, "LicenseKey", "acme-mesh-sample", &key)
	terms, err := token.NewTerms(&product)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		at   time.Time
		want api.LicenseKeyState
	}{
		{time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC), api.LicenseKeyValid},
		{time.Date(2036, time.September, 30, 23, 59, 59, 0, time.UTC), api.LicenseKeyValid},
		{time.Date(2036, time.October, 1, 0, 0, 0, 0, time.UTC), api.LicenseKeyGracePeriod},
	} {
		verified := token.Verify(key.Spec.Token, key.Spec.Certificate, terms, "any", test.at)
		if verified.Err != nil {
			t.Errorf("at %s: %s: %s", test.at, verified.Err.Reason, verified.Err.Message)
		} else if got := verified.Claims.StateAt(test.at); got != test.want {
			t.Errorf("at %s: %s, not %s", test.at, got, test.want)
		}
	}
}
