// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var text strings.Builder
	aligned := &Table{}
	aligned.Add("A:", "1")
	aligned.Add("Längst:", "2")
	aligned.Add("", "3")
	aligned.Add("Empty:", "")
	if err := aligned.Write(&text); err != nil {
		t.Fatal(err)
	}
	if want := "A:       1\nLängst:  2\n         3\nEmpty:\n"; text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
}

func TestGrid(t *testing.T) {
	var text strings.Builder
	g := &Grid{}
	g.Add("EFFECT", "KIND", "NAME")
	g.Add("öffnet alles", "", "x")
	g.Add("-", "Tier", strings.Repeat("x", 100))
	g.Write(&text)
	want := "  EFFECT        KIND  NAME\n  öffnet alles        x\n  -             Tier  " + strings.Repeat("x", 100) +
		"\n"
	if text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
}

func TestWrap(t *testing.T) {
	word := func(length int) string { return strings.Repeat("é", length) }
	for _, test := range []struct{ text, first, others, want string }{
		{"", "- ", "  ", "- "},
		{"one  two\nthree", "- ", "  ", "- one two three"},
		{word(39) + " " + word(40), "", "  ", word(39) + " " + word(40)},
		{word(40) + " " + word(40), "", "  ", word(40) + "\n  " + word(40)},
		{word(38) + " " + word(40), "- ", "  ", "- " + word(38) + "\n  " + word(40)},
		{word(100) + " a " + word(100), "- ", "", "- " + word(100) + "\na\n" + word(100)},
		{strings.Repeat("株", 20) + " " + word(40), "", "", strings.Repeat("株", 20) + "\n" + word(40)},
	} {
		if got := Wrap(test.text, test.first, test.others); got != test.want {
			t.Errorf("%q: got\n%s\nwant\n%s", test.text, got, test.want)
		}
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "Acme": 4, "Søn": 3, "株式会社": 8, "ｱｸﾒ": 3, "Ａcme": 5, "🦊": 2,
		"Cafe\u0301": 4, "नमस्ते": 4,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
