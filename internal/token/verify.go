// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package token signs license keys and verifies them offline. A key is a compact JWS (RFC 7515) with JWT claims (RFC
// 7519), signed with the first certificate of an X.509 chain (RFC 5280) to a trust anchor of the product. The format is
// documented for issuers in docs/token-format.md.
//
// The package is pure. It has no clock (now is a parameter), does no I/O and never follows a reference in a token. A
// key that does not verify has one reason, that of the first step that failed:
//
//	parse, algorithm, chain (ignoring time), signature, claims, certificate validity, audience, cluster, revocation
//
// The first five steps depend only on the token, its certificates and the trust anchors. A Verifier caches their
// result. The other four are comparisons, which are made each time.
package token

import (
	"crypto/x509"
	"maps"
	"slices"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// Result of a verification. It belongs to the caller, except for the certificates, which are shared and must not be
// changed.
type Result struct {
	// Claims are set once signature and claims are valid, even if a later step sets Err.
	Claims *license.Claims
	// Err is nil if the key verifies.
	Err *Error
	// RecheckTime is when a key that was issued in the future may verify; zero for all others.
	RecheckTime time.Time
	// Chain has the certificates from the signer to the trust anchor. It is set once the chain is valid, even if a
	// later step sets Err.
	Chain []*x509.Certificate
}

// Verify verifies a token without a cache. The certificate is spec.certificate of the LicenseKey, or empty. With an
// empty clusterUID all clusters are accepted. Terms come from NewTerms or NewTermsFromAnchors.
func Verify(token, certificate string, terms *Terms, clusterUID string, now time.Time) Result {
	return verifyStatic(token, certificate, terms.trusted(), loadSigner).resultFor(terms, clusterUID, now)
}

// staticResult is the outcome of the steps that depend only on the token, its certificates and the trust anchors.
type staticResult struct {
	// claims are set unless err is.
	claims *license.Claims
	// chains lead to trust anchors. There is at least one once the chain is valid.
	chains []*chain
	err    *Error
}

// staticVerifier performs the steps up to the claims.
type staticVerifier func(token, certificate string, anchors *anchors, loadSigner signerLoader) *staticResult

func verifyStatic(token, certificate string, anchors *anchors, loadSigner signerLoader) *staticResult {
	jws, err := parseCompact(token)
	if err != nil {
		return &staticResult{err: err}
	}
	if err := checkAlgorithm(jws.algorithm); err != nil {
		return &staticResult{err: err}
	}
	presented, err := findCertificates(certificate, jws.header)
	if err != nil {
		return &staticResult{err: err}
	}
	signer := loadSigner(presented, anchors)
	if signer.readable {
		if err := checkKeyType(jws.algorithm, signer.key); err != nil {
			return &staticResult{err: err}
		}
	}
	if signer.err != nil {
		return &staticResult{err: signer.err}
	}
	signed, err := parseForVerification(jws)
	if err != nil {
		return &staticResult{err: err}
	}
	payload, err := checkSignature(signed, signer.key)
	if err != nil {
		return &staticResult{chains: signer.chains, err: err}
	}
	claims, err := parseClaims(payload)
	return &staticResult{claims: claims, chains: signer.chains, err: err}
}

// resultFor performs the remaining steps. The staticResult may be shared; the Result belongs to the caller.
func (r *staticResult) resultFor(terms *Terms, clusterUID string, now time.Time) Result {
	var result Result
	if len(r.chains) > 0 {
		result.Chain = slices.Clone(r.chains[0].certificates)
	}
	if r.err != nil {
		failure := *r.err
		result.Err = &failure
		return result
	}
	if result.Err, result.RecheckTime = checkIssued(r.claims, now); result.Err != nil {
		return result
	}
	result.Claims = cloneClaims(r.claims)
	var chosen *chain
	chosen, result.Err = terms.choose(r.chains, r.claims, clusterUID)
	result.Chain = slices.Clone(chosen.certificates)
	return result
}

// choose returns the first chain under which the claims meet the terms. Otherwise it returns the error of the first
// chain that got furthest.
func (t *Terms) choose(chains []*chain, claims *license.Claims, clusterUID string) (*chain, *Error) {
	nested := slices.DeleteFunc(slices.Clone(chains), func(chain *chain) bool {
		return checkWithinValidity(chain, claims) != nil
	})
	if len(nested) == 0 {
		return chains[0], checkWithinValidity(chains[0], claims)
	}
	if err := t.checkAudience(claims); err != nil {
		return nested[0], err
	}
	if err := checkCluster(claims, clusterUID); err != nil {
		return nested[0], err
	}
	if err := t.checkLicenseRevocation(claims); err != nil {
		return nested[0], err
	}
	for _, chain := range nested {
		if t.checkChainRevocation(chain) == nil {
			return chain, nil
		}
	}
	return nested[0], t.checkChainRevocation(nested[0])
}

// checkWithinValidity requires that the license was issued and ends within the validity of every certificate, so that
// nothing can be issued with the key of a certificate that has expired.
func checkWithinValidity(chain *chain, claims *license.Claims) *Error {
	for _, certificate := range chain.certificates {
		switch {
		case claims.IssuedTime.Before(certificate.NotBefore):
			return fail(api.ReasonOutsideCertificateValidity,
				"The license was issued at %s, but certificate %s is valid from %s. Ask the vendor for another key.",
				text.Time(claims.IssuedTime), describe(certificate), text.Time(certificate.NotBefore))
		case claims.GraceEnd().After(certificate.NotAfter):
			return fail(api.ReasonOutsideCertificateValidity,
				"The grace period ends at %s, but certificate %s is valid until %s. "+
					"Ask the vendor for a shorter license or a newer signer.",
				text.Time(claims.GraceEnd()), describe(certificate), text.Time(certificate.NotAfter))
		}
	}
	return nil
}

func checkCluster(claims *license.Claims, clusterUID string) *Error {
	if clusterUID == "" || len(claims.ClusterUIDs) == 0 || slices.Contains(claims.ClusterUIDs, clusterUID) {
		return nil
	}
	return fail(api.ReasonClusterMismatch,
		"The key is for %s, but this cluster is %s (uid of kube-system). Ask the vendor for another key.",
		quoteSome(claims.ClusterUIDs), quote(clusterUID))
}

func cloneClaims(claims *license.Claims) *license.Claims {
	cloned := *claims
	cloned.Audience = slices.Clone(claims.Audience)
	cloned.Features = slices.Clone(claims.Features)
	cloned.Limits = maps.Clone(claims.Limits)
	cloned.ClusterUIDs = slices.Clone(claims.ClusterUIDs)
	return &cloned
}

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
