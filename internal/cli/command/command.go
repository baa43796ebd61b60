// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command has what the plugin's commands share: environment, arguments and flags, help and completion, and
// errors with exit codes.
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

// Exit codes. Those above 1 are about license keys, or a report that was changed. Each command lists its own in its
// help. Scripts rely on them: they never change their meaning.
const (
	ExitOK         = 0
	ExitFailed     = 1
	ExitUnreadable = 2
	ExitUnverified = 3
	ExitNotUsable  = 4
	ExitEndsSoon   = 5
)

// UserError is an error as the user sees it.
type UserError struct {
	// Message says what is wrong, and Hint what to do about it.
	Message, Hint string
	// Code is the exit code; 0 means ExitFailed.
	Code int
}

// Error returns the message, without the hint.
func (f *UserError) Error() string { return f.Message }

// FailWithHint returns an error with exit code 1. The hint says what to do; it may be empty.
func FailWithHint(hint, format string, args ...any) *UserError {
	return &UserError{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// ExitError is FailWithHint with another exit code.
func ExitError(code int, hint, format string, args ...any) *UserError {
	failure := FailWithHint(hint, format, args...)
	failure.Code = code
	return failure
}

// PrintError prints an error, if there is one, and returns the exit code.
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

// printableLines is text.Printable for a text of several lines.
func printableLines(words string) string {
	lines := strings.Split(words, "\n")
	for i := range lines {
		lines[i] = text.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// UsageError is a mistake on the command line. It only points to the help, which would hide the message.
func UsageError(cmd *cobra.Command, format string, args ...any) *UserError {
	return FailWithHint(fmt.Sprintf("See '%s --help'.", cmd.CommandPath()), format, args...)
}

// Environment is what commands use, except files and the cluster. Tests have their own, for the same output each time.
type Environment struct {
	genericiooptions.IOStreams
	// Now is the clock. A command reads it once: two readings differ.
	Now func() time.Time
	// Random is for license IDs. Private keys do not come from it: package token makes them.
	Random io.Reader
}

// ThisSecond reads the clock in whole seconds, as in certificates and tokens.
func (e *Environment) ThisSecond() time.Time { return e.Now().UTC().Truncate(time.Second) }
