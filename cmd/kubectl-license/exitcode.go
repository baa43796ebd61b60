// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Exit codes. Those above 1 are about license keys and what they amount to, or about a report that is not as it was
// made: inspect has all of them, and other commands those that they name in their help. Pipelines rely on them: they
// never change their meaning.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUnreadable = 2
	exitUnverified = 3
	exitNotUsable  = 4
	exitEndsSoon   = 5
)

// failure is an error as the user gets to see it.
type failure struct {
	// message says what is wrong.
	message string
	// next says what to do about it.
	next string
	// code is the exit code; zero stands for exitFailed.
	code int
}

// Error is what is wrong, without what to do about it.
func (f *failure) Error() string { return f.message }

// failf makes a failure with exit code 1.
func failf(next, format string, args ...any) *failure {
	return &failure{message: fmt.Sprintf(format, args...), next: next}
}

// verdict makes a failure with an exit code of its own.
func verdict(code int, next, format string, args ...any) *failure {
	failure := failf(next, format, args...)
	failure.code = code
	return failure
}

// report shows an error and tells the exit code for it.
func report(out io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var known *failure
	if !errors.As(err, &known) {
		known = &failure{message: err.Error()}
	}
	_, _ = fmt.Fprintf(out, "error: %s\n", printableLines(known.message))
	if known.next != "" {
		_, _ = fmt.Fprintln(out, printableLines(known.next))
	}
	return cmp.Or(known.code, exitFailed)
}

// printableLines is printable for text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
