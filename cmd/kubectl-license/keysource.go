// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// standardInput is the name of a file that stands for the standard input.
const standardInput = "-"

// keySource is the file that a key is read from, or the standard input.
type keySource struct {
	environment
	file string
}

// source is how messages call the file.
func (s *keySource) source() string { return sourceName(s.file) }

func sourceName(file string) string {
	if file == standardInput {
		return "the standard input"
	}
	return file
}

// readInput reads all of it.
func (s *keySource) readInput() ([]byte, error) {
	data, err := s.readBytes()
	switch {
	case errors.Is(err, errTooLarge):
		return nil, unreadable(askForKey, "%v", err)
	case err != nil:
		return nil, failf("Name a file that can be read, or - for the standard input.", "%v", err)
	}
	return data, nil
}

func (s *keySource) readBytes() ([]byte, error) {
	if s.file != standardInput {
		return readFile(s.file)
	}
	if isTerminal(s.In) {
		_, _ = fmt.Fprintln(s.ErrOut, "Paste the license key, then press Enter and Ctrl-D.")
	}
	return readBounded(s.In, s.source())
}

// inSource puts before a failure where it was found.
func (s *keySource) inSource(err error) error {
	var known *failure
	if errors.As(err, &known) {
		known.message = s.source() + ": " + known.message
	}
	return err
}
