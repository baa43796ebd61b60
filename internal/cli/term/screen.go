// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package term lays out text for a terminal: tables and lists that fit its width, wrapped text, colors and warnings.
package term

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is what a command writes its text to: a terminal with its width, or a file or pipe, which is as wide as it
// takes.
type Screen struct {
	io.Writer
	// Width in columns; 0: there is no bound.
	Width int
	// Colored tells whether there are colors. They never say anything that the words do not.
	Colored bool
}

// NewScreen is the screen that a stream leads to. NO_COLOR (no-color.org) and a TERM that knows no colors are
// respected.
func NewScreen(out io.Writer) Screen {
	s := Screen{Writer: out}
	file, ok := out.(*os.File)
	if !ok || !IsTerminal(file) {
		return s
	}
	s.Colored = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		s.Width = width
	}
	return s
}

// IsTerminal tells whether a stream is one that somebody sits at.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
