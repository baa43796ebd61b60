// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/license-operator/license-operator/internal/text"
)

// TextWidth is how wide running text is: any terminal shows it.
const TextWidth = 80

// Quote is text of somebody's, safe for a terminal.
func Quote(words string) string { return `"` + text.Printable(words) + `"` }

// Wrap breaks running text into lines, the first after one indent and the others after another. Whoever calls it has
// made the text printable.
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

// terminal is how wide characters are, whatever the locale says: of those whose width is ambiguous, each takes one
// column.
var terminal = runewidth.Condition{StrictEmojiNeutral: true}

// Width returns how many columns of a terminal a text takes: none for a combining mark, two for most characters of East
// Asia and for emoji.
func Width(text string) int { return terminal.StringWidth(text) }

// pad fills a text up to some columns.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(columns-Width(text), 0))
}
