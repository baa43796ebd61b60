// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// MaxTokenBytes is the maximum size of a token, white space around it excluded. The CRD has the same bound.
const MaxTokenBytes = 16384

// Members of the JOSE header (RFC 7515, section 4.1; RFC 7797 for b64). All others are ignored, such as kid, jwk, jku
// and x5u.
const (
	headerAlgorithm = "alg"
	headerChain     = "x5c"
	headerCritical  = "crit"
	headerBase64    = "b64"
)

// compactJWS has the parts of a token (RFC 7515, section 7.1). None of them is verified.
type compactJWS struct {
	// token is the whole token without white space around it.
	token     string
	algorithm string
	header    map[string]any
	payload   []byte
}

// strictBase64URL rejects all encodings but the canonical one, so that a token can be written in one way only.
var strictBase64URL = base64.RawURLEncoding.Strict()

// parseCompact splits and decodes a token. All its errors are TokenMalformed.
func parseCompact(token string) (*compactJWS, *Error) {
	token = strings.TrimSpace(token)
	if err := checkShape(token); err != nil {
		return nil, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, malformed("The token does not have three parts separated by dots. It may be truncated")
	}
	decoded := make([][]byte, len(parts))
	for i, name := range []string{"header", "payload", "signature"} {
		if parts[i] == "" {
			return nil, malformed("The token's %s is empty", name)
		}
		var err error
		if decoded[i], err = strictBase64URL.DecodeString(parts[i]); err != nil {
			return nil, malformed("The token's %s is not unpadded base64url. It may be truncated or altered", name)
		}
	}
	header, err := decodeObject(decoded[0])
	if err != nil {
		return nil, malformed("The token's header %v", err)
	}
	algorithm, failure := checkHeader(header)
	if failure != nil {
		return nil, failure
	}
	return &compactJWS{token: token, algorithm: algorithm, header: header, payload: decoded[1]}, nil
}

// checkShape checks what costs little, however large the token is.
func checkShape(token string) *Error {
	switch {
	case token == "":
		return malformed("The token is empty")
	case len(token) > MaxTokenBytes:
		return malformed("The token is larger than %d bytes", MaxTokenBytes)
	case strings.ContainsAny(token, " \t\r\n"):
		return malformed("The token contains white space, such as line breaks that a mail program inserted")
	default:
		return nil
	}
}

// checkHeader returns the algorithm. It rejects extensions, since it supports none (RFC 7515, section 4.1.11).
func checkHeader(header map[string]any) (string, *Error) {
	for _, name := range []string{headerCritical, headerBase64} {
		if _, present := header[name]; present {
			return "", undocumented("The token's header contains %s, which license keys do not support", name)
		}
	}
	algorithm, ok := header[headerAlgorithm].(string)
	if !ok {
		return "", undocumented("The token's header has no alg, or one that is not a string")
	}
	return algorithm, nil
}

// malformed is for tokens that were probably damaged on the way.
func malformed(format string, args ...any) *Error {
	return fail(api.ReasonTokenMalformed, format+". Apply the key exactly as the vendor issued it.", args...)
}

// undocumented is for tokens that were not issued in the documented format.
func undocumented(format string, args ...any) *Error {
	return fail(api.ReasonTokenMalformed, format+". Ask the vendor for a key in the documented format.", args...)
}

// maxNesting bounds the nesting of objects and arrays in a header or in claims. Nothing that is read is nested deeper
// than 2.
const maxNesting = 16

var errNesting = fmt.Errorf("is nested deeper than %d levels", maxNesting)

// readValues keeps numbers as they are written and bounds the nesting.
var readValues = json.WithUnmarshalers(json.UnmarshalFromFunc(func(decoder *jsontext.Decoder, value *any) error {
	switch kind := decoder.PeekKind(); {
	case kind == '0':
		*value = jsontext.Value(nil)
	case (kind == '{' || kind == '[') && decoder.StackDepth() >= maxNesting:
		return errNesting
	}
	return errors.ErrUnsupported // Continue as without this function.
}))

// decodeObject reads one JSON object (RFC 8259) into string, bool, nil, []any, map[string]any and jsontext.Value for
// numbers. The library rejects what two readers may understand differently: a name that occurs twice in an object at
// any level, invalid UTF-8 and half a surrogate pair. Errors complete a sentence that begins with what was read. They
// omit the library's error, which may quote the token.
func decodeObject(raw []byte) (map[string]any, error) {
	var value any
	if err := json.Unmarshal(raw, &value, readValues); err != nil {
		var syntax *jsontext.SyntacticError
		switch {
		case errors.Is(err, errNesting):
			return nil, errNesting
		case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
			return nil, fmt.Errorf("has the member %s twice", quote(syntax.JSONPointer.LastToken()))
		default:
			return nil, errors.New("is not valid JSON")
		}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return object, nil
}

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
