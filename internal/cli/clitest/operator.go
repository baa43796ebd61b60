// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clitest

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

// RestrictedSince is when the restriction came into force.
var RestrictedSince = Date("2026-11-20")

// InForce is a restriction of two tiers that is in force.
func InForce() *api.RestrictionInForce {
	return &api.RestrictionInForce{
		Mode: api.RestrictionDefaultTierOnly, SinceTime: new(metav1.NewTime(RestrictedSince)),
		Tiers: []api.RestrictedTier{
			{Name: "databases", Mode: api.RestrictionDefaultTierOnly},
			{Name: "security", Mode: api.RestrictionDefaultTierOnly},
		},
		Policies: &api.AffectedPolicies{Total: new(int32(120)), Allowing: new(int32(100)), Denying: new(int32(20))},
	}
}

// Follow acts as an operator with the same clock as the tests.
func Follow(product *api.LicensedProduct) {
	status := product.Status.Restriction
	status.Pause, _ = restriction.PauseOf(product)
	due := !Present.Before(status.EffectiveTime.Time)
	switch {
	case status.State == api.RestrictionNone:
	case status.Pause != nil:
		status.State, status.InForce = api.RestrictionPaused, nil
	case due:
		status.State = api.RestrictionActive
		if status.InForce == nil {
			status.InForce = InForce()
		}
	default:
		status.State = api.RestrictionScheduled
	}
}
