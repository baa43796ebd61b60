// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// product is created at the epoch and has an unlicensed period of 30 days.
func product(status api.LicensedProductStatus) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "product", CreationTimestamp: metav1.NewTime(epoch)},
		Spec:       api.LicensedProductSpec{UnlicensedGracePeriodDays: new(int32(30))},
		Status:     status,
	}
}

func key(name string, c *license.Claims) license.Key { return license.Key{Name: name, Claims: c} }

func agreed(now time.Time) license.ClockReading {
	return license.ClockReading{Now: now, Agreement: license.ClocksAgree}
}

func evaluate(now time.Time, p *api.LicensedProduct, keys ...license.Key) license.Evaluation {
	return license.Evaluate(license.ResolveTime(agreed(now), p), p, keys)
}

// recorded is the status after an evaluation.
func recorded(e license.Evaluation) api.LicensedProductStatus {
	var status api.LicensedProductStatus
	e.Record(&status)
	return status
}

// comparable compares all of an evaluation but the time, which has tests of its own.
var comparable = cmp.Options{
	cmpopts.IgnoreFields(license.Evaluation{}, "Time"),
}

func TestEvaluate(t *testing.T) {
	for name, test := range map[string]struct {
		now    time.Time
		status api.LicensedProductStatus
		keys   []license.Key
		want   license.Evaluation
	}{
		"never licensed: the unlicensed period from its creation": {
			now: at(1),
			want: license.Evaluation{
				State:         api.LicensedProductUnlicensed,
				EffectiveTime: at(30), Basis: api.RestrictionBasisNeverLicensed, NextBoundary: at(2),
			},
		},
		"a key that does not verify counts for nothing": {
			now: at(1), keys: []license.Key{{Name: "bad"}},
			want: license.Evaluation{
				State:         api.LicensedProductUnlicensed,
				EffectiveTime: at(30), Basis: api.RestrictionBasisNeverLicensed, NextBoundary: at(2),
			},
		},
		"a key that was issued ahead of time is looked at again": {
			now: at(1), keys: []license.Key{{Name: "early", RecheckTime: at(1.5)}},
			want: license.Evaluation{
				State:         api.LicensedProductUnlicensed,
				EffectiveTime: at(30), Basis: api.RestrictionBasisNeverLicensed, NextBoundary: at(1.5),
			},
		},
		"an only key that has not begun is not active": {
			now: at(1), keys: []license.Key{key("next", claims("L", 1.25, 20, 5))},
			want: license.Evaluation{
				State:         api.LicensedProductUnlicensed,
				EffectiveTime: at(30), Basis: api.RestrictionBasisNeverLicensed, NextBoundary: at(1.25),
			},
		},
		"valid": {
			now: at(10), keys: []license.Key{key("k", &license.Claims{
				ID: "L", IssuedTime: at(10), NotBefore: at(10), Expiry: at(10.5), GracePeriod: 24 * time.Hour,
				Features: []string{"b", "a"}, Limits: map[string]int64{"nodes": 100, "cores": 0},
			})},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "k", Expiry: at(10.5), GraceEnd: at(11.5),
				UsableUntil: at(11.5), CoverageEnd: at(11.5),
				Features: []string{"b", "a"},
				Limits: []api.Limit{
					{Name: "cores", Value: new(int64(0))},
					{Name: "nodes", Value: new(int64(100))},
				},
				EffectiveTime: at(11.5), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(10.5),
			},
		},
		"in grace everything still works": {
			now: at(20), keys: []license.Key{key("k", &license.Claims{
				ID: "L", IssuedTime: at(10), NotBefore: at(10), Expiry: at(20), GracePeriod: 12 * time.Hour,
				Features: []string{"a"},
			})},
			want: license.Evaluation{
				State: api.LicensedProductGracePeriod, ActiveKeyName: "k", Expiry: at(20), GraceEnd: at(20.5),
				UsableUntil: at(20.5), CoverageEnd: at(20.5),
				Features:      []string{"a"},
				EffectiveTime: at(20.5), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(20.5),
			},
		},
		"expired by time: what was to take effect has": {
			now: at(25),
			status: recorded(evaluate(at(24.9), product(api.LicensedProductStatus{}),
				key("k", claims("L", 10, 20, 5)))),
			keys: []license.Key{key("k", &license.Claims{
				ID: "L", IssuedTime: at(10), NotBefore: at(10), Expiry: at(20), GracePeriod: 5 * 24 * time.Hour,
				Features: []string{"a"},
			})},
			want: license.Evaluation{
				State: api.LicensedProductExpired, ActiveKeyName: "k", Expiry: at(20), GraceEnd: at(25),
				UsableUntil: at(25), CoverageEnd: at(25),
				EffectiveTime: at(25), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(26),
			},
		},
		"an expired key given to a product that never had a usable one": {
			now: at(25), keys: []license.Key{key("k", claims("L", 10, 20, 5))},
			want: license.Evaluation{
				State: api.LicensedProductExpired, ActiveKeyName: "k", Expiry: at(20), GraceEnd: at(25),
				CoverageEnd:   at(25),
				EffectiveTime: at(30), Basis: api.RestrictionBasisNeverLicensed, NextBoundary: at(26),
			},
		},
		"a staged renewal extends the coverage and is not active yet": {
			now:  at(19.5),
			keys: []license.Key{key("k", claims("L1", 10, 20, 5)), key("next", issued(claims("L2", 25, 40, 2), 19))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "k", Expiry: at(20), GraceEnd: at(25),
				UsableUntil: at(25), CoverageEnd: at(42),
				EffectiveTime: at(42), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(20),
			},
		},
		"a chain of staged renewals, in any order": {
			now: at(19.5), keys: []license.Key{
				key("3", claims("L3", 41, 60, 0)), key("2", claims("L2", 24, 40, 2)), key("1", claims("L1", 10, 20, 5)),
			},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "1", Expiry: at(20), GraceEnd: at(25),
				UsableUntil: at(25), CoverageEnd: at(60),
				EffectiveTime: at(60), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(20),
			},
		},
		"staged with a gap: the coverage ends before it": {
			now:  at(19.5),
			keys: []license.Key{key("k", claims("L1", 10, 20, 5)), key("next", claims("L2", 25.001, 40, 2))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "k", Expiry: at(20), GraceEnd: at(25),
				UsableUntil: at(25), CoverageEnd: at(25),
				EffectiveTime: at(25), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(20),
			},
		},
		"valid counts before grace, however new": {
			now:  at(20.5),
			keys: []license.Key{key("old", claims("L1", 1, 21, 5)), key("new", issued(claims("L2", 10, 20, 30), 11))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "old", Expiry: at(21), GraceEnd: at(26),
				UsableUntil: at(50), CoverageEnd: at(50),
				EffectiveTime: at(50), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(21),
			},
		},
		"of two valid keys the last issued, even where it ends earlier": {
			now: at(11.5), keys: []license.Key{key("old", claims("L1", 1, 50, 5)), key("new", claims("L2", 11, 12, 0))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "new", Expiry: at(12), GraceEnd: at(12),
				UsableUntil: at(55), CoverageEnd: at(55),
				EffectiveTime: at(55), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(12),
			},
		},
		"issued at once, the one that reaches further": {
			now: at(11.5), keys: []license.Key{key("z", claims("Z", 11, 12, 0)), key("a", claims("A", 11, 12, 1))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "a", Expiry: at(12), GraceEnd: at(13),
				UsableUntil: at(13), CoverageEnd: at(13),
				EffectiveTime: at(13), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(12),
			},
		},
		"alike but for the id, the greater id": {
			now: at(11.5), keys: []license.Key{key("a", claims("L2", 11, 12, 0)), key("b", claims("L1", 11, 12, 0))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "a", Expiry: at(12), GraceEnd: at(12),
				UsableUntil: at(12), CoverageEnd: at(12),
				EffectiveTime: at(12), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(12),
			},
		},
		"the same license twice, the greater name": {
			now: at(11.5), keys: []license.Key{key("a", claims("L", 11, 12, 0)), key("b", claims("L", 11, 12, 0))},
			want: license.Evaluation{
				State: api.LicensedProductValid, ActiveKeyName: "b", Expiry: at(12), GraceEnd: at(12),
				UsableUntil: at(12), CoverageEnd: at(12),
				EffectiveTime: at(12), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(12),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate(test.now, product(test.status), test.keys...)
			if diff := cmp.Diff(test.want, got, comparable); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestEffectiveTime takes products through changes of their keys.
func TestEffectiveTime(t *testing.T) {
	type step struct {
		now            float64
		unlicensedDays int32 // 0: as before
		keys           []license.Key
		wantState      api.LicensedProductState
		wantTime       float64
		wantBasis      api.RestrictionBasis
	}
	const (
		unlicensed = api.LicensedProductUnlicensed
		valid      = api.LicensedProductValid
		grace      = api.LicensedProductGracePeriod
		expired    = api.LicensedProductExpired
		covered    = api.RestrictionBasisCoverageEnd
		never      = api.RestrictionBasisNeverLicensed
		lost       = api.RestrictionBasisLicenseLost
	)
	k := key("k", claims("L1", 10, 100, 20))
	short := key("short", claims("L3", 10, 20, 5))
	next := key("next", issued(claims("L2", 110, 200, 20), 50))
	long := key("long", claims("L4", 10, 400, 30))
	addon := key("addon", issued(claims("L5", 80, 101, 0), 80))
	for name, steps := range map[string][]step{
		"never licensed, the period changed, then over for good": {
			{now: 1, wantState: unlicensed, wantTime: 30, wantBasis: never},
			{now: 2, unlicensedDays: 10, wantState: unlicensed, wantTime: 10, wantBasis: never},
			{now: 3, unlicensedDays: 40, wantState: unlicensed, wantTime: 40, wantBasis: never},
			{now: 40, wantState: unlicensed, wantTime: 40, wantBasis: never},
			{now: 41, unlicensedDays: 300, wantState: unlicensed, wantTime: 40, wantBasis: never},
		},
		"licensed after a restriction, and expired by time": {
			{now: 31, wantState: unlicensed, wantTime: 30, wantBasis: never},
			{now: 32, keys: []license.Key{k}, wantState: valid, wantTime: 120, wantBasis: covered},
			{now: 100, keys: []license.Key{k}, wantState: grace, wantTime: 120, wantBasis: covered},
			{now: 120, keys: []license.Key{k}, wantState: expired, wantTime: 120, wantBasis: covered},
			{now: 130, keys: nil, wantState: unlicensed, wantTime: 120, wantBasis: covered},
			{now: 131, keys: []license.Key{next}, wantState: valid, wantTime: 220, wantBasis: covered},
		},
		"lost with much left: the unlicensed period": {
			{now: 20, keys: []license.Key{k}, wantState: valid, wantTime: 120, wantBasis: covered},
			{now: 30, wantState: unlicensed, wantTime: 60, wantBasis: lost},
			{now: 59, unlicensedDays: 300, wantState: unlicensed, wantTime: 60, wantBasis: lost},
			{now: 60, wantState: unlicensed, wantTime: 60, wantBasis: lost},
			{now: 61, wantState: unlicensed, wantTime: 60, wantBasis: lost},
			{now: 62, keys: []license.Key{k}, wantState: valid, wantTime: 120, wantBasis: covered},
		},
		"lost with little left: its grace end": {
			{now: 20, keys: []license.Key{k}, wantState: valid, wantTime: 120, wantBasis: covered},
			{now: 110, wantState: unlicensed, wantTime: 120, wantBasis: lost},
		},
		"lost, an expired key still there": {
			{now: 20, keys: []license.Key{k, short}, wantState: valid, wantTime: 120, wantBasis: covered},
			{now: 30, keys: []license.Key{short}, wantState: expired, wantTime: 60, wantBasis: lost},
			{now: 31, keys: []license.Key{short}, wantState: expired, wantTime: 60, wantBasis: lost},
		},
		"lost with a renewal staged: what is staged does not count before it begins": {
			{now: 90, keys: []license.Key{k, next}, wantState: valid, wantTime: 220, wantBasis: covered},
			{now: 91, keys: []license.Key{next}, wantState: unlicensed, wantTime: 120, wantBasis: lost},
			{now: 110, keys: []license.Key{next}, wantState: valid, wantTime: 220, wantBasis: covered},
		},
		"a staged renewal taken back while the operator was away": {
			{now: 90, keys: []license.Key{k, next}, wantState: valid, wantTime: 220, wantBasis: covered},
			{now: 130, keys: []license.Key{k}, wantState: expired, wantTime: 120, wantBasis: lost},
		},
		"the renewal begins while the operator is away": {
			{now: 90, keys: []license.Key{k, next}, wantState: valid, wantTime: 220, wantBasis: covered},
			{now: 130, keys: []license.Key{k, next}, wantState: valid, wantTime: 220, wantBasis: covered},
		},
		"all of it over while the operator is away": {
			{now: 90, keys: []license.Key{k, next}, wantState: valid, wantTime: 220, wantBasis: covered},
			{now: 300, keys: []license.Key{k, next}, wantState: expired, wantTime: 220, wantBasis: covered},
		},
		"lost and found": {
			{now: 20, keys: []license.Key{k}, wantState: valid, wantTime: 120, wantBasis: covered},
			{now: 30, wantState: unlicensed, wantTime: 60, wantBasis: lost},
			{now: 31, keys: []license.Key{k}, wantState: valid, wantTime: 120, wantBasis: covered},
			{now: 40, wantState: unlicensed, wantTime: 70, wantBasis: lost},
		},
		"two usable keys lost at once: what the longer of them left counts": {
			{now: 90, keys: []license.Key{long, addon}, wantState: valid, wantTime: 430, wantBasis: covered},
			{now: 100, wantState: unlicensed, wantTime: 130, wantBasis: lost},
		},
		"the longer of two usable keys lost while the operator was away, the other over": {
			{now: 90, keys: []license.Key{long, addon}, wantState: valid, wantTime: 430, wantBasis: covered},
			{now: 120, keys: []license.Key{addon}, wantState: expired, wantTime: 150, wantBasis: lost},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := product(api.LicensedProductStatus{})
			for _, s := range steps {
				if s.unlicensedDays != 0 {
					p.Spec.UnlicensedGracePeriodDays = new(s.unlicensedDays)
				}
				e := evaluate(at(s.now), p, s.keys...)
				if e.State != s.wantState || !e.EffectiveTime.Equal(at(s.wantTime)) || e.Basis != s.wantBasis {
					t.Fatalf("day %v: got %s, effective %s by %s; want %s, %s by %s",
						s.now, e.State, e.EffectiveTime, e.Basis, s.wantState, at(s.wantTime), s.wantBasis)
				}
				p.Status = recorded(e)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	instant := func(days float64) *metav1.Time { return &metav1.Time{Time: at(days)} }
	others := func() api.LicensedProductStatus {
		return api.LicensedProductStatus{
			ObservedGeneration: 7, TrustAnchors: "anchors",
			Conditions:   []metav1.Condition{{Type: api.ConditionReady}},
			Usage:        []api.Usage{{Name: "nodes"}},
			MonthlyPeaks: []api.MonthlyPeak{{Month: "2026-01"}},
			Restriction: &api.RestrictionStatus{
				State: api.RestrictionActive, MaxMode: api.RestrictionReadOnly,
				InForce: &api.RestrictionInForce{SinceTime: instant(1)},
			},
		}
	}
	evaluation := license.Evaluation{
		State: api.LicensedProductValid, ActiveKeyName: "key", Expiry: at(1), GraceEnd: at(2), CoverageEnd: at(3),
		Features: []string{"tiers"}, Limits: []api.Limit{{Name: "nodes", Value: new(int64(1))}},
		Time:        license.TrustedTime{Now: at(9), HighWaterMark: at(4), HandledReset: "reset"},
		UsableUntil: at(5), EffectiveTime: at(6), Basis: api.RestrictionBasisCoverageEnd, NextBoundary: at(8),
	}
	full := others()
	full.State, full.ActiveLicenseKeyName = api.LicensedProductValid, "key"
	full.ExpiryTime, full.GraceEndTime, full.CoverageEndTime = instant(1), instant(2), instant(3)
	full.Features, full.Limits = evaluation.Features, evaluation.Limits
	full.TimeMark, full.LastHandledClockReset = instant(4), "reset"
	full.Restriction.UsableUntilTime, full.Restriction.EffectiveTime = instant(5), instant(6)
	full.Restriction.Basis = api.RestrictionBasisCoverageEnd

	for name, test := range map[string]struct {
		evaluation   license.Evaluation
		before, want api.LicensedProductStatus
	}{
		"everything": {evaluation, others(), full},
		"nothing":    {license.Evaluation{}, *full.DeepCopy(), others()},
		"first time": {
			license.Evaluation{State: api.LicensedProductUnlicensed},
			api.LicensedProductStatus{},
			api.LicensedProductStatus{State: api.LicensedProductUnlicensed, Restriction: &api.RestrictionStatus{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			status := test.before
			test.evaluation.Record(&status)
			if diff := cmp.Diff(test.want, status); diff != "" {
				t.Error(diff)
			}
		})
	}
}
