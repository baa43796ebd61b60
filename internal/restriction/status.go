// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// StatusOf is what the status says of a product's restriction; empty where it says nothing yet.
func StatusOf(product *api.LicensedProduct) api.RestrictionStatus {
	if product.Status.Restriction == nil {
		return api.RestrictionStatus{}
	}
	return *product.Status.Restriction
}
