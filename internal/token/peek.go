// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/x509"

	"github.com/license-operator/license-operator/internal/license"
)

// PeekUnverified returns what a token says. NOTHING OF IT IS VERIFIED: anyone can write the claims and choose the
// certificates. It is only for showing a key to a user who has no trust anchors. No decision may depend on it; use
// Verify for that.
//
// The certificate is spec.certificate of the LicenseKey, or empty. The returned certificates are the presented ones,
// which need not be a chain; nil if they cannot be read. The error has reason TokenMalformed or ClaimsInvalid. With an
// error the claims are nil.
func PeekUnverified(token, certificate string) (*license.Claims, []*x509.Certificate, *Error) {
	jws, err := parseCompact(token)
	if err != nil {
		return nil, nil, err
	}
	claims, err := parseClaims(jws.payload)
	return claims, certificatesUnverified(certificate, jws.header), err
}

func certificatesUnverified(pem string, header map[string]any) []*x509.Certificate {
	presented, failure := findCertificates(pem, header)
	if failure != nil {
		return nil
	}
	certificates, err := presented.parse()
	if err != nil {
		return nil
	}
	return certificates
}
