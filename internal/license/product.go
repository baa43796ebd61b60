// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package license is the state machine of licenses. From the claims of a product's keys, the product's past and the
// time it computes the state of each, the active key and the time at which a restriction takes effect. The package is
// pure: it has no clock, no client and no cryptography.
package license

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
}

// Evaluate computes the state of a product and its keys at a trusted time. It reads the product's creation time, spec
// and status, where earlier evaluations are recorded, and changes nothing.
func Evaluate(trusted TrustedTime, product *api.LicensedProduct, keys []Key) Evaluation {
	now := trusted.Now
	e := Evaluation{Time: trusted, State: api.LicensedProductUnlicensed}
	if active := activeKey(keys, now); active != nil {
		e.State = api.LicensedProductState(active.Claims.StateAt(now)) // one of ranked
		e.ActiveKeyName = active.Name
		e.Expiry, e.GraceEnd = active.Claims.Expiry, active.Claims.GraceEnd()
		e.UsableUntil, e.CoverageEnd = coverage(keys, now)
		if Usable(e.State) {
			e.Features, e.Limits = active.Claims.Features, LimitList(active.Claims.Limits)
		}
	}
	e.resolveEffectiveTime(product)
	e.Time.HighWaterMark = nextHighWaterMark(trusted, e.isTransition(product, keys))
	e.NextBoundary = Earliest(e.Time.boundary(), future(e.EffectiveTime, now), e.Time.highWaterMarkDue())
	for _, k := range keys {
		e.NextBoundary = Earliest(e.NextBoundary, k.boundary(now))
	}
	return e
}

// Record sets the members of a product's status that an evaluation decides, for later evaluations to read. It leaves
// all others as they are.
func (e *Evaluation) Record(status *api.LicensedProductStatus) {
	status.State, status.ActiveLicenseKeyName = e.State, e.ActiveKeyName
	status.ExpiryTime, status.GraceEndTime = Instant(e.Expiry), Instant(e.GraceEnd)
	status.CoverageEndTime = Instant(e.CoverageEnd)
	status.Features, status.Limits = e.Features, e.Limits
	status.TimeMark, status.LastHandledClockReset = Instant(e.Time.HighWaterMark), e.Time.HandledReset
	if status.Restriction == nil {
		status.Restriction = &api.RestrictionStatus{}
	}
	status.Restriction.EffectiveTime, status.Restriction.Basis = Instant(e.EffectiveTime), e.Basis
	status.Restriction.UsableUntilTime = Instant(e.UsableUntil)
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
	c := k.Claims
	return Earliest(future(c.NotBefore, now), future(c.Expiry, now), future(c.GraceEnd(), now))
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

// ranked are the states in which a key can be the active one, the best last.
var ranked = []api.LicenseKeyState{api.LicenseKeyExpired, api.LicenseKeyGracePeriod, api.LicenseKeyValid}

func compareForActive(a, b *Key, now time.Time) int {
	return cmp.Or(
		cmp.Compare(slices.Index(ranked, a.Claims.StateAt(now)), slices.Index(ranked, b.Claims.StateAt(now))),
		a.Claims.IssuedTime.Compare(b.Claims.IssuedTime),
		a.Claims.GraceEnd().Compare(b.Claims.GraceEnd()),
		cmp.Compare(a.Claims.ID, b.Claims.ID),
		cmp.Compare(a.Name, b.Name),
	)
}

// coverage returns when the keys that are usable now end, and the end of the last grace period that all keys reach
// without a gap. If no key is usable, the first is zero and the second is the end of the last grace period.
func coverage(keys []Key, now time.Time) (usableUntil, end time.Time) {
	var ended time.Time
	var verified []*Claims
	for _, k := range keys {
		if k.Claims == nil {
			continue
		}
		verified = append(verified, k.Claims)
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
	slices.SortFunc(verified, func(a, b *Claims) int { return a.NotBefore.Compare(b.NotBefore) })
	end = usableUntil
	for _, c := range verified {
		if !c.NotBefore.After(end) {
			end = latest(end, c.GraceEnd())
		}
	}
	return usableUntil, end
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
		if c := k.Claims; c != nil && (passed(c.IssuedTime.Add(-IssuedAhead)) || passed(c.NotBefore) ||
			passed(c.Expiry) || passed(c.GraceEnd())) {
			return true
		}
	}
	return passed(e.EffectiveTime)
}

// IsProduct reports whether an owner is a LicensedProduct, of any version of the API.
func IsProduct(owner metav1.OwnerReference) bool {
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && group.Group == api.GroupVersion.Group && owner.Kind == "LicensedProduct"
}

// RenewalHint says where to get a license for the product, as a sentence without its full stop.
func RenewalHint(product *api.LicensedProduct) string {
	return FromVendor("Get a license", product.Spec.Vendor, product.Spec.RenewalURL) + " and apply it as a LicenseKey"
}

// FromVendor says where to get something: "Get a license at https://acme.example/renew" or, without a URL, "Get a
// license from Acme". The action is the first part.
func FromVendor(action, vendor, renewalURL string) string {
	if renewalURL != "" {
		return fmt.Sprintf("%s at %s", action, renewalURL)
	}
	return fmt.Sprintf("%s from %s", action, vendor)
}

// LimitList returns limits in the form of the API, sorted by name.
func LimitList(limits map[string]int64) []api.Limit {
	var list []api.Limit
	for _, name := range slices.Sorted(maps.Keys(limits)) {
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

// Instant returns a time as a status has it, in UTC; nil for the zero time.
func Instant(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
