// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestChecksum(t *testing.T) {
	// The canonical form is written out here: members sorted, no white space, numbers and texts as ECMAScript has them.
	const canonical = `{"a":[1,"é \u001f/<"],"b":{"x":null,"y":true},"timestamp":"2026-11-22T10:00:00Z"}`
	sum := sha256.Sum256([]byte(canonical))
	want := hex.EncodeToString(sum[:])
	for name, document := range map[string]string{
		"as it is": canonical,
		"in another layout": "{\n \"timestamp\": \"2026-11-22T10:00:00Z\",\n \"b\": {\"y\": true, \"x\": null}, " +
			"\"a\": [1.0, \"\\u00e9 \\u001F\\/\\u003c\"]}\n",
		"with its checksum": `{"checksum":"` + want +
			`","a":[1,"é \u001f/<"],"b":{"x":null,"y":true},"timestamp":"2026-11-22T10:00:00Z"}`,
		"with another checksum": `{"a":[1,"é \u001f/<"],"b":{"x":null,"y":true},"timestamp":"2026-11-22T10:00:00Z",` +
			`"checksum":{"of":"what"}}`,
		"with numbers as floats": `{"a":[1e0,"é \u001f/<"],"b":{"x":null,"y":true},` +
			`"timestamp":"2026-11-22T10:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Checksum([]byte(document))
			if err != nil || got != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
	if got, err := Checksum(
		[]byte(`{"a":[1,"é \u001f/<"],"b":{"x":null,"y":false},"timestamp":"2026-11-22T10:00:00Z"}`)); err != nil ||
		got == want {
		t.Errorf("another content has the same checksum, or none: %v", err)
	}
}

func TestNoChecksum(t *testing.T) {
	for name, document := range map[string]string{
		"nothing":             "",
		"no object":           `["a"]`,
		"null":                "null",
		"half an object":      `{"a":1`,
		"something behind it": `{"a":1} x`,
		"a name twice":        `{"a":1,"a":2}`,
		"a name twice inside": `{"a":{"b":1,"b":2}}`,
		"no UTF-8":            "{\"a\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Checksum([]byte(document)); err == nil {
				t.Errorf("got %s", got)
			}
		})
	}
}
