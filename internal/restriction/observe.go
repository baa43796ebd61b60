// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"unique"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Version is the API version of tiers and policies, the only one that is spoken: which storage is behind it is Calico's
// affair.
var Version = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}

// The resources of tiers and policies.
var (
	Tiers                 = Version.WithResource("tiers")
	GlobalNetworkPolicies = Version.WithResource("globalnetworkpolicies")
	NetworkPolicies       = Version.WithResource("networkpolicies")
)

// TierOf is what a plan needs to know of a tier.
func TierOf(tier *unstructured.Unstructured) Tier {
	return Tier{Name: tier.GetName(), Labels: tier.GetLabels(), Deleting: tier.GetDeletionTimestamp() != nil}
}

// PolicyOf is what a plan needs to know of a policy of that kind. Whatever its spec holds, it yields something: no
// user's policy keeps others from being seen.
func PolicyOf(kind PolicyKind, policy *unstructured.Unstructured, operatorNamespace string) Policy {
	spec, _ := policy.Object["spec"].(map[string]any)
	p := Policy{
		Kind:      kind,
		Namespace: unique.Make(policy.GetNamespace()).Value(),
		Name:      policy.GetName(),
		Order:     order(spec["order"]),
		ForPods:   !isTrue(spec["doNotTrack"]) && !isTrue(spec["preDNAT"]),
	}
	tier, _ := spec["tier"].(string)
	p.Tier = unique.Make(tier).Value()
	for _, direction := range []string{"ingress", "egress"} {
		rules, _ := spec[direction].([]any)
		for _, rule := range rules {
			switch r, _ := rule.(map[string]any); r["action"] {
			case "Allow":
				p.Allows = true
			case "Deny":
				p.Denies = true
			}
		}
	}
	if kind == GlobalNetworkPolicy {
		p.Neutral = IsNeutral(spec, operatorNamespace)
		p.Marked = isMarked(policy)
	}
	return p
}

func isTrue(value any) bool {
	is, _ := value.(bool)
	return is
}

// order is a number of decoded JSON; nil: there is none.
func order(value any) *float64 {
	switch v := value.(type) {
	case float64:
		return &v
	case int64:
		return new(float64(v))
	default:
		return nil
	}
}

func isMarked(policy *unstructured.Unstructured) bool {
	if _, annotated := policy.GetAnnotations()[ProductsAnnotation]; annotated ||
		policy.GetLabels()[PassPolicyLabel] == PassPolicyLabelValue {
		return true
	}
	for _, owner := range policy.GetOwnerReferences() {
		if group, err := schema.ParseGroupVersion(owner.APIVersion); err == nil &&
			group.Group == api.GroupVersion.Group && owner.Kind == "LicensedProduct" {
			return true
		}
	}
	return false
}
