// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package text makes text of unknown origin safe to show, limits its length, and formats lists, counts, times and
// durations. It is pure.
package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis ends text that was cut. It is ASCII: in East Asian locales a terminal may draw "…" two columns wide.
const ellipsis = "..."

// IsDeceptive reports whether a character could fake a line of a log or break a table: control characters, line and
// paragraph separators, bidirectional controls, and U+FFFD, which replaces unknown characters.
func IsDeceptive(r rune) bool {
	return r == utf8.RuneError || breaksLayout(r)
}

func breaksLayout(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// SingleLine replaces each line break, control character and bidirectional control with a space, and each invalid byte
// with U+FFFD. The result has no space at either end.
func SingleLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if breaksLayout(r) {
			return ' '
		}
		return r
	}, s))
}

// Printable replaces each character that is not printable with its Go escape, such as \n, \x1b or \u202e.
func Printable(s string) string {
	var safe strings.Builder
	for _, r := range s {
		if r != utf8.RuneError && unicode.IsPrint(r) {
			safe.WriteRune(r)
		} else {
			safe.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return safe.String()
}

// Quote returns s in double quotes with escapes for what is not printable. It quotes at most maxRunes characters of s.
func Quote(s string, maxRunes int) string { return strconv.Quote(TruncateRunes(s, maxRunes)) }

// QuoteEach applies Quote to each of the items.
func QuoteEach(items []string, maxRunes int) []string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = Quote(item, maxRunes)
	}
	return quoted
}

// Truncate returns s if it has at most maxBytes bytes. Otherwise it cuts s between two characters so that the result,
// which ends in "...", has at most maxBytes bytes.
func Truncate(s string, maxBytes int) string {
	if len(s) <= maxBytes {
		return s
	}
	mark := ellipsis[:min(max(maxBytes, 0), len(ellipsis))]
	end := max(maxBytes, 0) - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// TruncateRunes is Truncate with the bound in characters.
func TruncateRunes(s string, maxRunes int) string {
	if utf8.RuneCountInString(s) <= maxRunes {
		return s
	}
	mark := ellipsis[:min(max(maxRunes, 0), len(ellipsis))]
	keep := max(maxRunes, 0) - len(mark)
	for i := range s {
		if keep == 0 {
			return s[:i] + mark
		}
		keep--
	}
	return s
}

// List joins the first items with commas and says how many more there are: "a, b and 3 more". It names at most
// maxItems.
func List(items []string, maxItems int) string {
	if len(items) <= maxItems {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:maxItems], ", "), len(items)-maxItems)
}

// Or joins alternatives: "a, b or c".
func Or(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " or " + items[last]
}

// Integer is any type of whole numbers.
type Integer interface {
	~int | ~int32 | ~int64
}

// Plural counts things whose plural ends in an s: "1 node", "2 nodes".
func Plural[N Integer](count N, noun string) string { return Count(count, noun, noun+"s") }

// Count counts things by their singular and plural: "1 policy", "2 policies".
func Count[N Integer](count N, one, many string) string {
	if count == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", count, many)
}

// PrintableList joins texts with commas, made printable. For an empty list it returns none.
func PrintableList(texts []string, none string) string {
	if len(texts) == 0 {
		return none
	}
	return Printable(strings.Join(texts, ", "))
}

// ShellQuote quotes a word for a shell, if necessary.
func ShellQuote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,="
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
