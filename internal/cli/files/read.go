// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"errors"
	"fmt"
	"io"
	"os"
)

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
