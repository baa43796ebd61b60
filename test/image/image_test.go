// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package image builds what the Dockerfile builds, from the files that it copies and no others, where there is nothing
// that builds images.
package image

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	root     = "../.."
	maxBytes = 50e6
)

// copied are the files and folders that the Dockerfile's first stage copies.
func copied(t *testing.T, dockerfile string) []string {
	t.Helper()
	build, _, found := strings.Cut(dockerfile, "\nFROM scratch\n")
	if !found {
		t.Fatal("the Dockerfile has no last stage from scratch")
	}
	var paths []string
	for _, line := range regexp.MustCompile(`(?m)^COPY (.+) \S+$`).FindAllStringSubmatch(build, -1) {
		paths = append(paths, strings.Fields(line[1])...)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestDockerfileBuildsTheManager(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	command := regexp.MustCompile(`(?s)\nRUN (CGO_ENABLED=0 .+?) -o /manager \./cmd\n`).FindStringSubmatch(dockerfile)
	if command == nil {
		t.Fatal("the Dockerfile does not build ./cmd")
	}
	source, binary := t.TempDir(), filepath.Join(t.TempDir(), "manager")
	for _, path := range copied(t, dockerfile) {
		if info, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Fatal(err)
		} else if !info.IsDir() {
			if err := os.WriteFile(filepath.Join(source, path), []byte(read(t, path)), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.CopyFS(filepath.Join(source, path), os.DirFS(filepath.Join(root, path))); err != nil {
			t.Fatal(err)
		}
	}
	ignore(t, source)

	build := exec.CommandContext(t.Context(), "sh", "-c", command[1]+" -o "+binary+" ./cmd")
	build.Dir, build.Env = source, append(os.Environ(), "VERSION=v1.2.3", "TARGETOS=linux", "TARGETARCH=amd64",
		"GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBytes {
		t.Errorf("the image would be of %d bytes, and is to have no more than %d", info.Size(), int(maxBytes))
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "v1.2.3") {
		t.Error("the manager does not say its version")
	}
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the manager is not static, and there is nothing in the image that it could be linked with")
	}
}

// ignore removes what .dockerignore keeps out of folders that the Dockerfile copies: the patterns after those that let
// something in.
func ignore(t *testing.T, source string) {
	t.Helper()
	for pattern := range strings.Lines(read(t, ".dockerignore")) {
		switch pattern = strings.TrimSpace(pattern); {
		case pattern == "" || strings.ContainsAny(pattern[:1], "#!*") && !strings.HasPrefix(pattern, "**/"),
			pattern == "config/*":
		case strings.HasPrefix(pattern, "**/"):
			err := filepath.WalkDir(source, func(path string, _ os.DirEntry, err error) error {
				if matches, _ := filepath.Match(strings.TrimPrefix(pattern, "**/"), filepath.Base(path)); err == nil &&
					matches {
					return os.RemoveAll(path)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		default:
			if err := os.RemoveAll(filepath.Join(source, pattern)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
