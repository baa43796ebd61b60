// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"fmt"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Every series has the labels of the pod that it was scraped from. When another replica becomes the leader, the series
// of one end and those of the other begin, with a gap or an overlap. Aggregation removes the pod, and last_over_time
// bridges gaps of five minutes, which is how far Prometheus looks back for a series that has stopped. So an update of
// the operator neither resolves an alert nor restarts its waiting time.
//
// Of figures the largest counts. A fact must hold in all series: if two replicas disagree, the series of the old one is
// out of date. So no two of a product's states can hold at a time.

// figure is the value of a metric of the product.
func (s *subject) figure(metric string) string {
	return fmt.Sprintf(`max by (product) (last_over_time(%s{product=%q}[5m]))`, metric, s.name)
}

// inState holds while the product is in that state.
func (s *subject) inState(state api.LicensedProductState) string {
	return fmt.Sprintf(`min by (product) (last_over_time(license_state{product=%q, state=%q}[5m])) == 1`, s.name, state)
}

// isCovered holds while the product has a usable key: in two states, and two replicas may not have the same one.
func (s *subject) isCovered() string {
	return fmt.Sprintf(`max by (product) (last_over_time(license_state{product=%q, state=~"%s|%s"}[5m])) == 1`,
		s.name, api.LicensedProductValid, api.LicensedProductGracePeriod)
}

// invalidKeys are the keys of the product that fail verification.
func (s *subject) invalidKeys() string {
	return fmt.Sprintf(
		`min by (product, license_key) (last_over_time(license_key_state{product=%q, state=%q}[5m])) == 1`,
		s.name, api.LicenseKeyInvalid)
}

// isRestricted holds while a restriction of the product is in force, in any tier.
func (s *subject) isRestricted() string {
	return fmt.Sprintf(`min by (product) (last_over_time(license_restricted_tiers{product=%q}[5m])) > 0`, s.name)
}

// isSkewed holds while clock skew is detected.
func (s *subject) isSkewed() string {
	return fmt.Sprintf(`min by (product) (last_over_time(license_clock_skewed{product=%q}[5m])) == 1`, s.name)
}
