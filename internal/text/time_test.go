// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"testing"
	"time"
)

// Present is the time of every test.
var Present = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"365d":       365 * Day,
		"36h":        36 * time.Hour,
		"1d12h":      36 * time.Hour,
		"1d2h3m4s":   26*time.Hour + 3*time.Minute + 4*time.Second,
		"90m":        90 * time.Minute,
		"007s":       7 * time.Second,
		"0s":         0,
		"36600d":     MaxDuration,
		"36599d24h":  MaxDuration,
		"999999999s": 999999999 * time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "1", "1w", "1y", "-1d", "+1d", "1.5d", "1d ", " 1d", "12h1d", "1d1d", "1D", "1h30", "500ms", "1e3s",
		"٣d",
		"36601d", "36600d1s", "999999999d", "9999999999s", "99999999999999999999d",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"365d", "1d12h", "0s", "1d2h3m4s", "36600d", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseDuration(text)
		if err != nil {
			return
		}
		if got < 0 || got > MaxDuration || got%time.Second != 0 {
			t.Fatalf("%q was read as %s", text, got)
		}
		if again, err := ParseDuration(Duration(got)); err != nil || again != got {
			t.Fatalf("%q was written as %q, and read as %s, %v", text, Duration(got), again, err)
		}
	})
}

func TestDistance(t *testing.T) {
	for apart, want := range map[time.Duration]string{
		0:                        "0 seconds",
		time.Second:              "1 second",
		119 * time.Second:        "119 seconds",
		2 * time.Minute:          "2 minutes",
		2*time.Hour - 1:          "119 minutes",
		2 * time.Hour:            "2 hours",
		2*Day - 1:                "47 hours",
		2 * Day:                  "2 days",
		3*Day - time.Nanosecond:  "2 days",
		365 * Day:                "365 days",
		400*Day + 13*time.Minute: "400 days",
	} {
		if got := Distance(Present, Present.Add(apart)); got != want {
			t.Errorf("%s ahead: %s, not %s", apart, got, want)
		}
		if got := Distance(Present.Add(apart), Present); got != want {
			t.Errorf("%s ago: %s, not %s", apart, got, want)
		}
	}
}
