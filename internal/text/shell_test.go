// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"os/exec"
	"testing"
)

func TestShellQuote(t *testing.T) {
	for _, word := range []string{
		"acme-ca", "", "a b", "it's", `"x"`, "$HOME", "`id`", "a;b", "*", "~", "#", "a\\b", "ä", "line\nbreak", "-n",
	} {
		got, err := exec.Command("sh", "-c", "printf '%s.' "+ShellQuote(word)).Output()
		if err != nil || string(got) != word+"." {
			t.Errorf("%q: a shell reads %s as %q, %v", word, ShellQuote(word), got, err)
		}
	}
	if got := ShellQuote("./acme-ca/2027"); got != "./acme-ca/2027" {
		t.Errorf("a plain word was quoted: %s", got)
	}
}
