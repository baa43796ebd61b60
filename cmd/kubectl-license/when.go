// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const (
	day = 24 * time.Hour
	// maxDuration bounds every duration on the command line: far beyond any license, and far from what a time.Duration
	// can hold.
	maxDuration = 100 * 366 * day
)

var (
	durationShape = regexp.MustCompile(`^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$`)
	durationUnits = []time.Duration{day, time.Hour, time.Minute, time.Second}
)

// parseDuration reads what people write for a term: 365d, 36h, 1d12h. A day is 24 hours; there is nothing finer than a
// second, since tokens have none.
func parseDuration(text string) (time.Duration, error) {
	match := durationShape.FindStringSubmatch(text)
	if text == "" || match == nil {
		return 0, errors.New("want a duration such as 365d, 36h or 1d12h (units d, h, m, s, from large to small)")
	}
	var total time.Duration
	for i, unit := range durationUnits {
		if match[i+1] == "" {
			continue
		}
		count, err := strconv.ParseInt(match[i+1], 10, 64)
		if err != nil {
			return 0, err
		}
		if time.Duration(count) > maxDuration/unit {
			return 0, errTooLong
		}
		total += time.Duration(count) * unit
	}
	if total > maxDuration {
		return 0, errTooLong
	}
	return total, nil
}

var errTooLong = fmt.Errorf("at most %s", formatDuration(maxDuration))

// formatDuration writes a duration the way parseDuration reads it.
func formatDuration(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	var text string
	for i, unit := range durationUnits {
		if count := d / unit; count > 0 {
			text += strconv.FormatInt(int64(count), 10) + string("dhms"[i])
			d %= unit
		}
	}
	return text
}

// parseInstant reads an instant, or a date, for which it returns the date's first instant in UTC.
func parseInstant(text string) (instant time.Time, isDate bool, err error) {
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return date, true, nil
	}
	instant, err = time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return time.Time{}, false,
			errors.New("want a date such as 2027-12-31 or a time such as 2027-12-31T12:00:00Z (RFC 3339)")
	case instant.Nanosecond() != 0:
		return time.Time{}, false, errors.New("want whole seconds")
	default:
		return instant.UTC(), false, nil
	}
}

// instantFlag is a flag that takes an instant, or a date for the date's first instant in UTC.
type instantFlag struct {
	time.Time
	// throughDay makes a date stand for its end instead, which is the first instant of the next day.
	throughDay bool
	text       string
}

func (f *instantFlag) String() string { return f.text }
func (f *instantFlag) Type() string   { return "TIME" }

// Set reads the flag's value.
func (f *instantFlag) Set(text string) error {
	instant, isDate, err := parseInstant(text)
	if err != nil {
		return err
	}
	if isDate && f.throughDay {
		instant = instant.AddDate(0, 0, 1)
	}
	f.Time, f.text = instant, text
	return nil
}

// durationFlag is a flag that takes a duration as parseDuration reads it.
type durationFlag time.Duration

func (f *durationFlag) Type() string { return "DURATION" }

// String is empty for zero, which keeps the help from showing it as a default.
func (f *durationFlag) String() string {
	if *f == 0 {
		return ""
	}
	return formatDuration(time.Duration(*f))
}

// Set reads the flag's value.
func (f *durationFlag) Set(text string) error {
	duration, err := parseDuration(text)
	if err != nil {
		return err
	}
	*f = durationFlag(duration)
	return nil
}

// formatInstant writes an instant the way all of the project does.
func formatInstant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// distance says how far an instant is from another, in one unit, rounded down: the last day of a license must not be
// shown as two.
func distance(from, to time.Time) string {
	apart := to.Sub(from).Abs()
	switch {
	case apart >= 2*day:
		return plural(int64(apart/day), "day")
	case apart >= 2*time.Hour:
		return plural(int64(apart/time.Hour), "hour")
	case apart >= 2*time.Minute:
		return plural(int64(apart/time.Minute), "minute")
	default:
		return plural(int64(apart/time.Second), "second")
	}
}

// withDistance is an instant and how far away it is: on a terminal that is what people look for.
func withDistance(now, t time.Time) string { return formatInstant(t) + " " + awayText(now, t) }

// awayText is how far away an instant is, in parentheses.
func awayText(now, t time.Time) string {
	switch {
	case t.Equal(now.Truncate(time.Second)):
		return "(now)"
	case t.After(now):
		return fmt.Sprintf("(in %s)", distance(now, t))
	default:
		return fmt.Sprintf("(%s ago)", distance(t, now))
	}
}

func plural(count int64, noun string) string { return counted(count, noun, noun+"s") }

// counted is plural for nouns that take more than an s.
func counted(count int64, one, many string) string {
	if count == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", count, many)
}
