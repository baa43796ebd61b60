// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// The files of an authority and its signers.
const (
	authorityCertificateFile = "ca.crt"
	authorityKeyFile         = "ca.key"
	signerCertificateFile    = "signer.crt"
	signerKeyFile            = "signer.key"
)

// Modes of what is written. Private keys are private from their first byte on: a mode that is set later leaves a moment
// in which others can open the file.
const (
	modeFolder  = 0o700
	modePrivate = 0o600
	modePublic  = 0o644
)

// sizeLimit bounds what is read.
type sizeLimit struct {
	bytes int64
	// why it is no loss.
	why string
}

// maxFileBytes bounds what is read, whatever it is: a key, a manifest, certificates.
const maxFileBytes = 1 << 20

var usualSize = sizeLimit{bytes: maxFileBytes, why: "as no key and no certificate is"}

// newFile is a file to be made.
type newFile struct {
	name string
	data []byte
	mode fs.FileMode
}

// writeNew makes files in a folder, and the folder where it is missing: all of them or none. It never replaces
// anything.
func writeNew(folder string, files ...newFile) (err error) {
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
		path := filepath.Join(folder, file.name)
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

func refuseExisting(folder string, files []newFile) error {
	var existing []string
	for _, file := range files {
		// Lstat: a link that leads nowhere is something too.
		_, err := os.Lstat(filepath.Join(folder, file.name))
		switch {
		case err == nil:
			existing = append(existing, file.name)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if len(existing) == 0 {
		return nil
	}
	return failf("Nothing is ever overwritten: name another folder, or move what is there away.",
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

func writeFile(path string, content newFile) (created bool, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, content.mode)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content.data); err != nil {
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

var errTooLarge = errors.New("is larger")

// readFile reads a file of the usual size.
func readFile(path string) ([]byte, error) { return readFileUpTo(path, usualSize) }

func readBounded(in io.Reader, name string) ([]byte, error) { return readUpTo(in, name, usualSize) }

func readFileUpTo(path string, limit sizeLimit) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return readUpTo(file, path, limit)
}

func readUpTo(in io.Reader, name string, limit sizeLimit) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit.bytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	if int64(len(data)) > limit.bytes {
		return nil, fmt.Errorf("%s %w than %d bytes, %s", name, errTooLarge, limit.bytes, limit.why)
	}
	return data, nil
}

// warnIfReadable warns of a private key that others can read. On Windows the mode says nothing.
func warnIfReadable(warnings io.Writer, path string) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	warnf(warnings, "others can read the private key %s (mode %04o); close it with: chmod 600 %s", path,
		info.Mode().Perm(), path)
}
