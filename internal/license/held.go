// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"slices"

	"github.com/license-operator/license-operator/api/v1alpha1"
)

// keysWithHeld is keys, where some of them could not be judged with one that stands in for those: with what the product's own status says of the active key
// and of how far the keys reach. A read that failed changes no state, not after a restart of the operator either, which is why nothing is asked but what this
// product's evaluations have put on record.
//
// The stand-in is the active key where that is one of them, and else the first of them. It covers all that was covered, as its grace period: a staged renewal
// that cannot be judged at its begin delays the end, and does not cause it.
func keysWithHeld(keys []Key, status *v1alpha1.LicensedProductStatus) []Key {
	held := slices.IndexFunc(keys, func(k Key) bool { return k.isHeld(status) })
	if held < 0 {
		held = slices.IndexFunc(keys, func(k Key) bool { return k.Unjudged })
	}
	if held < 0 || status.ExpiryTime == nil || status.GraceEndTime == nil {
		return keys
	}
	end := latest(status.GraceEndTime.Time, timeOf(status.CoverageEndTime))
	candidates := slices.Clone(keys)
	candidates[held].Claims = &Claims{Expiry: status.ExpiryTime.Time, GracePeriod: end.Sub(status.ExpiryTime.Time)}
	return candidates
}

// isHeld tells whether the key is the active one on record, and could not be judged now.
func (k *Key) isHeld(status *v1alpha1.LicensedProductStatus) bool {
	return k.Unjudged && k.Name == status.ActiveLicenseKeyName
}

func anyUnjudged(keys []Key) bool {
	return slices.ContainsFunc(keys, func(k Key) bool { return k.Unjudged })
}

// recall fills in what a stand-in for the active key does not know and the status still has.
func (e *Evaluation) recall(status *v1alpha1.LicensedProductStatus) {
	e.GraceEnd = status.GraceEndTime.Time
	if Usable(e.State) {
		e.Features, e.Limits = status.Features, status.Limits
	}
}
