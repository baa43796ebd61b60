// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestParseWaves(t *testing.T) {
	got, err := parseWaves(defaultWaves)
	if err != nil {
		t.Fatal(err)
	}
	want := []wave{{1_000, 10}, {1_000, 1}, {3_000, 1}, {10_000, 1}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(wave{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, text := range []string{"", "10", "10/", "/1", "10/0", "1/10", "10/1,", "a/b", "-10/-10"} {
		if _, err := parseWaves(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestPlanEnds(t *testing.T) {
	opens := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := &population{keys: 100, products: 1}
	p.planEnds(opens, window)
	for of, l := range p.life {
		if l.expiry.Before(opens) || !l.expiry.Before(p.closes) || !l.graceEnd.Equal(l.expiry) {
			t.Errorf("%s is %+v", of.name, l)
		}
	}
}

func TestRecorderAfter(t *testing.T) {
	opens := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	end := func(second int) life { return life{expiry: opens.Add(time.Duration(second) * time.Second)} }
	r := &recorder{
		population: &population{life: map[object]life{keyNamed(0): end(1), keyNamed(1): end(2), keyNamed(2): end(3)}},
		seen: map[object]map[string]time.Time{
			keyNamed(0): {stateExpired: opens.Add(1100 * time.Millisecond)},
			keyNamed(1): {stateValid: opens},
			keyNamed(2): {stateExpired: opens.Add(3 * time.Second)},
		},
	}
	got := r.after(keyResource, stateExpired, func(l life) time.Time { return l.expiry }, opens.Add(10*time.Second))
	if diff := cmp.Diff([]time.Duration{0, 100 * time.Millisecond, 8 * time.Second}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestGarbage(t *testing.T) {
	if a, b := garbage(1, 100), garbage(2, 100); len(a) != 100 || a == b || a != garbage(1, 100) {
		t.Errorf("got %s and %s", a, b)
	}
}

// TestCandidates compares a manager with one that ends at once, and with itself, with a few keys.
func TestCandidates(t *testing.T) {
	log.SetLogger(logr.Discard()) // as the benchmarks do
	binary := buildManager(t)
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := settings{
		waves: []wave{{20, 1}, {40, 1}}, waveWindow: 5 * time.Second, touched: 5, lead: 10 * time.Second,
		idle: 3 * time.Second,
	}
	var out strings.Builder
	s.managers = []candidate{{"broken", broken}, {"manager", binary}}
	if err := benchWaves(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}
	s.managers = []candidate{{"one", binary}, {"other", binary}}
	if err := benchTouch(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	var titles []string
	for line := range strings.Lines(out.String()) {
		if title, ok := strings.CutPrefix(line, "### "); ok {
			titles = append(titles, strings.TrimSpace(title))
		}
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			name := strings.TrimSpace(cells[1])
			rows[name] = nil
			for _, cell := range cells[2 : len(cells)-1] {
				rows[name] = append(rows[name], strings.TrimSpace(cell))
			}
		}
	}
	want := []string{
		"20 keys of one product, which expire within 5 s", "40 keys of one product, which expire within 5 s",
		"CPU time as the keys of one product become more", "5 keys of 48 KiB, all of one product",
	}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ended", "41", "", "41: met"}, rows["expiries seen at a watch"]); diff != "" {
		t.Errorf("expiries (-want +got):\n%s", diff)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
