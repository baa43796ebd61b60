// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clitest

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"

	licensereport "github.com/license-operator/license-operator/internal/report"
)

// PEM looks like a certificate.
const PEM = "-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n"

// OneProduct is the field products of a report of one product.
const OneProduct = `[{"name":"acme-mesh","vendor":"Acme","state":"Valid"}]`

// Product is the manifest of a LicensedProduct.
func Product(name, anchors, more string) string {
	return "apiVersion: license-operator.io/v1alpha1\nkind: LicensedProduct\nmetadata:\n  name: " + name +
		"\nspec:\n  vendor: Acme\n" + more + "  trustAnchors: |\n" + Indented(anchors, "    ")
}

// Indented puts something before each line of a text.
func Indented(text, with string) string {
	var result strings.Builder
	for line := range strings.Lines(text) {
		result.WriteString(with + line)
	}
	return result.String()
}

// Key is a token and a manifest for it.
func Key(t testing.TB) (token, manifest string) {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	claims, err := json.Marshal(map[string]any{"sub": "Example GmbH", "padding": strings.Repeat("abc", 200)})
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	for i := range signature {
		signature[i] = byte(251 * i)
	}
	token = encode([]byte(`{"alg":"EdDSA","typ":"JWT"}`)) + "." + encode(claims) + "." + encode(signature)
	manifest = "apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nmetadata:\n  name: acme-mesh-1\nspec:\n " +
		" productName: acme-mesh\n  token: " + token + "\n"
	return token, manifest
}

// Report is a report with the fields that the plugin reads, and its checksum.
func Report(t *testing.T, products string) string {
	t.Helper()
	members := `"timestamp":"2026-11-22T10:05:00Z","products":` + products
	sum, err := licensereport.Checksum([]byte("{" + members + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return `{"checksum":"` + sum + `",` + members + "}\n"
}

// Archive is a tar of these names and contents, one after the other.
func Archive(t *testing.T, files ...string) string {
	t.Helper()
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}
