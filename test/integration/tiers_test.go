// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

// newTier is a custom tier with these labels.
func newTier(name string, labels map[string]string) *unstructured.Unstructured {
	tier := calicoObject("Tier", "", name, map[string]any{"order": int64(100), "defaultAction": "Deny"})
	tier.SetLabels(labels)
	return tier
}

// newGlobalPolicy is a policy in a tier, with one rule of that action for each direction.
func newGlobalPolicy(tier, name, action string) *unstructured.Unstructured {
	return calicoObject("GlobalNetworkPolicy", "", tier+"."+name, policySpec(tier, action))
}

func newNamespacedPolicy(tier, namespace, name, action string) *unstructured.Unstructured {
	return calicoObject("NetworkPolicy", namespace, tier+"."+name, policySpec(tier, action))
}

func policySpec(tier, action string) map[string]any {
	rules := []any{map[string]any{"action": action}}
	return map[string]any{
		"tier": tier, "order": int64(10), "selector": "all()", "types": []any{"Ingress", "Egress"},
		"ingress": rules, "egress": rules,
	}
}

func calicoObject(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetGroupVersionKind(calico.Version.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// installCalico installs the kinds of Calico's tiers and policies, as the Tigera operator does.
func installCalico(ctx context.Context, on *controlplane.ControlPlane) {
	GinkgoHelper()
	Expect(on.InstallCalico(ctx)).To(Succeed())
}

// newRestrictingProduct restricts the tiers with this label, 30 days after it is there without a license.
func newRestrictingProduct(name string, mode api.RestrictionMode, labels map[string]string) *api.LicensedProduct {
	product := newProduct(name)
	product.Spec.Restriction = &api.RestrictionSpec{
		Mode:         mode,
		TierSelector: &metav1.LabelSelector{MatchLabels: labels},
	}
	return product
}

// passPolicies are the names of the pass policies in these tiers, of any author.
func passPolicies(ctx context.Context, g Gomega, tiers ...string) []string {
	policies := listOf(ctx, g, "GlobalNetworkPolicy",
		client.MatchingLabels{calico.PassPolicyLabel: calico.PassPolicyLabelValue})
	var names []string
	for _, p := range policies {
		if tier, _, _ := unstructured.NestedString(p.Object, "spec", "tier"); slices.Contains(tiers, tier) {
			names = append(names, p.GetName())
		}
	}
	slices.Sort(names)
	return names
}

func listOf(ctx context.Context, g Gomega, kind string, options ...client.ListOption) []unstructured.Unstructured {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(calico.Version.WithKind(kind + "List"))
	g.Expect(k8sClient.List(ctx, list, options...)).To(Succeed())
	return list.Items
}

// restrictionStory is what a product says of its restriction.
type restrictionStory struct {
	State                       api.RestrictionState
	Restricted, Ready           string
	Preview, InForce            []api.RestrictedTier
	Policies, Allowing, Denying int32
}

func restrictionStoryOf(ctx context.Context, name string) func(Gomega) restrictionStory {
	return func(g Gomega) restrictionStory {
		status := getProduct(ctx, g, name).Status
		g.Expect(status.Restriction).NotTo(BeNil(), "%s has not been looked at yet", name)
		story := restrictionStory{
			State:      status.Restriction.State,
			Restricted: reason(status.Conditions, "Restricted"),
			Ready:      reason(status.Conditions, "RestrictionReady"),
		}
		var policies *api.AffectedPolicies
		if preview := status.Restriction.Preview; preview != nil {
			story.Preview, policies = preview.Tiers, preview.Policies
		}
		if inForce := status.Restriction.InForce; inForce != nil {
			story.InForce, policies = inForce.Tiers, inForce.Policies
		}
		if policies != nil {
			story.Policies, story.Allowing, story.Denying = *policies.Total, *policies.Allowing, *policies.Denying
		}
		return story
	}
}

func restricted(mode api.RestrictionMode, tiers ...string) []api.RestrictedTier {
	var list []api.RestrictedTier
	for _, tier := range tiers {
		list = append(list, api.RestrictedTier{Name: tier, Mode: mode})
	}
	return list
}
