// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"cmp"
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/usage"
)

// The names of the alerts but for those of limits, which package usage has. Each has a page of that name in
// docs/runbooks.
const (
	LicenseExpiring            = "LicenseExpiring"
	LicenseInGracePeriod       = "LicenseInGracePeriod"
	LicenseExpired             = "LicenseExpired"
	LicenseKeyInvalid          = "LicenseKeyInvalid"
	LicenseMissing             = "LicenseMissing"
	LicenseRestrictionBypassed = "LicenseRestrictionBypassed"
	LicenseClockSkewed         = "LicenseClockSkewed"
	LicenseMetricsAbsent       = "LicenseMetricsAbsent"
)

// AlertNames are the names of all alerts, in the order of the rule. LicenseRestrictionBypassed is only in the rules of
// products whose mode suspends policies.
var AlertNames = func() []string {
	names := []string{
		LicenseExpiring, LicenseInGracePeriod, LicenseExpired,
		LicenseKeyInvalid, LicenseMissing, LicenseRestrictionBypassed,
	}
	for _, kind := range usage.Kinds() {
		names = append(names, kind.NearLimitAlert(), kind.ExceededAlert())
	}
	return append(names, LicenseClockSkewed, LicenseMetricsAbsent)
}()

const (
	warning  = "warning"
	critical = "critical"
)

// alert is one alert of a product, with one severity. One that has two is two of these that never fire together.
type alert struct {
	name     string
	severity string
	// expr yields a series while the alert is to fire. Its labels become the alert's, and its value is what the
	// annotations call $value.
	expr string
	// pending is how long expr has to hold before the alert fires.
	pending monitoringv1.Duration
	// summary is one line, description what to know in the night. Both are templates.
	summary, description string
}

// subject is the product that alerts are about.
type subject struct {
	// name in expressions and texts.
	name string
	// nameAndVendor, the first time that a text mentions the product, and renewal, which tells where to get a license.
	nameAndVendor, renewal string
	// effect is what the product's restriction does while it is in force; empty: nothing is ever restricted.
	effect string
	api.AlertsSpec
}

// effects are what a restriction does while it is in force, by its mode. Those in other modes do nothing.
var effects = map[api.RestrictionMode]string{
	api.RestrictionReadOnly: "policies in the tiers that it restricts can be neither created nor changed, and those " +
		"that are there go on being applied",
	api.RestrictionDefaultTierOnly: "policies in the tiers that it restricts are no longer applied to pods, and " +
		"those in the default tier still are",
}

// Thresholds are those of a product's alerts, with the defaults where its terms do not say.
func Thresholds(product *api.LicensedProduct) api.AlertsSpec {
	var spec api.AlertsSpec
	if product.Spec.Alerts != nil {
		spec = *product.Spec.Alerts
	}
	return api.AlertsSpec{
		ExpiryWarningDays:   cmp.Or(spec.ExpiryWarningDays, api.DefaultExpiryWarningDays),
		ExpiryCriticalDays:  cmp.Or(spec.ExpiryCriticalDays, api.DefaultExpiryCriticalDays),
		UsageWarningPercent: cmp.Or(spec.UsageWarningPercent, api.DefaultUsageWarningPercent),
	}
}

// alertsOf are the alerts of a product, where no mode is stronger than maxRestriction. Of those that tell how its
// license stands, one at most fires at a time: LicenseExpiring, LicenseInGracePeriod, LicenseExpired, LicenseMissing
// each belong to another state, or severity.
func alertsOf(product *api.LicensedProduct, maxRestriction api.RestrictionMode) []alert {
	mode := modeOf(product, maxRestriction)
	vendor := verbatim(product.Spec.Vendor)
	s := &subject{
		name:          product.Name,
		nameAndVendor: fmt.Sprintf("%s (%s)", product.Name, vendor),
		renewal:       verbatim(license.RenewalHint(product)),
		effect:        effects[mode],
		AlertsSpec:    Thresholds(product),
	}
	alerts := []alert{
		s.expiringSoon(), s.expiringNow(), s.inGracePeriod(), s.expired(),
		s.keyInvalidWhileCovered(), s.keyInvalid(), s.missing(), s.missingTooLong(),
	}
	if mode.Suspends() {
		alerts = append(alerts, s.restrictionBypassed())
	}
	for _, kind := range usage.Kinds() {
		alerts = append(alerts, s.nearLimit(&kind), s.exceeded(&kind))
	}
	return append(alerts, s.clockSkewed(), s.metricsAbsent())
}

// modeOf is the mode that a restriction of the product is going to have, as far as its terms and the cluster owner say;
// empty: none.
func modeOf(product *api.LicensedProduct, maxRestriction api.RestrictionMode) api.RestrictionMode {
	if product.Spec.Restriction == nil {
		return ""
	}
	mode, _ := restriction.EffectiveMode(product.Spec.Restriction.Mode, restriction.Caps{MaxMode: maxRestriction})
	return mode
}

const (
	coverageEnd   = "license_coverage_end_timestamp_seconds"
	graceEnd      = "license_grace_end_timestamp_seconds"
	effectiveTime = "license_restriction_effective_timestamp_seconds"
	bypasses      = "license_restriction_bypasses"

	// valueAsTime is $value where that is an instant.
	valueAsTime = "{{ $value | humanizeTimestamp }}"
	// licenseKey is the name of the LicenseKey that an alert is about.
	licenseKey = "{{ $labels.license_key }}"
)

// The value of all that is about time is the instant in question, so that a text that was sent once stays true.

func (s *subject) expiringSoon() alert {
	return alert{
		name: LicenseExpiring, severity: warning, pending: "5m",
		expr: fmt.Sprintf(`%s
  >= time() + %d * 86400
  < time() + %d * 86400
and on (product)
%s`, figure(coverageEnd, s.name), s.ExpiryCriticalDays, s.ExpiryWarningDays, inState(s.name, api.LicensedProductValid)),
		summary:     fmt.Sprintf("The license of %s ends in less than %d days", s.name, s.ExpiryWarningDays),
		description: s.expiring(),
	}
}

func (s *subject) expiringNow() alert {
	return alert{
		name: LicenseExpiring, severity: critical, pending: "5m",
		expr: fmt.Sprintf(`%s
  < time() + %d * 86400
and on (product)
%s`, figure(coverageEnd, s.name), s.ExpiryCriticalDays, inState(s.name, api.LicensedProductValid)),
		summary:     fmt.Sprintf("The license of %s ends in less than %d days", s.name, s.ExpiryCriticalDays),
		description: s.expiring(),
	}
}

func (s *subject) expiring() string {
	return fmt.Sprintf("%s is licensed until %s: grace periods and renewals that are applied already are included "+
		"in that.\n"+
		"Everything works until then.%s\n%s. It may be applied before it begins, and takes over without a gap.",
		s.nameAndVendor, valueAsTime, s.coming("Then"), s.renewal)
}

// coming is a line that tells what the product's restriction will do, and when that is; none where nothing is ever
// restricted.
func (s *subject) coming(when string) string {
	if s.effect == "" {
		return ""
	}
	return fmt.Sprintf("\n%s its restriction takes effect: %s. kubectl license simulate %s says which those are.", when,
		s.effect, s.name)
}

// inForce is a line that tells what the product's restriction does while it is in force; none where nothing is ever
// restricted. Whether it is in force an alert cannot say: it may be paused, or its time yet to come.
func (s *subject) inForce() string {
	if s.effect == "" {
		return ""
	}
	return fmt.Sprintf("\nWhile its restriction is in force, %s. kubectl describe lprod %s says how it stands.",
		s.effect, s.name)
}

// counts tells what a license does that is applied too late.
func (s *subject) counts() string {
	if s.effect == "" {
		return "it counts within seconds"
	}
	return "it counts within seconds, and lifts the restriction"
}

// inGracePeriod is critical where a restriction follows: what traffic flows changes then, and that is to be known
// before.
func (s *subject) inGracePeriod() alert {
	severity, summary := warning, fmt.Sprintf("The license of %s has expired and is in its grace period", s.name)
	if s.effect != "" {
		severity = critical
		summary += ", which a restriction follows"
	}
	return alert{
		name: LicenseInGracePeriod, severity: severity, pending: "1m",
		// With a renewal that will do for a while there is nothing to tell.
		expr: fmt.Sprintf(`%[1]s
and on (product)
%[2]s
unless on (product)
%[3]s
  > %[1]s
  >= time() + %[4]d * 86400`,
			figure(graceEnd, s.name), inState(s.name, api.LicensedProductGracePeriod), figure(coverageEnd, s.name),
			s.ExpiryWarningDays),
		summary: summary,
		description: fmt.Sprintf("The license of %s has expired. Its grace period ends at %s, and everything works "+
			"until then.%s\n"+
			"No renewal that covers the next %d days has been applied. %s.",
			s.nameAndVendor, valueAsTime, s.coming("Unless a renewal takes over by then,"), s.ExpiryWarningDays,
			s.renewal),
	}
}

func (s *subject) expired() alert {
	effect := "; what the product does without is for its vendor to say."
	if s.effect != "" {
		effect = "." + s.inForce()
	}
	return alert{
		name: LicenseExpired, severity: critical, pending: "1m",
		expr: fmt.Sprintf(`%s
and on (product)
%s`, figure(coverageEnd, s.name), inState(s.name, api.LicensedProductExpired)),
		summary: fmt.Sprintf("The license of %s has expired and its grace period is over", s.name),
		description: fmt.Sprintf("The license of %s has expired, and its grace period ended at %s.\nIt grants no "+
			"features any more%s\n%s: %s.",
			s.nameAndVendor, valueAsTime, effect, s.renewal, s.counts()),
	}
}

func (s *subject) keyInvalidWhileCovered() alert {
	return alert{
		name: LicenseKeyInvalid, severity: warning, pending: "5m",
		expr: fmt.Sprintf(`%s
and on (product)
%s`, invalidKeys(s.name), isCovered(s.name)),
		summary: fmt.Sprintf("LicenseKey %s of %s does not verify", licenseKey, s.name),
		description: fmt.Sprintf("LicenseKey %s of %s does not verify and counts for nothing.\nAnother key covers "+
			"the product, so everything works; but should this one be a renewal, "+
			"it will not take over.\n%s", licenseKey, s.nameAndVendor, whyInvalid),
	}
}

func (s *subject) keyInvalid() alert {
	return alert{
		name: LicenseKeyInvalid, severity: critical, pending: "5m",
		expr: fmt.Sprintf(`%s
unless on (product)
%s`, invalidKeys(s.name), isCovered(s.name)),
		summary: fmt.Sprintf("LicenseKey %s of %s does not verify, and no other key covers it", licenseKey, s.name),
		description: fmt.Sprintf("LicenseKey %s of %s does not verify and counts for nothing, and no other key "+
			"covers the product: it is not licensed.%s\n%s",
			licenseKey, s.nameAndVendor, s.inForce(), whyInvalid),
	}
}

const whyInvalid = "Condition Ready says why: kubectl describe lk " + licenseKey +
	". Do what it says, or delete the key if nobody needs it."

func (s *subject) missing() alert {
	return alert{
		name: LicenseMissing, severity: warning, pending: "15m",
		expr:    s.withoutKey("> time()"),
		summary: s.name + " has no license",
		description: fmt.Sprintf("There is no license for %s: no LicenseKey of it verifies and has begun. By the "+
			"product's terms it may stay without one until %s.%s\n%s.",
			s.nameAndVendor, valueAsTime, s.coming("Then"), s.renewal),
	}
}

func (s *subject) missingTooLong() alert {
	return alert{
		name: LicenseMissing, severity: critical, pending: "15m",
		expr:    s.withoutKey("<= time()"),
		summary: s.name + " has no license, and may not stay without one any longer",
		description: fmt.Sprintf("There is no license for %s: no LicenseKey of it verifies and has begun. By the "+
			"product's terms it might stay without one until %s."+
			"%s\n%s: %s.", s.nameAndVendor, valueAsTime, s.inForce(), s.renewal, s.counts()),
	}
}

// withoutKey holds while the product has no license, and no key that does not verify, of which LicenseKeyInvalid tells.
// Its value is the time until which the product may stay so, and that is compared as comparison says.
func (s *subject) withoutKey(comparison string) string {
	return fmt.Sprintf(`%s
  %s
and on (product)
%s
unless on (product)
%s`, figure(effectiveTime, s.name), comparison, inState(s.name, api.LicensedProductUnlicensed), invalidKeys(s.name))
}

// restrictionBypassed has as its value how many policies are applied that should not be.
func (s *subject) restrictionBypassed() alert {
	return alert{
		name: LicenseRestrictionBypassed, severity: warning, pending: "15m",
		// What would get around a restriction that is not in force gets around nothing.
		expr: fmt.Sprintf(`%s
  > 0
and on (product)
%s`, figure(bypasses, s.name), isRestricted(s.name)),
		summary: fmt.Sprintf("Policies go on being applied to pods in spite of the restriction of %s", s.name),
		description: fmt.Sprintf("The restriction of %s is in force, and yet policies in the tiers that it "+
			"restricts go on being applied to pods: "+
			"{{ printf \"%%.0f\" $value }} of them.\nstatus.restriction.bypasses names them, with a reason each: "+
			"kubectl describe lprod %s.\n"+
			"%s: give the policy a greater order, or delete it. %s: see that the tier's deletion comes to its end.",
			s.nameAndVendor, s.name, api.BypassSortsFirst, api.BypassTierDeleting),
	}
}

const nothingIsBlocked = "Nothing is blocked, below the limit or above it: new nodes join, and every feature works."

// nearLimit has the share of the limit that is in use as its value. A limit of zero has no share: one is beyond it, or
// uses nothing.
func (s *subject) nearLimit(k *usage.Kind) alert {
	return alert{
		name: k.NearLimitAlert(), severity: warning, pending: "15m",
		expr: fmt.Sprintf(`100 * %s
  / %s
  >= %d
  <= 100`, figure(k.UsedMetric(), s.name), figure(k.LimitMetric(), s.name), s.UsageWarningPercent),
		summary: fmt.Sprintf("%s uses %d%% or more of the %s that its license allows", s.name, s.UsageWarningPercent,
			k.Unit),
		description: fmt.Sprintf("Of the %s that the license of %s allows, {{ printf \"%%.1f\" $value }}%% are in "+
			"use.\n%s\nShould more be added, the license has to grow. %s.",
			k.Unit, s.nameAndVendor, nothingIsBlocked, s.renewal),
	}
}

// exceeded has as its value how much more is in use than the license allows.
func (s *subject) exceeded(k *usage.Kind) alert {
	return alert{
		name: k.ExceededAlert(), severity: warning, pending: "15m",
		expr: fmt.Sprintf(`%s
  - %s
  > 0`, figure(k.UsedMetric(), s.name), figure(k.LimitMetric(), s.name)),
		summary: fmt.Sprintf("%s uses more %s than its license allows", s.name, k.Unit),
		description: fmt.Sprintf("%s uses more %s than its license allows, by {{ printf \"%%.0f\" $value "+
			"}}.\n%s\nShould it stay so, the license has to grow. %s.",
			s.nameAndVendor, k.Unit, nothingIsBlocked, s.renewal),
	}
}

func (s *subject) clockSkewed() alert {
	return alert{
		name: LicenseClockSkewed, severity: warning, pending: "15m",
		expr:    isSkewed(s.name),
		summary: fmt.Sprintf("The clock by which the license of %s is judged cannot be believed", s.name),
		description: fmt.Sprintf("The operator's clock and the API server's differ, or it is behind a time that was "+
			"recorded for %s: condition ClockSkewed says which, and what to mend "+
			"(kubectl describe lprod %s).\nNo license comes back to life by that, but one may begin or end too "+
			"early or too late.", s.nameAndVendor, s.name),
	}
}

func (s *subject) metricsAbsent() alert {
	return alert{
		name: LicenseMetricsAbsent, severity: critical, pending: "10m",
		// As it is, with nothing bridged: whatever comes and goes within ten minutes does not matter here.
		expr:    fmt.Sprintf(`absent(license_state{product=%q})`, s.name),
		summary: fmt.Sprintf("There are no metrics of the license of %s", s.name),
		description: fmt.Sprintf("Prometheus has no metrics of %s: license-operator is down, or is not "+
			"scraped.\nThe product goes on as it is; but no other alert tells of its license meanwhile.\n"+
			"See whether the operator's pod runs and what its log says, then whether Prometheus lists it among its "+
			"targets, and with which error.", s.nameAndVendor),
	}
}
