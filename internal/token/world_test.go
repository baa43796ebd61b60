// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// now is the instant at which the tests take place.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	day        = 24 * time.Hour
	clusterUID = "5b4ecf14-8f2c-4d5f-9a55-6a7b3e0b6f11"
)

// entity is a certificate, its private key and who issued it.
type entity struct {
	certificate *x509.Certificate
	key         crypto.Signer
	issuer      *entity
}

// certify makes a certificate for a public key; a nil issuer signs itself.
func certify(
	t testing.TB, issuer *entity, public crypto.PublicKey, key crypto.Signer, template x509.Certificate,
) *entity {
	t.Helper()
	if template.NotBefore.IsZero() {
		template.NotBefore = now.Add(-365 * day)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = now.Add(3650 * day)
	}
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(1)
	}
	parent, signingKey := &template, key
	if issuer != nil {
		parent, signingKey = issuer.certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, public, signingKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &entity{certificate: certificate, key: key, issuer: issuer}
}

func caTemplate(name string) x509.Certificate {
	return x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
}

func signerTemplate(name string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
}

func with(template x509.Certificate, change func(*x509.Certificate)) x509.Certificate {
	change(&template)
	return template
}

func newEntity(t testing.TB, issuer *entity, key crypto.Signer, template x509.Certificate) *entity {
	t.Helper()
	return certify(t, issuer, key.Public(), key, template)
}

func ed25519Key(t testing.TB) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func x25519Key(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is made once: it takes long.
var rsaKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// rsaPublicKey looks like a public key of any size; its private key does not exist.
func rsaPublicKey(t testing.TB, bits uint) *rsa.PublicKey {
	t.Helper()
	modulus, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits-1))
	if err != nil {
		t.Fatal(err)
	}
	modulus.SetBit(modulus, int(bits-1), 1).SetBit(modulus, 0, 1)
	return &rsa.PublicKey{N: modulus, E: 65537}
}

// chainOf is the certificates from an entity up to its root.
func chainOf(e *entity) []*x509.Certificate {
	var chain []*x509.Certificate
	for ; e != nil; e = e.issuer {
		chain = append(chain, e.certificate)
	}
	return chain
}

func pemOf(certificates ...*x509.Certificate) string { return string(encodeCertificates(certificates)) }

func x5c(certificates ...*x509.Certificate) []string {
	var entries []string
	for _, certificate := range certificates {
		entries = append(entries, base64.StdEncoding.EncodeToString(certificate.Raw))
	}
	return entries
}

func signRaw(t testing.TB, key crypto.Signer, input []byte) []byte {
	t.Helper()
	hash := sha256.Sum256(input)
	var signature []byte
	var err error
	switch key := key.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, input)
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:])
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, key, hash[:])
		err = signErr
		size := (key.Curve.Params().BitSize + 7) / 8
		signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// sealed makes a token of any header and payload: Sign would refuse the bad ones.
func sealed(t testing.TB, key crypto.Signer, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(signRaw(t, key, []byte(input)))
}

func toJSON(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type members map[string]any

// plus returns the members with some changed; a value of absent removes one.
func (m members) plus(changes members) members {
	changed := members{}
	for name, value := range m {
		changed[name] = value
	}
	for name, value := range changes {
		if value == absent {
			delete(changed, name)
			continue
		}
		changed[name] = value
	}
	return changed
}

type absence struct{}

var absent any = absence{}

// world is a vendor, a product and a signer, all in order.
type world struct {
	root, intermediate, signer *entity
	product                    *api.LicensedProduct
}

// newWorld has the chain root, intermediate, signer.
func newWorld(t testing.TB) *world {
	t.Helper()
	root := newEntity(t, nil, ed25519Key(t), caTemplate("Acme Root"))
	intermediate := newEntity(t, root, ed25519Key(t), caTemplate("Acme Issuing CA"))
	signer := newEntity(t, intermediate, ed25519Key(t), signerTemplate("Acme Signer"))
	return &world{root: root, intermediate: intermediate, signer: signer, product: productWith(root)}
}

func productWith(anchors ...*entity) *api.LicensedProduct {
	var certificates []*x509.Certificate
	for _, anchor := range anchors {
		certificates = append(certificates, anchor.certificate)
	}
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", TrustAnchors: pemOf(certificates...)},
	}
}

func (w *world) header() members {
	return headerOf(w.signer)
}

func headerOf(signer *entity) members {
	return members{"alg": string(algorithmOf(signer.key.Public())), "typ": "JWT", "x5c": x5c(chainOf(signer)...)}
}

// payload is that of claims.
func (w *world) payload() members {
	return members{
		"iss": "Acme", "sub": "Initech", "aud": "acme-mesh", "jti": "2026-0001",
		"iat": now.Add(-30 * day).Unix(), "nbf": now.Add(-29 * day).Unix(), "exp": now.Add(335 * day).Unix(),
		"grace_period": 2592000,
		"features":     []string{"tiers", "flow-logs"}, "limits": map[string]int{"nodes": 100, "cores": 1000},
		"cluster_uids": []string{clusterUID},
	}
}

// claims are those of payload.
func (w *world) claims() *license.Claims {
	return &license.Claims{
		ID: "2026-0001", Customer: "Initech", Issuer: "Acme", Audience: []string{"acme-mesh"},
		IssuedTime: now.Add(-30 * day), NotBefore: now.Add(-29 * day), Expiry: now.Add(335 * day),
		GracePeriod: 30 * day,
		Features:    []string{"tiers", "flow-logs"}, Limits: map[string]int64{"nodes": 100, "cores": 1000},
		ClusterUIDs: []string{clusterUID},
	}
}

// token is a good one.
func (w *world) token(t testing.TB) string {
	t.Helper()
	return sealed(t, w.signer.key, toJSON(t, w.header()), toJSON(t, w.payload()))
}

func (w *world) terms(t testing.TB) *Terms { return termsOf(t, w.product) }

func termsOf(t testing.TB, product *api.LicensedProduct) *Terms {
	t.Helper()
	terms, err := NewTerms(product)
	if err != nil {
		t.Fatal(err)
	}
	return terms
}
