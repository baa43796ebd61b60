// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backoff

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDelay(t *testing.T) {
	for name, test := range map[string]struct {
		policy Policy
		want   []time.Duration // after 0, 1, 2 failures and so on
	}{
		"doubles until the last": {
			Policy{First: 1, Last: 10},
			[]time.Duration{1, 1, 2, 4, 8, 10, 10},
		},
		"the last is a multiple of the first": {
			Policy{First: 1, Last: 2}, []time.Duration{1, 1, 2, 2},
		},
		"constant":                           {Policy{First: 1, Last: 1}, []time.Duration{1, 1, 1}},
		"the last is shorter than the first": {Policy{First: 2, Last: 1}, []time.Duration{1, 1}},
		"none":                               {Policy{}, []time.Duration{0, 0, 0}},
		"no overflow": {
			Policy{First: math.MaxInt64/2 + 1, Last: math.MaxInt64},
			[]time.Duration{math.MaxInt64/2 + 1, math.MaxInt64/2 + 1, math.MaxInt64, math.MaxInt64},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []time.Duration
			for failures := range test.want {
				got = append(got, test.policy.Delay(failures))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDelayAfterManyFailures(t *testing.T) {
	for _, failures := range []int{-1, 64, 1000, math.MaxInt} {
		want := time.Minute
		if failures < 1 {
			want = 10 * time.Millisecond
		}
		if got := (Policy{First: 10 * time.Millisecond, Last: time.Minute}).Delay(failures); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
	// No delay at all stays none, at once.
	if got := (Policy{Last: time.Minute}).Delay(math.MaxInt); got != 0 {
		t.Errorf("got %s", got)
	}
}
