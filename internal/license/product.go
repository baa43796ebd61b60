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

// Key is what the state machine needs to know of one LicenseKey.
type Key struct {
	// Name of the LicenseKey.
	Name string
	// Claims of a key that verifies; nil otherwise.
	Claims *Claims
	// RecheckTime is the instant from which a key that does not verify may do so, for a reason that passes with time;
	// zero: none.
	RecheckTime time.Time
}

// Evaluation is what a product's terms, keys and past amount to at an instant.
type Evaluation struct {
	// Time is the reckoning of the instant it was made at.
	Time Reckoning
	// State of the product.
	State api.LicensedProductState
	// ActiveKeyName is the key that decides the state; empty when Unlicensed.
	ActiveKeyName string
	// Expiry, GraceEnd: those of the active key; zero when Unlicensed.
	Expiry, GraceEnd time.Time
	// CoverageEnd is the end of the last grace period that the present keys reach without a gap; once Expired, the end
	// of the last one; zero when Unlicensed.
	CoverageEnd time.Time
	// Features and Limits of the active key, while it is usable.
	Features []string
	Limits   []api.Limit
	// UsableUntil is the end of the last grace period of the keys that are usable now; while none is, what it was when
	// one last was.
	UsableUntil time.Time
	// EffectiveTime is when a restriction takes effect, and Basis what that was computed from.
	EffectiveTime time.Time
	Basis         api.RestrictionBasis
	// NextBoundary is the first instant after Time.Clock at which any of the above, or the state of any of the keys,
	// can change by time alone; zero: never.
	NextBoundary time.Time

	activeBoundary time.Time
}

// Evaluate tells what product and its keys amount to at the time that Reckon found for it. It reads the product's
// creation time, spec and status, the latter being what earlier evaluations found, and writes nothing.
func Evaluate(reckoning Reckoning, product *api.LicensedProduct, keys []Key) Evaluation {
	now := reckoning.Now

	e := Evaluation{Time: reckoning, State: api.LicensedProductUnlicensed}
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
	e.settleEffectiveTime(product)
	e.Time.Mark = nextMark(reckoning, e.passes(product, keys))
	e.activeBoundary = earliest(activeBoundary(keys, active, now), e.Time.boundary())
	e.NextBoundary = earliest(e.activeBoundary, future(e.EffectiveTime, now), e.Time.markDue())
	for _, k := range keys {
		e.NextBoundary = earliest(e.NextBoundary, k.boundary(now))
	}
	return e
}

// Record writes what the evaluation decides into a product's status. Later evaluations go on from there. It leaves all
// other members of the status as they are.
func (e *Evaluation) Record(status *api.LicensedProductStatus) {
	status.State, status.ActiveLicenseKeyName = e.State, e.ActiveKeyName
	status.ExpiryTime, status.GraceEndTime = statusTime(e.Expiry), statusTime(e.GraceEnd)
	status.CoverageEndTime = statusTime(e.CoverageEnd)
	status.Features, status.Limits = e.Features, e.Limits
	status.TimeMark, status.LastHandledClockReset = statusTime(e.Time.Mark), e.Time.HandledReset
	if status.Restriction == nil {
		status.Restriction = &api.RestrictionStatus{}
	}
	status.Restriction.EffectiveTime, status.Restriction.Basis = statusTime(e.EffectiveTime), e.Basis
	status.Restriction.UsableUntilTime = statusTime(e.UsableUntil)
}

// NextBoundaryOf is the first instant at which the state of one key, or whether it is the active one, can change by
// time alone; zero: never. It leaves out the boundaries of other keys that cannot matter, so that a product with many
// keys does not wake each of them at every boundary.
func (e *Evaluation) NextBoundaryOf(key Key) time.Time {
	return earliest(e.activeBoundary, key.boundary(e.Time.Now))
}

// Usable tells whether a product in this state has a usable key: one that is Valid or in its GracePeriod.
func Usable(state api.LicensedProductState) bool {
	return state == api.LicensedProductValid || state == api.LicensedProductGracePeriod
}

// boundary is the first instant after now at which the key's own state can change by time alone.
func (k *Key) boundary(now time.Time) time.Time {
	if k.Claims == nil {
		return future(k.RecheckTime, now)
	}
	return k.Claims.nextBoundary(now)
}

// activeKey is the key that decides the product's state: that of the best state, of those the newest, so that the last
// key given counts. Keys that do not verify or have not begun are never active.
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

// activeBoundary is the first instant after now at which another key can become the active one, or the active one
// changes its state: other keys only ever get worse with time, but for those that have yet to begin or to verify.
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

// coverage tells until when the keys that are usable now are, and the end of the last grace period that all keys reach
// from now on without a gap. Where none is usable any more the latter is the end of the last one, and the former zero.
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

// passes tells whether this evaluation is a transition: the state or the active key is another than before, or time has
// passed a boundary since the mark.
func (e *Evaluation) passes(product *api.LicensedProduct, keys []Key) bool {
	if e.State != product.Status.State || e.ActiveKeyName != product.Status.ActiveLicenseKeyName {
		return true
	}
	passed := func(boundary time.Time) bool {
		return e.Time.Mark.Before(boundary) && !e.Time.Now.Before(boundary)
	}
	for _, k := range keys {
		// A verified time of issue is a time that has been, give or take what clocks may differ by.
		if k.Claims != nil &&
			(passed(k.Claims.IssuedTime.Add(-IssuedAhead)) || passed(k.Claims.NotBefore) || passed(k.Claims.Expiry) ||
				passed(k.Claims.GraceEnd())) {
			return true
		}
	}
	return passed(e.EffectiveTime)
}

// LimitList is limits as the API has them, sorted by name.
func LimitList(limits map[string]int64) []api.Limit {
	var list []api.Limit
	for _, name := range sortedKeys(limits) {
		list = append(list, api.Limit{Name: name, Value: new(limits[name])})
	}
	return list
}

// timeOf is the instant that a status field holds; zero where it holds none.
func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// statusTime is an instant as a status field holds it; nil for none.
func statusTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
