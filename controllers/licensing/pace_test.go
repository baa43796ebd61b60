// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPace(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := newPace()
	p.now = func() time.Time { return now }
	expect := func(what string, want, got time.Duration) {
		t.Helper()
		if want != got {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	for range paceBurst {
		expect("in the burst", 0, p.delay("a", false))
	}
	expect("after the burst", time.Second, p.delay("a", false))
	expect("of another product", 0, p.delay("b", false))
	expect("a boundary", 0, p.delay("a", true))
	now = now.Add(time.Second)
	expect("the boundary took the place of an event", time.Second, p.delay("a", false))
	now = now.Add(300 * time.Millisecond)
	expect("the wait grows shorter", 700*time.Millisecond, p.delay("a", false))
	now = now.Add(700 * time.Millisecond)
	expect("a second later", 0, p.delay("a", false))
	expect("and then again a second", time.Second, p.delay("a", false))
	p.forget("a")
	expect("of a product that is new", 0, p.delay("a", false))
}

// However events come, no more than the burst and one a second take place, and none waits longer than a second.
func TestPaceUnderLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now, assessments := start, 0
		p := newPace()
		p.now = func() time.Time { return now }
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "milliseconds")) * time.Millisecond)
			delay := p.delay("a", false)
			if delay == 0 {
				assessments++
			}
			if delay > paceInterval {
				t.Fatalf("an event waits %s", delay)
			}
			if most := paceBurst + int(now.Sub(start)/paceInterval); assessments > most {
				t.Fatalf("%d assessments after %s", assessments, now.Sub(start))
			}
		}
	})
}
