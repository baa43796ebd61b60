// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
)

// TestReference compares docs/ with the help of every command.
func TestReference(t *testing.T) {
	path, err := filepath.Abs("../../docs/kubectl-license-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	e := newTerminal(t)
	got := reference(e)
	if *clitest.Update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./internal/cli -run Reference -update writes it again):\n%s", path,
			clitest.FirstDifference(string(want), got))
	}
	for line := range strings.Lines(got) {
		if len(line) > command.HelpWidth+12 { // pflag breaks lines where it finds a space
			t.Errorf("a line of the help is %d wide: %s", len(line), line)
		}
	}
}

// reference is the help of all commands, each with a heading.
func reference(e *clitest.Terminal) string {
	var contents, pages strings.Builder
	var visit func(cmd *cobra.Command, words []string)
	visit = func(cmd *cobra.Command, words []string) {
		title := strings.Join(append([]string{"kubectl license"}, words...), " ")
		fmt.Fprintf(&contents, "- [%s](#%s)\n", title, strings.ReplaceAll(title, " ", "-"))
		fmt.Fprintf(&pages, "\n## %s\n\n```text\n%s\n```\n", title,
			strings.TrimRight(e.Must(append(words, "--help")...), "\n"))
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				visit(child, append(words[:len(words):len(words)], child.Name()))
			}
		}
	}
	visit(NewCommand(command.Environment{}), nil)
	return "# kubectl license: every command and flag\n\nThis is what `--help` says, generated from the " +
		"program.\n[kubectl-license.md](kubectl-license.md) shows how it is used.\n\n" +
		contents.String() + pages.String()
}
