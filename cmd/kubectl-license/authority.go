// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"path/filepath"

	"github.com/license-operator/license-operator/internal/token"
)

// readAuthority reads the root that ca create has made.
func readAuthority(folder string, warnings io.Writer) (*token.Authority, error) {
	certificate, key, err := readPair(folder, authorityCertificateFile, authorityKeyFile, warnings)
	if err != nil {
		return nil, err
	}
	authority, err := token.ParseAuthority(certificate, key)
	if err != nil {
		return nil, failf("It takes ca.crt and ca.key as 'kubectl license ca create' made them.",
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
			failf("It takes signer.crt and signer.key as 'kubectl license ca create' or 'signer create' made them.",
				"cannot use the signer in %s: %v", folder, err)
	}
	return signer, nil
}

func readPair(folder, certificateFile, keyFile string, warnings io.Writer) (certificate, key []byte, err error) {
	certificate, err = readFile(filepath.Join(folder, certificateFile))
	if err != nil {
		return nil, nil, notInFolder(certificateFile, keyFile, err)
	}
	keyPath := filepath.Join(folder, keyFile)
	key, err = readFile(keyPath)
	if err != nil {
		return nil, nil, notInFolder(certificateFile, keyFile, err)
	}
	warnIfReadable(warnings, keyPath)
	return certificate, key, nil
}

func notInFolder(certificateFile, keyFile string, err error) error {
	return failf("Name the folder that holds "+certificateFile+" and "+keyFile+
		": 'kubectl license ca create' makes one.", "%v", err)
}

// signerFiles are the two files of a signer.
func signerFiles(signer *token.Signer) ([]newFile, error) {
	key, err := signer.KeyPEM()
	if err != nil {
		return nil, err
	}
	return []newFile{
		{name: signerCertificateFile, data: signer.CertificatePEM(), mode: modePublic},
		{name: signerKeyFile, data: key, mode: modePrivate},
	}, nil
}

func certificatePEM(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}
