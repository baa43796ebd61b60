// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"math"
	"slices"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// Effects are what a restriction does, or would do, as the status of a product has it.
type Effects struct {
	Tiers    []api.RestrictedTier
	Policies *api.AffectedPolicies
	Spared   []api.SparedTier
	// Bypasses is nil if there are none.
	Bypasses *api.RestrictionBypasses
}

// Effects returns what the restriction does, in lists of bounded length.
func (p *ProductPlan) Effects() Effects {
	e := Effects{
		Policies: p.affected(), Spared: p.Spared[:min(len(p.Spared), api.MaxListedTiers)], Bypasses: p.Bypasses(),
	}
	for i := range p.Affects[:min(len(p.Affects), api.MaxListedTiers)] {
		e.Tiers = append(e.Tiers, api.RestrictedTier{Name: p.Affects[i].Tier, Mode: p.Affects[i].Mode})
	}
	return e
}

func (p *ProductPlan) affected() *api.AffectedPolicies {
	var total, allowing, denying int
	for i := range p.Affects {
		total += len(p.Affects[i].Policies)
		allowing += p.Affects[i].Allow
		denying += p.Affects[i].Deny
	}
	return &api.AffectedPolicies{
		Total: new(bounded(total)), Allowing: new(bounded(allowing)), Denying: new(bounded(denying)),
	}
}

// Bypasses returns the policies that stay applied to pods, the first api.MaxListedBypasses of them; nil if there are
// none.
func (p *ProductPlan) Bypasses() *api.RestrictionBypasses {
	var bypasses []api.BypassingPolicy
	total := 0
	for i := range p.Affects {
		found := p.Affects[i].Bypasses
		total += len(found)
		bypasses = append(bypasses, found[:min(len(found), api.MaxListedBypasses-len(bypasses))]...)
	}
	if total == 0 {
		return nil
	}
	return &api.RestrictionBypasses{Total: bounded(total), Policies: bypasses}
}

func bounded(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // It is bounded right here.

// EffectsIn returns the effects in a status.
func EffectsIn(status *api.RestrictionStatus) (effects Effects) {
	switch {
	case status != nil && status.InForce != nil:
		return Effects{status.InForce.Tiers, status.InForce.Policies, status.SparedTiers, status.Bypasses}
	case status != nil && status.Preview != nil:
		return Effects{status.Preview.Tiers, status.Preview.Policies, status.SparedTiers, status.Bypasses}
	}
	return effects
}

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
