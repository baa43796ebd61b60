// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// work counts what a Verifier did that costs cryptography or parsing.
type work struct{ tokens, signers, anchorSets int }

// counting is a Verifier that counts its work. All signature checks, of tokens and of certificates, are in what is
// counted.
func counting() (*Verifier, *work) {
	verifier, done := NewVerifier(), &work{}
	verifyStatic, loadSigner, parseAnchors := verifier.verifyStatic, verifier.loadSigner, verifier.parseAnchors
	verifier.verifyStatic = func(token, certificate string, anchors *anchors, loadSigner signerLoader) *staticResult {
		done.tokens++
		return verifyStatic(token, certificate, anchors, loadSigner)
	}
	verifier.loadSigner = func(presented presentedCertificates, anchors *anchors) *signerInfo {
		done.signers++
		return loadSigner(presented, anchors)
	}
	verifier.parseAnchors = func(pem string) (*anchors, error) {
		done.anchorSets++
		return parseAnchors(pem)
	}
	return verifier, done
}

func mustTerms(t testing.TB, verifier *Verifier, product *api.LicensedProduct) *Terms {
	t.Helper()
	terms, err := verifier.Terms(product)
	if err != nil {
		t.Fatal(err)
	}
	return terms
}

func TestUnchangedKeysCostNoCryptography(t *testing.T) {
	w := newWorld(t)
	verifier, done := counting()
	product := w.product
	good, bad := w.token(t), w.token(t)[:100]
	stranger := newEntity(t, nil, ed25519Key(t), signerTemplate("Stranger"))
	untrusted := sealed(t, stranger.key, toJSON(t, headerOf(stranger)), "{}")
	for i := range 10 {
		// Only what costs no cryptography changes.
		product = product.DeepCopy()
		product.Spec.Revocations = append(product.Spec.Revocations, api.Revocation{LicenseID: fmt.Sprint("other-", i)})
		terms := mustTerms(t, verifier, product)
		if result := verifier.Verify(good, "", terms, clusterUID, now.Add(time.Duration(i)*time.Hour)); result.Err !=
			nil {
			t.Fatal(result.Err)
		}
		if result := verifier.Verify(good, "", terms, "another", now); result.Err == nil ||
			result.Err.Reason != api.ReasonClusterMismatch {
			t.Fatal(result.Err)
		}
		for token, reason := range map[string]string{
			bad:       api.ReasonTokenMalformed,
			untrusted: api.ReasonUntrustedCertificate,
		} {
			if result := verifier.Verify(token, "", terms, "", now); result.Err == nil || result.Err.Reason != reason {
				t.Fatal(result.Err)
			}
		}
	}
	if want := (work{tokens: 3, signers: 2, anchorSets: 1}); *done != want {
		t.Errorf("got %+v, want %+v", *done, want)
	}
}

func TestKnownSignersAreNotBuiltAgain(t *testing.T) {
	w := newWorld(t)
	verifier, done := counting()
	for i := range 10 {
		token := sealed(t, w.signer.key, toJSON(t, w.header()),
			toJSON(t, w.payload().plus(members{"jti": fmt.Sprint(i)})))
		if result := verifier.Verify(token, "", mustTerms(t, verifier, w.product), clusterUID, now); result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	if want := (work{tokens: 10, signers: 1, anchorSets: 1}); *done != want {
		t.Errorf("got %+v, want %+v", *done, want)
	}
}

func TestRefusedAnchorsAreRemembered(t *testing.T) {
	w := newWorld(t)
	verifier, done := counting()
	product := w.product.DeepCopy()
	product.Spec.TrustAnchors = "garbage"
	for range 10 {
		if _, err := verifier.Terms(product); err == nil {
			t.Fatal("accepted")
		}
	}
	if want := (work{anchorSets: 1}); *done != want {
		t.Errorf("got %+v, want %+v", *done, want)
	}
}

// TestEveryInputCounts verifies a key, changes one input after the other, and expects the changed outcome; then the
// first one again.
func TestEveryInputCounts(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	verifier := NewVerifier()
	bare := sealed(t, w.signer.key, toJSON(t, w.header().plus(members{"x5c": absent})), toJSON(t, w.payload()))
	good := question{
		token: bare, certificate: pemOf(chainOf(w.signer)...), product: w.product, clusterUID: clusterUID,
		now: now,
	}
	for name, test := range map[string]struct {
		change func(*question)
		reason string
	}{
		"token": {func(q *question) { q.token = q.token[:len(q.token)-4] + "AAAA" }, api.ReasonSignatureInvalid},
		"certificate": {
			func(q *question) { q.certificate = pemOf(chainOf(other.signer)...) },
			api.ReasonUntrustedCertificate,
		},
		"no certificate": {func(q *question) { q.certificate = "" }, api.ReasonUntrustedCertificate},
		"anchors":        {func(q *question) { q.product = other.product }, api.ReasonUntrustedCertificate},
		"audience":       {func(q *question) { q.product.Spec.Audience = "acme-storage" }, api.ReasonAudienceMismatch},
		"name":           {func(q *question) { q.product.Name = "acme-storage" }, api.ReasonAudienceMismatch},
		"cluster":        {func(q *question) { q.clusterUID = "another" }, api.ReasonClusterMismatch},
		"license revoked": {
			func(q *question) { q.product.Spec.Revocations = []api.Revocation{{LicenseID: "2026-0001"}} },
			api.ReasonLicenseRevoked,
		},
		"signer revoked": {func(q *question) {
			q.product.Spec.Revocations = []api.Revocation{{CertificateSHA256: hexOf(w.signer)}}
		}, api.ReasonCertificateRevoked},
		"time": {func(q *question) { q.now = now.AddDate(-1, 0, 0) }, api.ReasonClaimsInvalid},
		"moved border": {
			func(q *question) { q.token, q.certificate = q.token+q.certificate[:1], q.certificate[1:] },
			api.ReasonTokenMalformed,
		},
	} {
		changed := good
		changed.product = good.product.DeepCopy()
		test.change(&changed)
		for _, ask := range []struct {
			question
			reason string
		}{{good, ""}, {changed, test.reason}, {good, ""}, {changed, test.reason}} {
			got := answerOf(verifier.Verify(ask.token, ask.certificate, mustTerms(t, verifier, ask.product),
				ask.clusterUID, ask.now))
			if got.reason != ask.reason {
				t.Errorf("%s: got %q, want %q", name, got.reason, ask.reason)
			}
		}
	}
}

func TestResultsBelongToTheCaller(t *testing.T) {
	w := newWorld(t)
	verifier := NewVerifier()
	terms := mustTerms(t, verifier, w.product)
	first := verifier.Verify(w.token(t), "", terms, clusterUID, now)
	first.Claims.Features[0], first.Claims.Limits["nodes"], first.Claims.Audience[0], first.Claims.ClusterUIDs[0] = "",
		0, "", ""
	first.Chain[0] = nil
	if got, want := answerOf(verifier.Verify(w.token(t), "", terms, clusterUID, now)),
		(answer{claims: w.claims(), chain: acmeChain}); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	refused := verifier.Verify("?", "", terms, clusterUID, now)
	want := *refused.Err
	refused.Err.Reason = ""
	if got := verifier.Verify("?", "", terms, clusterUID, now); *got.Err != want {
		t.Errorf("got %+v, want %+v", got.Err, want)
	}
}

func TestVerifierIsBounded(t *testing.T) {
	w := newWorld(t)
	verifier := NewVerifier()
	terms := mustTerms(t, verifier, w.product)
	for i := range maxResults + 100 {
		verifier.Verify(fmt.Sprint("not a token ", i), "", terms, "", now)
	}
	header := func(i int) string { return toJSON(t, members{"alg": "EdDSA", "x5c": []string{fmt.Sprint(i)}}) }
	for i := range maxSigners + 10 {
		verifier.Verify(b64([]byte(header(i)))+".e30.AA", "", terms, "", now)
	}
	for i := range maxAnchorSets + 10 {
		product := w.product.DeepCopy()
		product.Spec.TrustAnchors = strings.Repeat("x", i)
		_, _ = verifier.Terms(product)
	}
	verifier.Verify(strings.Repeat("A", 1<<20), "", terms, "", now)
	got := []int{verifier.results.Len(), verifier.signers.Len(), verifier.anchors.Len()}
	if want := []int{maxResults, maxSigners, maxAnchorSets}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestVerifierConcurrently(t *testing.T) {
	w := newWorld(t)
	verifier := NewVerifier()
	tokens := make([]string, 4)
	for i := range tokens {
		tokens[i] = sealed(t, w.signer.key, toJSON(t, w.header()),
			toJSON(t, w.payload().plus(members{"jti": fmt.Sprint(i)})))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 40 {
				terms, err := verifier.Terms(w.product)
				if err != nil {
					t.Error(err)
					return
				}
				result := verifier.Verify(tokens[i%len(tokens)], "", terms, clusterUID, now)
				if result.Err != nil || result.Claims.ID != fmt.Sprint(i%len(tokens)) {
					t.Errorf("got %+v", result)
				}
			}
		})
	}
	group.Wait()
}
