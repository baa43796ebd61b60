// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	// Day is 24 hours.
	Day = 24 * time.Hour
	// MaxDuration is the limit for durations on the command line: longer than any license, and below the maximum of
	// time.Duration.
	MaxDuration = 100 * 366 * Day
)

// Duration writes a duration with the units d (24 hours), h, m and s: 365d, 1d12h.
func Duration(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	var text string
	for i, unit := range []time.Duration{Day, time.Hour, time.Minute, time.Second} {
		if count := d / unit; count > 0 {
			text += strconv.FormatInt(int64(count), 10) + string("dhms"[i])
			d %= unit
		}
	}
	return text
}

// ParseTime reads a time in whole seconds, or a date, which is its first second in UTC.
func ParseTime(text string) (instant time.Time, isDate bool, err error) {
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

// Time formats a time as all messages do: RFC 3339, in UTC.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Distance formats the time between two times in one unit, rounded down: the last day of a license is not two days.
func Distance(from, to time.Time) string {
	apart := to.Sub(from).Abs()
	switch {
	case apart >= 2*Day:
		return Plural(int64(apart/Day), "day")
	case apart >= 2*time.Hour:
		return Plural(int64(apart/time.Hour), "hour")
	case apart >= 2*time.Minute:
		return Plural(int64(apart/time.Minute), "minute")
	default:
		return Plural(int64(apart/time.Second), "second")
	}
}

// TimeAway formats a time and its distance.
func TimeAway(now, t time.Time) string { return Time(t) + " " + Away(now, t) }

// Away formats the distance of a time, in parentheses.
func Away(now, t time.Time) string {
	switch {
	case t.Equal(now.Truncate(time.Second)):
		return "(now)"
	case t.After(now):
		return fmt.Sprintf("(in %s)", Distance(now, t))
	default:
		return fmt.Sprintf("(%s ago)", Distance(t, now))
	}
}
