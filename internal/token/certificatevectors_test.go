// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"testing"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// vectorRoot is a root with a published key.
func vectorRoot(t testing.TB, kind string) *entity {
	t.Helper()
	template := vectorTemplate(1, 20, caTemplate("Acme License Root CA"))
	template.MaxPathLenZero, template.MaxPathLen = false, -1
	switch kind {
	case "P-256":
		return newEntity(t, nil, deterministic{vectorECDSAKey(t)}, template)
	case "RSA":
		return newEntity(t, nil, publishedRSAKey(t), template)
	default:
		return vectorWorld(t).root
	}
}

// vectorSigner is a signer whose certificate has a variant.
func vectorSigner(t testing.TB, root *entity, variant variant) (signer *entity, der []byte) {
	t.Helper()
	const attempts = 2000
	for serialNumber := int64(2); serialNumber < attempts; serialNumber++ {
		signer = newEntity(t, root, ed25519.NewKeyFromSeed(fromHex(t, vectorSignerSeed)),
			vectorTemplate(serialNumber, 10, signerTemplate("Acme License Signer")))
		if der := variant.make(partsOf(t, signer.certificate), root.key.Public()); der != nil {
			return signer, der
		}
	}
	t.Fatalf("no certificate has the variant %s", variant.name)
	return nil, nil
}

// certificateVector presents the subject of a chain in an encoding.
func certificateVector(t testing.TB, test *chainTest, der []byte, description, reason string) vector {
	t.Helper()
	token, certificate := test.present(t, der, vectorPayload)
	made := vector{
		Description: description, Token: token, Certificate: certificate, TrustAnchors: pemOf(test.root.certificate),
		Audience: "acme-mesh", ClusterUID: clusterUID, Now: vectorNow, Reason: reason,
	}
	if reason == api.ReasonVerified {
		made.Payload = json.RawMessage(vectorPayload)
	}
	return made
}

func (v vector) revoking(der []byte) vector {
	v.Revocations = []api.Revocation{{CertificateSHA256: CertificateSHA256(der)}}
	return v
}

// buildCertificateVectors are those with certificates that someone has encoded in another way, without the key of their
// issuer. The certificate as it was issued is revoked: a lenient verifier would not notice, and accept the key.
func buildCertificateVectors(t *testing.T) map[string]vector {
	t.Helper()
	vectors := map[string]vector{}
	for kind, variants := range map[string][]variant{
		"Ed25519": slices.Concat(anyVariants, ed25519Variants), "P-256": ecdsaVariants, "RSA": rsaVariants,
	} {
		root := vectorRoot(t, kind)
		for _, variant := range variants {
			signer, der := vectorSigner(t, root, variant)
			test := &chainTest{root: root, subject: signer, signer: signer, inX5C: true}
			vectors["certificate-"+variant.name] = certificateVector(t, test, der,
				variant.description+"; the certificate is revoked", variant.reason).revoking(signer.certificate.Raw)
		}
	}
	root := vectorRoot(t, "Ed25519")
	signer, der := vectorSigner(t, root, variantNamed(t, anyVariants, "appended-after"))
	inPEM := &chainTest{root: root, subject: signer, signer: signer}
	vectors["certificate-appended-after-pem"] = certificateVector(t, inPEM, der,
		"a byte after the certificate in a PEM block of spec.certificate; the certificate is revoked",
		api.ReasonUntrustedCertificate).revoking(signer.certificate.Raw)
	addOtherSVectors(t, vectors)
	return vectors
}

// addOtherSVectors adds those that take (r, s) and (r, n-s) for the same certificate.
func addOtherSVectors(t *testing.T, vectors map[string]vector) {
	t.Helper()
	const name = "ecdsa-other-s"
	root, variant := vectorRoot(t, "P-256"), variantNamed(t, ecdsaVariants, name)
	signer, der := vectorSigner(t, root, variant)
	test := &chainTest{root: root, subject: signer, signer: signer, inX5C: true}
	vectors["certificate-"+name+"-unrevoked"] = certificateVector(t, test, der,
		"(r, n-s) instead of (r, s) as the certificate's signature; nothing is revoked", api.ReasonVerified)
	vectors["certificate-"+name+"-listed"] = certificateVector(t, test, signer.certificate.Raw,
		"the certificate as issued; its form with (r, n-s) instead of (r, s) is revoked",
		api.ReasonCertificateRevoked).revoking(der)

	issuing := newEntity(t, root, ed25519.NewKeyFromSeed(fromHex(t, vectorIssuingSeed)),
		vectorTemplate(2, 15, caTemplate("Acme License Issuing CA")))
	below := newEntity(t, issuing, ed25519.NewKeyFromSeed(fromHex(t, vectorSignerSeed)),
		vectorTemplate(3, 10, signerTemplate("Acme License Signer")))
	inPEM := &chainTest{root: root, subject: issuing, signer: below}
	vectors["certificate-"+name+"-ca"] = certificateVector(t, inPEM,
		variant.make(partsOf(t, issuing.certificate), root.key.Public()),
		"(r, n-s) instead of (r, s) as the signature of a CA in spec.certificate; the CA is revoked",
		api.ReasonCertificateRevoked).revoking(issuing.certificate.Raw)
}

func variantNamed(t testing.TB, variants []variant, name string) variant {
	t.Helper()
	for _, variant := range variants {
		if variant.name == name {
			return variant
		}
	}
	t.Fatalf("no variant %s", name)
	return variant{}
}
