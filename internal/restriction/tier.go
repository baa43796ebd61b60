// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

// NeverLabel on a Tier, with the value NeverValue and no other, is the cluster owner's word that no product ever restricts that tier.
const (
	NeverLabel = "license-operator.io/restriction"
	NeverValue = "never"
)

// SystemTierLabel is what Calico's own installer puts on tiers that the cluster itself depends on, with the value SystemTierValue.
const (
	SystemTierLabel = "projectcalico.org/system-tier"
	SystemTierValue = "true"
)

// DefaultTier is where policies are that name no tier, and all of Kubernetes' own.
const DefaultTier = "default"

// BuiltInTiers are the tiers that Calico itself brings, in any of the versions that have tiers, sorted. No restriction ever touches them, whatever their labels.
func BuiltInTiers() []string {
	return []string{"adminnetworkpolicy", "baselineadminnetworkpolicy", DefaultTier, "kube-admin", "kube-baseline"}
}

// SystemTiers are the tiers that policies for Calico's own components are in, by any name they have had, sorted. No restriction ever touches them, nor any tier
// with SystemTierLabel.
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

// SpareReason says why a tier cannot be restricted.
type SpareReason string

// Why a tier cannot be restricted. The first that holds is given.
const (
	// SparedBuiltIn is a tier of BuiltInTiers.
	SparedBuiltIn SpareReason = "BuiltIn"
	// SparedSystem is a tier of SystemTiers, or one with SystemTierLabel.
	SparedSystem SpareReason = "System"
	// SparedNever is a tier with NeverLabel.
	SparedNever SpareReason = "Never"
)

// Spared tells why no product can restrict the tier; empty: one can.
func Spared(t Tier) SpareReason {
	switch {
	case builtIn[t.Name]:
		return SparedBuiltIn
	case system[t.Name], t.Labels[SystemTierLabel] == SystemTierValue:
		return SparedSystem
	case t.Labels[NeverLabel] == NeverValue:
		return SparedNever
	default:
		return ""
	}
}
