// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// chainTest is a chain of certificates one of which may be revoked and presented in another encoding.
type chainTest struct {
	root *entity
	// signed by root: the signer, or the CA above it.
	subject *entity
	signer  *entity
	// inX5C: the certificates are in the token's header and not in spec.certificate.
	inX5C bool
}

// present returns a token and spec.certificate with the subject in an encoding.
func (c *chainTest) present(t testing.TB, der []byte, payload string) (token, certificate string) {
	t.Helper()
	chain := [][]byte{der}
	if c.signer != c.subject {
		chain = [][]byte{c.signer.certificate.Raw, der}
	}
	header := headerOf(c.signer).plus(members{"x5c": absent})
	for _, der := range chain {
		certificate += string(pem.EncodeToMemory(&pem.Block{Type: pemTypeCertificate, Bytes: der}))
	}
	if c.inX5C {
		var entries []string
		for _, der := range chain {
			entries = append(entries, base64.StdEncoding.EncodeToString(der))
		}
		header["x5c"], certificate = entries, ""
	}
	return sealed(t, c.signer.key, toJSON(t, header), payload), certificate
}

// reasonWith is the outcome for the subject in an encoding when a fingerprint is revoked; an empty one is none.
func (c *chainTest) reasonWith(t testing.TB, der []byte, revoked string) string {
	t.Helper()
	product := productWith(c.root)
	if revoked != "" {
		product.Spec.Revocations = []api.Revocation{{CertificateSHA256: revoked}}
	}
	token, certificate := c.present(t, der, toJSON(t, (&world{}).payload()))
	if result := Verify(token, certificate, termsOf(t, product), clusterUID, now); result.Err != nil {
		return result.Err.Reason
	}
	return api.ReasonVerified
}

// chainTests are for each place in which a certificate that root signed may be presented.
func chainTests(t testing.TB, root *entity, serialNumber int64) map[string]*chainTest {
	t.Helper()
	signer, authority := signerTemplate("Acme Signer"), caTemplate("Acme Issuing CA")
	signer.SerialNumber, authority.SerialNumber = big.NewInt(serialNumber), big.NewInt(serialNumber)
	below := newEntity(t, root, ed25519Key(t), signer)
	issuing := newEntity(t, root, ed25519Key(t), authority)
	signerBelow := newEntity(t, issuing, ed25519Key(t), signerTemplate("Acme Signer"))
	return map[string]*chainTest{
		"signer in x5c":              {root: root, subject: below, signer: below, inX5C: true},
		"signer in spec.certificate": {root: root, subject: below, signer: below},
		"CA in x5c":                  {root: root, subject: issuing, signer: signerBelow, inX5C: true},
		"CA in spec.certificate":     {root: root, subject: issuing, signer: signerBelow},
	}
}

// TestOtherECDSASignature: only a canonical signature has another form, and that has the first one.
func TestOtherECDSASignature(t *testing.T) {
	for _, kind := range []string{"P-224", "P-256", "P-384", "P-521"} {
		key := issuerKeys(t)[kind]
		root := newEntity(t, nil, key, caTemplate("Acme Root"))
		order := key.Public().(*ecdsa.PublicKey).Params().N
		parts := partsOf(t, newEntity(t, root, ed25519Key(t), signerTemplate("Acme Signer")).certificate)
		other, err := otherECDSASignature(parts.signature, order)
		if err != nil || bytes.Equal(other, parts.signature) {
			t.Fatalf("%s: got %x, %v for %x", kind, other, err, parts.signature)
		}
		if again, err := otherECDSASignature(other, order); err != nil || !bytes.Equal(again, parts.signature) {
			t.Errorf("%s: got %x, %v, want %x", kind, again, err, parts.signature)
		}
		for _, variant := range ecdsaVariants {
			der := variant.make(parts, key.Public())
			if der == nil || variant.lenient {
				continue
			}
			if other, err := otherECDSASignature(partsOfDER(t, der).signature, order); err == nil {
				t.Errorf("%s, %s: got %x", kind, variant.name, other)
			}
		}
	}
}

func sha256Of(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// acceptedByX509 tells whether a lenient verifier would accept the encoding.
func acceptedByX509(der []byte, issuer *x509.Certificate) bool {
	certificate, err := x509.ParseCertificate(der)
	return err == nil && certificate.CheckSignatureFrom(issuer) == nil
}

// TestRevokedCertificateVariants presents a revoked certificate in every other encoding that takes no private key.
func TestRevokedCertificateVariants(t *testing.T) {
	const attempts = 2000 // Some variants exist for one certificate of some hundred only.
	for kind, key := range issuerKeys(t) {
		root := newEntity(t, nil, key, caTemplate("Acme Root"))
		for _, variant := range variantsFor(key.Public()) {
			t.Run(kind+", "+variant.name, func(t *testing.T) {
				t.Parallel()
				tried := map[string]bool{}
				for serialNumber := int64(1); serialNumber <= attempts && len(tried) < 4; serialNumber++ {
					for place, test := range chainTests(t, root, serialNumber) {
						der := variant.make(partsOf(t, test.subject.certificate), key.Public())
						if der != nil && !tried[place] {
							tried[place] = true
							checkVariant(t, place, test, variant, der)
						}
					}
				}
				if len(tried) < 4 {
					t.Errorf("tried in %v only", tried)
				}
			})
		}
	}
}

func checkVariant(t *testing.T, place string, test *chainTest, variant variant, der []byte) {
	t.Helper()
	original := test.subject.certificate.Raw
	if bytes.Equal(der, original) {
		t.Errorf("%s: the variant is the certificate itself", place)
	}
	if got := acceptedByX509(der, test.root.certificate); got != variant.lenient {
		t.Errorf("%s: accepted by crypto/x509: got %t, want %t", place, got, variant.lenient)
	}
	// A variant that is refused is refused whatever is revoked, any other is the same certificate.
	without := variant.reason
	if variant.reason == api.ReasonCertificateRevoked {
		without = api.ReasonVerified
		if got := test.reasonWith(t, original, sha256Of(der)); got != api.ReasonCertificateRevoked {
			t.Errorf("%s: the certificate once its variant is revoked: got %s", place, got)
		}
	}
	for revoked, want := range map[string]string{
		"": without, sha256Of([]byte("another")): without,
		sha256Of(original): variant.reason, sha256Of(der): variant.reason,
	} {
		if got := test.reasonWith(t, der, revoked); got != want {
			t.Errorf("%s, revoked %q: got %s, want %s", place, revoked, got, want)
		}
	}
	for revoked, want := range map[string]string{
		"": api.ReasonVerified, sha256Of(original): api.ReasonCertificateRevoked,
	} {
		if got := test.reasonWith(t, original, revoked); got != want {
			t.Errorf("%s, the certificate as issued, revoked %q: got %s, want %s", place, revoked, got, want)
		}
	}
}

// TestRevokedCertificateStaysRevoked: whatever is done to the bytes of a certificate without its issuer's private key,
// it is refused, or is revoked with the certificate.
func TestRevokedCertificateStaysRevoked(t *testing.T) {
	for kind, key := range issuerKeys(t) {
		root := newEntity(t, nil, key, caTemplate("Acme Root"))
		tests := chainTests(t, root, 1)
		places := slices.Sorted(maps.Keys(tests))
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				test := tests[rapid.SampledFrom(places).Draw(rt, "place")]
				der := drawVariant(rt, partsOf(t, test.subject.certificate), key.Public())
				if !acceptedByX509(der, root.certificate) {
					return
				}
				reason := test.reasonWith(t, der, sha256Of(test.subject.certificate.Raw))
				if reason != api.ReasonUntrustedCertificate && reason != api.ReasonCertificateRevoked {
					rt.Errorf("%s: %x", reason, der)
				}
			})
		})
	}
}

// drawVariant edits the encoding of a certificate: its signature as a number, its elements, its bytes.
func drawVariant(t *rapid.T, parts certificateParts, issuer crypto.PublicKey) []byte {
	if _, ok := issuer.(*ecdsa.PublicKey); ok && rapid.Bool().Draw(t, "other s") {
		parts = parts.negated(issuer)
	}
	tree := parseNode(parts.encode())
	for range rapid.IntRange(0, 2).Draw(t, "edits of elements") {
		nodes := tree.unsigned()
		rapid.SampledFrom(nodes).Draw(t, "element").edit(t)
	}
	der := tree.encode()
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "edits of bytes") {
		at := rapid.IntRange(0, len(der)-1).Draw(t, "at")
		switch rapid.IntRange(0, 2).Draw(t, "edit") {
		case 0:
			der[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			der = slices.Delete(der, at, at+1)
		default:
			der = slices.Insert(der, at, rapid.Byte().Draw(t, "byte"))
		}
	}
	return der
}

// negated has (r, n-s) in the place of (r, s).
func (p certificateParts) negated(issuer crypto.PublicKey) certificateParts {
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(p.signature, &signature); err != nil {
		panic(err)
	}
	signature.S.Sub(issuer.(*ecdsa.PublicKey).Params().N, signature.S)
	p.signature = element(tagSequence, integer(signature.R), integer(signature.S))
	return p
}

// node is an element of a certificate's encoding.
type node struct {
	tag byte
	// wrap is element, longElement or indefiniteElement.
	wrap func(tag byte, contents ...[]byte) []byte
	// before is what precedes the children: the octet that counts the unused bits of a BIT STRING.
	before   []byte
	children []*node
	// content of a node that has no children.
	content []byte
	signed  bool
}

// parseNode takes the elements apart that the issuer does not sign, and a signature if it is ASN.1.
func parseNode(der []byte) *node {
	var outer []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		panic(err)
	}
	root := &node{tag: tagSequence, wrap: element}
	for i, part := range outer {
		root.children = append(root.children, parseElement(part, i == 0))
	}
	return root
}

func parseElement(value asn1.RawValue, signed bool) *node {
	parsed := &node{tag: value.FullBytes[0], wrap: element, content: value.Bytes, signed: signed}
	if signed {
		return parsed
	}
	inner := value.Bytes
	if parsed.tag == tagBitString {
		parsed.before, inner = value.Bytes[:1], value.Bytes[1:]
	}
	if parsed.tag == tagInteger {
		return parsed
	}
	var children []*node
	for len(inner) > 0 {
		var child asn1.RawValue
		rest, err := asn1.Unmarshal(inner, &child)
		if err != nil {
			return parsed // The content is not ASN.1.
		}
		children = append(children, parseElement(child, false))
		inner = rest
	}
	parsed.children, parsed.content = children, nil
	return parsed
}

func (n *node) encode() []byte { return n.wrap(n.tag, n.inner()) }

// inner is the encoding of the node's content.
func (n *node) inner() []byte {
	if n.children == nil {
		return n.content
	}
	inner := slices.Clone(n.before)
	for _, child := range n.children {
		inner = append(inner, child.encode()...)
	}
	return inner
}

// unsigned are the nodes that the issuer does not sign.
func (n *node) unsigned() []*node {
	if n.signed {
		return nil
	}
	nodes := []*node{n}
	for _, child := range n.children {
		nodes = append(nodes, child.unsigned()...)
	}
	return nodes
}

func (n *node) edit(t *rapid.T) {
	more := []byte{rapid.Byte().Draw(t, "more")}
	switch rapid.IntRange(0, 6).Draw(t, "edit of an element") {
	case 0:
		n.wrap = longElement
	case 1:
		n.wrap = indefiniteElement
	case 2:
		n.tag ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit of the tag")
	case 3: // Append, as an element or as it is.
		if n.children == nil {
			n.content = slices.Concat(n.content, more)
			return
		}
		added := &node{tag: tagInteger, wrap: element, content: more}
		if rapid.Bool().Draw(t, "raw") {
			added = &node{wrap: func(byte, ...[]byte) []byte { return more }}
		}
		n.children = append(slices.Clone(n.children), added)
	case 4: // Prepend.
		if n.children == nil {
			n.content = slices.Concat(more, n.content)
			return
		}
		n.before = slices.Concat(n.before, more)
	case 5:
		if len(n.children) > 0 {
			n.children = slices.Clone(n.children)[:len(n.children)-1]
		}
	default: // An unused bit.
		n.addUnusedBit()
	}
}

func (n *node) addUnusedBit() {
	if n.tag != tagBitString {
		return
	}
	bits := n.inner()
	if len(bits) < 2 || bits[0] != 0 || bits[1]&0x80 != 0 {
		return
	}
	shifted := new(big.Int).Lsh(new(big.Int).SetBytes(bits[1:]), 1)
	n.content, n.children = append([]byte{1}, shifted.FillBytes(make([]byte, len(bits)-1))...), nil
}

// deterministic signs the same with the same signature (RFC 6979).
type deterministic struct{ *ecdsa.PrivateKey }

func (d deterministic) Sign(_ io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	return d.PrivateKey.Sign(nil, digest, options)
}

// FuzzRevokedCertificate looks for bytes that pass for a certificate that was revoked or never issued. The fuzzer has
// the signer's key, but no issuer's.
func FuzzRevokedCertificate(f *testing.F) {
	var tests []*chainTest
	for _, kind := range []string{"Ed25519", "P-256", "RSA"} {
		root := vectorRoot(f, kind)
		signer := newEntity(f, root, ed25519.NewKeyFromSeed(fromHex(f, vectorSignerSeed)),
			vectorTemplate(2, 10, signerTemplate("Acme License Signer")))
		tests = append(tests, &chainTest{root: root, subject: signer, signer: signer, inX5C: true})
		for _, variant := range variantsFor(root.key.Public()) {
			if der := variant.make(partsOf(f, signer.certificate), root.key.Public()); der != nil {
				f.Add(uint8(len(tests)-1), der)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, der []byte) {
		test := tests[int(which)%len(tests)]
		if reason := test.reasonWith(t, der, sha256Of(test.subject.certificate.Raw)); reason == api.ReasonVerified {
			t.Errorf("%s: %x", reason, der)
		}
	})
}
