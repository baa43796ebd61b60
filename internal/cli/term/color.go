// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

// Colors by what they mean, as terminals have them (ECMA-48, SGR).
const (
	ColorNone    Color = ""
	ColorGood    Color = "\x1b[32m"
	ColorWarning Color = "\x1b[33m"
	ColorBad     Color = "\x1b[31m"
	colorEnd           = "\x1b[0m"
)

// Color is how good or bad a text is.
type Color string

// Paint gives a text a color, where there are any.
func (s Screen) Paint(text string, as Color) string {
	if !s.Colored || as == ColorNone || text == "" {
		return text
	}
	return string(as) + text + colorEnd
}
