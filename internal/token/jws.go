// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/base64"
	"strings"

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
