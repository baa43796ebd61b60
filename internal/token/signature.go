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
	"slices"

	"github.com/go-jose/go-jose/v4"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Bounds of RSA keys in bits. Shorter keys are weak, longer ones make verification slow.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// algorithms are the allowed signature algorithms (RFC 7518, RFC 8037).
var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256}

// algorithmOf returns the only algorithm that tokens may be signed with by a key; empty if there is none. The key
// decides and not the token, so that no token can use a public key as the secret of an HMAC, or choose a weaker
// padding.
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

// describeKey returns the type of a key for messages.
func describeKey(key crypto.PublicKey) string {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	default:
		return "unsupported type"
	}
}

// checkAlgorithm is the part of the step that depends on the token only.
func checkAlgorithm(algorithm string) *Error {
	if slices.Contains(algorithms, jose.SignatureAlgorithm(algorithm)) {
		return nil
	}
	return fail(api.ReasonAlgorithmNotAllowed,
		"Algorithm %s is not allowed. Ask the vendor for a key signed with EdDSA (Ed25519), ES256 or RS256.",
		quote(algorithm))
}

// checkKeyType is the part of the step that depends on the signer's key.
func checkKeyType(algorithm string, key crypto.PublicKey) *Error {
	if string(algorithmOf(key)) != algorithm {
		return fail(api.ReasonAlgorithmNotAllowed, "Algorithm %s does not match the signer's key (%s). Ask the vendor "+
			"for another key.", quote(algorithm), describeKey(key))
	}
	return nil
}

// parseForVerification parses the token with go-jose. Unlike parseCompact, this checks all members that RFC 7515
// defines.
func parseForVerification(jws *compactJWS) (*jose.JSONWebSignature, *Error) {
	signed, err := jose.ParseSignedCompact(jws.token, algorithms)
	if err != nil {
		return nil, undocumented("The token's header has an invalid member, such as kid, jwk or nonce (RFC 7515)")
	}
	return signed, nil
}

// checkSignature verifies the signature (RFC 7515, section 5.2) and returns the signed payload. The key has the type
// that the algorithm needs.
func checkSignature(signed *jose.JSONWebSignature, key crypto.PublicKey) ([]byte, *Error) {
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, fail(api.ReasonSignatureInvalid,
			"Invalid signature: the key was altered, or its certificate belongs to another key. "+
				"Apply the key exactly as the vendor issued it.")
	}
	return payload, nil
}
