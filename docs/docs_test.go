// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs tests that links, file names and make targets on the pages exist, and the form of the design records.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = ".."

var (
	heading = regexp.MustCompile(`^#{1,6} (.+)$`)
	// unmarked is what a heading's anchor leaves out.
	unmarked = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	code     = regexp.MustCompile("`[^`]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	scheme   = regexp.MustCompile(`^[a-z]+:`)
	made     = regexp.MustCompile("(?:^|^`|&& )make((?: [a-z][a-z0-9-]+)+)")
	target   = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]+):`)
	file     = regexp.MustCompile(`^\.?[A-Za-z][A-Za-z0-9_.*/-]*$`)
)

// page is one of ours.
type page struct {
	// text is what stands outside of blocks of code, and blocks what is in them, both by lines.
	text, blocks []string
	anchors      map[string]bool
}

// pages are those of the repository, by their paths in it.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	found := map[string]*page{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, entry.Name()):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		found[name] = newPage(string(content))
		return err
	})
	if err != nil || len(found) < 20 {
		t.Fatalf("found %d pages: %v", len(found), err)
	}
	return found
}

func newPage(content string) *page {
	p := &page{anchors: map[string]bool{}}
	fenced := false
	for line := range strings.SplitSeq(content, "\n") {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced:
			p.blocks = append(p.blocks, line)
		default:
			p.text = append(p.text, line)
			if title := heading.FindStringSubmatch(line); title != nil {
				p.anchors[p.free(anchor(title[1]))] = true
			}
		}
	}
	return p
}

// anchor is what GitHub makes of a heading.
func anchor(title string) string {
	return strings.ReplaceAll(unmarked.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// free is an anchor that no heading above has.
func (p *page) free(anchor string) string {
	name := anchor
	for n := 1; p.anchors[name]; n++ {
		name = anchor + "-" + strconv.Itoa(n)
	}
	return name
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	links := 0
	for name, page := range all {
		for _, line := range page.text {
			for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(line, ""), -1) {
				if scheme.MatchString(found[1]) {
					continue
				}
				links++
				path, fragment, _ := strings.Cut(found[1], "#")
				to := name
				if path != "" {
					to = filepath.Join(filepath.Dir(name), path)
				}
				if _, err := os.Stat(filepath.Join(root, to)); err != nil {
					t.Errorf("%s links to %s, which is not there", name, found[1])
				} else if other := all[to]; fragment != "" && other != nil && !other.anchors[fragment] {
					t.Errorf("%s links to %s, and %s has no such heading", name, found[1], to)
				}
			}
		}
	}
	if links < 100 {
		t.Errorf("found %d links alone: is this how they are written?", links)
	}
}

func TestAnchors(t *testing.T) {
	p := newPage("# With `make`, and more\n```\n# no heading\n```\n## Über *uns*\n## Remove it\n## Remove it\n")
	for _, want := range []string{"with-make-and-more", "über-uns", "remove-it", "remove-it-1"} {
		if !p.anchors[want] {
			t.Errorf("no anchor %s in %v", want, p.anchors)
		}
	}
	if len(p.anchors) != 4 {
		t.Errorf("got %v", p.anchors)
	}
}

func TestTargetsOfMakeAreThere(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, found := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets[found[1]] = true
	}
	for name, page := range pages(t) {
		commands := slices.Clone(page.blocks)
		for _, line := range page.text {
			commands = append(commands, code.FindAllString(line, -1)...)
		}
		for _, command := range commands {
			command, _, _ = strings.Cut(command, " #") // what follows is prose
			for _, found := range made.FindAllStringSubmatch(command, -1) {
				for _, word := range strings.Fields(found[1]) {
					if !targets[word] {
						t.Errorf("%s names make %s, which Makefile does not have", name, word)
					}
				}
			}
		}
	}
}
