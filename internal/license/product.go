// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Key is the part of a LicenseKey that the state machine depends on.
type Key struct {
	// Name of the LicenseKey.
	Name string
	// Claims are set if the key verifies.
	Claims *Claims
	// RecheckTime is when a key that does not verify may verify by the passing of time; zero for never.
	RecheckTime time.Time
}

// Evaluation is the outcome of a product's terms, keys and past at one time.
type Evaluation struct {
	// Time is the trusted time of the evaluation, with the next high-water mark.
	Time TrustedTime
	// State of the product.
	State api.LicensedProductState
	// ActiveKeyName is the key that determines the state; empty if Unlicensed.
	ActiveKeyName string
	// Expiry and GraceEnd are those of the active key; zero if Unlicensed.
	Expiry, GraceEnd time.Time
	// CoverageEnd is the end of the last grace period that the present keys reach without a gap. If Expired, it is the
	// end of the last grace period; if Unlicensed, it is zero.
	CoverageEnd time.Time
	// Features and Limits are those of the active key while it is usable.
	Features []string
	Limits   []api.Limit
	// UsableUntil is the end of the last grace period of the keys that are usable now. If none is usable, it keeps its
	// last value.
	UsableUntil time.Time
	// EffectiveTime is when a restriction takes effect. Basis says what it was computed from.
	EffectiveTime time.Time
	Basis         api.RestrictionBasis
	// NextBoundary is the first time after Time.Clock at which any of the above, or the state of any key, can change by
	// the passing of time; zero for never.
	NextBoundary time.Time

	activeBoundary time.Time
}

// Evaluate computes the state of a product and its keys at a trusted time. It reads the product's creation time, spec
// and status, where earlier evaluations are recorded, and changes nothing.
func Evaluate(trusted TrustedTime, product *api.LicensedProduct, keys []Key) Evaluation {
	now := trusted.Now

	e := Evaluation{Time: trusted, State: api.LicensedProductUnlicensed}
	active := activeKey(keys, now)
	if active != nil {
		e.State = productState(active.Claims.StateAt(now))
		e.ActiveKeyName = active.Name
		e.Expiry, e.GraceEnd = active.Claims.Expiry, active.Claims.GraceEnd()
		e.UsableUntil, e.CoverageEnd = coverage(keys, now)
	}
	if Usable(e.State) {
		e.Features, e.Limits = active.Claims.Features, LimitList(active.Claims.Limits)
	}
	e.resolveEffectiveTime(product)
	e.Time.HighWaterMark = nextHighWaterMark(trusted, e.isTransition(product, keys))
	e.activeBoundary = earliest(activeBoundary(keys, active, now), e.Time.boundary())
	e.NextBoundary = earliest(e.activeBoundary, future(e.EffectiveTime, now), e.Time.highWaterMarkDue())
	for _, k := range keys {
		e.NextBoundary = earliest(e.NextBoundary, k.boundary(now))
	}
	return e
}

// Record sets the members of a product's status that an evaluation decides, for later evaluations to read. It leaves
// all others as they are.
func (e *Evaluation) Record(status *api.LicensedProductStatus) {
	status.State, status.ActiveLicenseKeyName = e.State, e.ActiveKeyName
	status.ExpiryTime, status.GraceEndTime = statusTime(e.Expiry), statusTime(e.GraceEnd)
	status.CoverageEndTime = statusTime(e.CoverageEnd)
	status.Features, status.Limits = e.Features, e.Limits
	status.TimeMark, status.LastHandledClockReset = statusTime(e.Time.HighWaterMark), e.Time.HandledReset
	if status.Restriction == nil {
		status.Restriction = &api.RestrictionStatus{}
	}
	status.Restriction.EffectiveTime, status.Restriction.Basis = statusTime(e.EffectiveTime), e.Basis
	status.Restriction.UsableUntilTime = statusTime(e.UsableUntil)
}

// NextBoundaryOf returns the first time at which one key's state, or whether it is active, can change by the passing of
// time; zero for never. It ignores boundaries of other keys that cannot matter, so that a product with many keys does
// not wake all of them at each boundary.
func (e *Evaluation) NextBoundaryOf(key Key) time.Time {
	return earliest(e.activeBoundary, key.boundary(e.Time.Now))
}

// Usable reports whether a product in this state has a usable key: one that is Valid or in its GracePeriod.
func Usable(state api.LicensedProductState) bool {
	return state == api.LicensedProductValid || state == api.LicensedProductGracePeriod
}

// boundary returns the first time after now at which the key's own state can change by the passing of time.
func (k *Key) boundary(now time.Time) time.Time {
	if k.Claims == nil {
		return future(k.RecheckTime, now)
	}
	return k.Claims.nextBoundary(now)
}

// activeKey returns the key that determines the product's state: the newest of those with the best state. Keys that do
// not verify or have not begun are never active.
func activeKey(keys []Key, now time.Time) *Key {
	var active *Key
	for i := range keys {
		k := &keys[i]
		if k.Claims == nil || k.Claims.StateAt(now) == api.LicenseKeyNotYetValid {
			continue
		}
		if active == nil || compareForActive(k, active, now) > 0 {
			active = k
		}
	}
	return active
}

func compareForActive(a, b *Key, now time.Time) int {
	return cmp.Or(
		cmp.Compare(rank(a.Claims.StateAt(now)), rank(b.Claims.StateAt(now))),
		a.Claims.IssuedTime.Compare(b.Claims.IssuedTime),
		a.Claims.GraceEnd().Compare(b.Claims.GraceEnd()),
		cmp.Compare(a.Claims.ID, b.Claims.ID),
		cmp.Compare(a.Name, b.Name),
	)
}

func rank(state api.LicenseKeyState) int {
	switch state {
	case api.LicenseKeyValid:
		return 2
	case api.LicenseKeyGracePeriod:
		return 1
	default:
		return 0
	}
}

// activeBoundary returns the first time after now at which the active key changes its state or another key can become
// active. The state of other keys can improve only if they have not begun or do not verify yet.
func activeBoundary(keys []Key, active *Key, now time.Time) time.Time {
	var next time.Time
	for i := range keys {
		k := &keys[i]
		switch {
		case k.Claims == nil, k.Claims.StateAt(now) == api.LicenseKeyNotYetValid,
			active != nil && k.Name == active.Name:
			next = earliest(next, k.boundary(now))
		}
	}
	return next
}

// coverage returns when the keys that are usable now end, and the end of the last grace period that all keys reach
// without a gap. If no key is usable, the first is zero and the second is the end of the last grace period.
func coverage(keys []Key, now time.Time) (usableUntil, end time.Time) {
	var ended time.Time
	for _, k := range keys {
		if k.Claims == nil {
			continue
		}
		switch k.Claims.StateAt(now) {
		case api.LicenseKeyValid, api.LicenseKeyGracePeriod:
			usableUntil = latest(usableUntil, k.Claims.GraceEnd())
		case api.LicenseKeyExpired:
			ended = latest(ended, k.Claims.GraceEnd())
		default: // It has yet to begin.
		}
	}
	if usableUntil.IsZero() {
		return usableUntil, ended
	}
	end = usableUntil
	byBegin := slices.SortedFunc(slices.Values(keys), func(a, b Key) int { return begin(a).Compare(begin(b)) })
	for _, k := range byBegin {
		if k.Claims != nil && !k.Claims.NotBefore.After(end) {
			end = latest(end, k.Claims.GraceEnd())
		}
	}
	return usableUntil, end
}

func begin(k Key) time.Time {
	if k.Claims == nil {
		return time.Time{}
	}
	return k.Claims.NotBefore
}

func productState(active api.LicenseKeyState) api.LicensedProductState {
	switch active {
	case api.LicenseKeyValid:
		return api.LicensedProductValid
	case api.LicenseKeyGracePeriod:
		return api.LicensedProductGracePeriod
	default:
		return api.LicensedProductExpired
	}
}

// isTransition reports whether the state or the active key differs from the recorded one, or a boundary has passed
// since the high-water mark.
func (e *Evaluation) isTransition(product *api.LicensedProduct, keys []Key) bool {
	if e.State != product.Status.State || e.ActiveKeyName != product.Status.ActiveLicenseKeyName {
		return true
	}
	passed := func(boundary time.Time) bool {
		return e.Time.HighWaterMark.Before(boundary) && !e.Time.Now.Before(boundary)
	}
	for _, k := range keys {
		// The time of issue of a verified key has been reached, up to the tolerance for clocks.
		if k.Claims != nil &&
			(passed(k.Claims.IssuedTime.Add(-IssuedAhead)) || passed(k.Claims.NotBefore) || passed(k.Claims.Expiry) ||
				passed(k.Claims.GraceEnd())) {
			return true
		}
	}
	return passed(e.EffectiveTime)
}

// LimitList returns limits in the form of the API, sorted by name.
func LimitList(limits map[string]int64) []api.Limit {
	var list []api.Limit
	for _, name := range sortedKeys(limits) {
		list = append(list, api.Limit{Name: name, Value: new(limits[name])})
	}
	return list
}

// timeOf returns the time in a status field; zero if there is none.
func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// statusTime returns the form that a time has in a status; nil for zero.
func statusTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
