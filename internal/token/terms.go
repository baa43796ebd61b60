// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// MaxTrustAnchorsBytes is the maximum size of spec.trustAnchors of a LicensedProduct. The CRD has the same bound.
const MaxTrustAnchorsBytes = 65536

// maxTrustAnchors bounds the search for a chain.
const maxTrustAnchors = 64

// Terms are what a product requires of a key: a chain to one of its trust anchors, its audience, and that nothing is
// revoked. They are immutable and may be used concurrently.
type Terms struct {
	anchors             *anchors
	anyAudience         bool
	audience            string
	revokedLicenses     sets.Set[string]
	revokedCertificates sets.Set[fingerprint]
}

// NewTerms reads a product's spec. Its error is part of a sentence of at most 1024 bytes. It says which PEM block of
// the trust anchors is invalid and why: text around the blocks, not a certificate, a private key, not a CA, an RSA key
// outside 2048 to 4096 bits. Or it says that certificates are missing, that there are more than 64, or that the text is
// larger than MaxTrustAnchorsBytes. Duplicates are accepted. An invalid revocation is an error too, since it must not
// be ignored.
func NewTerms(product *api.LicensedProduct) (*Terms, error) { return newTerms(product, parseAnchors) }

// NewTermsFromAnchors returns terms with trust anchors only: they accept any audience and revoke nothing. Errors are
// those of NewTerms.
func NewTermsFromAnchors(pem string) (*Terms, error) {
	anchors, err := parseAnchors(pem)
	if err != nil {
		return nil, err
	}
	return &Terms{anchors: anchors, anyAudience: true}, nil
}

func newTerms(product *api.LicensedProduct, parse anchorParser) (*Terms, error) {
	anchors, err := parse(product.Spec.TrustAnchors)
	if err != nil {
		return nil, err
	}
	terms := &Terms{
		anchors: anchors, audience: cmp.Or(product.Spec.Audience, product.Name),
		revokedLicenses: sets.New[string](), revokedCertificates: sets.New[fingerprint](),
	}
	for i, revocation := range product.Spec.Revocations {
		if revocation.LicenseID != "" {
			terms.revokedLicenses.Insert(revocation.LicenseID)
		}
		if revocation.CertificateSHA256 == "" {
			continue
		}
		revoked, err := hex.DecodeString(strings.ReplaceAll(revocation.CertificateSHA256, ":", ""))
		if err != nil || len(revoked) != sha256.Size {
			return nil, fmt.Errorf("certificateSHA256 of revocation %d is not a SHA-256 fingerprint in hexadecimal "+
				"(openssl x509 -noout -fingerprint -sha256)", i+1)
		}
		terms.revokedCertificates.Insert(fingerprint(revoked))
	}
	return terms, nil
}

// trusted returns the anchors. Zero and nil Terms trust nothing.
func (t *Terms) trusted() *anchors {
	if t == nil || t.anchors == nil {
		return noAnchors
	}
	return t.anchors
}

func (t *Terms) checkAudience(claims *license.Claims) *Error {
	if t.anyAudience || slices.Contains(claims.Audience, t.audience) {
		return nil
	}
	return fail(api.ReasonAudienceMismatch,
		"The key is for %s, but the product's audience is %s. Ask the vendor for a key for this product.",
		quoteSome(claims.Audience), quote(t.audience))
}

func (t *Terms) checkLicenseRevocation(claims *license.Claims) *Error {
	if !t.revokedLicenses.Has(claims.ID) {
		return nil
	}
	return fail(api.ReasonLicenseRevoked, "The vendor revoked license %s. Ask the vendor for another key.",
		quote(claims.ID))
}

func (t *Terms) checkChainRevocation(chain *chain) *Error {
	for i, fingerprints := range chain.fingerprints {
		if t.revokedCertificates.HasAny(fingerprints...) {
			return fail(api.ReasonCertificateRevoked,
				"The vendor revoked certificate %s in the key's chain. Ask the vendor for a key from another signer.",
				describe(chain.certificates[i]))
		}
	}
	return nil
}

// anchors are parsed trust anchors.
type anchors struct {
	// pool has copies without a validity period, since chains are built at any time.
	pool *x509.CertPool
	// originals are the certificates as given.
	originals map[fingerprint]*x509.Certificate
	// digest identifies the anchors and their order.
	digest digest
}

// noAnchors are those of zero Terms.
var noAnchors = &anchors{pool: x509.NewCertPool()}

// anchorParser reads trust anchors in PEM.
type anchorParser func(pem string) (*anchors, error)

func parseAnchors(pem string) (*anchors, error) {
	if len(pem) > MaxTrustAnchorsBytes {
		return nil, fmt.Errorf("larger than %d bytes", MaxTrustAnchorsBytes)
	}
	certificates, err := parseCertificates(pem, maxTrustAnchors)
	if err != nil {
		return nil, err
	}
	parsed := &anchors{pool: x509.NewCertPool(), originals: make(map[fingerprint]*x509.Certificate, len(certificates))}
	var raw [][]byte
	for i, certificate := range certificates {
		if err := cmp.Or(checkAuthority(certificate), checkKeySize(certificate)); err != nil {
			return nil, fmt.Errorf("block %d, certificate %s, %w", i+1, describe(certificate), err)
		}
		parsed.pool.AddCert(withoutValidity(certificate))
		parsed.originals[fingerprintOf(certificate)] = certificate
		raw = append(raw, certificate.Raw)
	}
	parsed.digest = digestOf(raw...)
	return parsed, nil
}
