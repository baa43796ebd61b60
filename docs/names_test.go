// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is the limit of a line, with tabs of four.
const maxColumns = 120

// isContributors tells whether a page is for those who change the code: it names files, and fits into maxColumns.
func isContributors(page string) bool {
	return slices.Contains([]string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}, page) ||
		strings.HasPrefix(page, "docs/design/")
}

// isFileName tells whether a word names a file or folder of the repository: its path begins with one at the root.
func isFileName(word string, atRoot map[string]bool) bool {
	first, _, _ := strings.Cut(word, "/")
	return file.MatchString(word) && atRoot[first]
}

// filesAtRoot are the names of the files and folders at the root that are in the repository.
func filesAtRoot(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, entry := range entries {
		if !slices.Contains([]string{".git", "bin", "dist"}, entry.Name()) {
			names[entry.Name()] = true
		}
	}
	return names
}

func TestFilesAreThere(t *testing.T) {
	atRoot, named := filesAtRoot(t), 0
	for name, page := range pages(t) {
		if !isContributors(name) {
			continue
		}
		for _, span := range code.FindAllString(strings.Join(page.text, "\n"), -1) {
			for word := range strings.FieldsSeq(strings.Trim(span, "`")) {
				if !isFileName(word, atRoot) {
					continue
				}
				named++
				if found, err := filepath.Glob(filepath.Join(root, word)); err != nil || len(found) == 0 {
					t.Errorf("%s names %s, which does not exist", name, word)
				}
			}
		}
	}
	if named < 20 {
		t.Errorf("found %d file names only: is this how they are written?", named)
	}
}

func TestFileNames(t *testing.T) {
	atRoot := map[string]bool{"docs": true, "internal": true, "Makefile": true, ".ci": true, "README.md": true}
	for word, want := range map[string]bool{
		"internal/usage/node.go": true, "docs/runbooks": true, "internal/*/x_test.go": true, "Makefile": true,
		".ci/run": true, "README.md": true, "docs/": true, "bin/tools/NAME": false, "dist/install.yaml": false,
		"/license/report": false, "license-operator.io/restriction": false, "internal/cli/…": false,
		"https://docs/runbooks": false,
	} {
		if got := isFileName(word, atRoot); got != want {
			t.Errorf("isFileName(%q) = %t", word, got)
		}
	}
}

func TestLinesFit(t *testing.T) {
	for name := range pages(t) {
		if !isContributors(name) && name != "docs/installation.md" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(content), "\n") {
			if columns := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t"); columns > maxColumns {
				t.Errorf("%s:%d has %d columns, more than %d", name, i+1, columns, maxColumns)
			}
		}
	}
}

// TestDesignRecords holds each record to its form, and the index to the records.
func TestDesignRecords(t *testing.T) {
	const maxLines = 40
	all := pages(t)
	index := strings.Join(all["docs/design/README.md"].text, "\n")
	records := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		number, _, _ := strings.Cut(path.Base(name), "-")
		if path.Dir(name) != "docs/design" || strings.Trim(number, "0123456789") != "" || len(number) != 4 {
			continue
		}
		records++
		page := all[name]
		var headings []string
		for _, line := range page.text {
			if strings.HasPrefix(line, "#") {
				headings = append(headings, line)
			}
		}
		title, isNumbered := strings.CutPrefix(page.text[0], "# "+number+": ")
		if want := []string{page.text[0], "## Context", "## Decision", "## Consequences"}; !isNumbered ||
			!slices.Equal(headings, want) {
			t.Errorf("%s has the headings %q, want %q under a title %q", name, headings, want[1:], "# "+number+": …")
		}
		if lines := len(page.text) + len(page.blocks) - 1; lines > maxLines {
			t.Errorf("%s has %d lines, more than %d", name, lines, maxLines)
		}
		if entry := "- [" + number + "](" + path.Base(name) + "): " + title; !strings.Contains(index+"\n", entry+"\n") {
			t.Errorf("docs/design/README.md does not have the line %q", entry)
		}
	}
	if records < 20 {
		t.Errorf("found %d records only", records)
	}
}
