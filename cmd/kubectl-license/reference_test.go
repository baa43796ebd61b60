// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestReference has docs/ hold the help of every command, as a user sees it.
func TestReference(t *testing.T) {
	path, err := filepath.Abs("../../docs/kubectl-license-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	e := newTerminal(t)
	got := reference(e)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./cmd/kubectl-license -run Reference -update writes it anew):\n%s", path,
			firstDifference(string(want), got))
	}
	for line := range strings.Lines(got) {
		if len(line) > helpWidth+12 { // pflag breaks lines where it finds a space
			t.Errorf("a line of the help is %d wide: %s", len(line), line)
		}
	}
}

// reference is the help of all commands, each below a heading of its own.
func reference(e *terminal) string {
	var contents, pages strings.Builder
	var visit func(command *cobra.Command, words []string)
	visit = func(command *cobra.Command, words []string) {
		title := strings.Join(append([]string{"kubectl license"}, words...), " ")
		fmt.Fprintf(&contents, "- [%s](#%s)\n", title, strings.ReplaceAll(title, " ", "-"))
		fmt.Fprintf(&pages, "\n## %s\n\n```text\n%s\n```\n", title,
			strings.TrimRight(e.must(append(words, "--help")...), "\n"))
		for _, child := range command.Commands() {
			if child.IsAvailableCommand() {
				visit(child, append(words[:len(words):len(words)], child.Name()))
			}
		}
	}
	visit(newRootCommand(environment{}), nil)
	return "# kubectl license: every command and flag\n\nThis is what `--help` says, generated from the " +
		"program.\n[kubectl-license.md](kubectl-license.md) shows how it is used.\n\n" +
		contents.String() + pages.String()
}
