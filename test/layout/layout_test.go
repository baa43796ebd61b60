// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package layout tests what the linter cannot hold: how large a package may become.
package layout

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// maxFiles is how many Go files a package may have, tests and generated code aside. A package that needs more is two.
const maxFiles = 15

func TestPackagesAreSmall(t *testing.T) {
	const root = "../.."
	files := map[string]int{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "dist"):
			return fs.SkipDir
		case entry.IsDir(), filepath.Ext(name) != ".go", strings.HasSuffix(name, "_test.go"),
			strings.HasPrefix(name, "zz_generated."):
		default:
			files[filepath.Dir(path)]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found only %d packages", len(files))
	}
	for folder, count := range files {
		if count > maxFiles {
			t.Errorf("%s has %d files, more than %d: split it", folder, count, maxFiles)
		}
	}
}
