// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

func TestRenewalHint(t *testing.T) {
	got := map[string]string{}
	for _, url := range []string{"", "https://acme.example/renew"} {
		product := &api.LicensedProduct{Spec: api.LicensedProductSpec{Vendor: "Acme", RenewalURL: url}}
		got[url] = license.RenewalHint(product) + ". " + license.FromVendor("Get more", "Acme", url) + "."
	}
	want := map[string]string{
		"": "Get a license from Acme and apply it as a LicenseKey. Get more from Acme.",
		"https://acme.example/renew": "Get a license at https://acme.example/renew and apply it as a LicenseKey. " +
			"Get more at https://acme.example/renew.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
