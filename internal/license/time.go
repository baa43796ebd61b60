// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

const (
	// ClockTolerance is how far the operator's clock and the API server's may be apart and still agree.
	ClockTolerance = 5 * time.Minute
	// IssuedAhead is how far a key's time of issue may be in the future, since clocks differ.
	IssuedAhead = 5 * time.Minute
	// markTolerance is how far the operator's clock may be behind the high-water mark without being reported. Time
	// synchronization sets clocks back by less.
	markTolerance = 60 * time.Second
	// markInterval is how often the high-water mark advances without a transition.
	markInterval = day
	// maxClockResetRequest is the maximum length of status.lastHandledClockReset; a longer request is ignored.
	maxClockResetRequest = 64
)

// ClockAgreement says whether the operator's clock and the API server's agree within ClockTolerance.
type ClockAgreement int

// The values of ClockAgreement.
const (
	// ClocksUnknown: the API server's time is not known yet.
	ClocksUnknown ClockAgreement = iota
	// ClocksAgree: they are at most ClockTolerance apart.
	ClocksAgree
	// ClocksDisagree: they are further apart.
	ClocksDisagree
)

// ClockReading is the state of the clocks at one time. Each evaluation uses one reading.
type ClockReading struct {
	// Now is the time of the operator's clock.
	Now time.Time
	// Agreement says whether the API server's clock agrees with it.
	Agreement ClockAgreement
}

// TrustedTime is the time by which licenses are judged. It never goes back behind the high-water mark.
type TrustedTime struct {
	// Clock is the time of the operator's clock.
	Clock time.Time
	// Now is the later one of Clock and HighWaterMark. Licenses are judged by it.
	Now time.Time
	// HighWaterMark is the latest recorded time; zero for none.
	HighWaterMark time.Time
	// SkewReason is the reason of the condition ClockSkewed; empty if the clock is trusted.
	SkewReason string
	// HandledReset is the last request to reset the high-water mark that was handled.
	HandledReset string

	agreement ClockAgreement
}

// ResolveTime returns the trusted time for a product. The product's status has the high-water mark, and its annotations
// may request a reset of it. Without a product (nil) the trusted time is the clock's.
func ResolveTime(clock ClockReading, product *api.LicensedProduct) TrustedTime {
	r := TrustedTime{Clock: clock.Now, Now: clock.Now, agreement: clock.Agreement}
	if product == nil {
		return r
	}
	r.HighWaterMark, r.HandledReset = timeOf(product.Status.TimeMark), product.Status.LastHandledClockReset
	request := product.Annotations[api.ClockResetAnnotation]
	if request != "" && len(request) <= maxClockResetRequest && request != r.HandledReset &&
		clock.Agreement == ClocksAgree {
		r.HighWaterMark, r.HandledReset = clock.Now.UTC().Truncate(time.Second), request
	}
	r.Now = latest(r.Clock, r.HighWaterMark)
	switch {
	case clock.Agreement == ClocksDisagree:
		// This comes first: as long as the clocks disagree, a reset of the high-water mark does not help.
		r.SkewReason = api.ReasonNodeClock
	case r.HighWaterMark.Sub(r.Clock) > markTolerance:
		r.SkewReason = api.ReasonBehindMark
	}
	return r
}

// nextHighWaterMark returns the high-water mark to record. It advances with each transition and otherwise once a day,
// but only while the clocks agree.
func nextHighWaterMark(r TrustedTime, transition bool) time.Time {
	isDue := transition || r.HighWaterMark.IsZero() || r.Clock.Sub(r.HighWaterMark) >= markInterval
	if r.agreement == ClocksAgree && !r.Clock.Before(r.HighWaterMark) && isDue {
		return r.Clock.UTC().Truncate(time.Second)
	}
	return r.HighWaterMark
}

// highWaterMarkDue returns when the high-water mark next advances without a transition; zero for never.
func (r *TrustedTime) highWaterMarkDue() time.Time {
	if r.HighWaterMark.IsZero() || r.agreement != ClocksAgree {
		return time.Time{}
	}
	return r.HighWaterMark.Add(markInterval)
}

// boundary returns the next time at which a clock behind the high-water mark is trusted again or passes the mark; zero
// if it is not behind.
func (r *TrustedTime) boundary() time.Time {
	return Earliest(future(r.HighWaterMark.Add(-markTolerance), r.Clock), future(r.HighWaterMark, r.Clock))
}

// future returns t if it is after now, otherwise zero.
func future(t, now time.Time) time.Time {
	if now.Before(t) {
		return t
	}
	return time.Time{}
}

// Earliest returns the first of the times that are not zero; zero if all are.
func Earliest(instants ...time.Time) time.Time {
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
