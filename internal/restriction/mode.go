// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"slices"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// strength orders the modes. A value that is not a mode is as strong as Observe.
func strength(mode api.RestrictionMode) int {
	return max(slices.Index(api.RestrictionModes(), mode), 0)
}

func compareStrength(a, b api.RestrictionMode) int { return strength(a) - strength(b) }

// Gentler returns the gentler of two modes.
func Gentler(a, b api.RestrictionMode) api.RestrictionMode {
	return slices.MinFunc([]api.RestrictionMode{a, b}, compareStrength)
}

// Effect says what a restriction in that mode does to the policies of its tiers, as the rest of a sentence that begins
// with those policies. It is empty for a mode that restricts nothing.
func Effect(mode api.RestrictionMode) string {
	switch {
	case mode.Suspends():
		return "are no longer applied to pods; those in the default tier still are"
	case mode.Freezes():
		return "cannot be created or changed; existing ones stay in effect"
	default:
		return ""
	}
}

// EffectiveMode returns the mode that a product's mode is reduced to by the caps, and why. No mode stays none; a value
// that is not a mode becomes Observe.
func EffectiveMode(asked api.RestrictionMode, caps Caps) (api.RestrictionMode, api.RestrictionModeReason) {
	switch {
	case asked == "":
		return "", ""
	case compareStrength(caps.MaxMode, asked) < 0:
		if !caps.MaxMode.Restricts() {
			return api.RestrictionObserve, api.ModeReasonMaxRestriction
		}
		return caps.MaxMode, api.ModeReasonMaxRestriction
	case asked.Suspends() && caps.WindowsNode:
		return api.RestrictionReadOnly, api.ModeReasonWindowsNode
	case !asked.Restricts():
		return api.RestrictionObserve, ""
	default:
		return asked, ""
	}
}

// modeIn returns what a product's effective mode is reduced to in one tier, and why.
func modeIn(t *calico.Tier, mode api.RestrictionMode) (api.RestrictionMode, api.RestrictionModeReason) {
	if t.Deleting && mode.Suspends() {
		return api.RestrictionReadOnly, api.ModeReasonTierDeleting
	}
	return mode, ""
}
