// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"fmt"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// RenewalHint says where to get a license for the product, as a sentence without its full stop.
func RenewalHint(product *api.LicensedProduct) string {
	return FromVendor("Get a license", product.Spec.Vendor, product.Spec.RenewalURL) + " and apply it as a LicenseKey"
}

// FromVendor says where an action of the user's gets what it is about: "Get a license at https://acme.example/renew"
// or, without a URL, "Get a license from Acme".
func FromVendor(action, vendor, renewalURL string) string {
	if renewalURL != "" {
		return fmt.Sprintf("%s at %s", action, renewalURL)
	}
	return fmt.Sprintf("%s from %s", action, vendor)
}
