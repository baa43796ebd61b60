// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package files reads files of a bounded size, and writes new ones without ever replacing any.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// Modes of what is written. Private keys are private from their first byte on: a mode that is set later leaves a moment
// in which others can open the file.
const (
	modeFolder  = 0o700
	ModePrivate = 0o600
	ModePublic  = 0o644
)

// File is a file to be made.
type File struct {
	Name string
	Data []byte
	Mode fs.FileMode
}

// WriteNew makes files in a folder, and the folder where it is missing: all of them or none. It never replaces
// anything.
func WriteNew(folder string, files ...File) (err error) {
	if err := refuseExisting(folder, files); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err == nil {
			return
		}
		// Only what this run has made, the newest first; os.Remove spares a folder that someone else has put something
		// into meanwhile.
		for i := len(made) - 1; i >= 0; i-- {
			_ = os.Remove(made[i])
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
		// Lstat: a link that leads nowhere is something too.
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
	return command.FailWithHint("Nothing is ever overwritten: name another folder, or move what is there away.",
		"%s already has %s", folder, strings.Join(existing, ", "))
}

// makeFolder makes a folder and those above it, and tells which it made, the uppermost first.
func makeFolder(folder string) (made []string, err error) {
	var absent []string
	for path := filepath.Clean(folder); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			break
		}
		absent = append(absent, path)
	}
	for i := len(absent) - 1; i >= 0; i-- {
		if err := os.Mkdir(absent[i], modeFolder); err != nil {
			return made, err
		}
		made = append(made, absent[i])
		if err := syncFolder(filepath.Dir(absent[i])); err != nil {
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

// syncFolder makes the names of new files outlive a power cut, as Sync does with their contents.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // where a folder cannot be synced
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// MaxBytes bounds what is read, whatever it is: a key, a manifest, certificates.
const MaxBytes = 1 << 20

var usualLimit = Limit{Bytes: MaxBytes, Why: "as no key and no certificate is"}

// ErrTooLarge is why more than the limit is not read.
var ErrTooLarge = errors.New("is larger")

// StandardInput is the name of a file that stands for the standard input.
const StandardInput = "-"

// Limit bounds what is read.
type Limit struct {
	Bytes int64
	// Why it is no loss.
	Why string
}

// Read reads a file of the usual size.
func Read(path string) ([]byte, error) { return ReadUpTo(path, usualLimit) }

// ReadFrom reads a stream of the usual size; name is what errors call it.
func ReadFrom(in io.Reader, name string) ([]byte, error) { return ReadFromUpTo(in, name, usualLimit) }

// ReadUpTo reads a file of a size up to a limit.
func ReadUpTo(path string, limit Limit) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return ReadFromUpTo(file, path, limit)
}

// ReadFromUpTo is ReadFrom up to a limit.
func ReadFromUpTo(in io.Reader, name string, limit Limit) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	if int64(len(data)) > limit.Bytes {
		return nil, fmt.Errorf("%s %w than %d bytes, %s", name, ErrTooLarge, limit.Bytes, limit.Why)
	}
	return data, nil
}

// SourceName is what messages call a file, or the standard input.
func SourceName(file string) string {
	if file == StandardInput {
		return "the standard input"
	}
	return file
}
