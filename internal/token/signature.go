// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Bounds of RSA keys in bits: shorter ones are weak, longer ones make the verifier work.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// algorithms is the allow-list of signature algorithms (RFC 7518, RFC 8037).
var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256}

// algorithmOf is the one algorithm that a public key may sign tokens with; empty where there is none. The key decides,
// not the token: a token cannot turn a public key into the secret of an HMAC, or choose a weaker padding.
func algorithmOf(key crypto.PublicKey) jose.SignatureAlgorithm {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return jose.EdDSA
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return jose.ES256
		}
	case *rsa.PublicKey:
		return jose.RS256
	}
	return ""
}

// describeKey names a kind of key in messages.
func describeKey(key crypto.PublicKey) string {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA of %d bits", key.N.BitLen())
	default:
		return "of an unsupported type"
	}
}

// checkAlgorithm is the part of the step that needs the token alone.
func checkAlgorithm(algorithm string) *Error {
	for _, allowed := range algorithms {
		if algorithm == string(allowed) {
			return nil
		}
	}
	return fail(api.ReasonAlgorithmNotAllowed,
		"The token's algorithm %s is not allowed, only EdDSA (Ed25519), ES256 and RS256 are: ask the vendor for a "+
			"key signed with one of these.", quote(algorithm))
}

// checkKeyFits is the part of the step that needs the signer's key.
func checkKeyFits(algorithm string, key crypto.PublicKey) *Error {
	if fitting := algorithmOf(key); string(fitting) != algorithm {
		return fail(api.ReasonAlgorithmNotAllowed,
			"The token's algorithm %s does not fit its signer's key, which is %s: ask the vendor for a key signed "+
				"with the algorithm of the signer's certificate.",
			quote(algorithm), describeKey(key))
	}
	return nil
}

// parseForVerification hands the token to go-jose. That reads the whole header once more, the members that are ignored
// too: one that is not what RFC 7515 says it is makes the token malformed here.
func parseForVerification(jws *compactJWS) (*jose.JSONWebSignature, *Error) {
	signed, err := jose.ParseSignedCompact(jws.token, algorithms)
	if err != nil {
		return nil, fail(api.ReasonTokenMalformed,
			"The token's header has a member (kid, jwk, nonce or the like) that is not of the form RFC 7515 "+
				"demands: ask the vendor for a key in the documented format.")
	}
	return signed, nil
}

// checkSignature is the signature check of RFC 7515, section 5.2, and returns the payload that the signature covers.
// The key fits the algorithm.
func checkSignature(signed *jose.JSONWebSignature, key crypto.PublicKey) ([]byte, *Error) {
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, fail(api.ReasonSignatureInvalid,
			"The token's signature is not that of its signer's certificate: the key was altered, or comes with "+
				"another key's certificate. Apply it exactly as the vendor issued it.")
	}
	return payload, nil
}
