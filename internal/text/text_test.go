// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/license-operator/license-operator/internal/text"
)

func TestSafeText(t *testing.T) {
	type safe struct {
		SingleLine, Printable string
		Deceptive             bool
	}
	for given, want := range map[string]safe{
		"":                       {"", "", false},
		"Acme Mesh":              {"Acme Mesh", "Acme Mesh", false},
		"Grün, 東京 🚀":             {"Grün, 東京 🚀", "Grün, 東京 🚀", false},
		"one\r\ntwo\n":           {"one  two", `one\r\ntwo\n`, true},
		"\x1b[31mred":            {"[31mred", `\x1b[31mred`, true},
		"a\u2028b\u2029c":        {"a b c", `a\u2028b\u2029c`, true},
		"exe\u202ecod.md":        {"exe cod.md", `exe\u202ecod.md`, true},
		"\u2066isolated\u2069":   {"isolated", `\u2066isolated\u2069`, true},
		"bad \xff byte":          {"bad \ufffd byte", `bad \ufffd byte`, true},
		"no\u00a0break\u200bing": {"no\u00a0break\u200bing", `no\u00a0break\u200bing`, false},
		`a \n that is text`:      {`a \n that is text`, `a \n that is text`, false},
	} {
		got := safe{text.SingleLine(given), text.Printable(given), strings.ContainsFunc(given, text.IsDeceptive)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q:\n%s", given, diff)
		}
	}
}

func TestBoundedText(t *testing.T) {
	type bounded struct{ Bytes, Runes, Quoted string }
	for _, test := range []struct {
		given string
		bound int
		want  bounded
	}{
		{"", 0, bounded{"", "", `""`}},
		{"abc", 3, bounded{"abc", "abc", `"abc"`}},
		{"abcdef", 5, bounded{"ab...", "ab...", `"ab..."`}},
		{"abcdef", 3, bounded{"...", "...", `"..."`}},
		{"abcdef", 2, bounded{"..", "..", `".."`}},
		{"abcdef", 0, bounded{"", "", `""`}},
		{"abcdef", -1, bounded{"", "", `""`}},
		{"üüüü", 8, bounded{"üüüü", "üüüü", `"üüüü"`}},
		{"üüüü", 7, bounded{"üü...", "üüüü", `"üüüü"`}},
		{"üüüü", 6, bounded{"ü...", "üüüü", `"üüüü"`}},
		{"üüüü", 4, bounded{"...", "üüüü", `"üüüü"`}},
		{"üüüüü", 4, bounded{"...", "ü...", `"ü..."`}},
		{"\x1b[2J\u202e and more", 8, bounded{"\x1b[2J...", "\x1b[2J\u202e...", `"\x1b[2J\u202e..."`}},
	} {
		got := bounded{
			text.Truncate(test.given, test.bound), text.TruncateRunes(test.given, test.bound),
			text.Quote(test.given, test.bound),
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q in %d:\n%s", test.given, test.bound, diff)
		}
	}
}

func TestLists(t *testing.T) {
	type lists struct{ First, Or, Quoted string }
	for given, want := range map[string]lists{
		"":        {"", "", ""},
		"a":       {"a", "a", `"a"`},
		"a b":     {"a, b", "a or b", `"a", "b"`},
		"a b c":   {"a, b and 1 more", "a, b or c", `"a", "b" and 1 more`},
		"a b c d": {"a, b and 2 more", "a, b, c or d", `"a", "b" and 2 more`},
	} {
		items := strings.Fields(given)
		got := lists{text.List(items, 2), text.Or(items), text.List(text.QuoteEach(items, 3), 2)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q:\n%s", given, diff)
		}
	}
}

func TestCounts(t *testing.T) {
	got := []string{
		text.Plural(0, "node"), text.Plural(int32(1), "node"), text.Plural(int64(2), "node"),
		text.Count(1, "policy", "policies"), text.Count(3, "policy", "policies"),
	}
	if diff := cmp.Diff([]string{"0 nodes", "1 node", "2 nodes", "1 policy", "3 policies"}, got); diff != "" {
		t.Error(diff)
	}
}

// drawText is any text, valid UTF-8 or not, with many harmful characters.
func drawText(t *rapid.T) string {
	characters := []rune("a \n\r\t\x00\x1b\u0085\u2028\u2029\u202e\u2066\ufeff\ufffdü東🚀\"\\")
	harmful := rapid.StringOf(rapid.SampledFrom(characters))
	bytes := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
	return rapid.OneOf(rapid.String(), harmful, bytes).Draw(t, "text")
}

func TestSafeTextHasNothingHarmful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := drawText(t)
		line, printable := text.SingleLine(given), text.Printable(given)
		for name, safe := range map[string]string{"SingleLine": line, "Printable": printable} {
			if !utf8.ValidString(safe) {
				t.Errorf("%s(%q) is not valid UTF-8: %q", name, given, safe)
			}
			if i := strings.IndexFunc(safe, func(r rune) bool {
				return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
			}); i >= 0 {
				t.Errorf("%s(%q) has a harmful character at %d: %q", name, given, i, safe)
			}
		}
		if again := text.SingleLine(line); again != line {
			t.Errorf("SingleLine is not idempotent: %q, then %q", line, again)
		}
		if again := text.Printable(printable); again != printable {
			t.Errorf("Printable is not idempotent: %q, then %q", printable, again)
		}
		if strings.ContainsFunc(printable, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Printable(%q) has a character that does not print: %q", given, printable)
		}
	})
}

func TestBoundsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := drawText(t)
		bound := rapid.IntRange(-1, 20).Draw(t, "bound")
		byBytes, byRunes := text.Truncate(given, bound), text.TruncateRunes(given, bound)
		if len(byBytes) > max(bound, 0) {
			t.Errorf("Truncate(%q, %d) has %d bytes: %q", given, bound, len(byBytes), byBytes)
		}
		if n := utf8.RuneCountInString(byRunes); n > max(bound, 0) {
			t.Errorf("TruncateRunes(%q, %d) has %d characters: %q", given, bound, n, byRunes)
		}
		if utf8.ValidString(given) && (!utf8.ValidString(byBytes) || !utf8.ValidString(byRunes)) {
			t.Errorf("%q in %d is not valid UTF-8: %q, %q", given, bound, byBytes, byRunes)
		}
		if again := text.Truncate(byBytes, bound); again != byBytes {
			t.Errorf("Truncate is not idempotent: %q, then %q", byBytes, again)
		}
		if again := text.TruncateRunes(byRunes, bound); again != byRunes {
			t.Errorf("TruncateRunes is not idempotent: %q, then %q", byRunes, again)
		}
		if len(given) <= bound && byBytes != given || utf8.RuneCountInString(given) <= bound && byRunes != given {
			t.Errorf("%q fits into %d, and was changed: %q, %q", given, bound, byBytes, byRunes)
		}
	})
}
