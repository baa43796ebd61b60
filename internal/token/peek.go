// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/x509"

	"github.com/license-operator/license-operator/internal/license"
)

// PeekUnverified tells what a token says of itself. NOTHING OF IT IS VERIFIED: anyone can have written the claims and
// chosen the certificates. It is for showing a key to a human who has no trust anchor at hand; nothing may ever be
// decided by its result. Use Verify for that.
//
// The certificate is spec.certificate of the key, empty if it has none. The certificates returned are the presented
// ones, which need not be a chain; nil if they cannot be read. The error has reason TokenMalformed or ClaimsInvalid,
// and leaves the claims nil.
func PeekUnverified(token, certificate string) (*license.Claims, []*x509.Certificate, *Error) {
	jws, err := parseCompact(token)
	if err != nil {
		return nil, nil, err
	}
	claims, err := parseClaims(jws.payload)
	return claims, presentedUnverified(certificate, jws.header), err
}

func presentedUnverified(certificate string, header map[string]any) []*x509.Certificate {
	presentation, failure := presented(certificate, header)
	if failure != nil {
		return nil
	}
	certificates, err := presentation.parse()
	if err != nil {
		return nil
	}
	return certificates
}
