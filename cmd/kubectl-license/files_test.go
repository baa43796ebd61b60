// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestModes(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("Windows has no modes")
	}
	e := newTerminal(t)
	e.must("ca", "create", "--dir", "a/b", "--vendor", "Acme")
	e.must("signer", "create", "--ca", "a/b", "--out", "c")
	for path, want := range map[string]fs.FileMode{
		"a": 0o700, "a/b": 0o700, "c": 0o700,
		"a/b/ca.key": 0o600, "a/b/signer.key": 0o600, "c/signer.key": 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, not %04o", path, got, want)
		}
	}
	for _, path := range []string{"a/b/ca.crt", "a/b/signer.crt"} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o400 == 0 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// TestWriteNewIsAllOrNothing makes the last of three files fail: its name is that of a file in a folder that does not
// exist.
func TestWriteNewIsAllOrNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	failing := []newFile{{"one", []byte("1"), modePrivate}, {"two", []byte("2"), modePublic},
		{"missing/three", []byte("3"), modePublic}}

	if err := writeNew("new/folder", failing...); err == nil {
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
	if err := writeNew("old", failing...); err == nil {
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
	if err := writeNew(".", newFile{"key", []byte("secret"), modePrivate}); err == nil {
		t.Error("a link was written through")
	}
	if left := everything(t); !slices.Equal(left, []string{"key"}) {
		t.Errorf("left behind: %q", left)
	}
	// The same if the link comes between the check and the writing.
	if _, err := writeFile("key", newFile{"key", []byte("secret"), modePrivate}); err == nil {
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
