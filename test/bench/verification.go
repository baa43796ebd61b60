// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

const (
	// tokenCount is more than a verifier remembers, so that going through the tokens in turn finds none of them
	// remembered.
	tokenCount = 10_000
	// rememberedCount is few enough to be remembered.
	rememberedCount = 1_000
	// rounds are taken in turn, so that whatever else the machine does hits all that is compared; the median of each
	// counts.
	rounds = 7

	verificationTarget = 3.0
)

// vendor is one who can issue keys.
type vendor struct {
	anchor string
	signer *token.Signer
}

func newVendor(now time.Time) (*vendor, error) {
	authority, err := token.NewAuthority("Acme", now)
	if err != nil {
		return nil, err
	}
	signer, err := authority.NewSigner("Acme License Signer", now)
	if err != nil {
		return nil, err
	}
	chain := signer.Chain()
	anchor := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw})
	return &vendor{anchor: string(anchor), signer: signer}, nil
}

func (v *vendor) claims(id, product string, issued, expiry time.Time, grace time.Duration) *license.Claims {
	return &license.Claims{
		ID: id, Customer: "Example GmbH", Issuer: "Acme", Audience: []string{product},
		IssuedTime: issued, Expiry: expiry, GracePeriod: grace,
		Features: []string{"federation", "egress-gateway"}, Limits: map[string]int64{"nodes": 100},
	}
}

// signed is a token, and what of it the bare signature check needs.
type signed struct {
	token     string
	input     []byte
	signature []byte
}

func (v *vendor) issueMany(now time.Time) ([]signed, error) {
	tokens := make([]signed, tokenCount)
	for i := range tokens {
		jws, err := v.signer.Sign(v.claims(fmt.Sprintf("acme-2026-%05d", i), "acme", now, now.Add(365*24*time.Hour),
			30*24*time.Hour))
		if err != nil {
			return nil, err
		}
		dot := strings.LastIndexByte(jws, '.')
		signature, err := base64.RawURLEncoding.DecodeString(jws[dot+1:])
		if err != nil {
			return nil, err
		}
		tokens[i] = signed{token: jws, input: []byte(jws[:dot]), signature: signature}
	}
	return tokens, nil
}

// benchVerification compares what the operator does to verify a key with the signature check that is the least it could
// do.
func benchVerification(ctx context.Context, _ settings, out io.Writer) error {
	say("Issuing %s keys and verifying them", number(tokenCount))
	now := time.Now().UTC().Truncate(time.Second)
	acme, err := newVendor(now)
	if err != nil {
		return err
	}
	tokens, err := acme.issueMany(now)
	if err != nil {
		return err
	}
	terms, err := token.NewTermsFromAnchors(acme.anchor)
	if err != nil {
		return err
	}
	verifier := token.NewVerifier()
	verify := func(s signed) error {
		if result := verifier.Verify(s.token, "", terms, "", now); result.Err != nil {
			return result.Err
		}
		return nil
	}
	public, ok := acme.signer.Chain()[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return errors.New("the signer's key is not Ed25519")
	}
	bare := func(s signed) error {
		if !ed25519.Verify(public, s.input, s.signature) {
			return errors.New("a signature does not verify")
		}
		return nil
	}
	var bareTimes, newTimes, rememberedTimes []time.Duration
	for range rounds {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		err := errors.Join(
			timeEach(&bareTimes, tokens, bare),
			timeEach(&newTimes, tokens, verify),
			// The last of them are remembered now.
			timeEach(&rememberedTimes, tokens[tokenCount-rememberedCount:], verify),
		)
		if err != nil {
			return err
		}
	}
	return verificationTable(out, median(bareTimes), median(newTimes), median(rememberedTimes))
}

// timeEach appends how long one call takes on average.
func timeEach(times *[]time.Duration, tokens []signed, do func(signed) error) error {
	start := time.Now()
	for _, s := range tokens {
		if err := do(s); err != nil {
			return err
		}
	}
	*times = append(*times, time.Since(start)/time.Duration(len(tokens)))
	return nil
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

func verificationTable(out io.Writer, bare, unseen, remembered time.Duration) error {
	row := func(what string, each time.Duration, target string) []string {
		return []string{
			what, number(int64(time.Second / each)), fmt.Sprintf("%.1f µs", float64(each.Nanoseconds())/1000),
			fmt.Sprintf("%.2f", float64(each)/float64(bare)), target,
		}
	}
	met := float64(unseen)/float64(bare) <= verificationTarget
	return table(out, "Verification, on one core",
		[]string{"", "per second", "each", "times bare", "target"},
		row("bare `ed25519.Verify` of the same bytes", bare, ""),
		row("a new key of a known signer", unseen, verdict(fmt.Sprintf("≤ %.0f", verificationTarget), met)),
		row("a key seen before", remembered, ""),
	)
}
