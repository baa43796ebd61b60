// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strings"
	"time"

	"k8s.io/utils/lru"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// How many outcomes a Verifier remembers. A finding takes about as much memory as its claims, a few hundred bytes;
// signers are shared by findings.
const (
	maxFindings   = 4096
	maxSigners    = 256
	maxAnchorSets = 128
)

// Verifier verifies keys and remembers what it found out by content: a second look at a key that has not changed costs
// no cryptography but one hash, a new key of a known signer costs one signature check, and trust anchors are parsed
// once. It may be used concurrently.
//
// What it remembers never depends on the time, the audience, the cluster or revocations, which are judged anew each
// time.
type Verifier struct {
	findings *lru.Cache
	signers  *lru.Cache
	anchors  *lru.Cache

	// What is worth remembering; tests count the calls.
	examine      examiner
	newSigner    signerSource
	parseAnchors anchorParser
}

// NewVerifier returns a Verifier that remembers nothing yet.
func NewVerifier() *Verifier {
	return &Verifier{
		findings:     lru.New(maxFindings),
		signers:      lru.New(maxSigners),
		anchors:      lru.New(maxAnchorSets),
		examine:      examine,
		newSigner:    newSigner,
		parseAnchors: parseAnchors,
	}
}

// Terms is NewTerms, with trust anchors and their errors remembered.
func (v *Verifier) Terms(product *api.LicensedProduct) (*Terms, error) {
	return newTerms(product, v.rememberedAnchors)
}

// Verify is the function Verify, with outcomes remembered.
func (v *Verifier) Verify(token, certificate string, terms *Terms, clusterUID string, now time.Time) Result {
	return v.Examine(token, certificate, terms).Judge(terms, clusterUID, now)
}

// Examine does what Verify does before time, audience, cluster and revocations come into play. For a caller that knows
// when token and certificate change, it is worth remembering: Judge then hashes nothing.
func (v *Verifier) Examine(token, certificate string, terms *Terms) *Examination {
	anchors := terms.trusted()
	return &Examination{anchors: anchors.digest, finding: v.rememberedFinding(token, certificate, anchors)}
}

// Examination is what a token, its certificates and trust anchors amount to by themselves.
type Examination struct {
	anchors digest
	finding *finding
}

// IsFor tells whether the examination was made with the trust anchors of these terms.
func (e *Examination) IsFor(terms *Terms) bool { return e.anchors == terms.trusted().digest }

// Judge completes a verification. The terms are those that the examination is for.
func (e *Examination) Judge(terms *Terms, clusterUID string, now time.Time) Result {
	return e.finding.judge(terms, clusterUID, now)
}

func (v *Verifier) rememberedFinding(token, certificate string, anchors *anchors) *finding {
	token = strings.TrimSpace(token)
	if len(token) > MaxTokenBytes || len(certificate) > MaxCertificateBytes {
		return v.examine(token, certificate, anchors, v.rememberedSigner) // refused for its size sooner than hashed
	}
	content := newHasher()
	content.digest(anchors.digest)
	content.text(token)
	content.text(certificate)
	return remember(v.findings, content.sum(), func() *finding {
		return v.examine(token, certificate, anchors, v.rememberedSigner)
	})
}

func (v *Verifier) rememberedSigner(presentation presentation, anchors *anchors) *signer {
	content := newHasher()
	content.digest(anchors.digest)
	content.text(presentation.certificate)
	for _, entry := range presentation.header {
		content.text(entry)
	}
	return remember(v.signers, content.sum(), func() *signer { return v.newSigner(presentation, anchors) })
}

func (v *Verifier) rememberedAnchors(pem string) (*anchors, error) {
	type outcome struct {
		anchors *anchors
		err     error
	}
	if len(pem) > MaxTrustAnchorsBytes {
		return v.parseAnchors(pem)
	}
	content := newHasher()
	content.text(pem)
	found := remember(v.anchors, content.sum(), func() outcome {
		anchors, err := v.parseAnchors(pem)
		return outcome{anchors, err}
	})
	return found.anchors, found.err
}

// remember returns what is cached under a key, or computes and caches it. Two callers at once may both compute it.
func remember[T any](cache *lru.Cache, key digest, compute func() T) T {
	if cached, ok := cache.Get(key); ok {
		return cached.(T)
	}
	computed := compute()
	cache.Add(key, computed)
	return computed
}

// digest identifies content.
type digest [sha256.Size]byte

// hasher makes digests of several fields, each preceded by its length, so that no two lists of fields look the same.
type hasher struct{ hash.Hash }

func newHasher() hasher { return hasher{sha256.New()} }

func (h hasher) text(field string) { h.bytes([]byte(field)) }

func (h hasher) digest(field digest) { h.bytes(field[:]) }

func (h hasher) bytes(field []byte) {
	// A hash never returns an error.
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
	_, _ = h.Write(field)
}

func (h hasher) sum() (sum digest) {
	h.Sum(sum[:0])
	return sum
}
