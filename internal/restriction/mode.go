// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import api "github.com/license-operator/license-operator/api/v1alpha1"

// strength orders the modes. What is no mode at all is no stronger than Observe.
func strength(mode api.RestrictionMode) int {
	switch mode {
	case api.RestrictionDefaultTierOnly:
		return 2
	case api.RestrictionReadOnly:
		return 1
	default:
		return 0
	}
}

// Gentler is the gentler of two modes.
func Gentler(a, b api.RestrictionMode) api.RestrictionMode {
	if strength(b) < strength(a) {
		return b
	}
	return a
}

// EffectiveMode is the mode that a product's mode comes to under the brakes, and why it is another one. No mode stays
// none; an unknown one becomes Observe.
func EffectiveMode(asked api.RestrictionMode, brakes Brakes) (api.RestrictionMode, api.RestrictionModeReason) {
	switch {
	case asked == "":
		return "", ""
	case strength(brakes.MaxMode) < strength(asked):
		if strength(brakes.MaxMode) == 0 {
			return api.RestrictionObserve, api.ModeReasonMaxRestriction
		}
		return brakes.MaxMode, api.ModeReasonMaxRestriction
	case asked == api.RestrictionDefaultTierOnly && brakes.WindowsNode:
		return api.RestrictionReadOnly, api.ModeReasonWindowsNode
	case strength(asked) == 0:
		return api.RestrictionObserve, ""
	default:
		return asked, ""
	}
}

// modeIn is what a product's effective mode comes to in one tier.
func modeIn(t *Tier, mode api.RestrictionMode) (api.RestrictionMode, api.RestrictionModeReason) {
	if t.Deleting && mode == api.RestrictionDefaultTierOnly {
		return api.RestrictionReadOnly, api.ModeReasonTierDeleting
	}
	return mode, ""
}
