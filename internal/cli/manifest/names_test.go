// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

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
		if got := KeyName(test.product, test.id); got != test.want {
			t.Errorf("%s of %s is called %s, not %s", test.id, test.product, got, test.want)
		}
	}
}

// TestKeyNamesAreNames: the names are valid and unique for any ID.
func TestKeyNamesAreNames(t *testing.T) {
	ids := []string{
		"a", "A", "a.", "a-", "-a", "a b", "a_b", "a/b", "Ä", "ä", ".", strings.Repeat("x", 253),
		strings.Repeat("X", 253), strings.Repeat("x", 252),
	}
	for _, product := range []string{"p", "acme.mesh", strings.Repeat("p", 240), strings.Repeat("p", 253)} {
		names := map[string]string{}
		for _, id := range append(ids, product, product+"-1", product+"-") {
			name := KeyName(product, id)
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
