// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package timeline computes the future of a product as the operator will: its states, active keys and restrictions,
// from boundary to boundary. It is pure.
package timeline

import (
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
)

// Timeline evaluates a product at each boundary in the future, as the operator will. Each evaluation uses the status
// that the one before has recorded: so a single evaluation of a later time would not be enough.
type Timeline struct {
	// Product is a copy, with those parts of the status that later evaluations need.
	Product *api.LicensedProduct
	keys    []license.Key
	caps    restriction.Caps

	// Evaluation is the result at the current time of the timeline.
	Evaluation license.Evaluation
	// Planned is for the plan of restrictions; State and Reason are those of the restriction.
	Planned restriction.Product
	State   api.RestrictionState
	Reason  string
}

// New starts a timeline now.
func New(product *api.LicensedProduct, keys []license.Key, caps restriction.Caps, now time.Time) *Timeline {
	t := &Timeline{Product: product.DeepCopy(), keys: keys, caps: caps}
	t.evaluate(now, license.ClocksAgree)
	return t
}

// AdvanceTo moves the timeline to a time.
func (t *Timeline) AdvanceTo(at time.Time) {
	for {
		next := t.next()
		if next.IsZero() || !next.Before(at) {
			break
		}
		t.pass(next)
	}
	t.evaluate(at, license.ClocksAgree)
}

// pass moves to a boundary. With ClocksUnknown the time mark stays, which saves a boundary each day. Here time only
// moves forward, so the mark does not matter.
func (t *Timeline) pass(boundary time.Time) { t.evaluate(boundary, license.ClocksUnknown) }

// next is the next boundary; zero: none.
func (t *Timeline) next() time.Time {
	return license.Earliest(t.Evaluation.NextBoundary, restriction.NextBoundary(t.Product, t.Evaluation.Time.Now))
}

func (t *Timeline) evaluate(at time.Time, agreement license.ClockAgreement) {
	reading := license.ClockReading{Now: at, Agreement: agreement}
	t.Evaluation = license.Evaluate(license.ResolveTime(reading, t.Product), t.Product, t.keys)
	t.Planned = restriction.ProductOf(t.Product, &t.Evaluation)
	t.State, t.Reason = t.Planned.StateUnder(t.caps)
	t.record()
	// Once more, since what is now in force is known to be in force since now.
	t.Planned = restriction.ProductOf(t.Product, &t.Evaluation)
}

// record puts into the status what later evaluations go on from.
func (t *Timeline) record() {
	t.Evaluation.Record(&t.Product.Status)
	switch r := t.Product.Status.Restriction; {
	case t.State != api.RestrictionActive:
		r.InForce = nil
	case r.InForce == nil:
		r.InForce = &api.RestrictionInForce{SinceTime: license.Instant(t.Evaluation.Time.Now.Truncate(time.Second))}
	}
}

// RestrictionStart moves the timeline to the next start of the restriction, and returns that time, and whether a pause
// ends then; zero: never, as things are.
func (t *Timeline) RestrictionStart() (at time.Time, pauseEnds bool) {
	for {
		before := t.State
		next := t.next()
		if next.IsZero() {
			return time.Time{}, false
		}
		t.pass(next)
		if t.State == api.RestrictionActive && before != api.RestrictionActive {
			return next, before == api.RestrictionPaused
		}
	}
}

// Takeover moves the timeline to the time when a key becomes active, which may be now; zero: never, as things are.
func (t *Timeline) Takeover(key string) time.Time {
	for t.Evaluation.ActiveKeyName != key {
		next := t.next()
		if next.IsZero() {
			return next
		}
		t.pass(next)
	}
	return t.Evaluation.Time.Now
}

// Restriction returns the restriction's status.
func (t *Timeline) Restriction() api.RestrictionStatus {
	status := *t.Product.Status.Restriction.DeepCopy()
	status.State = t.State
	status.Pause, _ = restriction.PauseOf(t.Product)
	if status.InForce != nil && status.InForce.Mode == "" {
		status.InForce.Mode = api.RestrictionMode(t.Reason)
	}
	return status
}
