// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// StateColors are the colors of products' states.
var StateColors = map[api.LicensedProductState]Color{
	api.LicensedProductValid:       ColorGood,
	api.LicensedProductGracePeriod: ColorWarning,
	api.LicensedProductExpired:     ColorBad,
	api.LicensedProductUnlicensed:  ColorBad,
}

// KeyStateColors are the colors of keys' states.
var KeyStateColors = map[api.LicenseKeyState]Color{
	api.LicenseKeyValid:       ColorGood,
	api.LicenseKeyGracePeriod: ColorWarning,
	api.LicenseKeyExpired:     ColorBad,
	api.LicenseKeyInvalid:     ColorBad,
}
