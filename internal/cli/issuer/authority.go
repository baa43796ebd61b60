// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"crypto/x509"
	"encoding/pem"
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

// The files of an authority and its signers.
const (
	authorityCertificateFile = "ca.crt"
	authorityKeyFile         = "ca.key"
	signerCertificateFile    = "signer.crt"
	signerKeyFile            = "signer.key"
)

// readAuthority reads the root that ca create has made.
func readAuthority(folder string, warnings io.Writer) (*token.Authority, error) {
	certificate, key, err := readPair(folder, authorityCertificateFile, authorityKeyFile, warnings)
	if err != nil {
		return nil, err
	}
	authority, err := token.ParseAuthority(certificate, key)
	if err != nil {
		return nil, command.FailWithHint("It takes ca.crt and ca.key as 'kubectl license ca create' made them.",
			"cannot use the authority in %s: %v", folder, err)
	}
	return authority, nil
}

// readSigner reads what ca create or signer create has made.
func readSigner(folder string, warnings io.Writer) (*token.Signer, error) {
	certificates, key, err := readPair(folder, signerCertificateFile, signerKeyFile, warnings)
	if err != nil {
		return nil, err
	}
	signer, err := token.ParseSigner(certificates, key)
	if err != nil {
		return nil,
			command.FailWithHint("It takes signer.crt and signer.key as 'kubectl license ca create' or 'signer "+
				"create' made them.", "cannot use the signer in %s: %v", folder, err)
	}
	return signer, nil
}

func readPair(folder, certificateFile, keyFile string, warnings io.Writer) (certificate, key []byte, err error) {
	certificate, err = files.Read(filepath.Join(folder, certificateFile))
	if err != nil {
		return nil, nil, notInFolder(certificateFile, keyFile, err)
	}
	keyPath := filepath.Join(folder, keyFile)
	key, err = files.Read(keyPath)
	if err != nil {
		return nil, nil, notInFolder(certificateFile, keyFile, err)
	}
	warnIfReadable(warnings, keyPath)
	return certificate, key, nil
}

func notInFolder(certificateFile, keyFile string, err error) error {
	return command.FailWithHint("Name the folder that holds "+certificateFile+" and "+keyFile+
		": 'kubectl license ca create' makes one.", "%v", err)
}

// signerFiles are the two files of a signer.
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

func certificatePEM(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

// warnIfReadable warns of a private key that others can read. On Windows the mode says nothing.
func warnIfReadable(warnings io.Writer, path string) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	term.Warnf(warnings, "others can read the private key %s (mode %04o); close it with: chmod 600 %s", path,
		info.Mode().Perm(), path)
}

func cannotWrite(err error) error {
	var known *command.UserError
	if errors.As(err, &known) {
		return known
	}
	return command.FailWithHint("Nothing was left behind: name a folder that you can write to.", "%v", err)
}

// defaultSignerName tells signers apart by the day they were made. The certificate names the vendor besides.
func defaultSignerName(now time.Time) string { return "License Signer " + now.Format(time.DateOnly) }

// randomAlphabet is Crockford's base 32 in lower case: no letter that can be taken for a digit.
const randomAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newLicenseID is an ID that people can read out and sort by date: the product, the date, and 40 random bits.
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
