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

// TimeFlag is a flag for a time, or for a date, which is its first second in UTC.
type TimeFlag struct {
	time.Time
	// ThroughDay makes a date mean its end: the first second of the next day.
	ThroughDay bool
	Text       string
}

// String returns the value as the user wrote it.
func (f *TimeFlag) String() string { return f.Text }

// Type is the name of the value in the help.
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

// DurationFlag is a flag for a duration such as 365d, 36h or 1d12h, in whole seconds.
type DurationFlag time.Duration

// Type is the name of the value in the help.
func (f *DurationFlag) Type() string { return "DURATION" }

// String is empty for zero, so that the help does not show a default.
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
	// Times in tokens are in whole seconds.
	if err != nil || duration > text.MaxDuration || duration%time.Second != 0 {
		return fmt.Errorf("want a duration such as 365d, 36h or 1d12h, at most %s (units y, w, d, h, m, s, from large "+
			"to small)", text.Duration(text.MaxDuration))
	}
	*f = DurationFlag(duration)
	return nil
}

// CompleteFlag completes a flag with these words. Without words it only turns off the completion with files.
func CompleteFlag(cmd *cobra.Command, flag string, words ...string) {
	Must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}

// CompleteFiles completes a flag with files that have one of the extensions.
func CompleteFiles(cmd *cobra.Command, flag string, extensions ...string) {
	Must(cmd.MarkFlagFilename(flag, extensions...))
}

// CompleteFolders completes a flag with folders.
func CompleteFolders(cmd *cobra.Command, flag string) { Must(cmd.MarkFlagDirname(flag)) }

// Must panics for a flag that does not exist, which is a mistake in the program.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
