// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/cli/term"
)

// authorityName and signerName are the names of files: NAME.crt has a certificate, and NAME.key its private key.
const authorityName, signerName = "ca", "signer"

// readPair reads a certificate and its key from a folder. what and made are for error messages: what they are, and the
// commands that make them.
func readPair[T any](folder, name, what, made string, parse func(certificate, key []byte) (T, error),
	warnings io.Writer,
) (parsed T, err error) {
	keyPath := filepath.Join(folder, name+".key")
	var certificate, key []byte
	if certificate, err = files.Read(filepath.Join(folder, name+".crt")); err == nil {
		key, err = files.Read(keyPath)
	}
	if err != nil {
		return parsed, command.FailWithHint("Name the folder with "+name+".crt and "+name+
			".key: 'kubectl license ca create' makes one.", "%v", err)
	}
	// On Windows the mode does not say who can read a file.
	if info, err := os.Stat(keyPath); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		term.Warnf(warnings, "other users can read the private key %s (mode %04o); to stop that: chmod 600 %s", keyPath,
			info.Mode().Perm(), keyPath)
	}
	if parsed, err = parse(certificate, key); err != nil {
		return parsed, command.FailWithHint("Use "+name+".crt and "+name+".key of "+made+".",
			"cannot use the %s in %s: %v", what, folder, err)
	}
	return parsed, nil
}

// pairFiles returns the two files of a certificate and its key.
func pairFiles(name string, certificate, key []byte) []files.File {
	return []files.File{
		{Name: name + ".crt", Data: certificate, Mode: files.ModePublic},
		{Name: name + ".key", Data: key, Mode: files.ModePrivate},
	}
}

// writeFiles creates the files in a folder.
func writeFiles(folder string, made []files.File) error {
	err := files.WriteNew(folder, made...)
	var known *command.UserError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return command.FailWithHint("No files were written. Name a folder that you can write to.", "%v", err)
}

// defaultSignerName is the name of a signer: its day. The certificate also has the vendor.
func defaultSignerName(now time.Time) string { return "License Signer " + now.Format(time.DateOnly) }

// randomAlphabet is Crockford's base 32 in lower case: no letter looks like a digit.
const randomAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newLicenseID returns an ID that people can read aloud and sort by date: the product, the date, and 40 random bits.
func newLicenseID(product string, now time.Time, random io.Reader) (string, error) {
	const length = 8
	bits := make([]byte, length)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", fmt.Errorf("cannot read random numbers: %w", err)
	}
	for i := range bits {
		bits[i] = randomAlphabet[int(bits[i])%len(randomAlphabet)]
	}
	suffix := now.Format("-20060102-") + string(bits)
	return manifest.ShortenName(product, manifest.MaxNameLength-len(suffix)) + suffix, nil
}
