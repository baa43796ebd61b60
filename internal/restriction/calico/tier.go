// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package calico is what restrictions know of Calico's policy tiers (projectcalico.org/v3): which tiers and policies
// there are, which tiers are exempt from restrictions, and which policy suspends the others in its tier (the pass
// policy). It is pure: it has no client and no clock. Package enforcement applies to a cluster what it describes.
//
// The tests of test/tiers verify the assumptions with a tier evaluator of their own.
package calico

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// NeverLabel on a Tier, with the value NeverValue, exempts it from all restrictions. The cluster owner sets it.
const (
	NeverLabel = "license-operator.io/restriction"
	NeverValue = "never"
)

// SystemTierLabel, with the value SystemTierValue, is on tiers that the cluster depends on. Calico's installer sets it.
const (
	SystemTierLabel = "projectcalico.org/system-tier"
	SystemTierValue = "true"
)

// DefaultTier has the policies that name no tier, and those of Kubernetes.
const DefaultTier = "default"

// BuiltInTiers returns the tiers that any version of Calico with tiers creates, sorted. They are exempt from all
// restrictions, whatever their labels.
func BuiltInTiers() []string {
	return []string{"adminnetworkpolicy", "baselineadminnetworkpolicy", DefaultTier, "kube-admin", "kube-baseline"}
}

// SystemTiers returns the tiers with policies for Calico's own components, under every name that they have had, sorted.
// They are exempt from all restrictions, and so is any tier with SystemTierLabel.
func SystemTiers() []string { return []string{"allow-tigera", "calico-system"} }

var builtIn, system = BuiltInTiers(), SystemTiers()

// Tier is what a plan needs to know of a tier. A restriction depends neither on its order nor on its default action.
type Tier struct {
	Name string
	// Labels of the tier. NeverLabel and SystemTierLabel count.
	Labels labels.Set
	// Deleting is true if the tier has a deletion timestamp. Calico evaluates such a tier for as long as it exists.
	Deleting bool
}

// TierOf returns what a plan needs to know of a tier.
func TierOf(tier *unstructured.Unstructured) Tier {
	return Tier{Name: tier.GetName(), Labels: tier.GetLabels(), Deleting: tier.GetDeletionTimestamp() != nil}
}

// Exemption returns why no product can restrict the tier; empty if one can.
func (t *Tier) Exemption() api.TierSpareReason {
	switch {
	case slices.Contains(builtIn, t.Name):
		return api.TierSparedBuiltIn
	case slices.Contains(system, t.Name), t.Labels[SystemTierLabel] == SystemTierValue:
		return api.TierSparedSystem
	case t.Labels[NeverLabel] == NeverValue:
		return api.TierSparedNever
	default:
		return ""
	}
}
