// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"slices"
	"testing"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// variant is another encoding of a certificate. Making one takes no private key.
type variant struct {
	// name of the test vector, and what its description says of the certificate.
	name, description string
	// make returns nil if the certificate has no such variant.
	make func(certificateParts, crypto.PublicKey) []byte
	// lenient: crypto/x509 parses the variant, and the issuer's signature is valid.
	lenient bool
	// reason of a verification with the variant once the certificate's fingerprint is revoked.
	reason string
}

// refusedVariant is one that crypto/x509 refuses by itself.
func refusedVariant(name, description string, encode func(certificateParts, crypto.PublicKey) []byte) variant {
	return variant{name: name, description: description, make: encode, reason: api.ReasonUntrustedCertificate}
}

// certificateParts are the three parts of a certificate. The issuer signs only the first one.
type certificateParts struct {
	tbs, algorithm []byte
	// signature is the content of the BIT STRING without the octet that counts unused bits.
	signature []byte
}

func partsOf(t testing.TB, certificate *x509.Certificate) certificateParts {
	t.Helper()
	return partsOfDER(t, certificate.Raw)
}

func partsOfDER(t testing.TB, der []byte) certificateParts {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	return certificateParts{outer.TBS.FullBytes, outer.Algorithm.FullBytes, outer.Signature.Bytes}
}

// encode is the certificate in DER, with more elements at its end.
func (p certificateParts) encode(more ...[]byte) []byte {
	return element(tagSequence, append([][]byte{p.tbs, p.algorithm, bitString(p.signature, 0)}, more...)...)
}

// withSignature is the certificate in DER with another signature.
func (p certificateParts) withSignature(signature []byte) []byte {
	p.signature = signature
	return p.encode()
}

// withAlgorithm is the certificate in DER with another outer AlgorithmIdentifier.
func (p certificateParts) withAlgorithm(algorithm []byte) []byte {
	p.algorithm = algorithm
	return p.encode()
}

// withUnusedBit moves the signature by a bit, if its first bit is 0, and fills the unused bit at its end.
func (p certificateParts) withUnusedBit(fill byte) []byte {
	if p.signature[0]&0x80 != 0 {
		return nil
	}
	number := new(big.Int).Lsh(new(big.Int).SetBytes(p.signature), 1)
	number.SetBit(number, 0, uint(fill))
	return element(tagSequence, p.tbs, p.algorithm, bitString(number.FillBytes(make([]byte, len(p.signature))), 1))
}

// Tags of ASN.1 (X.690).
const (
	tagInteger   = 0x02
	tagBitString = 0x03
	tagNull      = 0x05
	tagSequence  = 0x30
	tagSet       = 0x31
	constructed  = 0x20
)

// element is an element in DER.
func element(tag byte, contents ...[]byte) []byte {
	content := slices.Concat(contents...)
	if len(content) < 0x80 {
		return slices.Concat([]byte{tag, byte(len(content))}, content)
	}
	length := big.NewInt(int64(len(content))).Bytes()
	return slices.Concat([]byte{tag, 0x80 | byte(len(length))}, length, content)
}

// longElement is an element whose length has an octet more than it needs: BER, but not DER.
func longElement(tag byte, contents ...[]byte) []byte {
	content := slices.Concat(contents...)
	length := big.NewInt(int64(len(content))).Bytes()
	if len(content) >= 0x80 {
		length = append([]byte{0}, length...)
	}
	return slices.Concat([]byte{tag, 0x80 | byte(len(length))}, length, content)
}

// indefiniteElement ends with an end marker instead of having a length: BER, but not DER.
func indefiniteElement(tag byte, contents ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, slices.Concat(contents...), []byte{0, 0})
}

func bitString(bits []byte, unused byte) []byte { return element(tagBitString, []byte{unused}, bits) }

// integer is an INTEGER in DER.
func integer(value *big.Int) []byte {
	encoded, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return encoded
}

// content of an element.
func content(encoded []byte) []byte {
	var value asn1.RawValue
	if _, err := asn1.Unmarshal(encoded, &value); err != nil {
		panic(err)
	}
	return value.Bytes
}

var null = []byte{tagNull, 0}

// The variants that a certificate has whatever the algorithm of its issuer. As for the others, each is one way in
// which BER or a lenient parser gives bytes a choice that the signature does not take away.
var anyVariants = []variant{
	{
		name: "appended-inside", description: "an element appended inside the certificate's SEQUENCE", lenient: true,
		make:   func(p certificateParts, _ crypto.PublicKey) []byte { return p.encode(null) },
		reason: api.ReasonUntrustedCertificate,
	},
	{
		name: "appended-garbage", description: "a byte appended inside the certificate's SEQUENCE, not ASN.1",
		lenient: true, make: func(p certificateParts, _ crypto.PublicKey) []byte { return p.encode([]byte{0xff}) },
		reason: api.ReasonUntrustedCertificate,
	},
	{
		name: "unused-bit", description: "a BIT STRING with an unused bit around the certificate's signature",
		lenient: true, make: func(p certificateParts, _ crypto.PublicKey) []byte { return p.withUnusedBit(0) },
		reason: api.ReasonUntrustedCertificate,
	},
	refusedVariant("unused-bit-set", "a BIT STRING with an unused bit that is 1 around the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte { return p.withUnusedBit(1) }),
	refusedVariant("appended-after", "a byte after the certificate",
		func(p certificateParts, _ crypto.PublicKey) []byte { return append(p.encode(), 0) }),
	refusedVariant("long-length", "the certificate's length has an octet too many",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return longElement(tagSequence, p.tbs, p.algorithm, bitString(p.signature, 0))
		}),
	refusedVariant("long-algorithm-length", "the length of the certificate's algorithm has an octet too many",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return p.withAlgorithm(longElement(tagSequence, content(p.algorithm)))
		}),
	refusedVariant("long-signature-length", "the length of the certificate's signature has an octet too many",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return element(tagSequence, p.tbs, p.algorithm, longElement(tagBitString, []byte{0}, p.signature))
		}),
	refusedVariant("indefinite-length", "the certificate has BER's indefinite length",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return indefiniteElement(tagSequence, p.tbs, p.algorithm, bitString(p.signature, 0))
		}),
	refusedVariant("constructed-signature", "BER's constructed BIT STRING around the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return element(tagSequence, p.tbs, p.algorithm,
				element(tagBitString|constructed, bitString(p.signature, 0)))
		}),
	refusedVariant("set", "a SET instead of a SEQUENCE around the certificate",
		func(p certificateParts, _ crypto.PublicKey) []byte { return element(tagSet, content(p.encode())) }),
	refusedVariant("algorithm-parameters", "parameters in the certificate's outer AlgorithmIdentifier that differ",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			identifier, hadNull := bytes.CutSuffix(content(p.algorithm), null)
			if hadNull {
				return p.withAlgorithm(element(tagSequence, identifier))
			}
			return p.withAlgorithm(element(tagSequence, identifier, null))
		}),
	refusedVariant("padded-signature", "a zero octet before the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return p.withSignature(append([]byte{0}, p.signature...))
		}),
	refusedVariant("appended-signature", "a zero octet after the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			return p.withSignature(append(slices.Clone(p.signature), 0))
		}),
}

// ecdsaVariants are those of a certificate whose issuer signs with ECDSA.
var ecdsaVariants = []variant{
	{
		name: "ecdsa-other-s", description: "(r, n-s) instead of (r, s) as the certificate's signature", lenient: true,
		make: ecdsaVariant(func(r, s, n *big.Int) []byte {
			return element(tagSequence, integer(r), integer(new(big.Int).Sub(n, s)))
		}),
		reason: api.ReasonCertificateRevoked,
	},
	refusedVariant("ecdsa-oversized-r", "r+n instead of r in the certificate's signature",
		ecdsaVariant(func(r, s, n *big.Int) []byte {
			return element(tagSequence, integer(new(big.Int).Add(r, n)), integer(s))
		})),
	refusedVariant("ecdsa-oversized-s", "s+n instead of s in the certificate's signature",
		ecdsaVariant(func(r, s, n *big.Int) []byte {
			return element(tagSequence, integer(r), integer(new(big.Int).Add(s, n)))
		})),
	refusedVariant("ecdsa-negative-r", "r-n instead of r in the certificate's signature",
		ecdsaVariant(func(r, s, n *big.Int) []byte {
			return element(tagSequence, integer(new(big.Int).Sub(r, n)), integer(s))
		})),
	refusedVariant("ecdsa-negative-s", "-s instead of s in the certificate's signature",
		ecdsaVariant(func(r, s, _ *big.Int) []byte {
			return element(tagSequence, integer(r), integer(new(big.Int).Neg(s)))
		})),
	refusedVariant("ecdsa-padded-r", "r in the certificate's signature has a zero octet too many",
		ecdsaVariant(func(r, s, _ *big.Int) []byte {
			return element(tagSequence, element(tagInteger, []byte{0}, content(integer(r))), integer(s))
		})),
	refusedVariant("ecdsa-padded-s", "s in the certificate's signature has a zero octet too many",
		ecdsaVariant(func(r, s, _ *big.Int) []byte {
			return element(tagSequence, integer(r), element(tagInteger, []byte{0}, content(integer(s))))
		})),
	refusedVariant("ecdsa-unsigned-s", "s in the certificate's signature lacks the zero octet that makes it positive",
		ecdsaVariant(func(r, s, _ *big.Int) []byte {
			encoded := content(integer(s))
			if encoded[0] != 0 {
				return nil
			}
			return element(tagSequence, integer(r), element(tagInteger, encoded[1:]))
		})),
	refusedVariant("ecdsa-long-length", "the length of r in the certificate's signature has an octet too many",
		ecdsaVariant(func(r, s, _ *big.Int) []byte {
			return element(tagSequence, longElement(tagInteger, content(integer(r))), integer(s))
		})),
	refusedVariant("ecdsa-long-sequence", "the length of the signature's SEQUENCE has an octet too many",
		ecdsaVariant(func(r, s, _ *big.Int) []byte { return longElement(tagSequence, integer(r), integer(s)) })),
	refusedVariant("ecdsa-indefinite-length", "the signature's SEQUENCE has BER's indefinite length",
		ecdsaVariant(func(r, s, _ *big.Int) []byte { return indefiniteElement(tagSequence, integer(r), integer(s)) })),
	refusedVariant("ecdsa-appended-inside", "an element appended inside the signature's SEQUENCE",
		ecdsaVariant(func(r, s, _ *big.Int) []byte { return element(tagSequence, integer(r), integer(s), null) })),
	refusedVariant("ecdsa-appended-after", "an element after the signature's SEQUENCE",
		ecdsaVariant(func(r, s, _ *big.Int) []byte {
			return append(element(tagSequence, integer(r), integer(s)), null...)
		})),
	refusedVariant("ecdsa-raw", "r and s as in JWS, without ASN.1, as the certificate's signature",
		ecdsaVariant(func(r, s, n *big.Int) []byte {
			size := (n.BitLen() + 7) / 8
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		})),
}

// ecdsaVariant encodes r and s of a signature by a curve of order n in another way.
func ecdsaVariant(encode func(r, s, n *big.Int) []byte) func(certificateParts, crypto.PublicKey) []byte {
	return func(p certificateParts, issuer crypto.PublicKey) []byte {
		var signature struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(p.signature, &signature); err != nil {
			panic(err)
		}
		encoded := encode(signature.R, signature.S, issuer.(*ecdsa.PublicKey).Params().N)
		if encoded == nil {
			return nil
		}
		return p.withSignature(encoded)
	}
}

// ed25519Order is the order L of the group (RFC 8032, section 5.1).
var ed25519Order, _ = new(big.Int).SetString(
	"7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// ed25519Variants are those of a certificate whose issuer signs with Ed25519.
var ed25519Variants = []variant{
	refusedVariant("ed25519-oversized-s", "S+L instead of S in the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			s := ed25519Number(p.signature[32:])
			return p.withSignature(append(slices.Clone(p.signature[:32]), ed25519Bytes(s.Add(s, ed25519Order))...))
		}),
	refusedVariant("ed25519-negative-s", "L-S instead of S in the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			s := ed25519Number(p.signature[32:])
			return p.withSignature(append(slices.Clone(p.signature[:32]), ed25519Bytes(s.Sub(ed25519Order, s))...))
		}),
	refusedVariant("ed25519-other-sign", "the other sign of R's x coordinate in the certificate's signature",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			signature := slices.Clone(p.signature)
			signature[31] ^= 0x80
			return p.withSignature(signature)
		}),
}

func ed25519Number(littleEndian []byte) *big.Int {
	bigEndian := slices.Clone(littleEndian)
	slices.Reverse(bigEndian)
	return new(big.Int).SetBytes(bigEndian)
}

func ed25519Bytes(number *big.Int) []byte {
	encoded := number.FillBytes(make([]byte, 32))
	slices.Reverse(encoded)
	return encoded
}

// rsaVariants are those of a certificate whose issuer signs with RSA.
var rsaVariants = []variant{
	refusedVariant("rsa-oversized", "s+n instead of s, with as many octets, as the certificate's signature",
		func(p certificateParts, issuer crypto.PublicKey) []byte {
			more := new(big.Int).Add(new(big.Int).SetBytes(p.signature), issuer.(*rsa.PublicKey).N)
			if (more.BitLen()+7)/8 > len(p.signature) {
				return nil
			}
			return p.withSignature(more.FillBytes(make([]byte, len(p.signature))))
		}),
	refusedVariant("rsa-negative", "n-s instead of s as the certificate's signature",
		func(p certificateParts, issuer crypto.PublicKey) []byte {
			s := new(big.Int).SetBytes(p.signature)
			return p.withSignature(s.Sub(issuer.(*rsa.PublicKey).N, s).FillBytes(make([]byte, len(p.signature))))
		}),
	refusedVariant("rsa-short", "the certificate's signature without its first octet, which is zero",
		func(p certificateParts, _ crypto.PublicKey) []byte {
			if p.signature[0] != 0 {
				return nil
			}
			return p.withSignature(p.signature[1:])
		}),
}

func variantsFor(issuer crypto.PublicKey) []variant {
	switch issuer.(type) {
	case *ecdsa.PublicKey:
		return slices.Concat(anyVariants, ecdsaVariants)
	case ed25519.PublicKey:
		return slices.Concat(anyVariants, ed25519Variants)
	default:
		return slices.Concat(anyVariants, rsaVariants)
	}
}

// publishedRSAKey is the test key of 2048 bits of RFC 9500, section 2.1.
func publishedRSAKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile("testdata/keys/rfc9500-rsa-2048.pem")
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(text); block != nil {
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key
		}
	}
	t.Fatal("not a key in PEM")
	return nil
}

// issuerKeys has a key for each kind of issuer.
func issuerKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	return map[string]crypto.Signer{
		"Ed25519": ed25519Key(t),
		"P-224":   ecdsaKey(t, elliptic.P224()),
		"P-256":   ecdsaKey(t, elliptic.P256()),
		"P-384":   ecdsaKey(t, elliptic.P384()),
		"P-521":   ecdsaKey(t, elliptic.P521()),
		"RSA":     publishedRSAKey(t),
	}
}
