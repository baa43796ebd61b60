// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keyfile finds the license key in a manifest, a Secret or a token, also after changes by a mail program.
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

// SourceName is the name of the file in messages.
func (s *Source) SourceName() string { return files.SourceName(s.File) }

// ReadFile reads the whole file.
func (s *Source) ReadFile() (data []byte, err error) {
	if s.File != files.StandardInput {
		data, err = files.Read(s.File)
	} else {
		if term.IsTerminal(s.In) {
			_, _ = fmt.Fprintln(s.ErrOut, "Paste the license key, then press Enter and Ctrl-D.")
		}
		data, err = files.ReadFrom(s.In, s.SourceName())
	}
	switch {
	case errors.Is(err, files.ErrTooLarge):
		return nil, Unreadable(AskForKey, "%v", err)
	case err != nil:
		return nil, command.FailWithHint("Name a file that can be read, or - for the standard input.", "%v", err)
	}
	return data, nil
}

// InSource adds the name of the file to an error message.
func (s *Source) InSource(err error) error {
	var known *command.UserError
	if errors.As(err, &known) {
		known.Message = s.SourceName() + ": " + known.Message
	}
	return err
}
