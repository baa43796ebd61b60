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

// The labels. The value of a label never changes with time, except those of license_info: a series is about the same
// thing for as long as it exists.
const (
	productLabel    = "product"
	licenseKeyLabel = "license_key"
	stateLabel      = "state"
	licenseIDLabel  = "license_id"
	customerLabel   = "customer"
)

// The values of the label state of license_state and license_key_state, in the order in which a registry sorts them.
var (
	productStates = []api.LicensedProductState{
		api.LicensedProductExpired, api.LicensedProductGracePeriod, api.LicensedProductUnlicensed,
		api.LicensedProductValid,
	}
	keyStates = []api.LicenseKeyState{
		api.LicenseKeyExpired, api.LicenseKeyGracePeriod, api.LicenseKeyInvalid, api.LicenseKeyNotYetValid,
		api.LicenseKeyValid,
	}
)

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

// described are all descriptors.
var described []*prometheus.Desc

func describe(name, help string, labels ...string) *prometheus.Desc {
	desc := prometheus.NewDesc(name, help, labels, nil)
	described = append(described, desc)
	return desc
}

// Describe implements prometheus.Collector.
func (*Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range described {
		descs <- desc
	}
}

// Of the active key.
var (
	expirationDesc = describe("license_expiration_timestamp_seconds",
		"When the product's active license key expires and its grace period begins, in seconds since the epoch.",
		productLabel, licenseKeyLabel)

	graceEndDesc = describe("license_grace_end_timestamp_seconds",
		"When the grace period of the product's active license key ends, in seconds since the epoch.",
		productLabel, licenseKeyLabel)

	// numberOfDaysDesc is in days although Prometheus recommends seconds: rules written for Calico Enterprise contain
	// license_number_of_days < 15 and have to work unchanged. New rules should subtract time() from
	// license_expiration_timestamp_seconds.
	numberOfDaysDesc = describe("license_number_of_days",
		"Days of 24 hours until the product's active license key expires, with a fraction; negative after it. "+
			"By the operator's clock, which never runs backwards.",
		productLabel, licenseKeyLabel)

	infoDesc = describe("license_info",
		"1, labeled with the license ID and the customer in the product's active license key.",
		productLabel, licenseKeyLabel, licenseIDLabel, customerLabel)
)

// States.
var (
	stateDesc = describe("license_state",
		"1 for the state of the product, else 0; 0 for all states until the operator has evaluated it.",
		productLabel, stateLabel)

	keyStateDesc = describe("license_key_state",
		"1 for the state of the license key, else 0; 0 for all states until the operator has evaluated it. "+
			"A key that fails verification is Invalid and never Valid.",
		productLabel, licenseKeyLabel, stateLabel)
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
			return describe(name, strings.ToUpper(kind.Unit[:1])+kind.Unit[1:]+" "+help, productLabel)
		}
		all = append(all, countDescs{
			Kind: kind,
			used: desc(kind.UsedMetric(), kind.Scope+"."),
			limit: desc(kind.LimitMetric(),
				"that the product's active license key allows; absent if it sets no such limit."),
			available: desc(kind.AvailableMetric(), "that may still be added within the limit; negative if it is "+
				"exceeded, which blocks nothing. Absent if there is no limit."),
		})
	}
	return all
}()

// Of the product.
var (
	coverageEndDesc = describe("license_coverage_end_timestamp_seconds",
		"When the product's license coverage ends, in seconds since the epoch: the end of the last grace period that "+
			"its license keys, staged renewals included, reach without a gap.",
		productLabel)

	restrictionEffectiveDesc = describe("license_restriction_effective_timestamp_seconds",
		"When a restriction of the product takes effect if nothing changes, in seconds since the epoch.",
		productLabel)

	restrictedTiersDesc = describe("license_restricted_tiers",
		"Policy tiers in which a restriction of the product is in force; 0 if none is.",
		productLabel)

	restrictionBypassesDesc = describe("license_restriction_bypasses",
		"Policies that stay applied to pods despite a restriction of the product in mode DefaultTierOnly; 0 if none "+
			"do.",
		productLabel)

	clockSkewedDesc = describe("license_clock_skewed",
		"1 if clock skew is detected, else 0: the operator's clock differs from the API server's, or is behind a time "+
			"that the operator has recorded.",
		productLabel)
)
