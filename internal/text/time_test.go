// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"testing"
	"time"
)

// Present is the time of every test.
var Present = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestDuration(t *testing.T) {
	for duration, want := range map[time.Duration]string{
		0:                           "0s",
		time.Second - 1:             "0s",
		90 * time.Minute:            "1h30m",
		365 * Day:                   "365d",
		36 * time.Hour:              "1d12h",
		Day + 2*time.Hour + 183e9:   "1d2h3m3s",
		MaxDuration + time.Second:   "36600d1s",
		2*time.Hour + time.Second/2: "2h",
	} {
		if got := Duration(duration); got != want {
			t.Errorf("%s: %s, not %s", duration, got, want)
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
