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
	"github.com/license-operator/license-operator/internal/token"
)

// The files of a root and its signers.
const (
	authorityCertificateFile = "ca.crt"
	authorityKeyFile         = "ca.key"
	signerCertificateFile    = "signer.crt"
	signerKeyFile            = "signer.key"
)

// readAuthority reads the root that ca create made.
func readAuthority(folder string, warnings io.Writer) (*token.Authority, error) {
	certificate, key, err := readPair(folder, authorityCertificateFile, authorityKeyFile, warnings)
	if err != nil {
		return nil, err
	}
	authority, err := token.ParseAuthority(certificate, key)
	if err != nil {
		return nil, command.FailWithHint("Use ca.crt and ca.key of 'kubectl license ca create'.",
			"cannot use the authority in %s: %v", folder, err)
	}
	return authority, nil
}

// readSigner reads the signer that ca create or signer create made.
func readSigner(folder string, warnings io.Writer) (*token.Signer, error) {
	certificates, key, err := readPair(folder, signerCertificateFile, signerKeyFile, warnings)
	if err != nil {
		return nil, err
	}
	signer, err := token.ParseSigner(certificates, key)
	if err != nil {
		return nil, command.FailWithHint("Use signer.crt and signer.key of 'kubectl license ca create' or 'signer "+
			"create'.", "cannot use the signer in %s: %v", folder, err)
	}
	return signer, nil
}

func readPair(folder, certificateFile, keyFile string, warnings io.Writer) (certificate, key []byte, err error) {
	keyPath := filepath.Join(folder, keyFile)
	if certificate, err = files.Read(filepath.Join(folder, certificateFile)); err == nil {
		key, err = files.Read(keyPath)
	}
	if err != nil {
		return nil, nil, command.FailWithHint("Name the folder with "+certificateFile+" and "+keyFile+
			": 'kubectl license ca create' makes one.", "%v", err)
	}
	// On Windows the mode does not say who can read a file.
	if info, err := os.Stat(keyPath); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		term.Warnf(warnings, "other users can read the private key %s (mode %04o); to stop that: chmod 600 %s", keyPath,
			info.Mode().Perm(), keyPath)
	}
	return certificate, key, nil
}

// signerFiles returns the two files of a signer.
func signerFiles(signer *token.Signer) ([]files.File, error) {
	key, err := signer.KeyPEM()
	if err != nil {
		return nil, err
	}
	return []files.File{
		{Name: signerCertificateFile, Data: signer.CertificatePEM(), Mode: files.ModePublic},
		{Name: signerKeyFile, Data: key, Mode: files.ModePrivate},
	}, nil
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
