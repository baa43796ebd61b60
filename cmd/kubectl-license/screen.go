// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// screen is what a command writes its text to: a terminal with its width, or a file or pipe, which is as wide as it
// takes.
type screen struct {
	io.Writer
	// width in columns; 0: there is no bound.
	width int
	// colored tells whether shades become colors. They never say anything that the words do not.
	colored bool
}

// screenOf is the screen that a stream leads to. NO_COLOR (no-color.org) and a TERM that knows no colors are respected.
func screenOf(out io.Writer) screen {
	s := screen{Writer: out}
	file, ok := out.(*os.File)
	if !ok || !isTerminal(file) {
		return s
	}
	s.colored = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		s.width = width
	}
	return s
}

// isTerminal tells whether a stream is one that somebody sits at.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// shade is how good or bad a text is.
type shade string

// Shades, as the colors that terminals have for them (ECMA-48, SGR).
const (
	shadeNone shade = ""
	shadeGood shade = "\x1b[32m"
	shadeWarn shade = "\x1b[33m"
	shadeBad  shade = "\x1b[31m"
	shadeEnd        = "\x1b[0m"
)

// paint gives a text a shade, where there are colors.
func (s screen) paint(text string, as shade) string {
	if !s.colored || as == shadeNone || text == "" {
		return text
	}
	return string(as) + text + shadeEnd
}
