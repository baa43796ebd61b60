// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package term lays out text for a terminal: tables and lists that fit its width, wrapped text, colors and warnings.
package term

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// Screen is what a command writes its text to: a terminal with its width, or a file or pipe without a limit.
type Screen struct {
	io.Writer
	// Width in columns; 0: no limit.
	Width int
	// Colored tells whether to print colors. They never say more than the words.
	Colored bool
}

// NewScreen returns the screen that a stream writes to. It respects NO_COLOR (no-color.org) and a TERM without colors.
func NewScreen(out io.Writer) Screen {
	s := Screen{Writer: out}
	if file, ok := out.(*os.File); ok && IsTerminal(file) {
		s.Colored = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
		s.Width, _, _ = term.GetSize(int(file.Fd())) // 0 if it is unknown
	}
	return s
}

// IsTerminal tells whether a stream is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Colors by what they mean (ECMA-48, SGR).
const (
	ColorNone    Color = ""
	ColorGood    Color = "\x1b[32m"
	ColorWarning Color = "\x1b[33m"
	ColorBad     Color = "\x1b[31m"
	colorEnd           = "\x1b[0m"
)

// Color says how good or bad a text is.
type Color string

// Paint gives a text a color, if the screen has colors.
func (s Screen) Paint(text string, as Color) string {
	if !s.Colored || as == ColorNone || text == "" {
		return text
	}
	return string(as) + text + colorEnd
}

// Warnf prints a warning.
func Warnf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "warning: %s\n", text.Printable(fmt.Sprintf(format, args...)))
}

// StateColors are the colors of products' states.
var StateColors = map[api.LicensedProductState]Color{
	api.LicensedProductValid:       ColorGood,
	api.LicensedProductGracePeriod: ColorWarning,
	api.LicensedProductExpired:     ColorBad,
	api.LicensedProductUnlicensed:  ColorBad,
}

// KeyStateColors are the colors of keys' states.
var KeyStateColors = map[api.LicenseKeyState]Color{
	api.LicenseKeyValid:       ColorGood,
	api.LicenseKeyGracePeriod: ColorWarning,
	api.LicenseKeyExpired:     ColorBad,
	api.LicenseKeyInvalid:     ColorBad,
}
