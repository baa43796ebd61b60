// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// question is everything that a verification depends on.
type question struct {
	token, certificate string
	product            *api.LicensedProduct
	clusterUID         string
	now                time.Time
}

// answer is a Result in a form that compares.
type answer struct {
	reason, message string
	claims          *license.Claims
	recheck         time.Time
	chain           []string
}

func answerOf(result Result) answer {
	got := answer{claims: result.Claims, recheck: result.RecheckTime}
	if result.Err != nil {
		got.reason, got.message = result.Err.Reason, result.Err.Message
	}
	for _, certificate := range result.Chain {
		got.chain = append(got.chain, certificate.Subject.CommonName)
	}
	return got
}

var acmeChain = []string{"Acme Signer", "Acme Issuing CA", "Acme Root"}

func (w *world) question(t testing.TB) question {
	t.Helper()
	return question{token: w.token(t), product: w.product, clusterUID: clusterUID, now: now}
}

// checkAnswers asks with and without a cache, and then for a good key: whatever the first one was, that verifies.
func checkAnswers(t *testing.T, w *world, asked question, want answer) {
	t.Helper()
	verifier := NewVerifier()
	terms, err := verifier.Terms(asked.product)
	if err != nil {
		t.Fatal(err)
	}
	for description, verify := range map[string]func(string, string, *Terms, string, time.Time) Result{
		"uncached": Verify, "first": verifier.Verify, "second": verifier.Verify,
	} {
		if got := answerOf(verify(asked.token, asked.certificate, terms, asked.clusterUID,
			asked.now)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", description, got, want)
		}
	}
	good := w.question(t)
	if got, want := answerOf(verifier.Verify(good.token, good.certificate, w.terms(t), good.clusterUID, good.now)),
		(answer{claims: w.claims(), chain: acmeChain}); !reflect.DeepEqual(got, want) {
		t.Errorf("the next key:\n got %+v\nwant %+v", got, want)
	}
}

func TestVerifyAccepts(t *testing.T) {
	w := newWorld(t)
	minimal := members{"sub": "Initech", "aud": "acme-mesh", "jti": "1", "iat": now.Unix(), "exp": now.Unix()}
	minimalClaims := &license.Claims{
		ID: "1", Customer: "Initech", Audience: []string{"acme-mesh"}, IssuedTime: now, NotBefore: now, Expiry: now,
	}
	ecdsaSigner := newEntity(t, w.intermediate, ecdsaKey(t, elliptic.P256()), signerTemplate("ECDSA Signer"))
	rsaRoot := newEntity(t, nil, rsaKey(), caTemplate("RSA Root"))
	rsaSigner := newEntity(t, rsaRoot, rsaKey(), signerTemplate("RSA Signer"))
	otherUse := newEntity(t, w.intermediate, ed25519Key(t),
		with(signerTemplate("Any Signer"), func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny}
		}))
	noExtendedUse := newEntity(t, w.intermediate, ed25519Key(t),
		with(signerTemplate("Plain Signer"), func(c *x509.Certificate) {
			c.ExtKeyUsage = nil
		}))
	tokenOf := func(signer *entity, header, claims members) string {
		return sealed(t, signer.key, toJSON(t, header), toJSON(t, claims))
	}
	reissued := certify(t, nil, w.root.key.Public(), w.root.key,
		with(caTemplate("Acme Root"), func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(-10*day), now.Add(10*day)
		}))

	for name, test := range map[string]struct {
		change func(*question)
		want   answer
	}{
		"every claim": {
			change: func(*question) {},
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"no optional claim, expired at once": {
			change: func(q *question) { q.token = tokenOf(w.signer, w.header(), minimal) },
			want:   answer{claims: minimalClaims, chain: acmeChain},
		},
		"unknown claims, nested ones too": {
			change: func(q *question) {
				q.token = tokenOf(w.signer, w.header(),
					minimal.plus(members{"EXP": "soon", "custom": members{"a": []any{1.5, nil, true}}}))
			},
			want: answer{claims: minimalClaims, chain: acmeChain},
		},
		"claims nested 16 deep": {
			change: func(q *question) {
				nested := strings.Repeat("[", 15) + strings.Repeat("]", 15)
				q.token = sealed(t, w.signer.key, toJSON(t, w.header()), `{"custom":`+nested+","+toJSON(t, minimal)[1:])
			},
			want: answer{claims: minimalClaims, chain: acmeChain},
		},
		"empty features and limits": {
			change: func(q *question) {
				q.token = tokenOf(w.signer, w.header(),
					minimal.plus(members{"features": []string{}, "limits": members{}}))
			},
			want: answer{claims: minimalClaims, chain: acmeChain},
		},
		"one audience of several": {
			change: func(q *question) {
				q.token = tokenOf(w.signer, w.header(),
					minimal.plus(members{"aud": []string{"acme-storage", "acme-mesh"}}))
			},
			want: answer{claims: func() *license.Claims {
				claims := cloneClaims(minimalClaims)
				claims.Audience = []string{"acme-storage", "acme-mesh"}
				return claims
			}(), chain: acmeChain},
		},
		"audience of its own": {
			change: func(q *question) {
				q.product = w.product.DeepCopy()
				q.product.Name, q.product.Spec.Audience = "mesh", "acme-mesh"
			},
			want: answer{claims: w.claims(), chain: acmeChain},
		},
		"cluster not known": {
			change: func(q *question) { q.clusterUID = "" },
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"white space around": {
			change: func(q *question) { q.token = "\n  " + q.token + "\r\n" },
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"issued five minutes ahead": {
			change: func(q *question) { q.now = now.Add(-30*day - 5*time.Minute) },
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"whatever the time later": {
			change: func(q *question) { q.now = now.AddDate(100, 0, 0) },
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"ignored headers": {
			change: func(q *question) {
				q.token = tokenOf(w.signer, w.header().plus(members{
					"kid": "../../key", "jku": "https://evil.example/keys", "x5u": "https://evil.example/chain",
					"x5t#S256": nil, "typ": 1, "cty": 2, "zip": "DEF",
				}), w.payload())
			},
			want: answer{claims: w.claims(), chain: acmeChain},
		},
		"anchor left out of x5c": {
			change: func(q *question) {
				q.token = tokenOf(w.signer,
					w.header().plus(members{"x5c": x5c(w.signer.certificate, w.intermediate.certificate)}), w.payload())
			},
			want: answer{claims: w.claims(), chain: acmeChain},
		},
		"chain in spec.certificate": {
			change: func(q *question) {
				q.token = tokenOf(w.signer, w.header().plus(members{"x5c": absent}), w.payload())
				q.certificate = pemOf(w.signer.certificate, w.intermediate.certificate)
			},
			want: answer{claims: w.claims(), chain: acmeChain},
		},
		"chain in spec.certificate, leaf in x5c": {
			change: func(q *question) {
				q.token = tokenOf(w.signer, w.header().plus(members{"x5c": x5c(w.signer.certificate)}), w.payload())
				q.certificate = "\n" + strings.ReplaceAll(pemOf(chainOf(w.signer)...), "\n", "\r\n") + "\n\n"
			},
			want: answer{claims: w.claims(), chain: acmeChain},
		},
		"intermediate as anchor": {
			change: func(q *question) { q.product = productWith(w.intermediate) },
			want:   answer{claims: w.claims(), chain: acmeChain[:2]},
		},
		"anchor twice": {
			change: func(q *question) { q.product = productWith(w.root, w.root) },
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"anchor issued again, the new one too short": {
			change: func(q *question) { q.product = productWith(reissued, w.root) },
			want:   answer{claims: w.claims(), chain: acmeChain},
		},
		"anchor issued again, the new one revoked": {
			change: func(q *question) {
				q.product = productWith(w.root, w.intermediate)
				q.product.Spec.Revocations = []api.Revocation{{CertificateSHA256: hexOf(w.root)}}
			},
			want: answer{claims: w.claims(), chain: acmeChain[:2]},
		},
		"other revocations": {
			change: func(q *question) {
				q.product = w.product.DeepCopy()
				q.product.Spec.Revocations = []api.Revocation{
					{LicenseID: "2026-0002"},
					{CertificateSHA256: hexOf(reissued)},
				}
			},
			want: answer{claims: w.claims(), chain: acmeChain},
		},
		"ES256": {
			change: func(q *question) { q.token = tokenOf(ecdsaSigner, headerOf(ecdsaSigner), w.payload()) },
			want:   answer{claims: w.claims(), chain: []string{"ECDSA Signer", "Acme Issuing CA", "Acme Root"}},
		},
		"RS256": {
			change: func(q *question) {
				q.token = tokenOf(rsaSigner, headerOf(rsaSigner), w.payload())
				q.product = productWith(rsaRoot)
			},
			want: answer{claims: w.claims(), chain: []string{"RSA Signer", "RSA Root"}},
		},
		"extended key usage any": {
			change: func(q *question) { q.token = tokenOf(otherUse, headerOf(otherUse), w.payload()) },
			want:   answer{claims: w.claims(), chain: []string{"Any Signer", "Acme Issuing CA", "Acme Root"}},
		},
		"no extended key usage": {
			change: func(q *question) { q.token = tokenOf(noExtendedUse, headerOf(noExtendedUse), w.payload()) },
			want:   answer{claims: w.claims(), chain: []string{"Plain Signer", "Acme Issuing CA", "Acme Root"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			test.change(&asked)
			checkAnswers(t, w, asked, test.want)
		})
	}
}

func hexOf(e *entity) string {
	fingerprint := fingerprintOf(e.certificate)
	return hex.EncodeToString(fingerprint[:])
}

// colons is the notation of openssl.
func colons(digits string) string {
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, strings.ToUpper(digits[i:i+2]))
	}
	return strings.Join(pairs, ":")
}

const (
	asIssued      = ". Apply the key exactly as the vendor issued it."
	notThreeParts = "The token does not have three parts separated by dots. It may be truncated"
	whiteSpace    = "The token contains white space, such as line breaks that a mail program inserted"
	notBase64URL  = " is not unpadded base64url. It may be truncated or altered"
	documented    = ". Ask the vendor for a key in the documented format."
	headerForm    = "The token's header has an invalid member, such as kid, jwk or nonce (RFC 7515)" + documented
	checkAnchors  = " Check the product's spec.trustAnchors, or ask the vendor for another key."
	correctedKey  = " Ask the vendor for a corrected key."
	notTrusted    = "Certificate chain not trusted: "
	cannotBeUsed  = "Invalid license: "
	allowedOnly   = " is not allowed. Ask the vendor for a key signed with EdDSA (Ed25519), ES256 or RS256."
	otherType     = " does not match the signer's key "
	anotherKey    = ". Ask the vendor for another key."
	// anotherProduct ends messages about the audience.
	anotherProduct = ". Ask the vendor for a key for this product."
	badSignature   = "Invalid signature: the key was altered, or its certificate belongs to another key. " +
		"Apply the key exactly as the vendor issued it."
)

func TestVerifyRefusesTokens(t *testing.T) {
	w := newWorld(t)
	good := w.token(t)
	parts := strings.Split(good, ".")
	header := func(text string) string { return sealed(t, w.signer.key, text, toJSON(t, w.payload())) }
	headerPlus := func(changes members) string { return header(toJSON(t, w.header().plus(changes))) }

	for name, test := range map[string]struct{ token, message string }{
		"empty":       {"", "The token is empty" + asIssued},
		"white space": {" \n ", "The token is empty" + asIssued},
		"1 MB":        {strings.Repeat("A", 1<<20), "The token is larger than 16384 bytes" + asIssued},
		"one byte too large": {
			good + strings.Repeat("A", MaxTokenBytes+1-len(good)),
			"The token is larger than 16384 bytes" + asIssued,
		},
		"truncated, one part":  {parts[0][:40], notThreeParts + asIssued},
		"truncated, two parts": {parts[0] + "." + parts[1][:9], notThreeParts + asIssued},
		"five parts":           {good + ".e30.e30", notThreeParts + asIssued},
		"not JOSE":             {"hunter2", notThreeParts + asIssued},
		"JSON serialization":   {`{"payload":"e30","protected":"e30","signature":"e30"}`, notThreeParts + asIssued},
		"empty header":         {"." + parts[1] + "." + parts[2], "The token's header is empty" + asIssued},
		"empty payload":        {parts[0] + ".." + parts[2], "The token's payload is empty" + asIssued},
		"empty signature":      {parts[0] + "." + parts[1] + ".", "The token's signature is empty" + asIssued},
		"padding": {
			good + "==",
			"The token's signature" + notBase64URL + asIssued,
		},
		"standard alphabet": {
			parts[0] + ".++//." + parts[2],
			"The token's payload" + notBase64URL + asIssued,
		},
		"another spelling": {
			good[:len(good)-1] + otherSpelling(good[len(good)-1]),
			"The token's signature" + notBase64URL + asIssued,
		},
		"wrapped by mail": {good[:76] + "\r\n" + good[76:], whiteSpace + asIssued},
		"NUL": {
			"\x00." + parts[1] + "." + parts[2],
			"The token's header" + notBase64URL + asIssued,
		},
		"header not JSON": {header("alg: EdDSA"), "The token's header is not valid JSON" + asIssued},
		"header not UTF-8": {
			header("{\"alg\":\"EdDSA\",\"x\":\"\xff\"}"),
			"The token's header is not valid JSON" + asIssued,
		},
		"half a surrogate": {header(`{"alg":"EdDSA","x":"\ud800"}`), "The token's header is not valid JSON" + asIssued},
		"header an array":  {header(`["EdDSA"]`), "The token's header is not a JSON object" + asIssued},
		"header null":      {header(`null`), "The token's header is not a JSON object" + asIssued},
		"two headers":      {header(`{"alg":"EdDSA"}{}`), "The token's header is not valid JSON" + asIssued},
		"duplicate header": {
			header(`{"alg":"EdDSA","alg":"EdDSA"}`),
			`The token's header has the member "alg" twice` + asIssued,
		},
		"duplicate below": {
			header(`{"alg":"EdDSA","jwk":{"a":1,"\u0061":2}}`),
			`The token's header has the member "a" twice` + asIssued,
		},
		"nested too deep": {
			header(strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17)),
			"The token's header is nested deeper than 16 levels" + asIssued,
		},
		"no alg": {
			headerPlus(members{"alg": absent}),
			"The token's header has no alg, or one that is not a string" + documented,
		},
		"alg not a string": {
			headerPlus(members{"alg": []string{"EdDSA"}}),
			"The token's header has no alg, or one that is not a string" + documented,
		},
		"kid not a string": {headerPlus(members{"kid": 7}), headerForm},
		"jwk not a key":    {headerPlus(members{"jwk": members{"kty": "none"}}), headerForm},
		"crit": {
			headerPlus(members{"crit": []string{"exp"}, "exp": 1}),
			"The token's header contains crit, which license keys do not support" + documented,
		},
		"crit that is known": {
			headerPlus(members{"crit": []string{"b64"}, "b64": true}),
			"The token's header contains crit, which license keys do not support" + documented,
		},
		"crit empty": {
			headerPlus(members{"crit": []string{}}),
			"The token's header contains crit, which license keys do not support" + documented,
		},
		"crit null": {
			headerPlus(members{"crit": nil}),
			"The token's header contains crit, which license keys do not support" + documented,
		},
		"b64": {
			headerPlus(members{"b64": false}),
			"The token's header contains b64, which license keys do not support" + documented,
		},
		"a manifest": {
			"apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\n",
			whiteSpace + asIssued,
		},
		"a certificate instead": {pemOf(w.root.certificate), whiteSpace + asIssued},
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			asked.token = test.token
			checkAnswers(t, w, asked, answer{reason: api.ReasonTokenMalformed, message: test.message})
		})
	}
}

// otherSpelling changes the bits of the last character that decoders ignore.
func otherSpelling(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

func TestVerifyRefusesAlgorithms(t *testing.T) {
	w := newWorld(t)
	headerPlus := func(changes members) string { return toJSON(t, w.header().plus(changes)) }
	p384 := newEntity(t, w.intermediate, ecdsaKey(t, elliptic.P384()), signerTemplate("P-384 Signer"))
	rsaSigner := newEntity(t, w.intermediate, rsaKey(), signerTemplate("RSA Signer"))

	for name, test := range map[string]struct{ token, message string }{
		"none": {
			strings.TrimSuffix(unsigned(headerPlus(members{"alg": "none"}), toJSON(t, w.payload())), ".") + ".AA",
			`Algorithm "none"` + allowedOnly,
		},
		"HS256 keyed with the public key": {
			hmacSealed(w.signer.key.Public().(ed25519.PublicKey), headerPlus(members{"alg": "HS256"}),
				toJSON(t, w.payload())),
			`Algorithm "HS256"` + allowedOnly,
		},
		"PS256": {pssSealed(t, rsaSigner, toJSON(t, w.payload())), `Algorithm "PS256"` + allowedOnly},
		"ES384": {
			sealed(t, p384.key, toJSON(t, headerOf(p384).plus(members{"alg": "ES384"})), toJSON(t, w.payload())),
			`Algorithm "ES384"` + allowedOnly,
		},
		"wrong case": {
			sealed(t, w.signer.key, headerPlus(members{"alg": "eddsa"}), toJSON(t, w.payload())),
			`Algorithm "eddsa"` + allowedOnly,
		},
		"empty": {
			sealed(t, w.signer.key, headerPlus(members{"alg": ""}), toJSON(t, w.payload())),
			`Algorithm ""` + allowedOnly,
		},
		"hostile": {
			sealed(t, w.signer.key,
				headerPlus(members{"alg": "\n\x1b[2J\u202e" + strings.Repeat("x", 5000)}), toJSON(t, w.payload())),
			`Algorithm "\n\x1b[2J\u202e` + strings.Repeat("x", 55) + `..."` + allowedOnly,
		},
		"ES256, Ed25519": {
			sealed(t, w.signer.key, headerPlus(members{"alg": "ES256"}), toJSON(t, w.payload())),
			`Algorithm "ES256"` + otherType + "(Ed25519)" + anotherKey,
		},
		"EdDSA, RSA": {
			sealed(t, rsaKey(), toJSON(t, headerOf(rsaSigner).plus(members{"alg": "EdDSA"})),
				toJSON(t, w.payload())),
			`Algorithm "EdDSA"` + otherType + "(RSA with 2048 bits)" + anotherKey,
		},
		"ES256, P-384": {
			sealed(t, p384.key, toJSON(t, headerOf(p384).plus(members{"alg": "ES256"})),
				toJSON(t, w.payload())),
			`Algorithm "ES256"` + otherType + "(ECDSA P-384)" + anotherKey,
		},
		"RS256, Ed25519": {
			sealed(t, w.signer.key, headerPlus(members{"alg": "RS256"}), toJSON(t, w.payload())),
			`Algorithm "RS256"` + otherType + "(Ed25519)" + anotherKey,
		},
		"Ed25519 (RFC 9864)": {
			sealed(t, w.signer.key, headerPlus(members{"alg": "Ed25519"}), toJSON(t, w.payload())),
			`Algorithm "Ed25519"` + allowedOnly,
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			asked.token = test.token
			checkAnswers(t, w, asked, answer{reason: api.ReasonAlgorithmNotAllowed, message: test.message})
		})
	}
}

func unsigned(header, payload string) string {
	return b64([]byte(header)) + "." + b64([]byte(payload)) + "."
}

func hmacSealed(secret []byte, header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

func pssSealed(t *testing.T, signer *entity, payload string) string {
	t.Helper()
	input := b64([]byte(toJSON(t, headerOf(signer).plus(members{"alg": "PS256"})))) + "." + b64([]byte(payload))
	hash := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPSS(rand.Reader, signer.key.(*rsa.PrivateKey), crypto.SHA256, hash[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(signature)
}

func TestVerifyRefusesChains(t *testing.T) {
	w := newWorld(t)
	sealedBy := func(signer *entity, chain ...*x509.Certificate) string {
		return sealed(t, signer.key, toJSON(t, headerOf(signer).plus(members{"x5c": x5c(chain...)})),
			toJSON(t, w.payload()))
	}
	withHeader := func(value any) string {
		return sealed(t, w.signer.key, toJSON(t, w.header().plus(members{"x5c": value})), toJSON(t, w.payload()))
	}
	signerWith := func(change func(*x509.Certificate)) *entity {
		return newEntity(t, w.intermediate, ed25519Key(t), with(signerTemplate("Odd Signer"), change))
	}
	authorityWith := func(issuer *entity, change func(*x509.Certificate)) *entity {
		return newEntity(t, issuer, ed25519Key(t), with(caTemplate("Odd CA"), change))
	}
	below := func(issuer *entity) *entity {
		return newEntity(t, issuer, ed25519Key(t), signerTemplate("Odd Signer"))
	}
	selfSigned := newEntity(t, nil, ed25519Key(t), signerTemplate("Self-signed"))
	otherVendor := below(newEntity(t, nil, ed25519Key(t), caTemplate("Globex Root")))
	sameName := newEntity(t, newEntity(t, nil, ed25519Key(t), caTemplate("Acme Root")), ed25519Key(t),
		signerTemplate("Impostor"))
	impostor := newEntity(t, w.root, ed25519Key(t), caTemplate("Acme Issuing CA"))
	lower := newEntity(t, w.intermediate, ed25519Key(t), caTemplate("Lower CA"))
	circle := newEntity(t, lower, w.intermediate.key, caTemplate("Acme Issuing CA"))
	isCA := authorityWith(w.intermediate, func(*x509.Certificate) {})
	noSignature := signerWith(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
	noUsage := signerWith(func(c *x509.Certificate) { c.KeyUsage = 0 })
	serverOnly := signerWith(
		func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	unknownUse := signerWith(func(c *x509.Certificate) {
		c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 2, 3}}
	})
	critical := signerWith(func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	})
	rsa1024 := certify(t, w.intermediate, rsaPublicKey(t, 1024), rsaKey(), signerTemplate("RSA Signer"))
	rsa4104 := certify(t, w.intermediate, rsaPublicKey(t, 4104), rsaKey(), signerTemplate("RSA Signer"))
	underRSA8192 := below(w.intermediate)
	bigCA := certify(t, w.root, rsaPublicKey(t, 8192), w.root.key, caTemplate("Big CA"))
	underNotCA := below(authorityWith(w.intermediate, func(c *x509.Certificate) { c.IsCA = false }))
	underNoCertSign := below(
		authorityWith(w.intermediate, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }))
	underServerCA := below(
		authorityWith(w.intermediate,
			func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }))
	short := authorityWith(w.root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	tooLong := below(authorityWith(short, func(c *x509.Certificate) { c.Subject.CommonName = "Lower CA" }))
	constrained := authorityWith(w.root, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"acme.example"}
	})
	unconstrained := newEntity(t, constrained, ed25519Key(t),
		with(signerTemplate("Odd Signer"), func(c *x509.Certificate) {
			c.DNSNames = []string{"evil.example"}
		}))
	eleven := w.root
	for i := range 10 {
		eleven = newEntity(t, eleven, ed25519Key(t), caTemplate(fmt.Sprintf("CA %d", i)))
	}
	deep := below(eleven)
	anchored := newEntity(t, nil, ed25519Key(t), caTemplate("Acme Signer"))
	incomplete := "it does not lead to a trust anchor of the product (incomplete, altered or another vendor's)."

	for name, test := range map[string]struct {
		token, certificate string
		product            *api.LicensedProduct
		message            string
	}{
		"no certificates": {
			token:   withHeader(absent),
			message: "no certificates in spec.certificate or x5c of the token.",
		},
		"x5c null": {
			token:   withHeader(nil),
			message: "x5c of the token is not a list of certificates.",
		},
		"x5c empty": {
			token:   withHeader([]string{}),
			message: "x5c of the token is not a list of certificates.",
		},
		"x5c a string": {
			token:   withHeader("MII"),
			message: "x5c of the token is not a list of certificates.",
		},
		"x5c of numbers": {token: withHeader([]int{1}), message: "x5c entry 1 is not a string."},
		"x5c in base64url": {
			token:   withHeader([]string{base64.RawURLEncoding.EncodeToString(w.signer.certificate.Raw)}),
			message: "x5c entry 1 is not standard base64 with padding.",
		},
		"x5c wrapped": {
			token:   withHeader([]string{x5c(w.signer.certificate)[0][:64] + "\n" + x5c(w.signer.certificate)[0][64:]}),
			message: "x5c entry 1 contains line breaks.",
		},
		"x5c of garbage": {
			token:   withHeader([]string{"AAAA"}),
			message: "x5c entry 1 is not a certificate (x509: malformed certificate).",
		},
		"x5c too long": {
			token:   sealedBy(w.signer, repeated(w.root.certificate, 11)...),
			message: "x5c of the token has more than 10 certificates.",
		},
		"x5c not canonical": {
			token: sealedBy(w.signer, w.signer.certificate,
				&x509.Certificate{Raw: partsOf(t, w.intermediate.certificate).encode(null)}),
			message: `certificate 2, "CN=Acme Issuing CA", is not canonical DER.`,
		},
		"certificate garbage": {
			token: withHeader(absent), certificate: "hello",
			message: "spec.certificate: block 1 is preceded by text that is not PEM.",
		},
		"certificate white space": {
			token: withHeader(absent), certificate: " \n",
			message: "spec.certificate: no PEM block of type CERTIFICATE.",
		},
		"certificate too large": {
			token: w.token(t), certificate: strings.Repeat(" ", MaxCertificateBytes+1),
			message: "spec.certificate is larger than 32768 bytes.",
		},
		"certificate too long": {
			token: withHeader(absent), certificate: pemOf(repeated(w.root.certificate, 11)...),
			message: "spec.certificate: more than 10 certificates.",
		},
		"certificate a key": {
			token:       withHeader(absent),
			certificate: pemOf(w.signer.certificate) + keyPEM(t, w.signer), message: "spec.certificate: block 2 " +
				"is a private key: remove it, and consider it compromised.",
		},
		"certificate another leaf": {
			token: w.token(t), certificate: pemOf(chainOf(selfSigned)...),
			message: `the first certificate of spec.certificate, "CN=Self-signed", is not the first one of x5c, ` +
				`"CN=Acme Signer".`,
		},
		"incomplete":     {token: sealedBy(w.signer, w.signer.certificate), message: incomplete},
		"another vendor": {token: sealedBy(otherVendor, chainOf(otherVendor)...), message: incomplete},
		"an impostor":    {token: sealedBy(sameName, chainOf(sameName)...), message: incomplete},
		"self-signed":    {token: sealedBy(selfSigned, selfSigned.certificate), message: incomplete},
		"swapped": {
			token: sealedBy(w.signer, w.signer.certificate, w.root.certificate, w.intermediate.certificate),
			message: `certificate 1, "CN=Acme Signer", was not issued by the next one, "CN=Acme Root": ` +
				`its issuer is "CN=Acme Issuing CA".`,
		},
		"swapped, root first": {
			token:   sealedBy(w.signer, w.root.certificate, w.intermediate.certificate, w.signer.certificate),
			message: `the signer, "CN=Acme Root", is itself a trust anchor: a chain needs at least two certificates.`,
		},
		"an impostor in between": {
			token: sealedBy(w.signer, w.signer.certificate, impostor.certificate, w.root.certificate),
			message: `certificate 1, "CN=Acme Signer", was not issued by the next one, "CN=Acme Issuing ` +
				`CA": x509: Ed25519 verification failure.`,
		},
		"in circles": {
			token: sealedBy(w.signer,
				append([]*x509.Certificate{w.signer.certificate, circle.certificate}, chainOf(lower)...)...),
			message: "its order does not lead to a trust anchor of the product.",
		},
		"a stranger at the end": {
			token: sealedBy(w.signer, append(chainOf(w.signer), otherVendor.certificate)...),
			message: `certificate 3, "CN=Acme Root", was not issued by the next one, "CN=Odd Signer": ` +
				`its issuer is "CN=Acme Root".`,
		},
		"a CA as signer": {
			token:   sealedBy(isCA, chainOf(isCA)...),
			message: `the signer, "CN=Odd CA", is a CA, but a CA must not sign license keys.`,
		},
		"no digitalSignature": {
			token:   sealedBy(noSignature, chainOf(noSignature)...),
			message: `the signer, "CN=Odd Signer", does not have key usage digitalSignature.`,
		},
		"no key usage": {
			token:   sealedBy(noUsage, chainOf(noUsage)...),
			message: `the signer, "CN=Odd Signer", does not have key usage digitalSignature.`,
		},
		"serverAuth only": {
			token:   sealedBy(serverOnly, chainOf(serverOnly)...),
			message: `the signer, "CN=Odd Signer", has extended key usages, but neither codeSigning nor any.`,
		},
		"unknown extended key usage": {
			token:   sealedBy(unknownUse, chainOf(unknownUse)...),
			message: `the signer, "CN=Odd Signer", has extended key usages, but neither codeSigning nor any.`,
		},
		"critical extension": {
			token:   sealedBy(critical, chainOf(critical)...),
			message: "a certificate has an unknown critical extension.",
		},
		"RSA 1024": {
			token:   sealedBy(rsa1024, chainOf(rsa1024)...),
			message: `certificate 1, "CN=RSA Signer", has an RSA key with 1024 bits, but 2048 to 4096 are required.`,
		},
		"RSA 4104": {
			token:   sealedBy(rsa4104, chainOf(rsa4104)...),
			message: `certificate 1, "CN=RSA Signer", has an RSA key with 4104 bits, but 2048 to 4096 are required.`,
		},
		"RSA 8192 above": {
			token:   sealedBy(underRSA8192, underRSA8192.certificate, bigCA.certificate),
			message: `certificate 2, "CN=Big CA", has an RSA key with 8192 bits, but 2048 to 4096 are required.`,
		},
		"issuer not a CA": {
			token: sealedBy(underNotCA, chainOf(underNotCA)...),
			message: `certificate 1, "CN=Odd Signer", was not issued by the next one, "CN=Odd CA": the next ` +
				`one is not a CA (basic constraints).`,
		},
		"issuer without keyCertSign": {
			token: sealedBy(underNoCertSign, chainOf(underNoCertSign)...),
			message: `certificate 1, "CN=Odd Signer", was not issued by the next one, "CN=Odd CA": the next ` +
				`one is not a CA (key usage keyCertSign).`,
		},
		"issuer for servers": {
			token:   sealedBy(underServerCA, chainOf(underServerCA)...),
			message: "a CA must not issue certificates for code signing (extended key usage).",
		},
		"path too long": {
			token:   sealedBy(tooLong, chainOf(tooLong)...),
			message: `too many CAs below "CN=Odd CA" (path length).`,
		},
		"name not permitted": {
			token: sealedBy(unconstrained, chainOf(unconstrained)...),
			message: `x509: a root or intermediate certificate is not authorized to sign for this name: DNS name ` +
				`"evil.example" is not permitted by any constraint.`,
		},
		"too deep": {
			token: withHeader(absent), certificate: pemOf(chainOf(deep)...),
			message: "spec.certificate: more than 10 certificates.",
		},
		"leaf an anchor": {
			token: sealedBy(anchored, anchored.certificate), product: productWith(anchored),
			message: `the signer, "CN=Acme Signer", is itself a trust anchor: a chain needs at least two ` +
				`certificates.`,
		},
		"anchor of another key": {token: w.token(t), product: productWith(anchored), message: incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			asked.token, asked.certificate = test.token, test.certificate
			if test.product != nil {
				asked.product = test.product
			}
			checkAnswers(t, w, asked,
				answer{reason: api.ReasonUntrustedCertificate, message: notTrusted + test.message + checkAnchors})
		})
	}
}

func repeated(certificate *x509.Certificate, count int) []*x509.Certificate {
	var certificates []*x509.Certificate
	for range count {
		certificates = append(certificates, certificate)
	}
	return certificates
}

func keyPEM(t testing.TB, e *entity) string {
	t.Helper()
	text, err := encodeKey(e.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestVerifyRefusesSignatures(t *testing.T) {
	w := newWorld(t)
	other := newEntity(t, w.intermediate, ed25519Key(t), signerTemplate("Other Signer"))
	ecdsaSigner := newEntity(t, w.intermediate, ecdsaKey(t, elliptic.P256()), signerTemplate("Acme Signer"))
	rsaSigner := newEntity(t, w.intermediate, rsaKey(), signerTemplate("Acme Signer"))
	headerAndPayload := func(token string) string { return token[:strings.LastIndexByte(token, '.')] }
	payload := toJSON(t, w.payload())
	es256 := sealed(t, ecdsaSigner.key, toJSON(t, headerOf(ecdsaSigner)), payload)
	asn1Signature, err := ecdsaSigner.key.Sign(rand.Reader, hashOf(headerAndPayload(es256)), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(w.token(t), ".")

	for name, token := range map[string]string{
		"another signer's key": sealed(t, other.key, toJSON(t, w.header()), payload),
		"root's key":           sealed(t, w.root.key, toJSON(t, w.header()), payload),
		"another payload": parts[0] + "." +
			b64([]byte(toJSON(t, w.payload().plus(members{"exp": 253402300799})))) + "." + parts[2],
		"another header": b64([]byte(toJSON(t, w.header().plus(members{"kid": "x"})))) + "." + parts[1] + "." +
			parts[2],
		"too short":             headerAndPayload(w.token(t)) + "." + b64(make([]byte, 63)),
		"too long":              headerAndPayload(w.token(t)) + "." + b64(make([]byte, 65)),
		"payload not even JSON": sealed(t, other.key, toJSON(t, w.header()), "{"),
		"ES256 of zeros":        headerAndPayload(es256) + "." + b64(make([]byte, 64)),
		"ES256 in ASN.1":        headerAndPayload(es256) + "." + b64(asn1Signature),
		"RS256 of another key size": headerAndPayload(sealed(t, rsaKey(), toJSON(t, headerOf(rsaSigner)), payload)) +
			"." + b64(make([]byte, 512)),
		"jwk of the attacker": sealed(t, other.key, toJSON(t, w.header().plus(members{"jwk": members{
			"kty": "OKP", "crv": "Ed25519", "x": b64(other.key.Public().(ed25519.PublicKey)),
		}})), payload),
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			asked.token = token
			checkAnswers(t, w, asked,
				answer{reason: api.ReasonSignatureInvalid, message: badSignature, chain: acmeChain})
		})
	}
}

func hashOf(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

func TestVerifyRefusesClaims(t *testing.T) {
	w := newWorld(t)
	plus := func(changes members) string { return toJSON(t, w.payload().plus(changes)) }
	without := func(name string) string { return plus(members{name: absent}) }
	raw := func(member string) string { return strings.TrimSuffix(plus(members{}), "}") + "," + member + "}" }
	limitNames := ": names have 1 to 63 letters, digits, '-', '_' or '.', and begin with a letter or digit."
	deceptive := " contains a control character, a line separator, a bidirectional control or U+FFFD."
	names := func(count int) []string {
		var names []string
		for i := range count {
			names = append(names, fmt.Sprint("n", i))
		}
		return names
	}
	limits := func(count int) members {
		limits := members{}
		for _, name := range names(count) {
			limits[name] = 1
		}
		return limits
	}

	for name, test := range map[string]struct{ payload, message string }{
		"not JSON":      {"exp=never", "the payload is not valid JSON."},
		"an array":      {"[]", "the payload is not a JSON object."},
		"a string":      {`"exp"`, "the payload is not a JSON object."},
		"null":          {"null", "the payload is not a JSON object."},
		"trailing data": {plus(members{}) + "{}", "the payload is not valid JSON."},
		"not UTF-8":     {raw(`"x":"` + "\xff" + `"`), "the payload is not valid JSON."},
		"nested too deep": {
			raw(`"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16)),
			"the payload is nested deeper than 16 levels.",
		},
		"nested absurdly": {
			strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
			"the payload is nested deeper than 16 levels.",
		},
		"duplicate exp":       {raw(`"exp":1`), `the payload has the member "exp" twice.`},
		"duplicate by escape": {raw(`"\u0065xp":1`), `the payload has the member "exp" twice.`},
		"duplicate unknown":   {raw(`"x":{"y":[{"z":1,"z":1}]}`), `the payload has the member "z" twice.`},
		"duplicate limit": {
			strings.Replace(plus(members{}), `"nodes"`, `"cores":1,"nodes"`, 1),
			`the payload has the member "cores" twice.`,
		},
		"no sub":       {without("sub"), "claim sub is missing."},
		"no aud":       {without("aud"), "claim aud is missing."},
		"no jti":       {without("jti"), "claim jti is missing."},
		"no iat":       {without("iat"), "claim iat is missing."},
		"no exp":       {without("exp"), "claim exp is missing."},
		"another case": {plus(members{"exp": absent, "Exp": now.Unix()}), "claim exp is missing."},
		"sub null":     {plus(members{"sub": nil}), "claim sub must be a string."},
		"sub a number": {plus(members{"sub": 1}), "claim sub must be a string."},
		"sub empty":    {plus(members{"sub": ""}), "claim sub must have 1 to 256 characters."},
		"sub too long": {
			plus(members{"sub": strings.Repeat("ü", 257)}),
			"claim sub must have 1 to 256 characters.",
		},
		"sub with a newline":   {plus(members{"sub": "a\nb"}), "claim sub" + deceptive},
		"sub with DEL":         {plus(members{"sub": "a\x7f"}), "claim sub" + deceptive},
		"sub with C1":          {plus(members{"sub": "a\u009b"}), "claim sub" + deceptive},
		"sub with a separator": {plus(members{"sub": "a\u2028b"}), "claim sub" + deceptive},
		"sub with an override": {plus(members{"sub": "a\u202eb"}), "claim sub" + deceptive},
		"sub half a surrogate": {
			strings.Replace(plus(members{}), "Initech", `\ud800`, 1),
			"the payload is not valid JSON.",
		},
		"half a surrogate, unknown claim": {raw(`"x":"\udc00"`), "the payload is not valid JSON."},
		"sub with U+FFFD":                 {plus(members{"sub": "a\ufffd"}), "claim sub" + deceptive},
		"iss empty":                       {plus(members{"iss": ""}), "claim iss must have 1 to 256 characters."},
		"iss null":                        {plus(members{"iss": nil}), "claim iss must be a string."},
		"jti too long": {
			plus(members{"jti": strings.Repeat("1", 254)}),
			"claim jti must have 1 to 253 characters.",
		},
		"aud null":       {plus(members{"aud": nil}), "claim aud must be a string."},
		"aud an object":  {plus(members{"aud": members{}}), "claim aud must be a string."},
		"aud empty":      {plus(members{"aud": []string{}}), "claim aud must be an array of 1 to 16 strings."},
		"aud too many":   {plus(members{"aud": names(17)}), "claim aud must be an array of 1 to 16 strings."},
		"aud of numbers": {plus(members{"aud": []any{"acme-mesh", 1}}), "claim aud[1] must be a string."},
		"aud of nothing": {
			plus(members{"aud": []any{"acme-mesh", ""}}),
			"claim aud[1] must have 1 to 253 characters.",
		},
		"exp fractional":       {plus(members{"exp": 1900000000.5}), "claim exp must be an integer."},
		"exp with exponent":    {`{"exp":19e8,` + without("exp")[1:], "claim exp must be an integer."},
		"exp fraction of zero": {`{"exp":1900000000.0,` + without("exp")[1:], "claim exp must be an integer."},
		"exp textual":          {plus(members{"exp": "1900000000"}), "claim exp must be an integer."},
		"exp a date":           {plus(members{"exp": "2030-01-01"}), "claim exp must be an integer."},
		"exp null":             {plus(members{"exp": nil}), "claim exp must be an integer."},
		"exp true":             {plus(members{"exp": true}), "claim exp must be an integer."},
		"exp negative":         {plus(members{"exp": -1}), "claim exp must be from 0 to 253402300799."},
		"exp absurd": {
			`{"exp":1` + strings.Repeat("0", 400) + `,` + without("exp")[1:],
			"claim exp must be from 0 to 253402300799.",
		},
		"exp in milliseconds": {plus(members{"exp": now.UnixMilli()}), "claim exp must be from 0 to 253402300799."},
		"exp in year 10000":   {plus(members{"exp": 253402300800}), "claim exp must be from 0 to 253402300799."},
		"grace to year 10000": {
			plus(members{"exp": 253402300799, "grace_period": 1}),
			"claims exp and grace_period end after 9999-12-31T23:59:59Z.",
		},
		"iat negative":   {plus(members{"iat": -1}), "claim iat must be from 0 to 253402300799."},
		"nbf null":       {plus(members{"nbf": nil}), "claim nbf must be an integer."},
		"nbf fractional": {plus(members{"nbf": 0.5}), "claim nbf must be an integer."},
		"exp before iat": {
			plus(members{"nbf": absent, "exp": now.Add(-31 * day).Unix()}),
			"claim exp (2026-10-22T12:00:00Z) is before claim iat (2026-10-23T12:00:00Z).",
		},
		"exp before nbf": {
			plus(members{"nbf": now.Add(day).Unix(), "exp": now.Unix()}),
			"claim exp (2026-11-22T12:00:00Z) is before claim nbf (2026-11-23T12:00:00Z).",
		},
		"grace negative": {plus(members{"grace_period": -1}), "claim grace_period must be from 0 to 315360000."},
		"grace too long": {
			plus(members{"grace_period": 315360001}),
			"claim grace_period must be from 0 to 315360000.",
		},
		"grace textual": {plus(members{"grace_period": "30d"}), "claim grace_period must be an integer."},
		"features a string": {
			plus(members{"features": "tiers"}),
			"claim features must be an array of 0 to 128 strings.",
		},
		"features null": {
			plus(members{"features": nil}),
			"claim features must be an array of 0 to 128 strings.",
		},
		"features too many": {
			plus(members{"features": names(129)}),
			"claim features must be an array of 0 to 128 strings.",
		},
		"features of objects": {plus(members{"features": []any{members{}}}), "claim features[0] must be a string."},
		"features twice": {
			plus(members{"features": []string{"tiers", "tiers"}}),
			`claim features contains "tiers" twice.`,
		},
		"feature too long": {
			plus(members{"features": []string{strings.Repeat("f", 129)}}),
			"claim features[0] must have 1 to 128 characters.",
		},
		"limits an array": {
			plus(members{"limits": []int{1}}),
			"claim limits must be an object of at most 64 integers.",
		},
		"limits null": {
			plus(members{"limits": nil}),
			"claim limits must be an object of at most 64 integers.",
		},
		"limits too many": {
			plus(members{"limits": limits(65)}),
			"claim limits must be an object of at most 64 integers.",
		},
		"limit negative": {
			plus(members{"limits": members{"nodes": -1}}),
			"claim limits.nodes must be from 0 to 9223372036854775807.",
		},
		"limit absurd": {
			plus(members{"limits": members{"nodes": 1e30}}),
			"claim limits.nodes must be an integer.",
		},
		"limit too large": {
			plus(members{"limits": members{"nodes": uint64(1) << 63}}),
			"claim limits.nodes must be from 0 to 9223372036854775807.",
		},
		"limit fractional": {
			plus(members{"limits": members{"nodes": 1.5}}),
			"claim limits.nodes must be an integer.",
		},
		"limit textual": {
			plus(members{"limits": members{"nodes": "100"}}),
			"claim limits.nodes must be an integer.",
		},
		"limit null": {
			plus(members{"limits": members{"nodes": nil}}),
			"claim limits.nodes must be an integer.",
		},
		"limit name": {
			plus(members{"limits": members{"": 1}}),
			`claim limits has an invalid name, ""` + limitNames,
		},
		"limit name hostile": {
			plus(members{"limits": members{"\nnodes": 1}}),
			`claim limits has an invalid name, "\nnodes"` + limitNames,
		},
		"first of wrong limits": {
			plus(members{"limits": members{"d": "", "c": "", "b": "", "a": ""}}),
			"claim limits.a must be an integer.",
		},
		"clusters empty": {
			plus(members{"cluster_uids": []string{}}),
			"claim cluster_uids must be an array of 1 to 64 strings.",
		},
		"clusters null": {
			plus(members{"cluster_uids": nil}),
			"claim cluster_uids must be an array of 1 to 64 strings.",
		},
		"clusters a string": {
			plus(members{"cluster_uids": clusterUID}),
			"claim cluster_uids must be an array of 1 to 64 strings.",
		},
		"clusters too many": {
			plus(members{"cluster_uids": names(65)}),
			"claim cluster_uids must be an array of 1 to 64 strings.",
		},
		"cluster too long": {
			plus(members{"cluster_uids": []string{strings.Repeat("c", 64)}}),
			"claim cluster_uids[0] must have 1 to 63 characters.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			asked.token = sealed(t, w.signer.key, toJSON(t, w.header()), test.payload)
			checkAnswers(t, w, asked, answer{
				reason: api.ReasonClaimsInvalid, message: cannotBeUsed + test.message + correctedKey, chain: acmeChain,
			})
		})
	}
}

func TestVerifyAtTheBoundsOfClaims(t *testing.T) {
	w := newWorld(t)
	forever := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Unix(0, 0), time.Unix(maxTime, 0) }
	root := newEntity(t, nil, ed25519Key(t), with(caTemplate("Acme Root"), forever))
	signer := newEntity(t, root, ed25519Key(t), with(signerTemplate("Acme Signer"), forever))
	name := strings.Repeat("ü", 256)
	asked := w.question(t)
	asked.product = productWith(root)
	asked.token = sealed(t, signer.key, toJSON(t, headerOf(signer)), toJSON(t, members{
		"sub": name, "iss": name, "jti": name[:2*253], "aud": name[:2*253], "iat": 0, "nbf": 0,
		"exp":          maxTime - maxGracePeriod,
		"grace_period": maxGracePeriod, "features": []string{},
		"limits": members{strings.Repeat("n", 63): int64(1<<63 - 1), "0": 0},
	}))
	checkAnswers(t, w, asked, answer{
		chain: []string{"Acme Signer", "Acme Root"}, reason: api.ReasonAudienceMismatch,
		message: `The key is for "` + name[:2*61] + `...", but the product's audience is "acme-mesh"` + anotherProduct,
		claims: &license.Claims{
			Customer: name, Issuer: name, ID: name[:2*253], Audience: []string{name[:2*253]},
			IssuedTime: time.Unix(0, 0).UTC(), NotBefore: time.Unix(0, 0).UTC(),
			Expiry: time.Unix(maxTime-maxGracePeriod, 0).UTC(), GracePeriod: maxGracePeriod * time.Second,
			Limits: map[string]int64{strings.Repeat("n", 63): 1<<63 - 1, "0": 0},
		},
	})
}

func TestVerifyIssuedAhead(t *testing.T) {
	w := newWorld(t)
	asked := w.question(t)
	asked.now = now.Add(-30*day - 5*time.Minute - time.Nanosecond)
	verifier := NewVerifier()
	for range 2 {
		got := answerOf(verifier.Verify(asked.token, "", w.terms(t), clusterUID, asked.now))
		want := answer{
			reason:  api.ReasonClaimsInvalid,
			message: "The issue time 2026-10-23T12:00:00Z is in the future (claim iat). Correct the clock, or wait.",
			recheck: time.Date(2026, 10, 23, 11, 55, 0, 0, time.UTC),
			chain:   acmeChain,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("ahead:\n got %+v\nwant %+v", got, want)
		}
		got = answerOf(verifier.Verify(asked.token, "", w.terms(t), clusterUID, want.recheck))
		if want := (answer{claims: w.claims(), chain: acmeChain}); !reflect.DeepEqual(got, want) {
			t.Errorf("at RecheckTime:\n got %+v\nwant %+v", got, want)
		}
	}
}

func TestVerifyRefusesLicenses(t *testing.T) {
	w := newWorld(t)
	// Every certificate in turn is the one that does not contain the license.
	narrow := func(name string, notBefore, notAfter time.Time) *entity {
		narrowed := func(own string, template x509.Certificate) x509.Certificate {
			template.NotBefore, template.NotAfter = now.Add(-100*day), now.Add(1000*day)
			if own == name {
				template.NotBefore, template.NotAfter = notBefore, notAfter
			}
			return template
		}
		root := newEntity(t, nil, ed25519Key(t), narrowed("root", caTemplate("Acme Root")))
		intermediate := newEntity(t, root, ed25519Key(t), narrowed("intermediate", caTemplate("Acme Issuing CA")))
		return newEntity(t, intermediate, ed25519Key(t), narrowed("signer", signerTemplate("Acme Signer")))
	}
	under := func(signer *entity) func(*question) {
		return func(q *question) {
			q.token = sealed(t, signer.key, toJSON(t, headerOf(signer)), toJSON(t, w.payload()))
			q.product = productWith(signer.issuer.issuer)
		}
	}
	issued, graceEnd := now.Add(-30*day), now.Add(365*day)
	before := func(name string) string {
		return "The license was issued at 2026-10-23T12:00:00Z, but certificate \"CN=" + name +
			"\" is valid from 2026-10-23T12:00:01Z. Ask the vendor for another key."
	}
	after := func(name string) string {
		return "The grace period ends at 2027-11-22T12:00:00Z, but certificate \"CN=" + name +
			"\" is valid until 2027-11-22T11:59:59Z. Ask the vendor for a shorter license or a newer signer."
	}
	early := func(name string) func(*question) {
		return under(narrow(name, issued.Add(time.Second), now.Add(395*day)))
	}
	late := func(name string) func(*question) {
		return under(narrow(name, now.Add(-60*day), graceEnd.Add(-time.Second)))
	}
	revoking := func(revocations ...api.Revocation) func(*question) {
		return func(q *question) {
			q.product = w.product.DeepCopy()
			q.product.Spec.Revocations = revocations
		}
	}
	revoked := func(name string) string {
		return "The vendor revoked certificate \"CN=" + name + "\" in the key's chain. " +
			"Ask the vendor for a key from another signer."
	}

	for name, test := range map[string]struct {
		change          func(*question)
		reason, message string
	}{
		"issued before the signer": {early("signer"), api.ReasonOutsideCertificateValidity, before("Acme Signer")},
		"issued before the intermediate": {
			early("intermediate"), api.ReasonOutsideCertificateValidity,
			before("Acme Issuing CA"),
		},
		"issued before the anchor": {early("root"), api.ReasonOutsideCertificateValidity, before("Acme Root")},
		"grace period outlives the signer": {
			late("signer"), api.ReasonOutsideCertificateValidity,
			after("Acme Signer"),
		},
		"grace period outlives the CA": {
			late("intermediate"), api.ReasonOutsideCertificateValidity,
			after("Acme Issuing CA"),
		},
		"grace period outlives the anchor": {late("root"), api.ReasonOutsideCertificateValidity, after("Acme Root")},
		"another product": {
			func(q *question) { q.product = w.product.DeepCopy(); q.product.Name = "acme-storage" },
			api.ReasonAudienceMismatch,
			`The key is for "acme-mesh", but the product's audience is "acme-storage"` + anotherProduct,
		},
		"another audience": {
			func(q *question) { q.product = w.product.DeepCopy(); q.product.Spec.Audience = "ACME-MESH" },
			api.ReasonAudienceMismatch,
			`The key is for "acme-mesh", but the product's audience is "ACME-MESH"` + anotherProduct,
		},
		"four other products": {
			func(q *question) {
				q.token = sealed(t, w.signer.key, toJSON(t, w.header()),
					toJSON(t, w.payload().plus(members{"aud": []string{"a", "b", "c", "d"}})))
			},
			api.ReasonAudienceMismatch,
			`The key is for "a", "b", "c" and 1 more, but the product's audience is "acme-mesh"` + anotherProduct,
		},
		"another cluster": {
			func(q *question) { q.clusterUID = "0d1b" },
			api.ReasonClusterMismatch,
			`The key is for "` + clusterUID + `", but this cluster is "0d1b" (uid of kube-system)` + anotherKey,
		},
		"license revoked": {
			revoking(api.Revocation{LicenseID: "other"}, api.Revocation{LicenseID: "2026-0001"}),
			api.ReasonLicenseRevoked, `The vendor revoked license "2026-0001". Ask the vendor for another key.`,
		},
		"signer revoked": {
			revoking(api.Revocation{CertificateSHA256: hexOf(w.signer)}), api.ReasonCertificateRevoked,
			revoked("Acme Signer"),
		},
		"intermediate revoked": {
			revoking(api.Revocation{CertificateSHA256: strings.ToUpper(hexOf(w.intermediate))}),
			api.ReasonCertificateRevoked, revoked("Acme Issuing CA"),
		},
		"anchor revoked": {
			revoking(api.Revocation{CertificateSHA256: colons(hexOf(w.root))}),
			api.ReasonCertificateRevoked, revoked("Acme Root"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := w.question(t)
			test.change(&asked)
			claims, _, _ := PeekUnverified(asked.token, "")
			checkAnswers(t, w, asked,
				answer{reason: test.reason, message: test.message, claims: claims, chain: acmeChain})
		})
	}
}

// TestVerifyOrder breaks a key in every way at once and repairs it step by step: each time the earliest fault is the
// reason.
func TestVerifyOrder(t *testing.T) {
	w := newWorld(t)
	short := newEntity(t, w.intermediate, ed25519Key(t),
		with(signerTemplate("Short Signer"), func(c *x509.Certificate) {
			c.NotAfter = now.Add(day)
		}))
	payload := w.payload().plus(members{"aud": "acme-storage", "cluster_uids": []string{"another"}})
	header := headerOf(short).plus(members{"alg": "PS256", "crit": []string{"exp"}, "x5c": []string{"?"}})
	badClaims := payload.plus(members{"exp": "never"})
	product := w.product.DeepCopy()
	product.Spec.Revocations = []api.Revocation{{LicenseID: "2026-0001"}, {CertificateSHA256: hexOf(short)}}
	clusters := "another-cluster"
	signedWith := w.root.key

	steps := []struct {
		reason string
		repair func()
	}{
		{api.ReasonTokenMalformed, func() { header = header.plus(members{"crit": absent}) }},
		{api.ReasonAlgorithmNotAllowed, func() { header = header.plus(members{"alg": "EdDSA"}) }},
		{api.ReasonUntrustedCertificate, func() { header = header.plus(members{"x5c": x5c(chainOf(short)...)}) }},
		{api.ReasonSignatureInvalid, func() { signedWith = short.key }},
		{
			api.ReasonClaimsInvalid,
			func() { badClaims = payload.plus(members{"iat": now.Add(12 * time.Hour).Unix(), "nbf": absent}) },
		},
		{api.ReasonClaimsInvalid, func() { badClaims = payload }},
		{
			api.ReasonOutsideCertificateValidity,
			func() { badClaims = payload.plus(members{"exp": now.Unix(), "grace_period": 0}) },
		},
		{api.ReasonAudienceMismatch, func() { product.Spec.Audience = "acme-storage" }},
		{api.ReasonClusterMismatch, func() { clusters = "another" }},
		{api.ReasonLicenseRevoked, func() { product.Spec.Revocations = product.Spec.Revocations[1:] }},
		{api.ReasonCertificateRevoked, func() { product.Spec.Revocations = nil }},
		{"", func() {}},
	}
	for i, step := range steps {
		token := sealed(t, signedWith, toJSON(t, header), toJSON(t, badClaims))
		if got := answerOf(Verify(token, "", termsOf(t, product), clusters, now)).reason; got != step.reason {
			t.Errorf("step %d: got %q, want %q", i, got, step.reason)
		}
		step.repair()
	}

	// The algorithm comes before the chain where the signer's key decides, too.
	stranger := newEntity(t, nil, ed25519Key(t), signerTemplate("Stranger"))
	token := sealed(t, stranger.key, toJSON(t, headerOf(stranger).plus(members{"alg": "ES256"})), toJSON(t, payload))
	if got := answerOf(Verify(token, "", w.terms(t), "", now)).reason; got != api.ReasonAlgorithmNotAllowed {
		t.Errorf("unfitting algorithm of a stranger: got %q", got)
	}
}

// TestMessagesAreSafe holds every message against what a condition may show.
func TestMessagesAreSafe(t *testing.T) {
	w := newWorld(t)
	hostile := strings.Repeat("\x1b]0;pwned\a\u202e", 40)
	signer := newEntity(t, w.root, ed25519Key(t), signerTemplate(hostile))
	header := headerOf(signer)
	names := []string{
		strings.Repeat("\U000e0001", 253), strings.Repeat("\U000e0002", 253),
		strings.Repeat("\U000e0003", 253),
	}
	claims := w.payload().plus(members{"aud": names})
	for name, token := range map[string]string{
		"algorithm": sealed(t, signer.key, toJSON(t, header.plus(members{"alg": hostile})), "{}"),
		"member": sealed(t, signer.key,
			`{"`+strings.Repeat("\u0001", 2000)+`":1,"`+strings.Repeat("\u0001", 2000)+`":1}`, "{}"),
		"subject": sealed(t, signer.key, toJSON(t, header),
			toJSON(t, w.payload().plus(members{"exp": now.AddDate(50, 0, 0).Unix()}))),
		"order": sealed(t, signer.key,
			toJSON(t, header.plus(members{"x5c": x5c(signer.certificate, signer.certificate)})), "{}"),
		"audience": sealed(t, signer.key, toJSON(t, header), toJSON(t, claims)),
	} {
		t.Run(name, func(t *testing.T) {
			result := Verify(token, "", w.terms(t), clusterUID, now)
			if result.Err == nil {
				t.Fatal("verified")
			}
			message := result.Err.Error()
			if len(message) > maxMessageBytes || strings.ContainsFunc(message, text.IsDeceptive) {
				t.Errorf("%d bytes: %q", len(message), message)
			}
			const window = 16
			for i := 0; i+window <= len(token); i++ {
				if strings.Contains(message, token[i:i+window]) {
					t.Fatalf("has a part of the token: %q", message)
				}
			}
		})
	}
}

func TestVerifyWithoutTerms(t *testing.T) {
	w := newWorld(t)
	for name, terms := range map[string]*Terms{"nil": nil, "zero": {}} {
		if got := answerOf(Verify(w.token(t), "", terms, "", now)).reason; got != api.ReasonUntrustedCertificate {
			t.Errorf("%s: got %q", name, got)
		}
		if got := answerOf(NewVerifier().Verify(w.token(t), "", terms, "", now)).reason; got !=
			api.ReasonUntrustedCertificate {
			t.Errorf("%s, remembered: got %q", name, got)
		}
	}
}

func TestErrorsHaveCauses(t *testing.T) {
	w := newWorld(t)
	if failure := Verify("?", "", w.terms(t), "", now).Err; failure.Unwrap() != nil {
		t.Errorf("got %v", failure.Unwrap())
	}
	token := sealed(t, w.signer.key, toJSON(t, w.header()), "{}")
	if failure := Verify(token, "", w.terms(t), "", now).Err; failure.Unwrap() == nil ||
		failure.Unwrap().Error() != "claim sub is missing" {
		t.Errorf("got %v", failure.Unwrap())
	}
}

func TestTextForMessages(t *testing.T) {
	for got, want := range map[string]string{
		describeKey(nil):                          "unsupported type",
		quote("a\x00\u202e\xff\""):                `"a\x00\u202e\xff\""`,
		printable(errors.New("a\x00\u202e\xffü")): `a\x00\u202e\ufffdü`,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
