// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPace(t *testing.T) {
	p := newPace()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	expect := func(what string, want, got time.Duration) {
		t.Helper()
		if want != got {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	for range paceBurst {
		expect("in the burst", 0, p.delay("a", now, false))
	}
	expect("after the burst", time.Second, p.delay("a", now, false))
	expect("of another product", 0, p.delay("b", now, false))
	expect("a boundary", 0, p.delay("a", now, true))
	now = now.Add(time.Second)
	expect("the boundary took the place of an event", time.Second, p.delay("a", now, false))
	now = now.Add(300 * time.Millisecond)
	expect("the wait grows shorter", 700*time.Millisecond, p.delay("a", now, false))
	now = now.Add(700 * time.Millisecond)
	expect("a second later", 0, p.delay("a", now, false))
	expect("and then again a second", time.Second, p.delay("a", now, false))
	p.forget("a")
	expect("of a product that is new", 0, p.delay("a", now, false))
	now = now.Add(-time.Hour)
	expect("after the clock was set back", 0, p.delay("a", now, false))
}

// However events come, no more than the burst and one a second take place, and none waits longer than a second.
func TestPaceUnderLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPace()
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now, assessments := start, 0
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "milliseconds")) * time.Millisecond)
			delay := p.delay("a", now, false)
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
