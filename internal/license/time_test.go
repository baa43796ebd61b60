// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// TestResolveTime takes a product that is licensed from day 10 to 20, with 5 days of grace, through changes of the
// clocks.
func TestResolveTime(t *testing.T) {
	const (
		valid, grace, expired = api.LicensedProductValid, api.LicensedProductGracePeriod, api.LicensedProductExpired
		agree, disagree       = license.ClocksAgree, license.ClocksDisagree
		behindMark, nodeClock = api.ReasonBehindMark, api.ReasonNodeClock
	)
	const second = 1.0 / 24 / 3600
	type step struct {
		clock     float64
		agreement license.ClockAgreement
		reset     string
		wantState api.LicensedProductState
		wantNow   float64
		wantMark  float64
		wantSkew  string
		wantNext  float64 // 0: not looked at
	}
	for name, steps := range map[string][]step{
		"the mark follows transitions, and otherwise once a day": {
			{clock: 18.25, agreement: agree, wantState: valid, wantNow: 18.25, wantMark: 18.25, wantNext: 19.25},
			{clock: 19, agreement: agree, wantState: valid, wantNow: 19, wantMark: 18.25, wantNext: 19.25},
			{clock: 19.25, agreement: agree, wantState: valid, wantNow: 19.25, wantMark: 19.25, wantNext: 20},
			{clock: 20, agreement: agree, wantState: grace, wantNow: 20, wantMark: 20, wantNext: 21},
			{clock: 30, agreement: agree, wantState: expired, wantNow: 30, wantMark: 30, wantNext: 31},
		},
		"a clock set back a month revives nothing": {
			{clock: 26, agreement: agree, wantState: expired, wantNow: 26, wantMark: 26},
			{
				clock: -4, agreement: agree, wantState: expired, wantNow: 26, wantMark: 26, wantSkew: behindMark,
				wantNext: 26 - 60*second,
			},
			{clock: 26 - 59*second, agreement: agree, wantState: expired, wantNow: 26, wantMark: 26, wantNext: 26},
			{clock: 26.5, agreement: agree, wantState: expired, wantNow: 26.5, wantMark: 26},
		},
		"a minute behind the mark is not reported": {
			{clock: 20, agreement: agree, wantState: grace, wantNow: 20, wantMark: 20},
			{clock: 20 - 60*second, agreement: agree, wantState: grace, wantNow: 20, wantMark: 20},
			{
				clock: 20 - 61*second, agreement: agree, wantState: grace, wantNow: 20, wantMark: 20,
				wantSkew: behindMark,
			},
		},
		"a node's clock a day ahead, corrected: what it brought on goes with it": {
			{clock: 24.5, agreement: agree, wantState: grace, wantNow: 24.5, wantMark: 24.5},
			{clock: 25.6, agreement: disagree, wantState: expired, wantNow: 25.6, wantMark: 24.5, wantSkew: nodeClock},
			{clock: 24.6, agreement: agree, wantState: grace, wantNow: 24.6, wantMark: 24.6, wantNext: 25},
		},
		"all clocks a day ahead, corrected: it stands until time catches up": {
			{clock: 24.5, agreement: agree, wantState: grace, wantNow: 24.5, wantMark: 24.5},
			{clock: 25.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6},
			{clock: 24.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6, wantSkew: behindMark},
			{clock: 25.7, agreement: agree, wantState: expired, wantNow: 25.7, wantMark: 25.6},
		},
		"all clocks a day ahead, corrected, and the mark reset": {
			{clock: 25.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6},
			{clock: 24.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6, wantSkew: behindMark},
			{clock: 24.6, agreement: agree, reset: "1", wantState: grace, wantNow: 24.6, wantMark: 24.6},
			{clock: 24.7, agreement: agree, reset: "1", wantState: grace, wantNow: 24.7, wantMark: 24.6},
			{
				clock: 24.5, agreement: agree, reset: "1", wantState: grace, wantNow: 24.6, wantMark: 24.6,
				wantSkew: behindMark,
			},
			{clock: 24.5, agreement: agree, reset: "2", wantState: grace, wantNow: 24.5, wantMark: 24.5},
		},
		"no reset while the clocks disagree": {
			{clock: 25.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6},
			{
				clock: 15, agreement: disagree, reset: "1", wantState: expired, wantNow: 25.6, wantMark: 25.6,
				wantSkew: nodeClock,
			},
			{clock: 24.6, agreement: agree, reset: "1", wantState: grace, wantNow: 24.6, wantMark: 24.6},
		},
		"no reset before the API server has told its time": {
			{clock: 25.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6},
			{
				clock: 24.6, agreement: license.ClocksUnknown, reset: "1", wantState: expired, wantNow: 25.6,
				wantMark: 25.6, wantSkew: behindMark,
			},
		},
		"a request that is too long is ignored": {
			{clock: 25.6, agreement: agree, wantState: expired, wantNow: 25.6, wantMark: 25.6},
			{
				clock: 24.6, agreement: agree, reset: strings.Repeat("x", 65), wantState: expired, wantNow: 25.6,
				wantMark: 25.6, wantSkew: behindMark,
			},
		},
		"an API server that has not told its time yet moves no mark and disputes nothing": {
			{clock: 18, agreement: license.ClocksUnknown, wantState: valid, wantNow: 18, wantMark: 0, wantNext: 20},
			{clock: 20, agreement: license.ClocksUnknown, wantState: grace, wantNow: 20, wantMark: 0, wantNext: 25},
			{clock: 21, agreement: agree, wantState: grace, wantNow: 21, wantMark: 21},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := product(api.LicensedProductStatus{})
			for i, s := range steps {
				p.Annotations = map[string]string{api.ClockResetAnnotation: s.reset}
				r := license.ResolveTime(license.ClockReading{Now: at(s.clock), Agreement: s.agreement}, p)
				e := license.Evaluate(r, p, []license.Key{key("k", claims("L", 10, 20, 5))})
				if e.State != s.wantState || !e.Time.Now.Equal(at(s.wantNow)) || e.Time.SkewReason != s.wantSkew {
					t.Errorf("step %d: got %s at %s, skew %q; want %s at %s, %q", i, e.State, e.Time.Now,
						e.Time.SkewReason, s.wantState, at(s.wantNow), s.wantSkew)
				}
				if wantMark := at(s.wantMark); s.wantMark == 0 && !e.Time.HighWaterMark.IsZero() ||
					s.wantMark != 0 && !e.Time.HighWaterMark.Equal(wantMark.Truncate(time.Second)) {
					t.Errorf("step %d: got mark %s, want %s", i, e.Time.HighWaterMark, wantMark)
				}
				if want := at(s.wantNext); s.wantNext != 0 && e.NextBoundary.Sub(want).Abs() > time.Second {
					t.Errorf("step %d: got next boundary %s, want %s", i, e.NextBoundary, want)
				}
				p.Status = recorded(e)
			}
		})
	}
}

// A high-water mark that only knew of the active key would let a clock that is set back revive the others.
func TestHighWaterMarkFollowsEveryKey(t *testing.T) {
	p := product(api.LicensedProductStatus{})
	keys := []license.Key{key("active", claims("A", 11, 100, 0)), key("standby", claims("S", 10, 20, 0))}
	p.Status = recorded(evaluate(at(19.9), p, keys...))
	e := evaluate(at(20), p, keys...)
	if !e.Time.HighWaterMark.Equal(at(20)) {
		t.Errorf("got mark %s, want %s", e.Time.HighWaterMark, at(20))
	}
}

// A key that was issued a moment ago would be in the future of a clock that is set back: its time of issue has been
// reached.
func TestHighWaterMarkFollowsTheIssueOfAStagedKey(t *testing.T) {
	p := product(api.LicensedProductStatus{})
	running := key("running", claims("R", 10, 100, 0))
	staged := key("staged", issued(claims("S", 50, 200, 0), 19.9))
	p.Status = recorded(evaluate(at(19), p, running))
	e := evaluate(at(19.9), p, running, staged)
	if !e.Time.HighWaterMark.Equal(at(19.9)) {
		t.Errorf("got mark %s, want %s", e.Time.HighWaterMark, at(19.9))
	}
}

// The clocks disagree, and by the wrong one the license has already ended when it is lost. By the right one much of it
// was left.
func TestLicenseLostWhileTheClocksDisagree(t *testing.T) {
	p := product(api.LicensedProductStatus{})
	p.Status = recorded(evaluate(at(20), p, key("k", claims("L", 10, 400, 20))))
	wrong := license.ClockReading{Now: at(405), Agreement: license.ClocksDisagree}
	p.Status = recorded(license.Evaluate(license.ResolveTime(wrong, p), p, nil))
	e := evaluate(at(21), p)
	if want := at(51); !e.EffectiveTime.Equal(want) || e.Basis != api.RestrictionBasisLicenseLost {
		t.Errorf("got %s by %s, want %s by LicenseLost", e.EffectiveTime, e.Basis, want)
	}
}

func TestEffectiveTimeIsABoundary(t *testing.T) {
	p := product(api.LicensedProductStatus{})
	p.Status = recorded(evaluate(at(29.5), p))
	e := evaluate(at(29.6), p)
	if !e.NextBoundary.Equal(at(30)) {
		t.Errorf("got next boundary %s, want %s", e.NextBoundary, at(30))
	}
	if e = evaluate(at(30), p); !e.Time.HighWaterMark.Equal(at(30)) {
		t.Errorf("got mark %s, want %s", e.Time.HighWaterMark, at(30))
	}
}

func TestResolveTimeWithoutProduct(t *testing.T) {
	if got := license.ResolveTime(agreed(at(1)), nil); !got.Now.Equal(at(1)) || !got.HighWaterMark.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func TestUnlicensedPeriodHasADefault(t *testing.T) {
	p := product(api.LicensedProductStatus{})
	p.Spec.UnlicensedGracePeriodDays = nil
	p.CreationTimestamp = metav1.NewTime(at(5))
	if e := evaluate(at(6), p); !e.EffectiveTime.Equal(at(35)) {
		t.Errorf("got %s, want %s", e.EffectiveTime, at(35))
	}
}
