// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico

import (
	"cmp"
	"math"
	"slices"
	"unique"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/license-operator/license-operator/internal/license"
)

// Version is the API version of tiers and policies. The operator uses no other, whichever storage Calico has behind it.
var Version = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}

// The resources of tiers and policies.
var (
	Tiers                 = Version.WithResource("tiers")
	GlobalNetworkPolicies = Version.WithResource("globalnetworkpolicies")
	NetworkPolicies       = Version.WithResource("networkpolicies")
)

// PolicyKind is a kind of policy that is in a tier and is applied. Staged kinds are never applied and are not among
// them.
type PolicyKind string

// The kinds of policies, as projectcalico.org/v3 names them.
const (
	GlobalNetworkPolicy PolicyKind = "GlobalNetworkPolicy"
	NetworkPolicy       PolicyKind = "NetworkPolicy"
)

// Policy is what a plan needs to know of a policy, and nothing else: the operator keeps one for each policy in the
// cluster.
type Policy struct {
	Kind PolicyKind
	// Namespace is empty for a GlobalNetworkPolicy.
	Namespace, Name string
	// Tier is spec.tier; empty means the default tier, which is never restricted. It may name a tier that does not
	// exist, and, from Calico 3.32 on, another one than the policy's name begins with.
	Tier string
	// Order is spec.order; nil means last in the tier.
	Order *float64
	// Allows and Denies tell whether any rule of the policy has that action.
	Allows, Denies bool
	// ForPods is false for policies that can only apply to host endpoints: those with doNotTrack or preDNAT. It is true
	// with applyOnForward alone, which adds forwarded traffic and takes nothing away from what the policy does to pods
	// (felix/calc/event_sequencer.go in projectcalico/calico).
	ForPods bool
	// Neutral is what IsNeutral returns for the policy's spec.
	Neutral bool
	// Marked is true if the policy has PassPolicyLabel, ProductsAnnotation, or a LicensedProduct as an owner. Every
	// pass policy has all three. One is enough, since people remove labels.
	Marked bool
}

// PolicyRef names a policy and says what stops if it is no longer applied.
type PolicyRef struct {
	Kind PolicyKind
	// Namespace is empty for a GlobalNetworkPolicy.
	Namespace, Name string
	// Allows and Denies tell whether any rule of the policy has that action.
	Allows, Denies bool
}

// PolicyOf returns what a plan needs to know of a policy of that kind. It accepts any spec: no policy of a user can
// keep others from being read.
func PolicyOf(kind PolicyKind, policy *unstructured.Unstructured, operatorNamespace string) Policy {
	spec, _ := policy.Object["spec"].(map[string]any)
	tier, _ := spec["tier"].(string)
	isUntracked, _ := spec["doNotTrack"].(bool)
	isPreDNAT, _ := spec["preDNAT"].(bool)
	p := Policy{
		Kind: kind, Namespace: unique.Make(policy.GetNamespace()).Value(), Name: policy.GetName(),
		Tier: unique.Make(tier).Value(), Order: order(spec["order"]),
		ForPods: !isUntracked && !isPreDNAT,
	}
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
		p.Neutral, p.Marked = IsNeutral(spec, operatorNamespace), isMarked(policy)
	}
	return p
}

// order is a number of decoded JSON; nil if there is none.
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
	_, isAnnotated := policy.GetAnnotations()[ProductsAnnotation]
	return isAnnotated || policy.GetLabels()[PassPolicyLabel] == PassPolicyLabelValue ||
		slices.ContainsFunc(policy.GetOwnerReferences(), license.IsProduct)
}

// Ref names the policy.
func (p *Policy) Ref() PolicyRef {
	return PolicyRef{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, Allows: p.Allows, Denies: p.Denies}
}

// CompareByName orders policies by namespace, name, kind.
func CompareByName(a, b *Policy) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

// IsOurs reports whether the operator created the policy: at least two of our mark, a neutral spec, and a name that
// only pass policies have. So the operator recognizes one that was edited, moved to another tier, or stripped of its
// metadata. A user's policy that merely has such a name, or merely does the same, is not the operator's.
func (p *Policy) IsOurs() bool {
	isNamed := passNumber(p.Name) > 0
	return p.Kind == GlobalNetworkPolicy && (p.Marked && (p.Neutral || isNamed) || p.Neutral && isNamed)
}

// IsSuspendable reports whether a pass policy can keep the policy from being applied to pods. It cannot if the policy
// applies to host endpoints only, or is in the operator's namespace, whose pods are exempt.
func (p *Policy) IsSuspendable(operatorNamespace string) bool {
	return p.ForPods && (p.Kind != NetworkPolicy || p.Namespace != operatorNamespace)
}

// SortsBefore reports whether any version of Calico evaluates the policy before the pass policy of that name. Calico
// compares orders first; no order comes last. Of the same order, releases from 3.32 on compare name/namespace/kind as
// one string, and earlier ones namespace/name, or only the name of a global policy (felix/calc/policy_sorter.go,
// networkpolicyprocessor.go in projectcalico/calico). The operator does not know the release, so either counts.
func (p *Policy) SortsBefore(passName string) bool {
	order := math.Inf(1)
	if p.Order != nil {
		order = *p.Order
	}
	if order != PassOrder {
		return order < PassOrder
	}
	name := p.Name
	if p.Namespace != "" {
		name = p.Namespace + "/" + p.Name
	}
	return name < passName ||
		p.Name+"/"+p.Namespace+"/"+string(p.Kind) < passName+"//"+string(GlobalNetworkPolicy)
}
