// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config tests what kustomize makes of the folders beside it.
package config

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/license-operator/license-operator/config/admission"
)

const namespace = "license-operator-system"

// built is what an installation consists of.
func built(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "default")
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
	for _, object := range built(t) {
		if object.GetKind() == kind && object.GetName() == name {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %s %s is installed", kind, name)
}

func TestNamespacesAreWhereTheyBelong(t *testing.T) {
	namespaced := []string{"NetworkPolicy", "Role", "RoleBinding", "ServiceAccount"}
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
	if got := role.Rules[0]; !slices.Equal(got.Resources, []string{"licensedproducts"}) || !slices.Equal(got.Verbs, []string{"get", "list", "watch"}) {
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
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager"}},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, 8443), port(corev1.ProtocolTCP, 8081)}}},
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
		{labels.Set{"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager", "pod-template-hash": "1"}, true},
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
