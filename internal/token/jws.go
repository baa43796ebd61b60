// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/base64"
	"strings"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// MaxTokenBytes is the size of the largest token that is looked at, white space around it excluded. The CRD has the
// same bound.
const MaxTokenBytes = 16384

// Members of the JOSE header (RFC 7515, section 4.1; RFC 7797 for b64). The values of all others are ignored, of kid,
// jwk, jku and x5u too.
const (
	headerAlgorithm = "alg"
	headerType      = "typ"
	headerChain     = "x5c"
	headerCritical  = "crit"
	headerBase64    = "b64"
)

// compactJWS is a token taken apart (RFC 7515, section 7.1); nothing of it has been verified.
type compactJWS struct {
	// token is the whole, without white space around it.
	token     string
	algorithm string
	header    map[string]any
	payload   []byte
}

// strictBase64URL refuses the encodings that differ from the one that an encoder makes, so that a token has one
// spelling.
var strictBase64URL = base64.RawURLEncoding.Strict()

// parseCompact takes a token apart. All its errors are TokenMalformed.
func parseCompact(token string) (*compactJWS, *Error) {
	token = strings.TrimSpace(token)
	if err := checkShape(token); err != nil {
		return nil, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, malformed("The token is not a compact JWS, which has three parts with a dot between them; it " +
			"may have been truncated")
	}
	decoded := make([][]byte, len(parts))
	for i, name := range []string{"header", "payload", "signature"} {
		if parts[i] == "" {
			return nil, malformed("The token's " + name + " is empty")
		}
		var err error
		if decoded[i], err = strictBase64URL.DecodeString(parts[i]); err != nil {
			return nil,
				malformed("The token's " + name +
					" is not base64url without padding; it may have been truncated or altered")
		}
	}
	header, err := decodeObject(decoded[0])
	if err != nil {
		return nil, malformed("The token's header " + err.Error())
	}
	algorithm, failure := checkHeader(header)
	if failure != nil {
		return nil, failure
	}
	return &compactJWS{
		token:     token,
		algorithm: algorithm,
		header:    header,
		payload:   decoded[1],
	}, nil
}

// checkShape looks at a token from the outside only, so that it costs little however large the token is.
func checkShape(token string) *Error {
	switch {
	case token == "":
		return malformed("The token is empty")
	case len(token) > MaxTokenBytes:
		return fail(api.ReasonTokenMalformed,
			"The token is larger than %d bytes: apply the key exactly as the vendor issued it.", MaxTokenBytes)
	case strings.ContainsAny(token, " \t\r\n"):
		return malformed("The token has white space or line breaks inside, as mail programs insert")
	default:
		return nil
	}
}

// checkHeader returns the algorithm. Extensions are refused, as RFC 7515, section 4.1.11, demands of a reader that
// understands none.
func checkHeader(header map[string]any) (string, *Error) {
	for _, name := range []string{headerCritical, headerBase64} {
		if _, present := header[name]; present {
			return "", fail(api.ReasonTokenMalformed,
				"The token's header has the member %s, which license keys never have: ask the vendor for a key in "+
					"the documented format.", name)
		}
	}
	algorithm, ok := header[headerAlgorithm].(string)
	if !ok {
		return "", fail(api.ReasonTokenMalformed,
			"The token's header has no member alg that is a string: ask the vendor for a key in the documented format.")
	}
	return algorithm, nil
}

func malformed(what string) *Error {
	return fail(api.ReasonTokenMalformed, "%s: apply the key exactly as the vendor issued it.", what)
}
