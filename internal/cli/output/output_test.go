// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/text"
)

func TestWrite(t *testing.T) {
	text := "<é\x1b[2J\u009b2J\u202e\U000e0041\x7f>"
	var out strings.Builder
	if err := Write(&out, JSON, map[string]string{"a": text}); err != nil {
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

func TestWriteYAML(t *testing.T) {
	for _, words := range []string{
		"<é\x1b[2J\u009b2J\u202e\U000e0041\x7f>", "a\u202eb", "\u2028 # x: |\n y", `\u202e`,
		`"\0xu202e;"`, "xxxx\u202e\x00xu202e;", "株式会社 🦊", "yes", "",
	} {
		value := map[string]any{"list": []any{map[string]any{words: words, "number": int64(9007199254740993)}}}
		var out strings.Builder
		if err := Write(&out, YAML, value); err != nil {
			t.Fatal(err)
		}
		if printed := strings.ReplaceAll(out.String(), "\n", ""); printed != text.Printable(printed) {
			t.Errorf("%q: a terminal would obey %q", words, printed)
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
			t.Errorf("%q is read as another: -want +got:\n%s\n%s", words, diff, out.String())
		}
	}
}
