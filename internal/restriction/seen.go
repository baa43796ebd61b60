// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// PolicyKind is a kind of policy that tiers hold and that is applied. Staged kinds never are, so none of them is here.
type PolicyKind string

// The kinds of policies, as projectcalico.org/v3 names them.
const (
	GlobalNetworkPolicy PolicyKind = "GlobalNetworkPolicy"
	NetworkPolicy       PolicyKind = "NetworkPolicy"
)

// Seen is what there is on the cluster, in any order. Plan reads it and changes nothing of it.
type Seen struct {
	Tiers    []Tier
	Policies []Policy
}

// Tier is what a plan needs to know of a tier. Neither its order nor its default action is here: a restriction does not
// depend on them.
type Tier struct {
	Name string
	// Labels of the tier. NeverLabel and SystemTierLabel count.
	Labels labels.Set
	// Deleting is true while the tier has a deletion timestamp. Calico evaluates such a tier for as long as it is
	// there.
	Deleting bool
}

// Policy is what a plan needs to know of a policy, and nothing else: an operator keeps one of these for each policy of
// the cluster.
type Policy struct {
	Kind PolicyKind
	// Namespace is empty for a GlobalNetworkPolicy.
	Namespace, Name string
	// Tier is spec.tier; empty: the default tier, which is never restricted. It may name a tier that does not exist,
	// and, from Calico 3.32, another one than the policy's name begins with.
	Tier string
	// Order is spec.order; nil: last in the tier.
	Order *float64
	// Allows and Denies tell whether any rule of the policy has that action.
	Allows, Denies bool
	// ForPods is false for the policies that can only act on host endpoints: those with doNotTrack or preDNAT. With
	// applyOnForward alone it is true, for that adds forwarded traffic and takes nothing away from what the policy does
	// to pods (felix/calc/event_sequencer.go in projectcalico/calico).
	ForPods bool
	// Neutral is what IsNeutral says of the policy's spec.
	Neutral bool
	// Marked tells whether the policy has PassPolicyLabel, ProductsAnnotation, or a LicensedProduct as an owner. All
	// stand on each pass policy, and any does: people strip labels.
	Marked bool
}

// Product is what a plan needs to know of a product. Its conditions are the caller's: what Due and Paused come from is
// decided elsewhere.
type Product struct {
	Name string
	// Vendor and RenewalURL are for the annotations of pass policies; RenewalURL may be empty.
	Vendor, RenewalURL string
	// Mode is the one that the product's terms ask for; empty: none, which restricts nothing and affects nothing.
	Mode api.RestrictionMode
	// TierSelector selects the tiers by their labels; nil: none of them.
	TierSelector labels.Selector
	// Due is true from the effective time on, once the restriction may start, and for as long as it is in force.
	Due bool
	// Disputed is true while the restriction would be due, and may not start since the clocks disagree.
	Disputed bool
	// Paused is true while the cluster owner has put the restriction off.
	Paused bool
	// Since is when the restriction came into force, EffectiveTime when it takes effect. The former is zero until it
	// did; then the latter is quoted.
	Since, EffectiveTime time.Time
}

// Brakes are what the cluster owner and the cluster itself allow at most, other than by labels on tiers.
type Brakes struct {
	// MaxMode is the strongest mode of any product (--max-restriction). What is not a mode, the empty string too,
	// counts as Observe: a mistake restricts nothing.
	MaxMode api.RestrictionMode
	// WindowsNode is true while the cluster has one. There a Pass in the last tier that applies to a pod blocks
	// (projectcalico/calico#13208), so that ReadOnly takes the place of DefaultTierOnly.
	WindowsNode bool
	// OperatorNamespace is where the operator runs. Its pods are spared, so that a renewal always arrives.
	OperatorNamespace string
}

// PolicyRef names a policy, and says what stops or closes where it is not applied any more.
type PolicyRef struct {
	Kind PolicyKind
	// Namespace is empty for a GlobalNetworkPolicy.
	Namespace, Name string
	// Allows and Denies tell whether any rule of the policy has that action.
	Allows, Denies bool
}

func (p *Policy) ref() PolicyRef {
	return PolicyRef{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, Allows: p.Allows, Denies: p.Denies}
}
