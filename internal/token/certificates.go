// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxCertificateBytes is the maximum size of spec.certificate of a LicenseKey. The CRD has the same bound.
const MaxCertificateBytes = 32768

const (
	pemTypeCertificate = "CERTIFICATE"
	pemTypePrivateKey  = "PRIVATE KEY"
	pemBegin           = "-----BEGIN "
)

// fingerprint is the SHA-256 of a certificate's DER.
type fingerprint [sha256.Size]byte

func fingerprintOf(certificate *x509.Certificate) fingerprint { return sha256.Sum256(certificate.Raw) }

// CertificateSHA256 returns the SHA-256 fingerprint of a certificate in DER. It has the form that openssl x509
// -fingerprint prints and that revocations of a LicensedProduct take.
func CertificateSHA256(der []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":")
}

// parseCertificates reads PEM (RFC 7468): 1 to maxCount blocks of type CERTIFICATE with nothing but white space around
// them. It keeps duplicates. Its errors are parts of a sentence and name the block, counted from 1.
func parseCertificates(text string, maxCount int) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for rest := strings.TrimSpace(text); rest != ""; {
		number := len(certificates) + 1
		if number > maxCount {
			return nil, fmt.Errorf("more than %d certificates", maxCount)
		}
		block, remainder, err := nextBlock(rest)
		if err != nil {
			return nil, fmt.Errorf("block %d %w", number, err)
		}
		certificate, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("block %d %w", number, err)
		}
		certificates = append(certificates, certificate)
		rest = strings.TrimSpace(remainder)
	}
	if len(certificates) == 0 {
		return nil, errors.New("no PEM block of type CERTIFICATE")
	}
	return certificates, nil
}

// nextBlock decodes the PEM block that text begins with. pem.Decode alone would skip what it cannot read, which may be
// a certificate that someone relies on.
func nextBlock(text string) (block *pem.Block, remainder string, err error) {
	if !strings.HasPrefix(text, pemBegin) {
		return nil, "", errors.New("is preceded by text that is not PEM")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.Count(text[:len(text)-len(rest)], pemBegin) != 1 {
		return nil, "", errors.New("is not well-formed PEM")
	}
	return block, string(rest), nil
}

func parseBlock(block *pem.Block) (*x509.Certificate, error) {
	switch {
	case strings.HasSuffix(block.Type, pemTypePrivateKey):
		return nil, errors.New("is a private key: remove it, and consider it compromised")
	case block.Type != pemTypeCertificate:
		return nil, fmt.Errorf("is %s, not CERTIFICATE", quote(block.Type))
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("is not a certificate (%s)", printable(err))
	}
	return certificate, nil
}

// encodeCertificates is the inverse of parseCertificates.
func encodeCertificates(certificates []*x509.Certificate) []byte {
	var text bytes.Buffer
	for _, certificate := range certificates {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: pemTypeCertificate, Bytes: certificate.Raw}))
	}
	return text.Bytes()
}

// describe returns the name of a certificate for messages.
func describe(certificate *x509.Certificate) string { return quote(certificate.Subject.String()) }

// checkEach checks the certificates of a chain one by one.
func checkEach(certificates []*x509.Certificate) error {
	for i, certificate := range certificates {
		err := checkKeySize(certificate)
		if err == nil {
			err = checkCanonical(certificate)
		}
		if err != nil {
			return fmt.Errorf("certificate %d, %s, %w", i+1, describe(certificate), err)
		}
	}
	return nil
}

// checkKeySize checks the size of an RSA key. It comes before any use of the key: the cost of a signature check grows
// with the size.
func checkKeySize(certificate *x509.Certificate) error {
	key, isRSA := certificate.PublicKey.(*rsa.PublicKey)
	if isRSA && (key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits) {
		return fmt.Errorf("has an RSA key with %d bits, but %d to %d are required",
			key.N.BitLen(), minRSABits, maxRSABits)
	}
	return nil
}

// checkAuthority checks that a certificate may issue others.
func checkAuthority(certificate *x509.Certificate) error {
	switch {
	case !certificate.BasicConstraintsValid || !certificate.IsCA:
		return errors.New("is not a CA (basic constraints)")
	case certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("is not a CA (key usage keyCertSign)")
	default:
		return nil
	}
}

// checkSignerProfile checks that a certificate may sign license keys.
func checkSignerProfile(certificate *x509.Certificate) error {
	switch {
	case certificate.IsCA:
		return errors.New("is a CA, but a CA must not sign license keys")
	case certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("does not have key usage digitalSignature")
	case !allowsCodeSigning(certificate):
		return errors.New("has extended key usages, but neither codeSigning nor any")
	default:
		return nil
	}
}

func allowsCodeSigning(certificate *x509.Certificate) bool {
	if len(certificate.ExtKeyUsage) == 0 && len(certificate.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(certificate.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) ||
		slices.Contains(certificate.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// checkOrder requires that each certificate was issued by the next one. Key sizes have been checked.
func checkOrder(certificates []*x509.Certificate) error {
	for i := 1; i < len(certificates); i++ {
		if err := checkIssuedBy(certificates[i-1], certificates[i]); err != nil {
			return fmt.Errorf("certificate %d, %s, was not issued by the next one, %s: %w",
				i, describe(certificates[i-1]), describe(certificates[i]), err)
		}
	}
	return nil
}

func checkIssuedBy(child, parent *x509.Certificate) error {
	if !bytes.Equal(child.RawIssuer, parent.RawSubject) {
		return fmt.Errorf("its issuer is %s", quote(child.Issuer.String()))
	}
	if err := checkAuthority(parent); err != nil {
		return fmt.Errorf("the next one %w", err)
	}
	if err := child.CheckSignatureFrom(parent); err != nil {
		return errors.New(printable(err))
	}
	return nil
}
