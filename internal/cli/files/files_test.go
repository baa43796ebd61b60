// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestWriteNewIsAllOrNothing makes the last of three files fail: its name is that of a file in a folder that does not
// exist.
func TestWriteNewIsAllOrNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	failing := []File{
		{"one", []byte("1"), ModePrivate},
		{"two", []byte("2"), ModePublic},
		{"missing/three", []byte("3"), ModePublic},
	}

	if err := WriteNew("new/folder", failing...); err == nil {
		t.Fatal("no error")
	}
	if left := everything(t); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	if err := os.MkdirAll("old", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("old/precious", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew("old", failing...); err == nil {
		t.Fatal("no error")
	}
	if left := everything(t); !slices.Equal(left, []string{"old", "old/precious"}) {
		t.Errorf("left behind: %q", left)
	}
}

func TestWriteNewFollowsNoLinks(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Symlink("elsewhere", "key"); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := WriteNew(".", File{"key", []byte("secret"), ModePrivate}); err == nil {
		t.Error("a link was written through")
	}
	if left := everything(t); !slices.Equal(left, []string{"key"}) {
		t.Errorf("left behind: %q", left)
	}
	// The same if the link is made after the check.
	if _, err := writeFile("key", File{"key", []byte("secret"), ModePrivate}); err == nil {
		t.Error("a link was written through")
	}
}

func everything(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if path != "." {
			found = append(found, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
