// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"k8s.io/utils/lru"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// The sizes of the caches. A result takes about as much memory as its claims, a few hundred bytes. Results share
// signers.
const (
	maxResults    = 4096
	maxSigners    = 256
	maxAnchorSets = 128
)

// Verifier verifies keys and caches results by content. Verifying an unchanged key again costs one hash, and a new key
// of a known signer one signature check. Trust anchors are parsed once. A Verifier may be used concurrently.
//
// Cached results do not depend on the time, the audience, the cluster or revocations, which are checked each time.
type Verifier struct {
	results, signers, anchors *lru.Cache

	// Replaceable, so that tests can count the calls.
	verifyStatic staticVerifier
	loadSigner   signerLoader
	parseAnchors anchorParser
}

// NewVerifier returns a Verifier with empty caches.
func NewVerifier() *Verifier {
	return &Verifier{
		results: lru.New(maxResults), signers: lru.New(maxSigners), anchors: lru.New(maxAnchorSets),
		verifyStatic: verifyStatic, loadSigner: loadSigner, parseAnchors: parseAnchors,
	}
}

// Terms is NewTerms with cached trust anchors and errors.
func (v *Verifier) Terms(product *api.LicensedProduct) (*Terms, error) {
	return newTerms(product, v.cachedAnchors)
}

// Verify is the function Verify with cached results.
func (v *Verifier) Verify(token, certificate string, terms *Terms, clusterUID string, now time.Time) Result {
	return v.Examine(token, certificate, terms).Judge(terms, clusterUID, now)
}

// Examine performs the steps of Verify that do not depend on time, audience, cluster and revocations. Callers that know
// when token and certificate change may keep the outcome: Judge hashes nothing.
func (v *Verifier) Examine(token, certificate string, terms *Terms) *Examination {
	anchors := terms.trusted()
	return &Examination{anchors: anchors.digest, result: v.cachedResult(token, certificate, anchors)}
}

// Examination is the outcome for a token and its certificates under some trust anchors, at any time.
type Examination struct {
	anchors digest
	result  *staticResult
}

// IsFor reports whether the examination was made with the trust anchors of these terms.
func (e *Examination) IsFor(terms *Terms) bool { return e.anchors == terms.trusted().digest }

// Judge completes a verification. IsFor must be true of the terms.
func (e *Examination) Judge(terms *Terms, clusterUID string, now time.Time) Result {
	return e.result.resultFor(terms, clusterUID, now)
}

func (v *Verifier) cachedResult(token, certificate string, anchors *anchors) *staticResult {
	token = strings.TrimSpace(token)
	if len(token) > MaxTokenBytes || len(certificate) > MaxCertificateBytes {
		return v.verifyStatic(token, certificate, anchors, v.cachedSigner) // rejects it for its size
	}
	key := digestOf(anchors.digest[:], []byte(token), []byte(certificate))
	return cached(v.results, key, func() *staticResult {
		return v.verifyStatic(token, certificate, anchors, v.cachedSigner)
	})
}

func (v *Verifier) cachedSigner(presented presentedCertificates, anchors *anchors) *signerInfo {
	fields := [][]byte{anchors.digest[:], []byte(presented.pem)}
	for _, entry := range presented.x5c {
		fields = append(fields, []byte(entry))
	}
	return cached(v.signers, digestOf(fields...), func() *signerInfo { return v.loadSigner(presented, anchors) })
}

func (v *Verifier) cachedAnchors(pem string) (*anchors, error) {
	type outcome struct {
		anchors *anchors
		err     error
	}
	if len(pem) > MaxTrustAnchorsBytes {
		return v.parseAnchors(pem)
	}
	found := cached(v.anchors, digestOf([]byte(pem)), func() outcome {
		anchors, err := v.parseAnchors(pem)
		return outcome{anchors, err}
	})
	return found.anchors, found.err
}

// cached returns the value for a key from the cache, or computes and caches it. Concurrent callers may both compute it.
func cached[T any](cache *lru.Cache, key digest, compute func() T) T {
	if value, ok := cache.Get(key); ok {
		return value.(T)
	}
	computed := compute()
	cache.Add(key, computed)
	return computed
}

// digest identifies content.
type digest [sha256.Size]byte

// digestOf returns the digest of fields. It includes the length of each, so that different lists of fields have
// different digests.
func digestOf(fields ...[]byte) (sum digest) {
	h := sha256.New()
	for _, field := range fields {
		// A hash never returns an error.
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		_, _ = h.Write(field)
	}
	h.Sum(sum[:0])
	return sum
}
