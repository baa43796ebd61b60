// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keyfile finds the license key in whatever a customer has at hand: a manifest, a Secret, a token, or one of
// these as a mail program left it.
package keyfile

import (
	"errors"
	"fmt"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/term"
)

// Source is the file that a key is read from, or the standard input.
type Source struct {
	command.Environment
	File string
}

// SourceName is how messages call the file.
func (s *Source) SourceName() string { return files.SourceName(s.File) }

// ReadFile reads all of it.
func (s *Source) ReadFile() ([]byte, error) {
	data, err := s.readBytes()
	switch {
	case errors.Is(err, files.ErrTooLarge):
		return nil, Unreadable(AskForKey, "%v", err)
	case err != nil:
		return nil, command.FailWithHint("Name a file that can be read, or - for the standard input.", "%v", err)
	}
	return data, nil
}

func (s *Source) readBytes() ([]byte, error) {
	if s.File != files.StandardInput {
		return files.Read(s.File)
	}
	if term.IsTerminal(s.In) {
		_, _ = fmt.Fprintln(s.ErrOut, "Paste the license key, then press Enter and Ctrl-D.")
	}
	return files.ReadFrom(s.In, s.SourceName())
}

// InSource puts before a failure where it was found.
func (s *Source) InSource(err error) error {
	var known *command.UserError
	if errors.As(err, &known) {
		known.Message = s.SourceName() + ": " + known.Message
	}
	return err
}
