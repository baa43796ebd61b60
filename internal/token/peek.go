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
	var certificates []*x509.Certificate
	if presented, failure := findCertificates(certificate, jws.header); failure == nil {
		certificates, _ = presented.parse()
	}
	return claims, certificates, err
}
