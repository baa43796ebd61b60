// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

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

// DurationFlag is a flag that takes a duration such as 365d, 36h or 1d12h.
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
	parsed, err := model.ParseDuration(words)
	duration := time.Duration(parsed)
	// Tokens have nothing finer than a second.
	if err != nil || duration > text.MaxDuration || duration%time.Second != 0 {
		return fmt.Errorf("want a duration such as 365d, 36h or 1d12h, at most %s (units y, w, d, h, m, s, from large "+
			"to small)", text.Duration(text.MaxDuration))
	}
	*f = DurationFlag(duration)
	return nil
}

// CompleteFlag offers fixed words for a flag; with none it only keeps the shell from offering files.
func CompleteFlag(cmd *cobra.Command, flag string, words ...string) {
	Must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}

// CompleteFiles offers files that end in one of the extensions.
func CompleteFiles(cmd *cobra.Command, flag string, extensions ...string) {
	Must(cmd.MarkFlagFilename(flag, extensions...))
}

// CompleteFolders offers folders.
func CompleteFolders(cmd *cobra.Command, flag string) {
	Must(cmd.MarkFlagDirname(flag))
}

// Must fails for flags that do not exist, which is a mistake in the program.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
