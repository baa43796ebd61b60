// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"fmt"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Every series comes with the labels of the pod that it was scraped from. When another replica becomes the leader, the
// one's series end and the other's begin, with a gap between them or with both for a moment. Aggregation leaves the pod
// out, and last_over_time bridges a gap of five minutes, as long as Prometheus looks back for a series that has simply
// stopped: an update of the operator neither resolves an alert nor starts its waiting time anew.
//
// Of figures the largest counts. A fact has to be agreed on by all: where two replicas' series disagree, the old one's
// are what was. So no two of a product's states, which are always 1 and 0 and 0 and 0, can hold at a time.

// figure is the value of a metric of the product.
func figure(metric, product string) string {
	return fmt.Sprintf(`max by (product) (last_over_time(%s{product=%q}[5m]))`, metric, product)
}

// inState holds while the product is in that state.
func inState(product string, state api.LicensedProductState) string {
	return fmt.Sprintf(`min by (product) (last_over_time(license_state{product=%q, state=%q}[5m])) == 1`, product,
		state)
}

// isCovered holds while the product has a usable key: in two states, and two replicas may each say another.
func isCovered(product string) string {
	return fmt.Sprintf(`max by (product) (last_over_time(license_state{product=%q, state=~"%s|%s"}[5m])) == 1`,
		product, api.LicensedProductValid, api.LicensedProductGracePeriod)
}

// invalidKeys are the keys of the product that do not verify.
func invalidKeys(product string) string {
	return fmt.Sprintf(
		`min by (product, license_key) (last_over_time(license_key_state{product=%q, state=%q}[5m])) == 1`, product,
		api.LicenseKeyInvalid)
}

// isRestricted holds while a restriction of the product is in force, in any tier.
func isRestricted(product string) string {
	return fmt.Sprintf(`min by (product) (last_over_time(license_restricted_tiers{product=%q}[5m])) > 0`, product)
}

// isSkewed holds while the operator's clock is not believed.
func isSkewed(product string) string {
	return fmt.Sprintf(`min by (product) (last_over_time(license_clock_skewed{product=%q}[5m])) == 1`, product)
}
