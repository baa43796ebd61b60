// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/x509"
	"maps"
	"slices"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// Result of a verification. It belongs to the caller, certificates excepted, which are shared and must not be changed.
type Result struct {
	// Claims of the key: set as soon as signature and claims hold, even if Err is set by a later step.
	Claims *license.Claims
	// Err is nil if the key verifies.
	Err *Error
	// RecheckTime is the instant from which a failure that time alone causes is over: a time of issue too far ahead.
	// Zero for all others.
	RecheckTime time.Time
	// Chain is the certificates from the signer to the trust anchor; set as soon as the chain holds, even if Err is set
	// by a later step.
	Chain []*x509.Certificate
}

// Verify verifies a token without remembering anything. The certificate is spec.certificate of the key, empty if it has
// none. An empty clusterUID is for those who do not know the cluster: any is accepted. Terms come from NewTerms or
// NewTermsFromAnchors.
func Verify(token, certificate string, terms *Terms, clusterUID string, now time.Time) Result {
	return examine(token, certificate, terms.trusted(), newSigner).judge(terms, clusterUID, now)
}

// finding is the outcome of the steps that depend on the token, its certificates and the trust anchors alone.
type finding struct {
	// claims are set unless err is.
	claims *license.Claims
	// chains to trust anchors, one or more once the chain holds.
	chains []*chain
	err    *Error
}

// examiner goes through the steps up to the claims.
type examiner func(token, certificate string, anchors *anchors, newSigner signerSource) *finding

func examine(token, certificate string, anchors *anchors, newSigner signerSource) *finding {
	jws, err := parseCompact(token)
	if err != nil {
		return &finding{err: err}
	}
	if err := checkAlgorithm(jws.algorithm); err != nil {
		return &finding{err: err}
	}
	presentation, err := presented(certificate, jws.header)
	if err != nil {
		return &finding{err: err}
	}
	signer := newSigner(presentation, anchors)
	if signer.readable {
		if err := checkKeyFits(jws.algorithm, signer.key); err != nil {
			return &finding{err: err}
		}
	}
	if signer.err != nil {
		return &finding{err: signer.err}
	}
	signed, err := parseForVerification(jws)
	if err != nil {
		return &finding{err: err}
	}
	payload, err := checkSignature(signed, signer.key)
	if err != nil {
		return &finding{chains: signer.chains, err: err}
	}
	claims, err := parseClaims(payload)
	return &finding{claims: claims, chains: signer.chains, err: err}
}

// judge goes through the steps from the time on. The finding may be shared, the result is the caller's.
func (f *finding) judge(terms *Terms, clusterUID string, now time.Time) Result {
	var result Result
	if len(f.chains) > 0 {
		result.Chain = slices.Clone(f.chains[0].certificates)
	}
	if f.err != nil {
		failure := *f.err
		result.Err = &failure
		return result
	}
	if result.Err, result.RecheckTime = checkIssued(f.claims, now); result.Err != nil {
		return result
	}
	result.Claims = cloneClaims(f.claims)
	var chosen *chain
	chosen, result.Err = terms.choose(f.chains, f.claims, clusterUID)
	result.Chain = slices.Clone(chosen.certificates)
	return result
}

// choose returns the first chain under which the claims meet the terms, or the error of the first chain that got
// furthest.
func (t *Terms) choose(chains []*chain, claims *license.Claims, clusterUID string) (*chain, *Error) {
	nested := slices.DeleteFunc(slices.Clone(chains), func(chain *chain) bool {
		return checkNesting(chain, claims) !=
			nil
	})
	if len(nested) == 0 {
		return chains[0], checkNesting(chains[0], claims)
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

// checkNesting demands that the license was issued and ends within the validity of every certificate, so that whoever
// finds an old signing key cannot issue anything with it.
func checkNesting(chain *chain, claims *license.Claims) *Error {
	for _, certificate := range chain.certificates {
		switch {
		case claims.IssuedTime.Before(certificate.NotBefore):
			return fail(api.ReasonOutsideCertificateValidity,
				"The license was issued at %s, before the certificate %s of its chain began: that is valid from %s "+
					"to %s. Ask the vendor for a key issued within that time.",
				instant(claims.IssuedTime), describe(certificate), instant(certificate.NotBefore),
				instant(certificate.NotAfter))
		case claims.GraceEnd().After(certificate.NotAfter):
			return fail(api.ReasonOutsideCertificateValidity,
				"The license and its grace period end at %s, after the certificate %s of its chain: that is valid "+
					"from %s to %s. "+
					"Ask the vendor for a key that ends earlier or is signed with a newer certificate.",
				instant(claims.GraceEnd()), describe(certificate), instant(certificate.NotBefore),
				instant(certificate.NotAfter))
		}
	}
	return nil
}

func checkCluster(claims *license.Claims, clusterUID string) *Error {
	if clusterUID == "" || len(claims.ClusterUIDs) == 0 || slices.Contains(claims.ClusterUIDs, clusterUID) {
		return nil
	}
	return fail(api.ReasonClusterMismatch,
		"The key was issued for another cluster, %s, and this one is %s (uid of the namespace kube-system): ask the "+
			"vendor for a key issued for this cluster.",
		quoteFirst(claims.ClusterUIDs), quote(clusterUID))
}

func cloneClaims(claims *license.Claims) *license.Claims {
	cloned := *claims
	cloned.Audience = slices.Clone(claims.Audience)
	cloned.Features = slices.Clone(claims.Features)
	cloned.Limits = maps.Clone(claims.Limits)
	cloned.ClusterUIDs = slices.Clone(claims.ClusterUIDs)
	return &cloned
}
