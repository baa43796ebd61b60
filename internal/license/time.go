// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"maps"
	"slices"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Bounds of the clocks' disagreement.
const (
	// ClockTolerance is how far the operator's clock and the API server's may be apart and still agree.
	ClockTolerance = 5 * time.Minute
	// IssuedAhead is how far a key's time of issue may be ahead of the time here: clocks differ.
	IssuedAhead = 5 * time.Minute
	// markTolerance is how far the operator's clock may fall behind the mark without a word: clocks that are kept right
	// are stepped by less.
	markTolerance = 60 * time.Second
	// markInterval is how old the mark may become before it is advanced without a transition.
	markInterval = day
)

// ClockAgreement says whether the operator's clock and the API server's agree within ClockTolerance.
type ClockAgreement int

// What is known of the two clocks.
const (
	// ClocksUnknown: the API server has not told its time yet.
	ClocksUnknown ClockAgreement = iota
	// ClocksAgree: they are at most ClockTolerance apart.
	ClocksAgree
	// ClocksDisagree: they are further apart.
	ClocksDisagree
)

// ClockReading is one look at the clocks. It is taken once for an evaluation, since two looks differ.
type ClockReading struct {
	// Now is the operator's own clock.
	Now time.Time
	// Agreement says whether the API server's clock confirms it.
	Agreement ClockAgreement
}

// Reckoning is what time it is as far as licenses are concerned: it never runs backwards behind the mark.
type Reckoning struct {
	// Clock is what the operator's clock says.
	Clock time.Time
	// Now is the time that counts: Clock, or the mark where Clock is behind it.
	Now time.Time
	// Mark is the latest instant on record; zero: none yet.
	Mark time.Time
	// SkewReason is the reason of the condition ClockSkewed; empty: the clock is believed.
	SkewReason string
	// HandledReset is the last request to forget the mark that was acted upon.
	HandledReset string

	agreement ClockAgreement
}

// Reckon tells what time it is for product, whose status has the mark and whose annotations may ask to forget it.
// Without a product, nil, the clock counts.
func Reckon(clock ClockReading, product *api.LicensedProduct) Reckoning {
	if product == nil {
		return Reckoning{Clock: clock.Now, Now: clock.Now, agreement: clock.Agreement}
	}
	r := Reckoning{
		Clock:        clock.Now,
		Mark:         timeOf(product.Status.TimeMark),
		HandledReset: product.Status.LastHandledClockReset,
		agreement:    clock.Agreement,
	}
	if request := clockResetRequest(product); request != "" && request != r.HandledReset &&
		clock.Agreement == ClocksAgree {
		r.Mark, r.HandledReset = clock.Now.UTC().Truncate(time.Second), request
	}
	r.Now = latest(r.Clock, r.Mark)
	switch {
	case clock.Agreement == ClocksDisagree:
		// Behind the mark or not, this comes first: while it lasts, not even a reset of the mark helps.
		r.SkewReason = api.ReasonNodeClock
	case r.Mark.Sub(r.Clock) > markTolerance:
		r.SkewReason = api.ReasonBehindMark
	}
	return r
}

// maxClockResetRequest is the bound of status.lastHandledClockReset.
const maxClockResetRequest = 64

func clockResetRequest(product *api.LicensedProduct) string {
	request := product.Annotations[api.ClockResetAnnotation]
	if len(request) > maxClockResetRequest {
		return ""
	}
	return request
}

// nextMark is the mark to record: advanced at a transition, else once it is a day old, and only by a clock that the API
// server's confirms.
func nextMark(r Reckoning, transition bool) time.Time {
	if r.agreement != ClocksAgree || r.Clock.Before(r.Mark) {
		return r.Mark
	}
	if transition || r.Mark.IsZero() || r.Clock.Sub(r.Mark) >= markInterval {
		return r.Clock.UTC().Truncate(time.Second)
	}
	return r.Mark
}

// markDue is when the mark is next advanced without a transition.
func (r *Reckoning) markDue() time.Time {
	if r.Mark.IsZero() || r.agreement != ClocksAgree {
		return time.Time{}
	}
	return r.Mark.Add(markInterval)
}

// boundary is the next instant at which a clock that is behind the mark is believed again, or passes it; zero where it
// is not behind.
func (r *Reckoning) boundary() time.Time {
	return earliest(future(r.Mark.Add(-markTolerance), r.Clock), future(r.Mark, r.Clock))
}

// future is t where it is after now, and zero otherwise.
func future(t, now time.Time) time.Time {
	if now.Before(t) {
		return t
	}
	return time.Time{}
}

// earliest is the first of the instants that are not zero; zero where all are.
func earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, t := range instants {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
