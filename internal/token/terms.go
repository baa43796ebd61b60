// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// MaxTrustAnchorsBytes is the size of the largest spec.trustAnchors of a LicensedProduct that is looked at. The CRD has
// the same bound.
const MaxTrustAnchorsBytes = 65536

// maxTrustAnchors bounds the search for a chain.
const maxTrustAnchors = 64

// Terms are what a product demands of a key: the trust anchors that its chain may end in, the audience it must be
// issued for, and that it is not revoked. They do not change once made, and may be used concurrently.
type Terms struct {
	anchors             *anchors
	anyAudience         bool
	audience            string
	revokedLicenses     map[string]struct{}
	revokedCertificates map[fingerprint]struct{}
}

// NewTerms reads a product's spec. Its error says which PEM block of the trust anchors cannot be used and why: not a
// CERTIFICATE, text around the blocks, a private key, not a certificate, not a CA, an RSA key outside 2048 to 4096
// bits; or that there is no certificate, more than 64, or more than MaxTrustAnchorsBytes. Duplicates are accepted. A
// revocation that the CRD would have refused is an error too: it must not be ignored. The error's text is a fragment of
// a sentence of at most 1024 bytes.
func NewTerms(product *api.LicensedProduct) (*Terms, error) {
	return newTerms(product, parseAnchors)
}

// NewTermsFromAnchors is for inspecting a key with nothing but trust anchors: any audience is accepted, nothing is
// revoked. Errors are those of NewTerms.
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
	terms := &Terms{anchors: anchors, audience: product.Spec.Audience}
	if terms.audience == "" {
		terms.audience = product.Name
	}
	if err := terms.revoke(product.Spec.Revocations); err != nil {
		return nil, err
	}
	return terms, nil
}

func (t *Terms) revoke(revocations []api.Revocation) error {
	t.revokedLicenses = make(map[string]struct{})
	t.revokedCertificates = make(map[fingerprint]struct{})
	for i, revocation := range revocations {
		if revocation.LicenseID != "" {
			t.revokedLicenses[revocation.LicenseID] = struct{}{}
		}
		if revocation.CertificateSHA256 == "" {
			continue
		}
		revoked, err := hex.DecodeString(strings.ReplaceAll(revocation.CertificateSHA256, ":", ""))
		if err != nil || len(revoked) != sha256.Size {
			return fmt.Errorf("revocation %d has a certificateSHA256 that is not a SHA-256 in hexadecimal, as "+
				"openssl x509 -noout -fingerprint -sha256 prints it", i+1)
		}
		t.revokedCertificates[fingerprint(revoked)] = struct{}{}
	}
	return nil
}

// trusted are the anchors; the zero Terms, and nil, trust nothing.
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
	return fail(api.ReasonAudienceMismatch, "The key was issued for %s, and this product's audience is %s: ask the "+
		"vendor for a key issued for %s.",
		quoteFirst(claims.Audience), quote(t.audience), quote(t.audience))
}

func (t *Terms) checkLicenseRevocation(claims *license.Claims) *Error {
	if _, revoked := t.revokedLicenses[claims.ID]; !revoked {
		return nil
	}
	return fail(api.ReasonLicenseRevoked, "The vendor has revoked the license %s: ask the vendor for another key.",
		quote(claims.ID))
}

func (t *Terms) checkChainRevocation(chain *chain) *Error {
	for i, fingerprints := range chain.fingerprints {
		if slices.ContainsFunc(fingerprints, t.isRevoked) {
			return fail(api.ReasonCertificateRevoked,
				"The vendor has revoked the certificate %s, with which the key was signed: ask the vendor for a key "+
					"signed with another certificate.",
				describe(chain.certificates[i]))
		}
	}
	return nil
}

func (t *Terms) isRevoked(certificate fingerprint) bool {
	_, revoked := t.revokedCertificates[certificate]
	return revoked
}

// quoteFirst quotes the first few names of a list.
func quoteFirst(names []string) string {
	const shown = 3
	quoted := make([]string, 0, shown)
	for _, name := range names[:min(shown, len(names))] {
		quoted = append(quoted, quote(name))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > shown {
		text += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return text
}

// anchors are parsed trust anchors.
type anchors struct {
	// pool holds copies without a validity period: chains are built whatever the time.
	pool *x509.CertPool
	// originals are the certificates as they were given.
	originals map[fingerprint]*x509.Certificate
	// digest identifies the anchors and their order.
	digest digest
}

// noAnchors are what Terms trust that nobody made.
var noAnchors = &anchors{pool: x509.NewCertPool()}

// anchorParser reads trust anchors in PEM.
type anchorParser func(pem string) (*anchors, error)

func parseAnchors(pem string) (*anchors, error) {
	if len(pem) > MaxTrustAnchorsBytes {
		return nil, fmt.Errorf("they are larger than %d bytes", MaxTrustAnchorsBytes)
	}
	certificates, err := parseCertificates(pem, maxTrustAnchors)
	if err != nil {
		return nil, err
	}
	parsed := &anchors{pool: x509.NewCertPool(), originals: make(map[fingerprint]*x509.Certificate, len(certificates))}
	content := newHasher()
	for i, certificate := range certificates {
		if err := checkAnchor(certificate); err != nil {
			return nil, fmt.Errorf("block %d, certificate %s, %w", i+1, describe(certificate), err)
		}
		parsed.pool.AddCert(timeless(certificate))
		parsed.originals[fingerprintOf(certificate)] = certificate
		content.bytes(certificate.Raw)
	}
	parsed.digest = content.sum()
	return parsed, nil
}

func checkAnchor(certificate *x509.Certificate) error {
	if err := checkAuthority(certificate); err != nil {
		return err
	}
	return checkKeySize(certificate)
}
