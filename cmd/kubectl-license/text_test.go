// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"Example GmbH & Søn": "Example GmbH & Søn",
		"株式会社 🦊":             "株式会社 🦊",
		"\x1b[31mred":        `\x1b[31mred`,
		"two\nlines\r\ttab":  `two\nlines\r\ttab`,
		"\u202egnp.exe":      `\u202egnp.exe`,
		"zero\u200bwidth":    `zero\u200bwidth`,
		"not\xffUTF-8":       `not\ufffdUTF-8`,
		"it's \"quoted\" \\": `it's "quoted" \`,
		"\U000e0041":         `\U000e0041`,
		"\x00\x7f\u0085":     `\x00\x7f\u0085`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for _, word := range []string{"acme-ca", "", "a b", "it's", `"x"`, "$HOME", "`id`", "a;b", "*", "~", "#", "a\\b",
		"ä", "line\nbreak", "-n"} {
		got, err := exec.Command("sh", "-c", "printf '%s.' "+shellWord(word)).Output()
		if err != nil || string(got) != word+"." {
			t.Errorf("%q: a shell reads %s as %q, %v", word, shellWord(word), got, err)
		}
	}
	if got := shellWord("./acme-ca/2027"); got != "./acme-ca/2027" {
		t.Errorf("a plain word was quoted: %s", got)
	}
}

func TestTable(t *testing.T) {
	var text strings.Builder
	aligned := &table{}
	aligned.add("A:", "1")
	aligned.add("Längst:", "2")
	aligned.add("", "3")
	aligned.add("Empty:", "")
	if err := aligned.write(&text); err != nil {
		t.Fatal(err)
	}
	if want := "A:       1\nLängst:  2\n         3\nEmpty:\n"; text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
}

func TestGrid(t *testing.T) {
	var text strings.Builder
	g := &grid{}
	g.add("EFFECT", "KIND", "NAME")
	g.add("öffnet alles", "", "x")
	g.add("-", "Tier", strings.Repeat("x", 100))
	g.write(&text)
	want := "  EFFECT        KIND  NAME\n  öffnet alles        x\n  -             Tier  " + strings.Repeat("x", 100) +
		"\n"
	if text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
}

func TestFold(t *testing.T) {
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
		if got := fold(test.text, test.first, test.others); got != test.want {
			t.Errorf("%q: got\n%s\nwant\n%s", test.text, got, test.want)
		}
	}
}

func TestReport(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{nil, exitOK, ""},
		{failf("Do that.", "this is wrong"), exitFailed, "error: this is wrong\nDo that.\n"},
		{failf("", "this \x1b is\nwrong"), exitFailed, "error: this \\x1b is\nwrong\n"},
		{verdict(exitUnverified, "Do that.", "no"), exitUnverified, "error: no\nDo that.\n"},
		{exec.ErrNotFound, exitFailed, "error: executable file not found in $PATH\n"},
	} {
		var text strings.Builder
		if code := report(&text, test.err); code != test.code || text.String() != test.want {
			t.Errorf("%v: got %d and %q", test.err, code, text.String())
		}
	}
}

func TestWriteEncoded(t *testing.T) {
	text := "<é\x1b[2J\u009b2J\u202e\U000e0041\x7f>"
	var out strings.Builder
	if err := writeEncoded(&out, outputJSON, map[string]string{"a": text}); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"a\": \"<é\\u001b[2J\\u009b2J\\u202e\\udb40\\udc41\\u007f>\"\n}\n"; out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || got["a"] != text {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWriteEncodedAsYAML(t *testing.T) {
	for _, text := range []string{"<é\x1b[2J\u009b2J\u202e\U000e0041\x7f>", "a\u202eb", "\u2028 # x: |\n y", `\u202e`,
		`"\0xu202e;"`, "xxxx\u202e\x00xu202e;", "株式会社 🦊", "yes", ""} {
		value := map[string]any{"list": []any{map[string]any{text: text, "number": int64(9007199254740993)}}}
		var out strings.Builder
		if err := writeEncoded(&out, outputYAML, value); err != nil {
			t.Fatal(err)
		}
		if printed := strings.ReplaceAll(out.String(), "\n", ""); printed != printable(printed) {
			t.Errorf("%q: a terminal would obey %q", text, printed)
		}
		asJSON, err := yaml.YAMLToJSON([]byte(out.String()))
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(asJSON)); diff != "" {
			t.Errorf("%q is read as another: -want +got:\n%s\n%s", text, diff, out.String())
		}
	}
}

func TestColumnsOf(t *testing.T) {
	for text, want := range map[string]int{"": 0, "Acme": 4, "Søn": 3, "株式会社": 8, "ｱｸﾒ": 3, "Ａcme": 5, "🦊": 2,
		"Cafe\u0301": 4, "नमस्ते": 4} {
		if got := columnsOf(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestElided(t *testing.T) {
	for _, test := range []struct {
		text string
		want string
	}{{"", ""}, {"éééééééé", "éééééééé"}, {"ééééééééé", "ééééé..."}} {
		if got := elided(test.text, 8); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}
