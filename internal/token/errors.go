// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"fmt"

	"github.com/license-operator/license-operator/internal/text"
)

const (
	// maxMessageBytes bounds a message, whatever names it quotes.
	maxMessageBytes = 1024
	// maxQuotedRunes bounds a quoted name.
	maxQuotedRunes = 64
	// maxQuotedNames bounds how many names of a list are quoted.
	maxQuotedNames = 3
	// maxCauseRunes bounds the text of a library's error.
	maxCauseRunes = 200
)

// Error is why a key does not verify.
type Error struct {
	// Reason is a reason of the condition Ready in package v1alpha1.
	Reason string
	// Message says in full sentences what is wrong and what to do. It has at most 1024 bytes, is the same for the same
	// input at any time, and never contains a part of the encoded token. Names from the key are quoted and shortened.
	Message string

	err error
}

// Error returns the message without the reason.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause; nil if there is none.
func (e *Error) Unwrap() error { return e.err }

// fail returns an Error. An error among the arguments becomes its cause.
func fail(reason, format string, args ...any) *Error {
	failure := &Error{Reason: reason, Message: text.Truncate(fmt.Sprintf(format, args...), maxMessageBytes)}
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			failure.err = cause
		}
	}
	return failure
}

// quote makes a name of unknown origin safe to show: shortened, in quotation marks, with escapes.
func quote(name string) string { return text.Quote(name, maxQuotedRunes) }

// quoteSome quotes the first few names of a list.
func quoteSome(names []string) string {
	return text.List(text.QuoteEach(names, maxQuotedRunes), maxQuotedNames)
}

// printable makes the text of a library's error, which may contain names from a certificate, safe to show.
func printable(err error) string {
	return text.TruncateRunes(text.Printable(err.Error()), maxCauseRunes)
}
