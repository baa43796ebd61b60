// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/license-operator/license-operator/internal/cli/clitest"
)

// forged is a manifest whose token has only another customer, with control characters for the terminal.
func forged(t *testing.T, manifest string) string {
	t.Helper()
	genuine := clitest.SomeToken.FindString(manifest)
	parts := strings.Split(genuine, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	payload = []byte(strings.ReplaceAll(string(payload), "Example GmbH", "Mallory\u200b & Søns"))
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.ReplaceAll(manifest, genuine, strings.Join(parts, "."))
}

// unsigned is a token with these claims and an invalid signature.
func unsigned(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"EdDSA"}`)) + "." + encode([]byte(claims)) + "." + encode(make([]byte, 64))
}
