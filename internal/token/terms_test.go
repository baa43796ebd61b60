// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

func TestTrustAnchorsAccepted(t *testing.T) {
	w := newWorld(t)
	root := pemOf(w.root.certificate)
	for name, anchors := range map[string]string{
		"one":                   root,
		"no newline at the end": strings.TrimSpace(root),
		"white space and CRLF":  "\r\n\r\n" + strings.ReplaceAll(root, "\n", "\r\n") + "\t\n",
		"several":               root + pemOf(w.intermediate.certificate),
		"duplicates":            root + root,
		"64":                    pemOf(repeated(w.root.certificate, 64)...),
		"expired": pemOf(newEntity(t, nil, ed25519Key(t),
			with(caTemplate("Old"), func(c *x509.Certificate) { c.NotAfter = c.NotBefore })).certificate),
		"RSA 2048": pemOf(newEntity(t, nil, rsaKey(), caTemplate("RSA")).certificate),
	} {
		t.Run(name, func(t *testing.T) {
			if terms, err := NewTermsFromAnchors(anchors); terms == nil || err != nil {
				t.Errorf("got %v, %v", terms, err)
			}
		})
	}
}

func TestTrustAnchorsRefused(t *testing.T) {
	w := newWorld(t)
	root := pemOf(w.root.certificate)
	block := func(blockType string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: content}))
	}
	ca := func(change func(*x509.Certificate)) string {
		return pemOf(newEntity(t, nil, ed25519Key(t), with(caTemplate("Odd CA"), change)).certificate)
	}
	rsaCA := func(bits uint) string {
		return pemOf(certify(t, w.root, rsaPublicKey(t, bits), w.root.key, caTemplate("RSA CA")).certificate)
	}
	end := strings.Index(root, "-----END")

	for name, test := range map[string]struct{ anchors, message string }{
		"empty":               {"", "no PEM block of type CERTIFICATE"},
		"white space":         {" \n\t", "no PEM block of type CERTIFICATE"},
		"text":                {"Acme Root", "block 1 is preceded by text that is not PEM"},
		"text before":         {"Acme Root\n" + root, "block 1 is preceded by text that is not PEM"},
		"text between":        {root + "# another\n" + root, "block 2 is preceded by text that is not PEM"},
		"text after":          {root + "the end", "block 2 is preceded by text that is not PEM"},
		"truncated":           {root[:end], "block 1 is not well-formed PEM"},
		"first of two broken": {root[:end] + root, "block 1 is not well-formed PEM"},
		"another end": {
			strings.Replace(root, "END CERTIFICATE", "END CERT", 1),
			"block 1 is not well-formed PEM",
		},
		"another end, then ok": {
			strings.Replace(root, "END CERTIFICATE", "END CERT", 1) + root,
			"block 1 is not well-formed PEM",
		},
		"not base64": {strings.Replace(root, "M", "!", 1), "block 1 is not well-formed PEM"},
		"private key": {
			root + keyPEM(t, w.root),
			"block 2 is a private key: remove it, and consider it compromised",
		},
		"EC private key": {
			block("EC PRIVATE KEY", nil),
			"block 1 is a private key: remove it, and consider it compromised",
		},
		"encrypted key": {
			block("ENCRYPTED PRIVATE KEY", nil),
			"block 1 is a private key: remove it, and consider it compromised",
		},
		"public key": {block("PUBLIC KEY", []byte("x")), `block 1 is "PUBLIC KEY", not CERTIFICATE`},
		"trusted certificate": {
			block("TRUSTED CERTIFICATE", w.root.certificate.Raw),
			`block 1 is "TRUSTED CERTIFICATE", not CERTIFICATE`,
		},
		"garbage": {
			block("CERTIFICATE", []byte("garbage")),
			"block 1 is not a certificate (x509: malformed certificate)",
		},
		"trailing garbage": {
			block("CERTIFICATE", append([]byte(nil), append(w.root.certificate.Raw, 0)...)),
			"block 1 is not a certificate (x509: trailing data)",
		},
		"two in one block": {
			block("CERTIFICATE",
				append(append([]byte(nil), w.root.certificate.Raw...), w.root.certificate.Raw...)),
			"block 1 is not a certificate (x509: trailing data)",
		},
		"65":        {pemOf(repeated(w.root.certificate, 65)...), "more than 64 certificates"},
		"too large": {root + strings.Repeat(" ", MaxTrustAnchorsBytes), "larger than 65536 bytes"},
		"a signer": {
			root + pemOf(w.signer.certificate),
			`block 2, certificate "CN=Acme Signer", is not a CA (basic constraints)`,
		},
		"not a CA": {
			ca(func(c *x509.Certificate) { c.IsCA = false }),
			`block 1, certificate "CN=Odd CA", is not a CA (basic constraints)`,
		},
		"no keyCertSign": {
			ca(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }),
			`block 1, certificate "CN=Odd CA", is not a CA (key usage keyCertSign)`,
		},
		"RSA 1024": {
			rsaCA(1024),
			`block 1, certificate "CN=RSA CA", has an RSA key with 1024 bits, but 2048 to 4096 are required`,
		},
		"RSA 4104": {
			rsaCA(4104),
			`block 1, certificate "CN=RSA CA", has an RSA key with 4104 bits, but 2048 to 4096 are required`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			product := w.product.DeepCopy()
			product.Spec.TrustAnchors = test.anchors
			verifier := NewVerifier()
			for description, read := range map[string]func() (*Terms, error){
				"for a product":        func() (*Terms, error) { return NewTerms(product) },
				"for inspection":       func() (*Terms, error) { return NewTermsFromAnchors(test.anchors) },
				"remembered, first":    func() (*Terms, error) { return verifier.Terms(product) },
				"remembered, the next": func() (*Terms, error) { return verifier.Terms(product) },
			} {
				if terms, err := read(); terms != nil || err == nil || err.Error() != test.message {
					t.Errorf("%s:\n got %v\nwant %s", description, err, test.message)
				}
			}
			if _, err := verifier.Terms(w.product); err != nil {
				t.Errorf("the next product: %v", err)
			}
		})
	}
}

func TestRevocationsRefused(t *testing.T) {
	w := newWorld(t)
	for name, digits := range map[string]string{
		"short":       hexOf(w.root)[2:],
		"long":        hexOf(w.root) + "00",
		"much longer": strings.Repeat(hexOf(w.root), 1000),
		"not hex":     "g" + hexOf(w.root)[1:],
	} {
		t.Run(name, func(t *testing.T) {
			product := w.product.DeepCopy()
			product.Spec.Revocations = []api.Revocation{{LicenseID: "1"}, {CertificateSHA256: digits}}
			const want = "certificateSHA256 of revocation 2 is not a SHA-256 fingerprint in hexadecimal " +
				"(openssl x509 -noout -fingerprint -sha256)"
			if terms, err := NewTerms(product); terms != nil || err == nil || err.Error() != want {
				t.Errorf("got %v, %v", terms, err)
			}
		})
	}
}

func TestTermsFromAnchorsAcceptAnyAudience(t *testing.T) {
	w := newWorld(t)
	terms, err := NewTermsFromAnchors(w.product.Spec.TrustAnchors)
	if err != nil {
		t.Fatal(err)
	}
	token := sealed(t, w.signer.key, toJSON(t, w.header()), toJSON(t, w.payload().plus(members{"aud": "anything"})))
	if result := Verify(token, "", terms, "", now); result.Err != nil {
		t.Error(result.Err)
	}
}
