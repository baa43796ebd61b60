// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"time"

	"github.com/license-operator/license-operator/api/v1alpha1"
)

const day = 24 * time.Hour

// effectiveTime is when a restriction takes effect. The state says what the present keys say; this remembers what they said before, so that taking a key away
// never gains time and never takes effect out of the blue.
func effectiveTime(e *Evaluation, product *v1alpha1.LicensedProduct, unjudged bool) (time.Time, v1alpha1.RestrictionBasis) {
	now := e.Time.Now
	unlicensedPeriod := unlicensedPeriod(product)
	before, basis := previousEffectiveTime(product)
	switch {
	case Usable(e.State):
		return e.CoverageEnd, v1alpha1.RestrictionBasisCoverageEnd
	case !before.IsZero() && !now.Before(before):
		// Reached: by time, whatever happened to the keys meanwhile, and from now on only a usable key ends it.
		return before, basis
	case Usable(product.Status.State) && unjudged && !before.IsZero():
		return before, basis
	case Usable(product.Status.State):
		lost := now.Truncate(time.Second)
		return earliest(timeOf(product.Status.GraceEndTime), lost.Add(unlicensedPeriod)), v1alpha1.RestrictionBasisLicenseLost
	case !before.IsZero() && basis != v1alpha1.RestrictionBasisNeverLicensed:
		return before, basis
	default:
		return product.CreationTimestamp.UTC().Add(unlicensedPeriod), v1alpha1.RestrictionBasisNeverLicensed
	}
}

func unlicensedPeriod(product *v1alpha1.LicensedProduct) time.Duration {
	if days := product.Spec.UnlicensedGracePeriodDays; days != nil {
		return time.Duration(*days) * day
	}
	return v1alpha1.DefaultUnlicensedGracePeriodDays * day
}

func previousEffectiveTime(product *v1alpha1.LicensedProduct) (time.Time, v1alpha1.RestrictionBasis) {
	if restriction := product.Status.Restriction; restriction != nil {
		return timeOf(restriction.EffectiveTime), restriction.Basis
	}
	return time.Time{}, ""
}
