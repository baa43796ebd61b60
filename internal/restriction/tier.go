// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import api "github.com/license-operator/license-operator/api/v1alpha1"

// NeverLabel on a Tier, with the value NeverValue and no other, is the cluster owner's word that no product ever
// restricts that tier.
const (
	NeverLabel = "license-operator.io/restriction"
	NeverValue = "never"
)

// SystemTierLabel is what Calico's own installer puts on tiers that the cluster itself depends on, with the value
// SystemTierValue.
const (
	SystemTierLabel = "projectcalico.org/system-tier"
	SystemTierValue = "true"
)

// DefaultTier is where policies are that name no tier, and all of Kubernetes' own.
const DefaultTier = "default"

// BuiltInTiers are the tiers that Calico itself brings, in any of the versions that have tiers, sorted. No restriction
// ever touches them, whatever their labels.
func BuiltInTiers() []string {
	return []string{"adminnetworkpolicy", "baselineadminnetworkpolicy", DefaultTier, "kube-admin", "kube-baseline"}
}

// SystemTiers are the tiers that policies for Calico's own components are in, by any name they have had, sorted. No
// restriction ever touches them, nor any tier with SystemTierLabel.
func SystemTiers() []string {
	return []string{"allow-tigera", "calico-system"}
}

var (
	builtIn = setOf(BuiltInTiers())
	system  = setOf(SystemTiers())
)

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Spared tells why no product can restrict the tier; empty: one can.
func Spared(t Tier) api.TierSpareReason {
	switch {
	case builtIn[t.Name]:
		return api.TierSparedBuiltIn
	case system[t.Name], t.Labels[SystemTierLabel] == SystemTierValue:
		return api.TierSparedSystem
	case t.Labels[NeverLabel] == NeverValue:
		return api.TierSparedNever
	default:
		return ""
	}
}
