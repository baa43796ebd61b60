// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package files reads files of limited size, and writes new ones. It never overwrites a file.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// Modes of new files. They are set when a file is created: later, others could already have opened a private key.
const (
	modeFolder  = 0o700
	ModePrivate = 0o600
	ModePublic  = 0o644
)

// File is a file to create.
type File struct {
	Name string
	Data []byte
	Mode fs.FileMode
}

// WriteNew creates all files in a folder, and the folder if it is missing, or none. It never overwrites a file.
func WriteNew(folder string, files ...File) (err error) {
	if err := refuseExisting(folder, files); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err == nil {
			return
		}
		// Only what this run has made, the newest first. os.Remove keeps a folder that is no longer empty.
		for _, path := range slices.Backward(made) {
			_ = os.Remove(path)
		}
	}()
	folders, err := makeFolder(folder)
	made = append(made, folders...)
	if err != nil {
		return err
	}
	for _, file := range files {
		path := filepath.Join(folder, file.Name)
		created, err := writeFile(path, file)
		if created {
			made = append(made, path)
		}
		if err != nil {
			return err
		}
	}
	return syncFolder(folder)
}

func refuseExisting(folder string, files []File) error {
	var existing []string
	for _, file := range files {
		// Lstat also finds a broken link.
		_, err := os.Lstat(filepath.Join(folder, file.Name))
		switch {
		case err == nil:
			existing = append(existing, file.Name)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if len(existing) == 0 {
		return nil
	}
	return command.FailWithHint("Files are never overwritten: choose another folder, or move the existing files away.",
		"%s already has %s", folder, strings.Join(existing, ", "))
}

// makeFolder makes a folder and its parents, and returns those that it made, the topmost first.
func makeFolder(folder string) (made []string, err error) {
	var absent []string
	for path := filepath.Clean(folder); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			break
		}
		absent = append(absent, path)
	}
	for _, path := range slices.Backward(absent) {
		if err := os.Mkdir(path, modeFolder); err != nil {
			return made, err
		}
		made = append(made, path)
		if err := syncFolder(filepath.Dir(path)); err != nil {
			return made, err
		}
	}
	return made, nil
}

func writeFile(path string, content File) (created bool, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, content.Mode)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content.Data); err != nil {
		return true, err
	}
	return true, file.Sync()
}

// syncFolder makes sure that the names of new files survive a power cut.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // It cannot sync a folder.
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// MaxBytes is the usual limit, in bytes: for a key, a manifest, certificates.
const MaxBytes = 1 << 20

// ErrTooLarge is the error for a file that is larger than the limit.
var ErrTooLarge = errors.New("is larger")

// StandardInput is the file name that means the standard input.
const StandardInput = "-"

// Read reads a file of at most MaxBytes.
func Read(path string) ([]byte, error) { return ReadUpTo(path, MaxBytes) }

// ReadFrom reads a stream of at most MaxBytes; name is for error messages.
func ReadFrom(in io.Reader, name string) ([]byte, error) { return ReadFromUpTo(in, name, MaxBytes) }

// ReadUpTo reads a file of at most limit bytes.
func ReadUpTo(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return ReadFromUpTo(file, path, limit)
}

// ReadFromUpTo is ReadFrom with a limit in bytes.
func ReadFromUpTo(in io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s %w than the limit of %d bytes", name, ErrTooLarge, limit)
	}
	return data, nil
}

// SourceName is the name of a file, or of the standard input, for messages.
func SourceName(file string) string {
	if file == StandardInput {
		return "the standard input"
	}
	return file
}
