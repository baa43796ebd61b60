// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// tokenType is typ of the tokens that Sign makes (RFC 7519, section 5.1). Verify ignores it.
const tokenType = "JWT"

// Signer issues license keys. It is a private key with the chain of its certificate.
type Signer struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

// ParseSigner reads a signer from PEM: its certificate, followed by those of its issuers if there are any, and its
// private key in PKCS#8 (RFC 5958), not encrypted. It is an error if the key does not belong to the certificate, if the
// key is not Ed25519, ECDSA P-256 or RSA with 2048 to 4096 bits, or if no license key would verify with the
// certificates: the signer is a CA, does not have key usage digitalSignature or is limited to other purposes than
// codeSigning, the chain is out of order, or a certificate is not canonical DER. It does not check that the chain leads
// to a trust anchor.
func ParseSigner(certificatesPEM, keyPEM []byte) (*Signer, error) {
	chain, err := parseChain(certificatesPEM)
	if err != nil {
		return nil, fmt.Errorf("signer's certificates: %w", err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("signer's key: %w", err)
	}
	return newChainSigner(key, chain)
}

func newChainSigner(key crypto.Signer, chain []*x509.Certificate) (*Signer, error) {
	leaf := chain[0]
	if err := checkSignerProfile(leaf); err != nil {
		return nil, fmt.Errorf("certificate %s %w", describe(leaf), err)
	}
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return nil, fmt.Errorf("certificate %s is self-signed: a signer needs a certificate from a CA", describe(leaf))
	}
	if algorithmOf(leaf.PublicKey) == "" {
		return nil, fmt.Errorf("certificate %s has an unsuitable key (%s): only Ed25519, ECDSA P-256 and RSA keys "+
			"can sign license keys", describe(leaf), describeKey(leaf.PublicKey))
	}
	if err := checkKeyPair(key, leaf); err != nil {
		return nil, err
	}
	return &Signer{key: key, chain: chain}, nil
}

// Chain returns the signer's certificate followed by those of its issuers. The certificates are shared and must not be
// changed.
func (s *Signer) Chain() []*x509.Certificate { return slices.Clone(s.chain) }

// CertificatePEM returns the certificates in the form that ParseSigner reads.
func (s *Signer) CertificatePEM() []byte { return encodeCertificates(s.chain) }

// KeyPEM returns the key in the form that ParseSigner reads. It is a secret.
func (s *Signer) KeyPEM() ([]byte, error) { return encodeKey(s.key) }

// Sign makes a token. Its header has the chain without the self-signed root, of which verifiers have a copy. A zero
// NotBefore means IssuedTime. It is an error if Verify would never accept the claims: a value out of bounds, fractions
// of seconds, a token larger than MaxTokenBytes, or a term from IssuedTime to the end of the grace period that is not
// within the validity of every certificate of the chain.
func (s *Signer) Sign(claims *license.Claims) (string, error) {
	payload, err := encodeClaims(claims)
	if err != nil {
		return "", fmt.Errorf("invalid license: %w", err)
	}
	if err := s.checkTerm(claims); err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithmOf(s.key.Public()), Key: s.key},
		(&jose.SignerOptions{}).WithType(tokenType).WithHeader(headerChain, s.headerChain()),
	)
	if err != nil {
		return "", fmt.Errorf("preparing the signature: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("encoding the token: %w", err)
	}
	if len(token) > MaxTokenBytes {
		return "", fmt.Errorf("token too large (%d bytes, maximum %d): use fewer features, limits or clusters",
			len(token), MaxTokenBytes)
	}
	return token, nil
}

// checkTerm reports the latest possible expiry, which the vendor needs to know.
func (s *Signer) checkTerm(claims *license.Claims) error {
	for _, certificate := range s.chain {
		switch {
		case claims.IssuedTime.Before(certificate.NotBefore):
			return fmt.Errorf("the license would be issued at %s, but certificate %s is valid from %s",
				text.Time(claims.IssuedTime), describe(certificate), text.Time(certificate.NotBefore))
		case claims.GraceEnd().After(certificate.NotAfter):
			first := slices.MinFunc(s.chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
			return fmt.Errorf("the license would outlive certificate %s: with a grace period of %s the latest expiry "+
				"is %s. Choose an earlier expiry, or use a newer signer",
				describe(first), claims.GracePeriod, text.Time(first.NotAfter.Add(-claims.GracePeriod)))
		}
	}
	return nil
}

// headerChain returns x5c (RFC 7515, section 4.1.6).
func (s *Signer) headerChain() []string {
	var entries []string
	for _, certificate := range s.chain {
		if bytes.Equal(certificate.RawIssuer, certificate.RawSubject) {
			break
		}
		entries = append(entries, base64.StdEncoding.EncodeToString(certificate.Raw))
	}
	return entries
}

// parseChain reads certificates each of which was issued by the next one.
func parseChain(certificatesPEM []byte) ([]*x509.Certificate, error) {
	chain, err := parseCertificates(string(certificatesPEM), maxChainCertificates)
	if err != nil {
		return nil, err
	}
	if err := checkEach(chain); err != nil {
		return nil, err
	}
	return chain, checkOrder(chain)
}

// parseKey reads one private key. Its errors never quote the input.
func parseKey(keyPEM []byte) (crypto.Signer, error) {
	block, remainder, err := nextBlock(strings.TrimSpace(string(keyPEM)))
	switch {
	case err != nil:
		return nil, errors.New("it is not well-formed PEM")
	case strings.TrimSpace(remainder) != "":
		return nil, errors.New("more than one PEM block")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("it is encrypted: decrypt it with openssl pkcs8, and protect the result")
	case block.Type != pemTypePrivateKey:
		return nil, errors.New("it is not a PEM block of type PRIVATE KEY: convert a key in another format with " +
			"openssl pkcs8 -topk8 -nocrypt")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it is not a private key in PKCS#8")
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is not a signing key")
	}
	return key, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemTypePrivateKey, Bytes: der}), nil
}

// checkKeyPair requires that a certificate is for a private key.
func checkKeyPair(key crypto.Signer, certificate *x509.Certificate) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certificate.PublicKey) {
		return fmt.Errorf("the private key does not belong to certificate %s", describe(certificate))
	}
	return nil
}
