// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/license-operator/license-operator/internal/text"
)

const (
	rootYears   = 20
	signerYears = 10

	rootNameSuffix = " License Root CA"
	// maxNameLength is the maximum number of characters of a common name (RFC 5280, appendix A.1).
	maxNameLength = 64
	// maxVendorLength leaves room for rootNameSuffix.
	maxVendorLength = maxNameLength - len(rootNameSuffix)
)

// Authority is the CA of a vendor. It issues the certificates of signers.
type Authority struct {
	key crypto.Signer
	// chain begins with the authority's own certificate.
	chain []*x509.Certificate
}

// NewAuthority creates a root CA: an Ed25519 key and a self-signed certificate with the subject "O=<vendor>,
// CN=<vendor> License Root CA". It is valid for 20 years from now, and may issue signers but no other CA. The vendor's
// name has 1 to 48 characters and no control characters.
func NewAuthority(vendor string, now time.Time) (*Authority, error) {
	if err := checkName(vendor, maxVendorLength); err != nil {
		return nil, fmt.Errorf("vendor name %w", err)
	}
	begin := now.UTC().Truncate(time.Second)
	template := &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{vendor}, CommonName: vendor + rootNameSuffix},
		NotBefore: begin, NotAfter: begin.AddDate(rootYears, 0, 0), BasicConstraintsValid: true,
		IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	key, certificate, err := createCertificate(template, template, nil)
	if err != nil {
		return nil, fmt.Errorf("creating the root: %w", err)
	}
	return &Authority{key: key, chain: []*x509.Certificate{certificate}}, nil
}

// ParseAuthority reads a CA from PEM: its certificate, followed by those of its issuers unless it is a root, and its
// private key in PKCS#8 (RFC 5958), not encrypted. It is an error if the key does not belong to the certificate, or if
// the certificate is not a CA.
func ParseAuthority(certificatePEM, keyPEM []byte) (*Authority, error) {
	chain, err := parseChain(certificatePEM)
	if err != nil {
		return nil, fmt.Errorf("authority's certificate: %w", err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("authority's key: %w", err)
	}
	if err := checkAuthority(chain[0]); err != nil {
		return nil, fmt.Errorf("certificate %s %w", describe(chain[0]), err)
	}
	if err := checkKeyPair(key, chain[0]); err != nil {
		return nil, err
	}
	return &Authority{key: key, chain: chain}, nil
}

// NewSigner creates an Ed25519 key and a certificate for signing license keys (key usage digitalSignature, extended key
// usage codeSigning). The common name has 1 to 64 characters and no control characters. The certificate is valid for 10
// years from now, but no longer than the authority.
func (a *Authority) NewSigner(name string, now time.Time) (*Signer, error) {
	if err := checkName(name, maxNameLength); err != nil {
		return nil, fmt.Errorf("signer name %w", err)
	}
	issuer := a.chain[0]
	begin := now.UTC().Truncate(time.Second)
	first := slices.MinFunc(a.chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	latest := slices.MaxFunc(a.chain, func(a, b *x509.Certificate) int { return a.NotBefore.Compare(b.NotBefore) })
	if begin.Before(latest.NotBefore) || !begin.Before(first.NotAfter) {
		return nil, fmt.Errorf("the authority is not valid now (%s): it is valid from %s to %s",
			text.Time(begin), text.Time(latest.NotBefore), text.Time(first.NotAfter))
	}
	end := begin.AddDate(signerYears, 0, 0)
	if end.After(first.NotAfter) {
		end = first.NotAfter
	}
	key, certificate, err := createCertificate(&x509.Certificate{
		Subject:   pkix.Name{Organization: issuer.Subject.Organization, CommonName: name},
		NotBefore: begin, NotAfter: end, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, issuer, a.key)
	if err != nil {
		return nil, fmt.Errorf("creating the signer: %w", err)
	}
	return newChainSigner(key, append([]*x509.Certificate{certificate}, a.chain...))
}

// CertificatePEM returns the authority's certificate, followed by those of its issuers unless it is a root. It is the
// trust anchor of a product.
func (a *Authority) CertificatePEM() []byte { return encodeCertificates(a.chain) }

// KeyPEM returns the key in the form that ParseAuthority reads. It is a secret.
func (a *Authority) KeyPEM() ([]byte, error) { return encodeKey(a.key) }

// createCertificate generates an Ed25519 key and creates a certificate for it, with a random serial number from
// crypto/x509. The issuer's key signs it, or if that is nil, the new key.
func createCertificate(
	template, parent *x509.Certificate, issuerKey crypto.Signer,
) (crypto.Signer, *x509.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if issuerKey == nil {
		issuerKey = private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, issuerKey)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return private, certificate, err
}

func checkName(name string, maxLength int) error {
	switch {
	case strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxLength:
		return fmt.Errorf("must have 1 to %d characters", maxLength)
	case strings.ContainsFunc(name, text.IsDeceptive):
		return errors.New("contains a control character, a line separator, a bidirectional control or U+FFFD")
	default:
		return nil
	}
}
