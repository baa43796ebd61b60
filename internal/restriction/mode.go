// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import "github.com/license-operator/license-operator/api/v1alpha1"

// ModeReason says why a mode is another one than was asked for; empty: it is not.
type ModeReason string

// Why a mode is another one than was asked for. Of a product, the first that holds is given.
const (
	// ModeLimited is Brakes.MaxMode being gentler.
	ModeLimited ModeReason = "MaxRestriction"
	// ModeWindowsNode is ReadOnly in place of DefaultTierOnly since the cluster has a Windows node.
	ModeWindowsNode ModeReason = "WindowsNode"
	// ModeTierDeleting is ReadOnly in place of DefaultTierOnly in a tier that is being deleted: a pass policy would keep it from going. What is in it is applied for
	// as long as it takes, and counts as a bypass.
	ModeTierDeleting ModeReason = "TierDeleting"
)

// strength orders the modes. What is no mode at all is no stronger than Observe.
func strength(mode v1alpha1.RestrictionMode) int {
	switch mode {
	case v1alpha1.RestrictionDefaultTierOnly:
		return 2
	case v1alpha1.RestrictionReadOnly:
		return 1
	default:
		return 0
	}
}

// EffectiveMode is the mode that a product's mode comes to under the brakes, and why it is another one. No mode stays none; an unknown one becomes Observe.
func EffectiveMode(asked v1alpha1.RestrictionMode, brakes Brakes) (v1alpha1.RestrictionMode, ModeReason) {
	switch {
	case asked == "":
		return "", ""
	case strength(brakes.MaxMode) < strength(asked):
		if strength(brakes.MaxMode) == 0 {
			return v1alpha1.RestrictionObserve, ModeLimited
		}
		return brakes.MaxMode, ModeLimited
	case asked == v1alpha1.RestrictionDefaultTierOnly && brakes.WindowsNode:
		return v1alpha1.RestrictionReadOnly, ModeWindowsNode
	case strength(asked) == 0:
		return v1alpha1.RestrictionObserve, ""
	default:
		return asked, ""
	}
}

// modeIn is what a product's effective mode comes to in one tier.
func modeIn(t *Tier, mode v1alpha1.RestrictionMode) (v1alpha1.RestrictionMode, ModeReason) {
	if t.Deleting && mode == v1alpha1.RestrictionDefaultTierOnly {
		return v1alpha1.RestrictionReadOnly, ModeTierDeleting
	}
	return mode, ""
}
