// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command has what all commands of the plugin are made of: their environment, arguments and flags, their help
// and completion, and errors with exit codes.
package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/license-operator/license-operator/internal/text"
)

// Exit codes. Those above 1 are about license keys and what they amount to, or about a report that is not as it was
// made: inspect has all of them, and other commands those that they name in their help. Pipelines rely on them: they
// never change their meaning.
const (
	ExitOK         = 0
	ExitFailed     = 1
	ExitUnreadable = 2
	ExitUnverified = 3
	ExitNotUsable  = 4
	ExitEndsSoon   = 5
)

// UserError is an error as the user gets to see it.
type UserError struct {
	// Message says what is wrong.
	Message string
	// Hint says what to do about it.
	Hint string
	// Code is the exit code; zero stands for ExitFailed.
	Code int
}

// Error is what is wrong, without what to do about it.
func (f *UserError) Error() string { return f.Message }

// FailWithHint makes a failure with exit code 1. hint says what to do about it; it may be empty.
func FailWithHint(hint, format string, args ...any) *UserError {
	return &UserError{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// ExitError makes a failure with an exit code of its own.
func ExitError(code int, hint, format string, args ...any) *UserError {
	failure := FailWithHint(hint, format, args...)
	failure.Code = code
	return failure
}

// PrintError shows an error and tells the exit code for it.
func PrintError(out io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	var known *UserError
	if !errors.As(err, &known) {
		known = &UserError{Message: err.Error()}
	}
	_, _ = fmt.Fprintf(out, "error: %s\n", printableLines(known.Message))
	if known.Hint != "" {
		_, _ = fmt.Fprintln(out, printableLines(known.Hint))
	}
	return cmp.Or(known.Code, ExitFailed)
}

// printableLines is printable for text of several lines.
func printableLines(words string) string {
	lines := strings.Split(words, "\n")
	for i := range lines {
		lines[i] = text.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// UsageError is a mistake on the command line. It points to the help and does not print all of it: the message would be
// lost in it.
func UsageError(cmd *cobra.Command, format string, args ...any) *UserError {
	return FailWithHint(fmt.Sprintf("See '%s --help'.", cmd.CommandPath()), format, args...)
}

// Environment is what commands know of the world besides files and the cluster. Tests bring their own, so that the same
// input gives the same output.
type Environment struct {
	genericiooptions.IOStreams
	// Now is the clock. A command reads it once: two readings differ.
	Now func() time.Time
	// Random is where the identifiers of licenses come from. Private keys do not: package token makes those.
	Random io.Reader
}

// ThisSecond is the reading of the clock for what is issued: whole seconds, as certificates and tokens have them.
func (e *Environment) ThisSecond() time.Time { return e.Now().UTC().Truncate(time.Second) }
