// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/x509"
	"reflect"
	"strings"
	"testing"
	"time"
)

func newAuthority(t testing.TB, at time.Time) *Authority {
	t.Helper()
	authority, err := NewAuthority("Acme", at)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func newSignerOf(t testing.TB, authority *Authority, at time.Time) *Signer {
	t.Helper()
	signer, err := authority.NewSigner("Acme License Signer", at)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// profile is what a certificate says, but for its key, serial number and signature.
type profile struct {
	subject, issuer     string
	notBefore, notAfter time.Time
	isCA                bool
	maxPathLen          int
	keyUsage            x509.KeyUsage
	extKeyUsage         []x509.ExtKeyUsage
	algorithm           x509.SignatureAlgorithm
}

func profileOf(c *x509.Certificate) profile {
	return profile{
		c.Subject.String(), c.Issuer.String(), c.NotBefore, c.NotAfter, c.IsCA, c.MaxPathLen, c.KeyUsage, c.ExtKeyUsage,
		c.SignatureAlgorithm,
	}
}

func TestAuthority(t *testing.T) {
	authority := newAuthority(t, now.Add(300*time.Millisecond))
	signer := newSignerOf(t, authority, now.AddDate(1, 0, 0))

	const root = "CN=Acme License Root CA,O=Acme"
	got := []profile{profileOf(signer.Chain()[0]), profileOf(signer.Chain()[1])}
	want := []profile{{
		subject: "CN=Acme License Signer,O=Acme", issuer: root, notBefore: now.AddDate(1, 0, 0),
		notAfter: now.AddDate(11, 0, 0), maxPathLen: -1,
		keyUsage: x509.KeyUsageDigitalSignature, extKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		algorithm: x509.PureEd25519,
	}, {
		subject: root, issuer: root, notBefore: now, notAfter: now.AddDate(20, 0, 0), isCA: true,
		keyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, algorithm: x509.PureEd25519,
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if signer.Chain()[0].SerialNumber.Cmp(newSignerOf(t, authority, now).Chain()[0].SerialNumber) == 0 {
		t.Error("two signers have the same serial number")
	}
}

func TestSignerNeverOutlivesItsAuthority(t *testing.T) {
	signer := newSignerOf(t, newAuthority(t, now), now.AddDate(15, 0, 0))
	if got, want := signer.Chain()[0].NotAfter, now.AddDate(20, 0, 0); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAuthorityAndSignerFromPEM(t *testing.T) {
	authority := newAuthority(t, now)
	authorityKey, err := authority.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseAuthority(authority.CertificatePEM(), authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	signer := newSignerOf(t, parsed, now)
	signerKey, err := signer.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = ParseSigner(signer.CertificatePEM(), signerKey); err != nil {
		t.Fatal(err)
	}
	w := &world{}
	claims := w.claims()
	claims.IssuedTime, claims.NotBefore = now, now
	token, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	terms, err := NewTermsFromAnchors(string(authority.CertificatePEM()))
	if err != nil {
		t.Fatal(err)
	}
	if result := Verify(token, "", terms, "", now); result.Err != nil || !reflect.DeepEqual(result.Claims, claims) {
		t.Errorf("got %+v", result)
	}
}

func TestIntermediateAuthority(t *testing.T) {
	w := newWorld(t)
	authority, err := ParseAuthority([]byte(pemOf(chainOf(w.intermediate)...)), []byte(keyPEM(t, w.intermediate)))
	if err != nil {
		t.Fatal(err)
	}
	signer := newSignerOf(t, authority, now)
	claims := w.claims()
	claims.IssuedTime, claims.NotBefore = now, now
	token, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	if result := Verify(token, "", w.terms(t), clusterUID, now); result.Err != nil {
		t.Error(result.Err)
	}
}

func TestAuthorityErrors(t *testing.T) {
	w := newWorld(t)
	authority := newAuthority(t, now)
	newNamed := func(vendor string) error { _, err := NewAuthority(vendor, now); return err }
	newSigner := func(name string, at time.Time) error { _, err := authority.NewSigner(name, at); return err }
	parse := func(certificate, key string) error {
		_, err := ParseAuthority([]byte(certificate), []byte(key))
		return err
	}
	const validity = ": it is valid from 2026-11-22T12:00:00Z to 2046-11-22T12:00:00Z"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no vendor":   {newNamed(" "), "vendor name must have 1 to 48 characters"},
		"long vendor": {newNamed(strings.Repeat("ü", 49)), "vendor name must have 1 to 48 characters"},
		"hostile vendor": {newNamed("a\nb"), "vendor name contains a control character, a line separator, a " +
			"bidirectional control or U+FFFD"},
		"no name": {newSigner("", now), "signer name must have 1 to 64 characters"},
		"the root's name": {
			newSigner("Acme License Root CA", now),
			`certificate "CN=Acme License Root CA,O=Acme" is self-signed: a signer needs a certificate from a CA`,
		},
		"too early": {
			newSigner("x", now.Add(-time.Second)),
			"the authority is not valid now (2026-11-22T11:59:59Z)" + validity,
		},
		"too late": {
			newSigner("x", now.AddDate(20, 0, 0)),
			"the authority is not valid now (2046-11-22T12:00:00Z)" + validity,
		},
		"no CA": {
			parse(pemOf(chainOf(w.signer)...), keyPEM(t, w.signer)),
			`certificate "CN=Acme Signer" is not a CA (basic constraints)`,
		},
		"key of another": {
			parse(pemOf(w.root.certificate), keyPEM(t, w.signer)),
			`the private key does not belong to certificate "CN=Acme Root"`,
		},
		"no certificate": {
			parse("", keyPEM(t, w.root)),
			"authority's certificate: no PEM block of type CERTIFICATE",
		},
		"no key": {parse(pemOf(w.root.certificate), ""), "authority's key: it is not well-formed PEM"},
		"a public key too": {parse(pemOf(w.root.certificate), pemOf(w.root.certificate)), "authority's key: it is " +
			"not a PEM block of type PRIVATE KEY: convert a key in another format with openssl pkcs8 -topk8 -nocrypt"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.err == nil || test.err.Error() != test.want {
				t.Errorf("got %v, want %s", test.err, test.want)
			}
		})
	}
}
