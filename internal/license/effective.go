// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

const day = 24 * time.Hour

// settleEffectiveTime finds out when a restriction takes effect. The state says what the present keys say; this
// remembers what they said before, so that taking a key away never gains time and never takes effect out of the blue.
func (e *Evaluation) settleEffectiveTime(product *api.LicensedProduct) {
	var before api.RestrictionStatus
	if product.Status.Restriction != nil {
		before = *product.Status.Restriction
	}
	if Usable(e.State) {
		e.EffectiveTime, e.Basis = e.CoverageEnd, api.RestrictionBasisCoverageEnd
		return
	}
	e.EffectiveTime, e.Basis, e.UsableUntil = timeOf(before.EffectiveTime), before.Basis, timeOf(before.UsableUntilTime)
	now := e.Time.Now
	switch {
	case !e.EffectiveTime.IsZero() && !now.Before(e.EffectiveTime):
		// Reached: by time, whatever happened to the keys meanwhile, and from now on only a usable key ends it.
	case e.Basis == api.RestrictionBasisCoverageEnd && e.Time.agreement == ClocksDisagree:
		// Lost, but when is for clocks to say that agree.
	case e.Basis == api.RestrictionBasisCoverageEnd:
		// The keys were to last longer, so the last usable one was lost other than by time.
		e.EffectiveTime = earliest(e.UsableUntil, now.Truncate(time.Second).Add(unlicensedPeriod(product)))
		e.Basis = api.RestrictionBasisLicenseLost
	case e.Basis == api.RestrictionBasisLicenseLost:
	default:
		e.EffectiveTime = product.CreationTimestamp.UTC().Add(unlicensedPeriod(product))
		e.Basis = api.RestrictionBasisNeverLicensed
	}
}

func unlicensedPeriod(product *api.LicensedProduct) time.Duration {
	if days := product.Spec.UnlicensedGracePeriodDays; days != nil {
		return time.Duration(*days) * day
	}
	return api.DefaultUnlicensedGracePeriodDays * day
}
