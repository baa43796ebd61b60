// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"365d":       365 * day,
		"36h":        36 * time.Hour,
		"1d12h":      36 * time.Hour,
		"1d2h3m4s":   26*time.Hour + 3*time.Minute + 4*time.Second,
		"90m":        90 * time.Minute,
		"007s":       7 * time.Second,
		"0s":         0,
		"36600d":     maxDuration,
		"36599d24h":  maxDuration,
		"999999999s": 999999999 * time.Second,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "1", "1w", "1y", "-1d", "+1d", "1.5d", "1d ", " 1d", "12h1d", "1d1d", "1D", "1h30", "500ms", "1e3s",
		"٣d",
		"36601d", "36600d1s", "999999999d", "9999999999s", "99999999999999999999d",
	} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"365d", "1d12h", "0s", "1d2h3m4s", "36600d", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseDuration(text)
		if err != nil {
			return
		}
		if got < 0 || got > maxDuration || got%time.Second != 0 {
			t.Fatalf("%q was read as %s", text, got)
		}
		if again, err := parseDuration(formatDuration(got)); err != nil || again != got {
			t.Fatalf("%q was written as %q, and read as %s, %v", text, formatDuration(got), again, err)
		}
	})
}

func TestInstantFlag(t *testing.T) {
	for _, test := range []struct {
		text         string
		begins, ends string
	}{
		{"2027-12-31", "2027-12-31T00:00:00Z", "2028-01-01T00:00:00Z"},
		{"2028-02-28", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"2027-03-28", "2027-03-28T00:00:00Z", "2027-03-29T00:00:00Z"}, // daylight saving begins: not in UTC
		{"2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z"},
		{"2027-12-31T23:30:00-02:00", "2028-01-01T01:30:00Z", "2028-01-01T01:30:00Z"},
		{"2027-12-31T12:00:00.000Z", "2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z"},
	} {
		begins, ends := instantFlag{}, instantFlag{throughDay: true}
		if err := begins.Set(test.text); err != nil || formatInstant(begins.Time) != test.begins {
			t.Errorf("%s begins at %s, %v", test.text, formatInstant(begins.Time), err)
		}
		if err := ends.Set(test.text); err != nil || formatInstant(ends.Time) != test.ends {
			t.Errorf("%s ends at %s, %v", test.text, formatInstant(ends.Time), err)
		}
	}
	for _, text := range []string{
		"", "2027", "2027-12", "2027-13-01", "2027-02-29", "31.12.2027", "12/31/2027", "20271231",
		"2027-12-31 12:00:00", "2027-12-31T12:00Z",
		"2027-12-31T12:00:00", "2027-12-31T12:00:00.5Z", "2027-12-31T24:00:00Z", "10000-01-01", "now", "365d",
	} {
		if err := new(instantFlag).Set(text); err == nil {
			t.Errorf("%q was taken for an instant", text)
		}
	}
}

func TestDistance(t *testing.T) {
	for apart, want := range map[time.Duration]string{
		0:                        "0 seconds",
		time.Second:              "1 second",
		119 * time.Second:        "119 seconds",
		2 * time.Minute:          "2 minutes",
		2*time.Hour - 1:          "119 minutes",
		2 * time.Hour:            "2 hours",
		2*day - 1:                "47 hours",
		2 * day:                  "2 days",
		3*day - time.Nanosecond:  "2 days",
		365 * day:                "365 days",
		400*day + 13*time.Minute: "400 days",
	} {
		if got := distance(present, present.Add(apart)); got != want {
			t.Errorf("%s ahead: %s, not %s", apart, got, want)
		}
		if got := distance(present.Add(apart), present); got != want {
			t.Errorf("%s ago: %s, not %s", apart, got, want)
		}
	}
}
