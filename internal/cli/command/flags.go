// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"time"

	"github.com/license-operator/license-operator/internal/text"
)

// TimeFlag is a flag that takes an instant, or a date for the date's first instant in UTC.
type TimeFlag struct {
	time.Time
	// ThroughDay makes a date stand for its end instead, which is the first instant of the next day.
	ThroughDay bool
	Text       string
}

// String is the value as it was given.
func (f *TimeFlag) String() string { return f.Text }

// Type is how the help calls the value.
func (f *TimeFlag) Type() string { return "TIME" }

// Set reads the flag's value.
func (f *TimeFlag) Set(words string) error {
	instant, isDate, err := text.ParseTime(words)
	if err != nil {
		return err
	}
	if isDate && f.ThroughDay {
		instant = instant.AddDate(0, 0, 1)
	}
	f.Time, f.Text = instant, words
	return nil
}

// DurationFlag is a flag that takes a duration as text.ParseDuration reads it.
type DurationFlag time.Duration

// Type is how the help calls the value.
func (f *DurationFlag) Type() string { return "DURATION" }

// String is empty for zero, which keeps the help from showing it as a default.
func (f *DurationFlag) String() string {
	if *f == 0 {
		return ""
	}
	return text.Duration(time.Duration(*f))
}

// Set reads the flag's value.
func (f *DurationFlag) Set(words string) error {
	duration, err := text.ParseDuration(words)
	if err != nil {
		return err
	}
	*f = DurationFlag(duration)
	return nil
}
