// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/license-operator/license-operator/internal/text"
)

// TextWidth is the width of text that is wrapped, in columns.
const TextWidth = 80

// Quote quotes a text of unknown origin. The result is safe for a terminal.
func Quote(words string) string { return `"` + text.Printable(words) + `"` }

// Wrap breaks a text into lines, the first after one indent and the others after another. The text must be printable.
func Wrap(text, first, others string) string { return WrapTo(TextWidth, text, first, others) }

// WrapTo is Wrap for lines of another width.
func WrapTo(lineWidth int, text, first, others string) string {
	var wrapped strings.Builder
	wrapped.WriteString(first)
	width := Width(first)
	for i, word := range strings.Fields(text) {
		length := Width(word)
		switch {
		case i == 0:
		case width+1+length > lineWidth:
			wrapped.WriteString("\n" + others)
			width = Width(others)
		default:
			wrapped.WriteByte(' ')
			width++
		}
		wrapped.WriteString(word)
		width += length
	}
	return wrapped.String()
}

// terminal says how wide characters are, whatever the locale. If the width is ambiguous, it is one column.
var terminal = runewidth.Condition{StrictEmojiNeutral: true}

// Width returns how many columns a text takes on a terminal: 0 for a combining mark, 2 for most East Asian characters.
func Width(text string) int { return terminal.StringWidth(text) }

func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(columns-Width(text), 0))
}
