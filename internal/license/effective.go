// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

const day = 24 * time.Hour

// resolveEffectiveTime determines when a restriction takes effect. The state depends on the present keys only. The
// effective time also depends on the past, so that removing a key neither gains time nor restricts at once.
func (e *Evaluation) resolveEffectiveTime(product *api.LicensedProduct) {
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
		// The time has come. From now on only a usable key ends the restriction.
	case e.Basis == api.RestrictionBasisCoverageEnd && e.Time.agreement == ClocksDisagree:
		// The license was lost, but clocks that disagree cannot say when.
	case e.Basis == api.RestrictionBasisCoverageEnd:
		// The keys would have lasted longer: the last usable one was deleted or revoked, or is not trusted any more.
		e.EffectiveTime = Earliest(e.UsableUntil, now.Truncate(time.Second).Add(unlicensedPeriod(product)))
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
