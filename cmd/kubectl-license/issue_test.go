// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// TestIssuedKey reads an issued key as the operator does.
func TestIssuedKey(t *testing.T) {
	e := newTerminal(t)
	e.now = present.Add(300 * time.Millisecond)
	e.must("ca", "create", "--dir", "ca", "--vendor", "Acme")
	manifest := e.must("issue", "--signer", "ca", "--product", "acme-mesh", "--audience", "mesh", "--customer",
		"Example GmbH", "--id", "2026-0042",
		"--not-before", "2027-01-01", "--valid-for", "365d", "--grace", "1d12h",
		"--nodes", "0", "--cores", "400", "--limit", "gateways=5", "--limit", "sites=9223372036854775807",
		"--feature", "support", "--feature", "federation, of clusters", "--cluster", "uid-1", "--cluster", "uid-2")

	var key api.LicenseKey
	if err := yaml.UnmarshalStrict([]byte(manifest), &key); err != nil {
		t.Fatal(err)
	}
	terms, err := token.NewTerms(
		&api.LicensedProduct{Spec: api.LicensedProductSpec{Audience: "mesh", TrustAnchors: e.read("ca/ca.crt")}})
	if err != nil {
		t.Fatal(err)
	}
	result := token.Verify(key.Spec.Token, "", terms, "uid-2", present)
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := &license.Claims{
		ID: "2026-0042", Customer: "Example GmbH", Issuer: "Acme", Audience: []string{"mesh"},
		IssuedTime: present, NotBefore: begin, Expiry: begin.Add(365 * day), GracePeriod: 36 * time.Hour,
		Features:    []string{"support", "federation, of clusters"},
		Limits:      map[string]int64{"nodes": 0, "cores": 400, "gateways": 5, "sites": 9223372036854775807},
		ClusterUIDs: []string{"uid-1", "uid-2"},
	}
	if !reflect.DeepEqual(result.Claims, want) {
		t.Errorf("got  %+v\nwant %+v", result.Claims, want)
	}
}

func TestNewLicenseID(t *testing.T) {
	shape := regexp.MustCompile(`^acme-mesh-20261122-[0-9a-hjkmnp-tv-z]{8}$`)
	random := rand.NewChaCha8([32]byte{1})
	seen := map[string]bool{}
	for range 1000 {
		id, err := newLicenseID("acme-mesh", present, random)
		if err != nil || !shape.MatchString(id) || seen[id] {
			t.Fatalf("%q, %v (seen before: %t)", id, err, seen[id])
		}
		seen[id] = true
		if name := keyName("acme-mesh", id); name != id {
			t.Fatalf("the key of %s is called %s", id, name)
		}
	}
	long := strings.Repeat("x", 252) + ".y"
	id, err := newLicenseID(long[:253], present, random)
	if err != nil || len(id) > 253 {
		t.Errorf("%q has %d characters, %v", id, len(id), err)
	}
	if _, err := newLicenseID("p", present, iotest.ErrReader(errors.New("no entropy"))); err == nil {
		t.Error("an ID without randomness")
	}
}

func TestKeyName(t *testing.T) {
	for _, test := range []struct{ product, id, want string }{
		{"acme-mesh", "acme-mesh-20261122-9b2zddjr", "acme-mesh-20261122-9b2zddjr"},
		{"acme-mesh", "42", "acme-mesh-42"},
		{"acme-mesh", "2026-0042", "acme-mesh-2026-0042"},
		{"acme-mesh", "acme-meshed", "acme-mesh-acme-meshed"},
		{"acme-mesh", "acme-mesh", "acme-mesh-acme-mesh"},
		{"acme.mesh", "acme.mesh-1.5", "acme.mesh-1.5"},
		{"acme-mesh", "A42", "acme-mesh-a42-ffd47832"},
		{"acme-mesh", "a.42", "acme-mesh-a-42-831ef857"},
		{"acme-mesh", "-", "acme-mesh-3973e022"},
		{"acme-mesh", "許可", "acme-mesh-2113d7e3"},
	} {
		if got := keyName(test.product, test.id); got != test.want {
			t.Errorf("%s of %s is called %s, not %s", test.id, test.product, got, test.want)
		}
	}
}

// TestKeyNamesAreNames: whatever the ID, the manifest can be applied, and other IDs of the product have other names.
func TestKeyNamesAreNames(t *testing.T) {
	ids := []string{"a", "A", "a.", "a-", "-a", "a b", "a_b", "a/b", "Ä", "ä", ".", strings.Repeat("x", 253),
		strings.Repeat("X", 253), strings.Repeat("x", 252)}
	for _, product := range []string{"p", "acme.mesh", strings.Repeat("p", 240), strings.Repeat("p", 253)} {
		names := map[string]string{}
		for _, id := range append(ids, product, product+"-1", product+"-") {
			name := keyName(product, id)
			if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
				t.Errorf("%s of %s is called %s: %s", id, product, name, problems)
			}
			if other, taken := names[name]; taken && other != id {
				t.Errorf("%s and %s of %s are both called %s", id, other, product, name)
			}
			names[name] = id
		}
	}
}
