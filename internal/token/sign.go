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
)

// tokenType is the typ of the tokens that Sign makes (RFC 7519, section 5.1). Verify ignores it.
const tokenType = "JWT"

// Signer issues license keys: a private key and the chain of its certificate.
type Signer struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

// ParseSigner reads a signer: its certificate, followed by those of its issuers as far as there are any, in PEM, and
// its private key in PEM with PKCS#8 (RFC 5958), not encrypted. It is an error if key and certificate do not belong
// together, if the key is none of Ed25519, ECDSA P-256 and RSA of 2048 to 4096 bits, or if the certificates could not
// verify a license key: a signer that is a CA, lacks digitalSignature, or is limited to other purposes than
// codeSigning, or a chain that is out of order. Whether the chain leads to a trust anchor is not known here.
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
		return nil,
			fmt.Errorf("certificate %s has a key that is %s: only Ed25519, ECDSA P-256 and RSA can sign license keys",
				describe(leaf), describeKey(leaf.PublicKey))
	}
	if err := checkKeyPair(key, leaf); err != nil {
		return nil, err
	}
	return &Signer{key: key, chain: chain}, nil
}

// Chain is the signer's certificate followed by those of its issuers. The certificates are shared and must not be
// changed.
func (s *Signer) Chain() []*x509.Certificate { return slices.Clone(s.chain) }

// CertificatePEM is what ParseSigner reads as certificates.
func (s *Signer) CertificatePEM() []byte { return encodeCertificates(s.chain) }

// KeyPEM is what ParseSigner reads as key. It is a secret.
func (s *Signer) KeyPEM() ([]byte, error) { return encodeKey(s.key) }

// Sign makes a token, with the chain in its header as far as it is not self-signed: the verifier has its own copy of
// the root. A zero NotBefore means IssuedTime. It is an error if Verify would refuse the claims at any time: a value
// out of bounds, parts of seconds, a token larger than MaxTokenBytes, or a term, from IssuedTime to the end of the
// grace period, that is not within the validity of every certificate of the chain.
func (s *Signer) Sign(claims *license.Claims) (string, error) {
	payload, err := encodeClaims(claims)
	if err != nil {
		return "", fmt.Errorf("license cannot be issued: %w", err)
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
		return "", fmt.Errorf("the token has %d bytes, which is more than %d: issue it with fewer features, limits "+
			"or clusters", len(token), MaxTokenBytes)
	}
	return token, nil
}

// checkTerm names the last possible expiry, which is what the vendor needs to know.
func (s *Signer) checkTerm(claims *license.Claims) error {
	for _, certificate := range s.chain {
		switch {
		case claims.IssuedTime.Before(certificate.NotBefore):
			return fmt.Errorf("the license would be issued at %s, before the certificate %s begins at %s",
				instant(claims.IssuedTime), describe(certificate), instant(certificate.NotBefore))
		case claims.GraceEnd().After(certificate.NotAfter):
			first := slices.MinFunc(s.chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
			return fmt.Errorf("the license would outlive the certificate %s: with a grace period of %s the last "+
				"possible expiry is %s; "+
				"expire it by then, or issue it with a newer signer",
				describe(first), claims.GracePeriod, instant(first.NotAfter.Add(-claims.GracePeriod)))
		}
	}
	return nil
}

// headerChain is x5c (RFC 7515, section 4.1.6).
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

// parseChain reads certificates in the order of issue, the issued one first.
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

// parseKey reads one private key. Its errors never quote what it was given.
func parseKey(keyPEM []byte) (crypto.Signer, error) {
	block, err := onlyBlock(keyPEM)
	if err != nil {
		return nil, err
	}
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil,
			errors.New("it is encrypted: decrypt it with openssl pkcs8, and keep the result out of everyone's reach")
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
		return nil, errors.New("it is not a key that signs")
	}
	return key, nil
}

func onlyBlock(text []byte) (*pem.Block, error) {
	block, remainder, err := nextBlock(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, errors.New("it is not well-formed PEM")
	}
	if strings.TrimSpace(remainder) != "" {
		return nil, errors.New("there is more than one PEM block")
	}
	return block, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemTypePrivateKey, Bytes: der}), nil
}

// checkKeyPair demands that a certificate is for a private key.
func checkKeyPair(key crypto.Signer, certificate *x509.Certificate) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certificate.PublicKey) {
		return fmt.Errorf("the private key does not belong to the certificate %s", describe(certificate))
	}
	return nil
}
