// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import "github.com/license-operator/license-operator/api/v1alpha1"

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

// Gentler is the gentler of two modes.
func Gentler(a, b v1alpha1.RestrictionMode) v1alpha1.RestrictionMode {
	if strength(b) < strength(a) {
		return b
	}
	return a
}

// EffectiveMode is the mode that a product's mode comes to under the brakes, and why it is another one. No mode stays none; an unknown one becomes Observe.
func EffectiveMode(asked v1alpha1.RestrictionMode, brakes Brakes) (v1alpha1.RestrictionMode, v1alpha1.RestrictionModeReason) {
	switch {
	case asked == "":
		return "", ""
	case strength(brakes.MaxMode) < strength(asked):
		if strength(brakes.MaxMode) == 0 {
			return v1alpha1.RestrictionObserve, v1alpha1.ModeReasonMaxRestriction
		}
		return brakes.MaxMode, v1alpha1.ModeReasonMaxRestriction
	case asked == v1alpha1.RestrictionDefaultTierOnly && brakes.WindowsNode:
		return v1alpha1.RestrictionReadOnly, v1alpha1.ModeReasonWindowsNode
	case strength(asked) == 0:
		return v1alpha1.RestrictionObserve, ""
	default:
		return asked, ""
	}
}

// modeIn is what a product's effective mode comes to in one tier.
func modeIn(t *Tier, mode v1alpha1.RestrictionMode) (v1alpha1.RestrictionMode, v1alpha1.RestrictionModeReason) {
	if t.Deleting && mode == v1alpha1.RestrictionDefaultTierOnly {
		return v1alpha1.RestrictionReadOnly, v1alpha1.ModeReasonTierDeleting
	}
	return mode, ""
}
