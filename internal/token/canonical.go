// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// A fingerprint depends on every byte of a certificate, but the issuer signs only the first of its three parts,
// TBSCertificate. Revocation by fingerprint therefore needs certificates whose other bytes follow from the signed ones
// and the signature. checkCanonical allows one encoding for each signature, and fingerprintsOf knows every signature
// that can be computed from another one without the issuer's key.

// checkCanonical requires that a certificate is in DER (X.690, section 10) as RFC 5280, section 4.1, specifies it. For
// example, crypto/x509 ignores what follows the signature: anyone could append something to a revoked certificate.
func checkCanonical(certificate *x509.Certificate) error {
	canonical, err := encodeDER(certificate, certificate.Signature)
	if err != nil || !bytes.Equal(certificate.Raw, canonical) {
		return errors.New("is not canonical DER")
	}
	return nil
}

// encodeDER returns the DER of a certificate with a signature. The outer algorithm is a copy of the signed one.
func encodeDER(certificate *x509.Certificate, signature []byte) ([]byte, error) {
	var signed struct {
		Version      int `asn1:"optional,explicit,default:0,tag:0"`
		SerialNumber asn1.RawValue
		Algorithm    asn1.RawValue
	}
	if _, err := asn1.Unmarshal(certificate.RawTBSCertificate, &signed); err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		TBSCertificate, Algorithm asn1.RawValue
		Signature                 asn1.BitString
	}{
		TBSCertificate: asn1.RawValue{FullBytes: certificate.RawTBSCertificate},
		Algorithm:      signed.Algorithm,
		Signature:      asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

// fingerprintsOf returns the fingerprints that revoke a canonical certificate. RSA and Ed25519 signatures have one
// form. An ECDSA signature (r, s) has a second one, (r, n-s), which anyone can compute.
func fingerprintsOf(certificate, issuer *x509.Certificate) ([]fingerprint, error) {
	fingerprints := []fingerprint{fingerprintOf(certificate)}
	key, ok := issuer.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return fingerprints, nil
	}
	signature, err := otherECDSASignature(certificate.Signature, key.Params().N)
	if err != nil {
		return nil, fmt.Errorf("certificate %s %w", describe(certificate), err)
	}
	other, err := encodeDER(certificate, signature)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", describe(certificate), err)
	}
	return append(fingerprints, sha256.Sum256(other)), nil
}

// otherECDSASignature returns (r, n-s) for (r, s), where n is the order of the curve. The signature must be in DER.
func otherECDSASignature(signature []byte, order *big.Int) ([]byte, error) {
	var numbers struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &numbers); err != nil {
		return nil, fmt.Errorf("has an ECDSA signature that is not DER: %w", err)
	}
	for _, number := range []*big.Int{numbers.R, numbers.S} {
		if number.Sign() <= 0 || number.Cmp(order) >= 0 {
			return nil, errors.New("has an ECDSA signature out of range")
		}
	}
	// encoding/asn1 accepts more elements than it is asked for.
	if canonical, err := asn1.Marshal(numbers); err != nil || !bytes.Equal(canonical, signature) {
		return nil, errors.New("has an ECDSA signature that is not DER")
	}
	numbers.S.Sub(order, numbers.S)
	return asn1.Marshal(numbers)
}
