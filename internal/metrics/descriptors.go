// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/usage"
)

// The labels. A label's value never changes with time, but for license_info's: a series is of the same thing for as
// long as there is one.
const (
	productLabel    = "product"
	licenseKeyLabel = "license_key"
	stateLabel      = "state"
	licenseIDLabel  = "license_id"
	customerLabel   = "customer"
)

// productStates are the values of license_state's label state, in the order that a registry sorts them into.
var productStates = []api.LicensedProductState{
	api.LicensedProductExpired,
	api.LicensedProductGracePeriod,
	api.LicensedProductUnlicensed,
	api.LicensedProductValid,
}

// keyStates are the values of license_key_state's label state, in the order that a registry sorts them into.
var keyStates = []api.LicenseKeyState{
	api.LicenseKeyExpired,
	api.LicenseKeyGracePeriod,
	api.LicenseKeyInvalid,
	api.LicenseKeyNotYetValid,
	api.LicenseKeyValid,
}

// stateLabels are the label pairs of all states.
var stateLabels = func() map[string]*dto.LabelPair {
	pairs := map[string]*dto.LabelPair{}
	for _, state := range productStates {
		pairs[string(state)] = label(stateLabel, string(state))
	}
	for _, state := range keyStates {
		pairs[string(state)] = label(stateLabel, string(state))
	}
	return pairs
}()

// Of the active key.
var (
	expirationDesc = prometheus.NewDesc("license_expiration_timestamp_seconds",
		"When the product's active license key expires and its grace period begins, in seconds since the epoch.",
		[]string{productLabel, licenseKeyLabel}, nil)

	graceEndDesc = prometheus.NewDesc("license_grace_end_timestamp_seconds",
		"When the grace period of the product's active license key is over, in seconds since the epoch.",
		[]string{productLabel, licenseKeyLabel}, nil)

	// numberOfDaysDesc is in days where Prometheus asks for seconds: rules written for Calico Enterprise say
	// license_number_of_days < 15 and are to work unchanged. New rules had better subtract time() from
	// license_expiration_timestamp_seconds.
	numberOfDaysDesc = prometheus.NewDesc("license_number_of_days",
		"Days of 24 hours until the product's active license key expires, with a fraction; negative after it. By "+
			"the operator's clock, which never runs backwards.",
		[]string{productLabel, licenseKeyLabel}, nil)

	infoDesc = prometheus.NewDesc("license_info",
		"1, with what the product's active license key says: the license's identifier and the customer.",
		[]string{productLabel, licenseKeyLabel, licenseIDLabel, customerLabel}, nil)
)

// States.
var (
	stateDesc = prometheus.NewDesc("license_state",
		"1 for the state that the product is in, 0 for each other; 0 for all until the operator has looked at it.",
		[]string{productLabel, stateLabel}, nil)

	keyStateDesc = prometheus.NewDesc("license_key_state",
		"1 for the state that the license key is in, 0 for each other; 0 for all until the operator has looked at "+
			"it. A key that does not verify is Invalid and never Valid.",
		[]string{productLabel, licenseKeyLabel, stateLabel}, nil)
)

// countDescs are the descriptors of a kind that is counted.
type countDescs struct {
	usage.Kind
	used, limit, available *prometheus.Desc
}

// counts are the descriptors of all kinds. A limit of another name has no metric: its unit is unknown.
var counts = func() []countDescs {
	var all []countDescs
	for _, kind := range usage.Kinds() {
		desc := func(name, help string) *prometheus.Desc {
			unit := strings.ToUpper(kind.Unit[:1]) + kind.Unit[1:]
			return prometheus.NewDesc(name, unit+" "+help, []string{productLabel}, nil)
		}
		all = append(all, countDescs{
			Kind: kind,
			used: desc(kind.UsedMetric(), kind.Scope+"."),
			limit: desc(kind.LimitMetric(),
				"that the product's active license key allows; absent where it sets no such limit."),
			available: desc(kind.AvailableMetric(), "that may still be added within the limit; negative when it is "+
				"exceeded, which blocks nothing. Absent where there is no limit."),
		})
	}
	return all
}()

// Of the product.
var (
	coverageEndDesc = prometheus.NewDesc("license_coverage_end_timestamp_seconds",
		"End of the last grace period that the product's license keys reach without a gap, staged renewals "+
			"included, in seconds since the epoch.",
		[]string{productLabel}, nil)

	restrictionEffectiveDesc = prometheus.NewDesc("license_restriction_effective_timestamp_seconds",
		"When a restriction of the product takes effect if nothing changes until then, in seconds since the epoch.",
		[]string{productLabel}, nil)

	restrictedTiersDesc = prometheus.NewDesc("license_restricted_tiers",
		"Policy tiers in which a restriction of the product is in force; 0 while none is.",
		[]string{productLabel}, nil)

	restrictionBypassesDesc = prometheus.NewDesc("license_restriction_bypasses",
		"Policies that go on being applied to pods in spite of a restriction of the product in mode "+
			"DefaultTierOnly; 0 where there are none.",
		[]string{productLabel}, nil)

	clockSkewedDesc = prometheus.NewDesc("license_clock_skewed",
		"1 while the operator's clock cannot be believed: it differs from the API server's, or is behind an instant "+
			"that the operator has recorded; 0 otherwise.",
		[]string{productLabel}, nil)
)

// Describe implements prometheus.Collector.
func (*Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		expirationDesc, graceEndDesc, numberOfDaysDesc, infoDesc, stateDesc, keyStateDesc,
		coverageEndDesc, restrictionEffectiveDesc, restrictedTiersDesc, restrictionBypassesDesc, clockSkewedDesc,
	} {
		descs <- d
	}
	for _, counted := range counts {
		descs <- counted.used
		descs <- counted.limit
		descs <- counted.available
	}
}
