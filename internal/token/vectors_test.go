// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// go test ./internal/token -run TestVectors -update writes the vectors. They come out the same each time.
var update = flag.Bool("update", false, "write testdata/vectors")

// vector is one file of testdata/vectors: everything a verification depends on, and its outcome.
type vector struct {
	Description  string           `json:"description"`
	Token        string           `json:"token"`
	Certificate  string           `json:"certificate,omitempty"`
	TrustAnchors string           `json:"trustAnchors"`
	Audience     string           `json:"audience"`
	ClusterUID   string           `json:"clusterUID"`
	Revocations  []api.Revocation `json:"revocations,omitempty"`
	Now          time.Time        `json:"now"`
	// Reason is Verified, or why it does not verify.
	Reason string `json:"reason"`
	// Payload is what the token says, where it verifies.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// The keys of the vectors are published ones: Ed25519 of RFC 8032, section 7.1, tests 1 to 3, P-256 of RFC 6979,
// appendix A.2.5, and RSA of RFC 9500, section 2.1.
const (
	vectorRootSeed     = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	vectorSignerSeed   = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
	vectorIssuingSeed  = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
	vectorECDSASigner  = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
	vectorDirectory    = "testdata/vectors"
	vectorDocumentName = "eddsa"
)

var vectorNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func fromHex(t testing.TB, digits string) []byte {
	t.Helper()
	decoded, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func vectorECDSAKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), fromHex(t, vectorECDSASigner))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// vectorWorld is a root with an Ed25519 signer, the same each time.
func vectorWorld(t testing.TB) *world {
	t.Helper()
	root := newEntity(t, nil, ed25519.NewKeyFromSeed(fromHex(t, vectorRootSeed)),
		vectorTemplate(1, 20, caTemplate("Acme License Root CA")))
	signer := newEntity(t, root, ed25519.NewKeyFromSeed(fromHex(t, vectorSignerSeed)),
		vectorTemplate(2, 10, signerTemplate("Acme License Signer")))
	return &world{root: root, intermediate: root, signer: signer, product: productWith(root)}
}

func vectorTemplate(serialNumber int64, years int, template x509.Certificate) x509.Certificate {
	template.SerialNumber = big.NewInt(serialNumber)
	template.Subject = pkix.Name{Organization: []string{"Acme"}, CommonName: template.Subject.CommonName}
	template.NotBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	template.NotAfter = template.NotBefore.AddDate(years, 0, 0)
	template.MaxPathLenZero = template.IsCA
	return template
}

// vectorPayload has its members in the order in which Sign writes them.
const vectorPayload = `{"iss":"Acme","sub":"Initech","aud":"acme-mesh","jti":"2026-0001","iat":1795305600,` +
	`"nbf":1795305600,"exp":1826928000,` +
	`"grace_period":2592000,"features":["tiers","flow-logs"],"limits":{"cores":1000,"nodes":100},"cluster_uids":["` +
	clusterUID + `"]}`

// vectorHeader is the header that Sign writes.
func vectorHeader(t testing.TB, signer *entity, changes members) string {
	t.Helper()
	return toJSON(t, headerOf(signer).plus(members{"x5c": x5c(signer.certificate)}).plus(changes))
}

func buildVectors(t *testing.T) map[string]vector {
	t.Helper()
	w := vectorWorld(t)
	good := vector{
		TrustAnchors: w.product.Spec.TrustAnchors, Audience: "acme-mesh", ClusterUID: clusterUID, Now: vectorNow,
		Reason:  api.ReasonVerified,
		Payload: json.RawMessage(vectorPayload),
	}
	seal := func(changes members, payload string) string {
		return sealed(t, w.signer.key, vectorHeader(t, w.signer, changes), payload)
	}
	replaced := func(from, to string) string {
		if !strings.Contains(vectorPayload, from) {
			t.Fatalf("payload has no %s", from)
		}
		return strings.Replace(vectorPayload, from, to, 1)
	}
	vectorOf := func(description, reason string, change func(*vector)) vector {
		made := good
		made.Description, made.Reason, made.Token = description, reason, seal(nil, vectorPayload)
		if reason != api.ReasonVerified {
			made.Payload = nil
		}
		change(&made)
		return made
	}
	withToken := func(token string) func(*vector) { return func(v *vector) { v.Token = token } }
	es256 := certify(t, w.root, &vectorECDSAKey(t).PublicKey, nil,
		vectorTemplate(3, 10, signerTemplate("Acme License Signer P-256")))
	es256Input := b64([]byte(vectorHeader(t, &entity{certificate: es256.certificate, key: vectorECDSAKey(t)}, nil))) +
		"." + b64([]byte(vectorPayload))
	rs256 := certify(t, w.root, publishedRSAKey(t).Public(), publishedRSAKey(t),
		vectorTemplate(4, 10, signerTemplate("Acme License Signer RSA")))
	goodToken := seal(nil, vectorPayload)
	hmacHeader := vectorHeader(t, w.signer, members{"alg": "HS256"})

	return map[string]vector{
		vectorDocumentName: vectorOf("EdDSA, chain in x5c", api.ReasonVerified, func(*vector) {}),
		"certificate": vectorOf("EdDSA, chain in spec.certificate", api.ReasonVerified, func(v *vector) {
			v.Token, v.Certificate = seal(members{"x5c": absent}, vectorPayload), pemOf(w.signer.certificate)
		}),
		"minimal": vectorOf("required claims only, aud as an array", api.ReasonVerified, func(v *vector) {
			v.Payload = json.RawMessage(
				`{"sub":"Initech","aud":["acme-storage","acme-mesh"],"jti":"2026-0002","iat":1795305600,` +
					`"exp":1826928000}`)
			v.Token = seal(nil, string(v.Payload))
		}),
		"es256": vectorOf("ES256, signature as in RFC 6979", api.ReasonVerified,
			withToken(es256Input+"."+b64(signDeterministically(t, es256Input)))),
		"rs256": vectorOf("RS256", api.ReasonVerified,
			withToken(sealed(t, rs256.key, vectorHeader(t, rs256, nil), vectorPayload))),
		"ignored-headers": vectorOf("kid, jwk, jku and x5u are ignored", api.ReasonVerified, withToken(seal(members{
			"kid": "1", "jku": "https://example.com/keys", "x5u": "https://example.com/chain",
			"jwk": members{"kty": "OKP", "crv": "Ed25519", "x": b64(w.root.key.Public().(ed25519.PublicKey))},
		}, vectorPayload))),

		"malformed-truncated": vectorOf("the last part is missing", api.ReasonTokenMalformed,
			withToken(goodToken[:strings.LastIndexByte(goodToken, '.')])),
		"malformed-crit": vectorOf("an extension that must be understood", api.ReasonTokenMalformed,
			withToken(seal(members{"crit": []string{"exp"}, "exp": 1}, vectorPayload))),
		"algorithm-none": vectorOf("not signed", api.ReasonAlgorithmNotAllowed,
			withToken(unsigned(vectorHeader(t, w.signer, members{"alg": "none"}), vectorPayload)+"AA")),
		"algorithm-hs256": vectorOf("HMAC keyed with the public key", api.ReasonAlgorithmNotAllowed,
			withToken(hmacSealed(w.signer.key.Public().(ed25519.PublicKey), hmacHeader, vectorPayload))),
		"untrusted-incomplete": vectorOf("no certificates at all", api.ReasonUntrustedCertificate,
			withToken(seal(members{"x5c": absent}, vectorPayload))),
		"untrusted-ca-signs": vectorOf("signed by the CA itself", api.ReasonUntrustedCertificate,
			withToken(sealed(t, w.root.key, vectorHeader(t, w.root, nil), vectorPayload))),
		"signature-altered": vectorOf("another expiry under the same signature", api.ReasonSignatureInvalid,
			withToken(altered(goodToken, replaced("1826928000", "1858464000")))),
		"claims-missing": vectorOf("no exp", api.ReasonClaimsInvalid,
			withToken(seal(nil, replaced(`"exp":1826928000,`, "")))),
		"claims-fractional": vectorOf("exp with a fraction", api.ReasonClaimsInvalid,
			withToken(seal(nil, replaced("1826928000", "1826928000.0")))),
		"claims-duplicate": vectorOf("exp twice", api.ReasonClaimsInvalid,
			withToken(seal(nil, replaced(`"exp":1826928000,`, `"exp":1826928000,"exp":1826928000,`)))),
		"claims-surrogate": vectorOf("half of a surrogate pair in a claim that is ignored", api.ReasonClaimsInvalid,
			withToken(seal(nil, replaced(`"iss":"Acme"`, `"iss":"Acme","note":"\ud800"`)))),
		"claims-issued-ahead": vectorOf("issued more than 5 minutes ahead of now",
			api.ReasonClaimsInvalid, func(v *vector) { v.Now = time.Date(2026, 11, 21, 23, 54, 59, 0, time.UTC) }),
		"outlives-signer": vectorOf("grace period ends a second after the signer's certificate",
			api.ReasonOutsideCertificateValidity, withToken(seal(nil, replaced("1826928000", "2080166401")))),
		"audience": vectorOf("issued for another product",
			api.ReasonAudienceMismatch, func(v *vector) { v.Audience = "acme-storage" }),
		"cluster": vectorOf("issued for another cluster",
			api.ReasonClusterMismatch, func(v *vector) { v.ClusterUID = "00000000-0000-0000-0000-000000000000" }),
		"revoked-license": vectorOf("license revoked",
			api.ReasonLicenseRevoked, func(v *vector) { v.Revocations = []api.Revocation{{LicenseID: "2026-0001"}} }),
		"revoked-certificate": vectorOf("signer's certificate revoked", api.ReasonCertificateRevoked, func(v *vector) {
			v.Revocations = []api.Revocation{{CertificateSHA256: colons(hexOf(w.signer))}}
		}),
	}
}

// altered has another payload.
func altered(token, payload string) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + b64([]byte(payload)) + "." + parts[2]
}

func signDeterministically(t testing.TB, input string) []byte {
	t.Helper()
	der, err := vectorECDSAKey(t).Sign(nil, hashOf(input), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &signature); err != nil {
		t.Fatal(err)
	}
	// RFC 7518, section 3.4: each of the two integers in 32 bytes.
	return append(signature.R.FillBytes(make([]byte, 32)), signature.S.FillBytes(make([]byte, 32))...)
}

func vectorPath(name string) string { return filepath.Join(vectorDirectory, name+".json") }

func writeVector(t *testing.T, name string, vector vector) {
	t.Helper()
	text, err := json.MarshalIndent(vector, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorPath(name), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readVector(t testing.TB, path string) vector {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read vector
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return read
}

func vectorPaths(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(vectorPath("*"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no vectors", err)
	}
	return paths
}

func (v vector) terms(t testing.TB) *Terms {
	t.Helper()
	return termsOf(t, &api.LicensedProduct{Spec: api.LicensedProductSpec{
		Audience: v.Audience, TrustAnchors: v.TrustAnchors, Revocations: v.Revocations,
	}})
}

func TestVectors(t *testing.T) {
	built := buildVectors(t)
	maps.Copy(built, buildCertificateVectors(t))
	if *update {
		for name, vector := range built {
			writeVector(t, name, vector)
		}
	}
	for _, path := range vectorPaths(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			vector := readVector(t, path)
			if built, ok := built[name]; !ok || toJSON(t, built) != toJSON(t, vector) {
				t.Errorf("%s is not what the test makes: run it with -update", path)
			}
			result := Verify(vector.Token, vector.Certificate, vector.terms(t), vector.ClusterUID, vector.Now)
			if vector.Reason != api.ReasonVerified {
				if result.Err == nil || result.Err.Reason != vector.Reason {
					t.Errorf("got %v, want %s", result.Err, vector.Reason)
				}
				return
			}
			want, err := decodeClaims(vector.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if result.Err != nil || !reflect.DeepEqual(result.Claims, want) {
				t.Errorf("got %+v (%v), want %+v", result.Claims, result.Err, want)
			}
		})
	}
}

// TestSignMakesTheVector: an Ed25519 signature has one value, so Sign makes the token that the documentation quotes to
// the byte.
func TestSignMakesTheVector(t *testing.T) {
	w := vectorWorld(t)
	claims, err := decodeClaims([]byte(vectorPayload))
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsedSigner(t, w.signer, chainOf(w.signer)...).Sign(claims)
	if want := readVector(t, vectorPath(vectorDocumentName)).Token; err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}
