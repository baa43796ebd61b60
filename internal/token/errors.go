// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxMessageBytes bounds a message whatever a hostile key puts into the names that the message quotes.
	maxMessageBytes = 1024
	// maxQuotedRunes bounds one quoted name.
	maxQuotedRunes = 64
	// maxCauseRunes bounds the text of a library's error.
	maxCauseRunes = 200
)

// Error says why a key does not verify, or why trust anchors cannot be used.
type Error struct {
	// Reason is one of the reasons of the Ready condition in package v1alpha1.
	Reason string
	// Message says in full sentences what is wrong and what to do: at most 1024 bytes, the same for the same input at
	// any time, never any part of the encoded token; names from the key are quoted and shortened.
	Message string

	err error
}

// Error is the message without the reason.
func (e *Error) Error() string { return e.Message }

// Unwrap is the library's error behind this one; nil where there is none.
func (e *Error) Unwrap() error { return e.err }

// fail makes an Error; an error among the arguments becomes its cause.
func fail(reason, format string, args ...any) *Error {
	failure := &Error{Reason: reason, Message: bounded(fmt.Sprintf(format, args...), maxMessageBytes)}
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			failure.err = cause
		}
	}
	return failure
}

// bounded cuts text to a number of bytes, between two characters.
func bounded(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	const ellipsis = "…"
	end := maxBytes - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// quote makes text of unknown origin safe to show: shortened, in quotation marks, with escapes for whatever does not
// print.
func quote(text string) string { return strconv.Quote(shorten(text, maxQuotedRunes)) }

// printable is the text of a library's error, which may hold names from a certificate.
func printable(err error) string {
	return shorten(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, err.Error()), maxCauseRunes)
}

// shorten cuts text to a number of characters.
func shorten(text string, maxRunes int) string {
	count := 0
	for i := range text {
		if count == maxRunes {
			return text[:i] + "…"
		}
		count++
	}
	return text
}

// instant is how messages show a time.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
