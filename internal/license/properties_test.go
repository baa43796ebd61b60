// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// hours are few, so that boundaries coincide often.
func drawHours(t *rapid.T, label string, from, to int) time.Duration {
	return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Hour
}

func drawKeys(t *rapid.T) []license.Key {
	count := rapid.IntRange(0, 5).Draw(t, "keys")
	keys := make([]license.Key, count)
	for i := range keys {
		keys[i].Name = fmt.Sprintf("key-%d", i)
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
		case 1:
			keys[i].RecheckTime = epoch.Add(drawHours(t, "recheck", 0, 60))
		default:
			begin := drawHours(t, "begin", 0, 60)
			keys[i].Claims = &license.Claims{
				ID:          fmt.Sprintf("L-%d", rapid.IntRange(0, 2).Draw(t, "id")),
				IssuedTime:  epoch.Add(drawHours(t, "issued", -10, 0)),
				NotBefore:   epoch.Add(begin),
				Expiry:      epoch.Add(begin + drawHours(t, "term", 0, 30)),
				GracePeriod: drawHours(t, "grace", 0, 10),
				Features:    []string{fmt.Sprintf("feature-%d", i)},
			}
		}
	}
	return keys
}

func drawTime(t *rapid.T, label string, from, to time.Time) time.Time {
	return from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from))).Draw(t, label)))
}

// drawPast has the records of evaluations before an instant, with other keys and at other times.
func drawPast(t *rapid.T, now time.Time) *api.LicensedProduct {
	p := product(api.LicensedProductStatus{})
	p.Spec.UnlicensedGracePeriodDays = new(rapid.Int32Range(0, 2).Draw(t, "unlicensed period"))
	for range rapid.IntRange(0, 3).Draw(t, "evaluations before") {
		p.Status = recorded(evaluate(drawTime(t, "before", epoch, now), p, drawKeys(t)...))
	}
	return p
}

var sameRecord = cmpopts.EquateEmpty()

// Nothing changes, and nothing is written, until NextBoundary.
func TestNothingChangesBeforeTheNextBoundary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := drawTime(t, "now", epoch, epoch.Add(100*time.Hour))
		p, keys := drawPast(t, now), drawKeys(t)
		first := evaluate(now, p, keys...)
		p.Status = recorded(first)
		if first.NextBoundary.IsZero() || !first.NextBoundary.After(now) {
			t.Fatalf("at %s the next boundary is %s", now, first.NextBoundary)
		}
		later := drawTime(t, "later", now, first.NextBoundary.Add(-1))
		second := evaluate(later, p, keys...)
		if diff := cmp.Diff(p.Status, recorded(second), sameRecord); diff != "" {
			t.Fatalf("from %s to %s, before %s:\n%s", now, later, first.NextBoundary, diff)
		}
	})
}

// An evaluation of what was just recorded records the same, so no status is written twice.
func TestEvaluationIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := license.ClockReading{
			Now: drawTime(t, "now", epoch, epoch.Add(100*time.Hour)),
			Agreement: rapid.SampledFrom([]license.ClockAgreement{
				license.ClocksUnknown, license.ClocksAgree,
				license.ClocksDisagree,
			}).Draw(t, "agreement"),
		}
		// The recorded past may be in the future: the clock may have been set back.
		p, keys := drawPast(t, epoch.Add(100*time.Hour)), drawKeys(t)
		p.Annotations = map[string]string{api.ClockResetAnnotation: rapid.SampledFrom([]string{"", "request"}).Draw(t,
			"reset")}
		p.Status = recorded(license.Evaluate(license.ResolveTime(clock, p), p, keys))
		again := recorded(license.Evaluate(license.ResolveTime(clock, p), p, keys))
		if diff := cmp.Diff(p.Status, again, sameRecord); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOrderOfKeysDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := drawTime(t, "now", epoch, epoch.Add(100*time.Hour))
		p, keys := drawPast(t, now), drawKeys(t)
		shuffled := slices.Clone(keys)
		rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))).
			Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(evaluate(now, p, keys...), evaluate(now, p, shuffled...), comparable); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The product is usable up to CoverageEnd without a gap, and not at its end.
func TestCoverageEndIsWhereCoverageEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := drawTime(t, "now", epoch, epoch.Add(100*time.Hour))
		p, keys := product(api.LicensedProductStatus{}), drawKeys(t)
		e := evaluate(now, p, keys...)
		if !license.Usable(e.State) {
			return
		}
		within := drawTime(t, "within", now, e.CoverageEnd.Add(-1))
		if state := evaluate(within, p, keys...).State; !license.Usable(state) {
			t.Fatalf("covered until %s, and %s at %s", e.CoverageEnd, state, within)
		}
		if state := evaluate(e.CoverageEnd, p, keys...).State; license.Usable(state) {
			t.Fatalf("covered until %s, and %s then", e.CoverageEnd, state)
		}
	})
}

// Without a usable key nothing postpones a restriction. Once it has taken effect, only a usable key ends it.
func TestTakingKeysAwayGainsNoTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := product(api.LicensedProductStatus{})
		now := epoch
		for range 6 {
			now = drawTime(t, "now", now, now.Add(20*time.Hour))
			before := p.Status
			e := evaluate(now, p, drawKeys(t)...)
			p.Status = recorded(e)
			if before.Restriction == nil || license.Usable(e.State) {
				continue
			}
			if was := before.Restriction.EffectiveTime.Time; e.EffectiveTime.After(was) {
				t.Fatalf("at %s the effective time went from %s to %s without a usable key", now, was, e.EffectiveTime)
			}
		}
	})
}

// Whatever the clock does, the trusted time never goes back behind the high-water mark.
func TestTimeNeverRunsBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, keys := product(api.LicensedProductStatus{}), drawKeys(t)
		var last time.Time
		for range 6 {
			e := evaluate(drawTime(t, "now", epoch, epoch.Add(100*time.Hour)), p, keys...)
			p.Status = recorded(e)
			if e.Time.HighWaterMark.Before(last) || e.Time.Now.Before(last) {
				t.Fatalf("the mark was %s; now it is %s, and the time %s", last, e.Time.HighWaterMark, e.Time.Now)
			}
			last = e.Time.HighWaterMark
		}
	})
}
