// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"math"

	api "github.com/license-operator/license-operator/api/v1alpha1"
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
