// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"testing"
	"time"

	"github.com/license-operator/license-operator/internal/text"
)

func TestTimeFlag(t *testing.T) {
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
		begins, ends := TimeFlag{}, TimeFlag{ThroughDay: true}
		if err := begins.Set(test.text); err != nil || text.Time(begins.Time) != test.begins {
			t.Errorf("%s begins at %s, %v", test.text, text.Time(begins.Time), err)
		}
		if err := ends.Set(test.text); err != nil || text.Time(ends.Time) != test.ends {
			t.Errorf("%s ends at %s, %v", test.text, text.Time(ends.Time), err)
		}
	}
	for _, text := range []string{
		"", "2027", "2027-12", "2027-13-01", "2027-02-29", "31.12.2027", "12/31/2027", "20271231",
		"2027-12-31 12:00:00", "2027-12-31T12:00Z",
		"2027-12-31T12:00:00", "2027-12-31T12:00:00.5Z", "2027-12-31T24:00:00Z", "10000-01-01", "now", "365d",
	} {
		if err := new(TimeFlag).Set(text); err == nil {
			t.Errorf("%q was accepted as a time", text)
		}
	}
}

func TestDurationFlag(t *testing.T) {
	for words, want := range map[string]time.Duration{
		"365d":       365 * text.Day,
		"36h":        36 * time.Hour,
		"1d12h":      36 * time.Hour,
		"1d2h3m4s":   26*time.Hour + 3*time.Minute + 4*time.Second,
		"90m":        90 * time.Minute,
		"007s":       7 * time.Second,
		"0s":         0,
		"0":          0,
		"2w":         14 * text.Day,
		"1y":         365 * text.Day,
		"1y1w1d":     373 * text.Day,
		"1000ms":     time.Second,
		"36600d":     text.MaxDuration,
		"36599d24h":  text.MaxDuration,
		"999999999s": 999999999 * time.Second,
	} {
		var flag DurationFlag
		if err := flag.Set(words); err != nil || time.Duration(flag) != want {
			t.Errorf("%q: got %s, %v; want %s", words, time.Duration(flag), err, want)
		}
	}
	for _, words := range []string{
		"", "d", "1", "-1d", "+1d", "1.5d", "1d ", " 1d", "12h1d", "1d1d", "1D", "1h30", "500ms", "1e3s", "٣d",
		"36601d", "36600d1s", "101y", "999999999d", "9999999999s", "99999999999999999999d",
	} {
		var flag DurationFlag
		if err := flag.Set(words); err == nil {
			t.Errorf("%q was read as %s", words, time.Duration(flag))
		}
	}
}

func FuzzDurationFlag(f *testing.F) {
	for _, seed := range []string{"365d", "1d12h", "0s", "1d2h3m4s", "36600d", "1y", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, words string) {
		var flag, again DurationFlag
		if flag.Set(words) != nil {
			return
		}
		if got := time.Duration(flag); got < 0 || got > text.MaxDuration || got%time.Second != 0 {
			t.Fatalf("%q was read as %s", words, got)
		}
		if err := again.Set(text.Duration(time.Duration(flag))); err != nil || again != flag {
			t.Fatalf("%q was read as %s, and its text as %s, %v", words, &flag, &again, err)
		}
	})
}
