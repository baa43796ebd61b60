// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// tokensToVerify is how many different tokens of one signer the benchmarks go through.
const tokensToVerify = 64

// benchmarkKeys are keys as kubectl license issue makes them.
func benchmarkKeys(b *testing.B) (keys []string, signer *Signer, terms *Terms) {
	b.Helper()
	authority, err := NewAuthority("Acme", now.Add(-365*day))
	if err != nil {
		b.Fatal(err)
	}
	signer, err = authority.NewSigner("Acme License Signer", now.Add(-365*day))
	if err != nil {
		b.Fatal(err)
	}
	w := &world{product: productWith(&entity{certificate: authority.chain[0]})}
	for i := range tokensToVerify {
		claims := w.claims()
		claims.ID = fmt.Sprintf("2026-%04d", i)
		key, err := signer.Sign(claims)
		if err != nil {
			b.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys, signer, w.terms(b)
}

func verified(b *testing.B, result Result) {
	b.Helper()
	if result.Err != nil {
		b.Fatal(result.Err)
	}
}

func reportRate(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verifications/s")
}

// BenchmarkBareEd25519 is the least that any verification costs: the signature over the same tokens.
func BenchmarkBareEd25519(b *testing.B) {
	keys, signer, _ := benchmarkKeys(b)
	public := signer.key.Public().(ed25519.PublicKey)
	var inputs, signatures [][]byte
	for _, key := range keys {
		dot := strings.LastIndexByte(key, '.')
		signature, err := base64.RawURLEncoding.DecodeString(key[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		inputs, signatures = append(inputs, []byte(key[:dot])), append(signatures, signature)
	}
	b.ResetTimer()
	for i := range b.N {
		if !ed25519.Verify(public, inputs[i%len(inputs)], signatures[i%len(inputs)]) {
			b.Fatal("signature does not verify")
		}
	}
	reportRate(b)
}

// BenchmarkVerifyEd25519 is a new key of a known signer, the usual case: each token is verified in full, while the
// chain is remembered.
func BenchmarkVerifyEd25519(b *testing.B) {
	keys, _, terms := benchmarkKeys(b)
	verifier := NewVerifier()
	verified(b, verifier.Verify(keys[0], "", terms, clusterUID, now))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		verifier.results.Clear()
		verified(b, verifier.Verify(keys[i%len(keys)], "", terms, clusterUID, now))
	}
	reportRate(b)
}

// BenchmarkVerifyEd25519NewSigner is the first key of a signer: the chain is built too.
func BenchmarkVerifyEd25519NewSigner(b *testing.B) {
	keys, _, terms := benchmarkKeys(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		verified(b, Verify(keys[i%len(keys)], "", terms, clusterUID, now))
	}
	reportRate(b)
}

// BenchmarkVerifyRemembered is a second look at a key that has not changed: every reconcile but the first.
func BenchmarkVerifyRemembered(b *testing.B) {
	keys, _, terms := benchmarkKeys(b)
	verifier := NewVerifier()
	for _, key := range keys {
		verified(b, verifier.Verify(key, "", terms, clusterUID, now))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		verified(b, verifier.Verify(keys[i%len(keys)], "", terms, clusterUID, now))
	}
	reportRate(b)
}
