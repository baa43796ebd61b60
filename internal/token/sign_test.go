// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

func parsedSigner(t testing.TB, e *entity, chain ...*x509.Certificate) *Signer {
	t.Helper()
	signer, err := ParseSigner([]byte(pemOf(chain...)), []byte(keyPEM(t, e)))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// signersOfAllKinds have the same root, which is the anchor of the terms returned.
func signersOfAllKinds(t testing.TB) (map[string]*Signer, *Terms) {
	t.Helper()
	root := newEntity(t, nil, ecdsaKey(t, elliptic.P384()), caTemplate("Acme Root"))
	intermediate := newEntity(t, root, rsaKey(), caTemplate("Acme Issuing CA"))
	ofEd25519 := newEntity(t, root, ed25519Key(t), signerTemplate("Signer"))
	ofP256 := newEntity(t, root, ecdsaKey(t, elliptic.P256()), signerTemplate("Signer"))
	ofRSA := newEntity(t, intermediate, rsaKey(), signerTemplate("Signer"))
	return map[string]*Signer{
		"EdDSA": parsedSigner(t, ofEd25519, chainOf(ofEd25519)...),
		"ES256": parsedSigner(t, ofP256, chainOf(ofP256)...),
		"RS256": parsedSigner(t, ofRSA, chainOf(ofRSA)...),
	}, termsOf(t, productWith(root))
}

func TestSign(t *testing.T) {
	signers, terms := signersOfAllKinds(t)
	w := &world{}
	for algorithm, signer := range signers {
		t.Run(algorithm, func(t *testing.T) {
			token, err := signer.Sign(w.claims())
			if err != nil {
				t.Fatal(err)
			}
			result := Verify(token, "", terms, clusterUID, now)
			if result.Err != nil || !reflect.DeepEqual(result.Claims, w.claims()) ||
				!reflect.DeepEqual(result.Chain, signer.Chain()) {
				t.Errorf("got %+v", result)
			}
			jws, failure := parseCompact(token)
			if failure != nil {
				t.Fatal(failure)
			}
			issued := signer.Chain()[:len(signer.Chain())-1]
			var entries []any
			for _, entry := range x5c(issued...) {
				entries = append(entries, entry)
			}
			if want := (map[string]any{"alg": algorithm, "typ": "JWT", "x5c": entries}); !reflect.DeepEqual(jws.header,
				want) {
				t.Errorf("header: got %v, want %v", jws.header, want)
			}
		})
	}
}

// anyClaims draws claims that a signer with certificates from 365 days ago to 3650 days ahead can issue and that can be
// verified now.
func anyClaims(t *rapid.T) *license.Claims {
	text := func(maxLength int, label string) string {
		character := rapid.Rune().Filter(func(r rune) bool { return !text.IsDeceptive(r) })
		return rapid.StringOfN(character, 1, maxLength, -1).Draw(t, label)
	}
	texts := func(minCount, maxCount, maxLength int, label string) []string {
		var texts []string
		for i := range rapid.IntRange(minCount, maxCount).Draw(t, label) {
			texts = append(texts, text(maxLength, fmt.Sprint(label, i)))
		}
		return texts
	}
	seconds := func(from, to int64, label string) int64 { return rapid.Int64Range(from, to).Draw(t, label) }
	first, last := now.Add(-365*day).Unix(), now.Add(3650*day).Unix()
	issued := seconds(first, now.Unix()+300, "iat")
	expiry := seconds(issued, last, "exp")
	claims := &license.Claims{
		ID:          text(maxIDLength, "jti"),
		Customer:    text(maxSubjectLength, "sub"),
		Audience:    append(texts(0, 3, maxAudienceLength, "aud"), "acme-mesh"),
		IssuedTime:  time.Unix(issued, 0).UTC(),
		NotBefore:   time.Unix(seconds(0, expiry, "nbf"), 0).UTC(),
		Expiry:      time.Unix(expiry, 0).UTC(),
		GracePeriod: time.Duration(seconds(0, min(last-expiry, maxGracePeriod), "grace_period")) * time.Second,
		ClusterUIDs: texts(0, 3, maxClusterUIDLength, "cluster_uids"),
	}
	if rapid.Bool().Draw(t, "has iss") {
		claims.Issuer = text(maxIssuerLength, "iss")
	}
	features := texts(0, 4, maxFeatureLength, "features")
	slices.Sort(features)
	claims.Features = slices.Compact(features)
	limits := rapid.MapOfN(rapid.StringMatching(`[A-Za-z0-9][-_.A-Za-z0-9]{0,62}`), rapid.Int64Min(0), 0, 4).Draw(t,
		"limits")
	if len(limits) > 0 {
		claims.Limits = limits
	}
	return claims
}

func TestSignAndVerifyRoundTrip(t *testing.T) {
	w := newWorld(t)
	signer, terms, verifier := parsedSigner(t, w.signer, chainOf(w.signer)...), w.terms(t), NewVerifier()
	rapid.Check(t, func(t *rapid.T) {
		claims := anyClaims(t)
		token, err := signer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		cluster := ""
		if len(claims.ClusterUIDs) > 0 {
			cluster = claims.ClusterUIDs[0]
		}
		for range 2 {
			if result := verifier.Verify(token, "", terms, cluster, now); result.Err != nil ||
				!reflect.DeepEqual(result.Claims, claims) {
				t.Fatalf("\n got %+v (%v)\nwant %+v", result.Claims, result.Err, claims)
			}
		}
	})
}

// TestSignRefusesWhatVerifyRefuses takes claims out of bounds, or not: a token that Sign makes always verifies.
func TestSignRefusesWhatVerifyRefuses(t *testing.T) {
	w := newWorld(t)
	signer, terms := parsedSigner(t, w.signer, chainOf(w.signer)...), w.terms(t)
	rapid.Check(t, func(t *rapid.T) {
		claims := anyClaims(t)
		fixedTime := func(label string) time.Time {
			return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, label),
				rapid.Int64Range(0, 1).Draw(t, label+" ns")).UTC()
		}
		for _, spoil := range rapid.SliceOfN(rapid.SampledFrom([]func(){
			func() { claims.Customer = rapid.String().Draw(t, "sub") },
			func() { claims.ID = strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "jti")) },
			func() { claims.Issuer = string(rapid.SliceOf(rapid.Byte()).Draw(t, "iss")) },
			func() { claims.Features = append(claims.Features, rapid.StringN(0, 200, -1).Draw(t, "feature")) },
			func() { claims.Features = append(claims.Features, claims.Features...) },
			func() { claims.Limits = rapid.MapOf(rapid.String(), rapid.Int64()).Draw(t, "limits") },
			func() { claims.ClusterUIDs = rapid.SliceOf(rapid.String()).Draw(t, "cluster_uids") },
			func() { claims.GracePeriod = time.Duration(rapid.Int64().Draw(t, "grace_period")) },
			func() { claims.IssuedTime = fixedTime("iat") },
			func() { claims.NotBefore = fixedTime("nbf") },
			func() { claims.Expiry = fixedTime("exp") },
		}), 0, 2).Draw(t, "spoil") {
			spoil()
		}
		token, err := signer.Sign(claims)
		if err != nil {
			return
		}
		if result := Verify(token, "", terms, "", claims.IssuedTime); result.Err != nil {
			t.Fatalf("%+v was signed, but: %v", claims, result.Err)
		}
	})
}

func TestSignErrors(t *testing.T) {
	w := newWorld(t)
	signer := parsedSigner(t, w.signer, chainOf(w.signer)...)
	for name, test := range map[string]struct {
		change func(*license.Claims)
		want   string
	}{
		"no customer": {
			func(c *license.Claims) { c.Customer = "" },
			"invalid license: claim sub must have 1 to 256 characters",
		},
		"no audience": {
			func(c *license.Claims) { c.Audience = nil },
			"invalid license: claim aud must be an array of 1 to 16 strings",
		},
		"empty audience": {
			func(c *license.Claims) { c.Audience = []string{} },
			"invalid license: claim aud must be an array of 1 to 16 strings",
		},
		"negative limit": {
			func(c *license.Claims) { c.Limits["nodes"] = -1 },
			"invalid license: claim limits.nodes must be from 0 to 9223372036854775807",
		},
		"negative grace": {
			func(c *license.Claims) { c.GracePeriod = -time.Second },
			"invalid license: claim grace_period must be from 0 to 315360000",
		},
		"not UTF-8": {
			func(c *license.Claims) { c.Customer = "\xff" },
			`invalid license: encoding the claims: jsontext: invalid UTF-8 within "/sub" after offset 20`,
		},
		"no times": {
			func(c *license.Claims) { c.IssuedTime = time.Time{} },
			"invalid license: claim iat must be from 0 to 253402300799",
		},
		"half a second": {
			func(c *license.Claims) { c.Expiry = c.Expiry.Add(time.Second / 2) },
			"invalid license: claims iat, nbf and exp must be whole seconds",
		},
		"half a grace": {
			func(c *license.Claims) { c.GracePeriod = time.Second / 2 },
			"invalid license: claim grace_period must be whole seconds",
		},
		"exp before nbf": {
			func(c *license.Claims) { c.NotBefore = c.Expiry.Add(time.Second) },
			"invalid license: claim exp (2027-10-23T12:00:00Z) is before claim nbf (2027-10-23T12:00:01Z)",
		},
		"too early": {
			func(c *license.Claims) { c.IssuedTime = now.Add(-365*day - time.Second) },
			`the license would be issued at 2025-11-22T11:59:59Z, but certificate "CN=Acme Signer" is valid from ` +
				`2025-11-22T12:00:00Z`,
		},
		"too long": {
			func(c *license.Claims) { c.Expiry = now.Add(3620*day + time.Second) },
			`the license would outlive certificate "CN=Acme Signer": with a grace period of 720h0m0s the latest ` +
				"expiry is 2036-10-20T12:00:00Z. Choose an earlier expiry, or use a newer signer",
		},
		"too large": {
			func(c *license.Claims) {
				c.Features = nil
				for i := range maxFeatures {
					c.Features = append(c.Features, fmt.Sprintf("%03d%s", i, strings.Repeat("f", 100)))
				}
			},
			"token too large (18804 bytes, maximum 16384): use fewer features, limits or clusters",
		},
	} {
		t.Run(name, func(t *testing.T) {
			claims := w.claims()
			test.change(claims)
			token, err := signer.Sign(claims)
			if token != "" || err == nil || (err.Error() != test.want && name != "too large") {
				t.Errorf("got %q, %v, want %s", token, err, test.want)
			}
		})
	}
}

func TestSignDefaultsNotBefore(t *testing.T) {
	w := newWorld(t)
	claims, want := w.claims(), w.claims()
	claims.NotBefore, want.NotBefore = time.Time{}, want.IssuedTime
	token, err := parsedSigner(t, w.signer, chainOf(w.signer)...).Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	if result := Verify(token, "", w.terms(t), clusterUID, now); result.Err != nil ||
		!reflect.DeepEqual(result.Claims, want) {
		t.Errorf("got %+v", result)
	}
}

func TestParseSignerRefuses(t *testing.T) {
	w := newWorld(t)
	chain, key := pemOf(chainOf(w.signer)...), keyPEM(t, w.signer)
	block := func(blockType string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: []byte("secret")}))
	}
	agreementDER, err := x509.MarshalPKCS8PrivateKey(x25519Key(t))
	if err != nil {
		t.Fatal(err)
	}
	agreement := string(pem.EncodeToMemory(&pem.Block{Type: pemTypePrivateKey, Bytes: agreementDER}))
	server := newEntity(t, w.root, ed25519Key(t), with(signerTemplate("Server"), func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}))
	p384 := newEntity(t, w.root, ecdsaKey(t, elliptic.P384()), signerTemplate("P-384"))
	selfSigned := newEntity(t, nil, ed25519Key(t), signerTemplate("Self-signed"))
	rsa1024 := certify(t, w.root, rsaPublicKey(t, 1024), w.root.key, signerTemplate("RSA"))

	for name, test := range map[string]struct{ certificates, key, want string }{
		"no certificate": {"", key, "signer's certificates: no PEM block of type CERTIFICATE"},
		"key first": {key + chain, key, "signer's certificates: block 1 is a private key: remove it, " +
			"and consider it compromised"},
		"out of order": {
			pemOf(w.signer.certificate, w.root.certificate), key,
			`signer's certificates: certificate 1, "CN=Acme Signer", was not issued by the next one, ` +
				`"CN=Acme Root": its issuer is "CN=Acme Issuing CA"`,
		},
		"RSA 1024": {
			pemOf(rsa1024.certificate), key,
			`signer's certificates: certificate 1, "CN=RSA", has an RSA key with 1024 bits, but 2048 to 4096 ` +
				`are required`,
		},
		"not canonical": {
			pemOf(&x509.Certificate{Raw: partsOf(t, w.signer.certificate).encode(null)}), key,
			`signer's certificates: certificate 1, "CN=Acme Signer", is not canonical DER`,
		},
		"no key":   {chain, "", "signer's key: it is not well-formed PEM"},
		"two keys": {chain, key + key, "signer's key: more than one PEM block"},
		"encrypted key": {chain, block("ENCRYPTED PRIVATE KEY"), "signer's key: it is encrypted: decrypt it with " +
			"openssl pkcs8, and protect the result"},
		"PKCS#1": {chain, block("RSA PRIVATE KEY"), "signer's key: it is not a PEM block of type PRIVATE " +
			"KEY: convert a key in another format with openssl pkcs8 -topk8 -nocrypt"},
		"garbage":           {chain, block("PRIVATE KEY"), "signer's key: it is not a private key in PKCS#8"},
		"key for agreement": {chain, agreement, "signer's key: it is not a signing key"},
		"key of another": {
			chain, keyPEM(t, w.root),
			`the private key does not belong to certificate "CN=Acme Signer"`,
		},
		"key of a CA": {
			pemOf(chainOf(w.root)...), keyPEM(t, w.root),
			`certificate "CN=Acme Root" is a CA, but a CA must not sign license keys`,
		},
		"for servers": {
			pemOf(chainOf(server)...), keyPEM(t, server),
			`certificate "CN=Server" has extended key usages, but neither codeSigning nor any`,
		},
		"P-384": {
			pemOf(chainOf(p384)...), keyPEM(t, p384),
			`certificate "CN=P-384" has an unsuitable key (ECDSA P-384): only Ed25519, ECDSA P-256 and RSA keys ` +
				`can sign license keys`,
		},
		"self-signed": {
			pemOf(selfSigned.certificate), keyPEM(t, selfSigned),
			`certificate "CN=Self-signed" is self-signed: a signer needs a certificate from a CA`,
		},
		"eleven of a chain": {
			pemOf(repeated(w.root.certificate, 11)...), key,
			"signer's certificates: more than 10 certificates",
		},
	} {
		t.Run(name, func(t *testing.T) {
			signer, err := ParseSigner([]byte(test.certificates), []byte(test.key))
			if signer != nil || err == nil || err.Error() != test.want {
				t.Errorf("got %v, %v, want %s", signer, err, test.want)
			}
		})
	}
}

func TestSignerWithoutIssuers(t *testing.T) {
	w := newWorld(t)
	signer := parsedSigner(t, w.signer, w.signer.certificate)
	token, err := signer.Sign(w.claims())
	if err != nil {
		t.Fatal(err)
	}
	if result := Verify(token, pemOf(chainOf(w.signer)...), w.terms(t), clusterUID, now); result.Err != nil {
		t.Error(result.Err)
	}
}

// TestPayloadNames holds the names that are written against those that are read.
func TestPayloadNames(t *testing.T) {
	payload, err := encodeClaims((&world{}).claims())
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(members))
	want := []string{
		"aud", "cluster_uids", "exp", "features", "grace_period", "iat",
		"iss", "jti", "limits", "nbf", "sub",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
