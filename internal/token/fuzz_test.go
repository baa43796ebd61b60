// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/pem"
	"reflect"
	"slices"
	"strings"
	"testing"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// readyReasons are the reasons that a verification may have.
var readyReasons = []string{
	api.ReasonTokenMalformed, api.ReasonAlgorithmNotAllowed, api.ReasonUntrustedCertificate, api.ReasonSignatureInvalid,
	api.ReasonClaimsInvalid, api.ReasonOutsideCertificateValidity, api.ReasonAudienceMismatch,
	api.ReasonClusterMismatch,
	api.ReasonLicenseRevoked, api.ReasonCertificateRevoked,
}

// FuzzVerify looks for panics, for messages that a condition cannot show, and for a difference between the first and
// the second look at a key. The header and the payload are also signed as they are, so that the fuzzer gets past the
// signature.
func FuzzVerify(f *testing.F) {
	w := vectorWorld(f)
	for _, path := range vectorPaths(f) {
		vector := readVector(f, path)
		parts := append(strings.SplitN(vector.Token, ".", 3), "", "")
		header, _ := strictBase64URL.DecodeString(parts[0])
		payload, _ := strictBase64URL.DecodeString(parts[1])
		f.Add(vector.Token, vector.Certificate, string(header), string(payload))
	}
	header := vectorHeader(f, w.signer, nil)
	for _, payload := range []string{
		"", "null", "{}", "[[[[", `{"exp":1e999}`, `{"exp":-0}`, `{"sub":"\ud800"}`, `{"limits":{"a":1,"a":2}}`,
		`{"aud":[[]]}`, "{\"\xff\":1}",
		strings.Replace(vectorPayload, "Initech", `\u202e`, 1),
		strings.Replace(vectorPayload, "1826928000", "9223372036854775808", 1), vectorPayload + vectorPayload,
	} {
		f.Add("..", "", header, payload)
	}
	for _, header := range []string{
		"{}", `{"alg":null}`, `{"alg":"EdDSA","x5c":[""]}`, `{"alg":"EdDSA","x5c":{}}`,
		`{"alg":"EdDSA","kid":7,"jwk":{"kty":"RSA"}}`, `{"alg":"ES256","alg":"RS256"}`,
	} {
		f.Add("a.b.c", pemOf(chainOf(w.signer)...), header, vectorPayload)
	}
	terms := w.terms(f)

	f.Fuzz(func(t *testing.T, token, certificate, header, payload string) {
		verifier := NewVerifier()
		signed := sealed(t, w.signer.key, header, payload)
		for _, token := range []string{token, signed} {
			result := Verify(token, certificate, terms, clusterUID, vectorNow)
			checkSane(t, result)
			for range 2 {
				if again := verifier.Verify(token, certificate, terms, clusterUID,
					vectorNow); !reflect.DeepEqual(answerOf(again), answerOf(result)) {
					t.Errorf("remembered: %+v, otherwise: %+v", answerOf(again), answerOf(result))
				}
			}
			_, _, _ = PeekUnverified(token, certificate)
		}
	})
}

func checkSane(t *testing.T, result Result) {
	t.Helper()
	if result.Err == nil {
		if result.Claims == nil || len(result.Chain) < 2 || !result.RecheckTime.IsZero() {
			t.Errorf("verified, but %+v", result)
		}
		return
	}
	if !slices.Contains(readyReasons, result.Err.Reason) {
		t.Errorf("unknown reason %q", result.Err.Reason)
	}
	checkMessage(t, result.Err.Message)
}

func checkMessage(t *testing.T, message string) {
	t.Helper()
	if message == "" || len(message) > maxMessageBytes || strings.ContainsFunc(message, text.IsDeceptive) ||
		!strings.HasSuffix(message, ".") {
		t.Errorf("message %q", message)
	}
}

// FuzzParseTrustAnchors looks for panics, for messages that a condition cannot show, and for anchors that were
// overlooked: what is accepted holds as many certificates as it has beginnings of blocks.
func FuzzParseTrustAnchors(f *testing.F) {
	w := vectorWorld(f)
	root := w.product.Spec.TrustAnchors
	seed := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	for _, anchors := range []string{
		"", root, root + root, "\ufeff" + root, strings.ReplaceAll(root, "\n", "\r\n"),
		strings.ReplaceAll(root, "\n", " "), root[:100], root[100:], root + "x", root + seed,
		pemOf(w.signer.certificate), "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nX: y\n\nAAAA\n-----END CERTIFICATE-----\n",
		strings.Replace(root, "-----BEGIN", "-----BEGIN CERTIFICATE-----\n-----BEGIN", 1), root + root[:len(root)-10],
	} {
		f.Add(anchors)
	}
	f.Fuzz(func(t *testing.T, anchors string) {
		parsed, err := parseAnchors(anchors)
		if err != nil {
			if message := err.Error(); parsed != nil || len(message) > maxMessageBytes ||
				strings.ContainsFunc(message, text.IsDeceptive) {
				t.Errorf("got %v, %q", parsed, message)
			}
			return
		}
		certificates, err := parseCertificates(anchors, maxTrustAnchors)
		if err != nil || len(certificates) != strings.Count(anchors, pemBegin) {
			t.Errorf("%d certificates in %q (%v)", len(certificates), anchors, err)
		}
		if again, err := parseAnchors(pemOf(certificates...)); err != nil || again.digest != parsed.digest {
			t.Errorf("encoded again: %v", err)
		}
	})
}
