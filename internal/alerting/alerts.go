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

// The names of the alerts except those for limits, which package usage defines. Each has a page of that name in
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

// alert is one alert of a product, with one severity. An alert with two severities is two of these, of which at most
// one fires at a time.
type alert struct {
	name, severity string
	// expr yields a series while the alert fires. Its labels become the alert's, and its value is $value in
	// annotations.
	expr string
	// pending is how long expr has to hold before the alert fires.
	pending monitoringv1.Duration
	// summary is one line; description says what to know and do at night. Both are templates.
	summary, description string
}

// subject is the product that alerts are about.
type subject struct {
	name string
	// nameAndVendor is for the first time that a text mentions the product.
	nameAndVendor string
	// renewal and larger say where to get a license, and a larger one.
	renewal, larger string
	// effect is what the product's restriction does while it is in force; empty if nothing is ever restricted.
	effect string
	api.AlertsSpec
}

// Thresholds returns those of a product's alerts, with the defaults for what its terms leave open.
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

// alertsOf returns the alerts of a product, if no mode is stronger than maxRestriction. Of LicenseExpiring,
// LicenseInGracePeriod, LicenseExpired and LicenseMissing at most one fires at a time, with one severity: each is for
// another state.
func alertsOf(product *api.LicensedProduct, maxRestriction api.RestrictionMode) []alert {
	var mode api.RestrictionMode
	if product.Spec.Restriction != nil {
		mode, _ = restriction.EffectiveMode(product.Spec.Restriction.Mode, restriction.Caps{MaxMode: maxRestriction})
	}
	s := &subject{
		name:          product.Name,
		nameAndVendor: fmt.Sprintf("%s (%s)", product.Name, verbatim(product.Spec.Vendor)),
		renewal:       verbatim(license.RenewalHint(product)),
		larger: verbatim(license.FromVendor("get a larger license", product.Spec.Vendor,
			product.Spec.RenewalURL)),
		AlertsSpec: Thresholds(product),
	}
	if effect := restriction.Effect(mode); effect != "" {
		s.effect = "policies in the restricted tiers " + effect
	}
	alerts := []alert{
		s.expiring(warning), s.expiring(critical), s.inGracePeriod(), s.expired(),
		s.keyInvalid(warning), s.keyInvalid(critical), s.missing(warning), s.missing(critical),
	}
	if mode.Suspends() {
		alerts = append(alerts, s.restrictionBypassed())
	}
	for _, kind := range usage.Kinds() {
		alerts = append(alerts, s.nearLimit(&kind), s.exceeded(&kind))
	}
	return append(alerts, s.clockSkewed(), s.metricsAbsent())
}

const (
	coverageEnd   = "license_coverage_end_timestamp_seconds"
	graceEnd      = "license_grace_end_timestamp_seconds"
	effectiveTime = "license_restriction_effective_timestamp_seconds"
	bypasses      = "license_restriction_bypasses"

	// valueAsTime is $value if that is a time.
	valueAsTime = "{{ $value | humanizeTimestamp }}"
	// licenseKey is the name of the LicenseKey that an alert is about.
	licenseKey = "{{ $labels.license_key }}"
)

// The value of an alert about time is the time in question, so that a text stays true after it was sent.

func (s *subject) expiring(severity string) alert {
	days, notBefore := s.ExpiryCriticalDays, ""
	if severity == warning {
		days, notBefore = s.ExpiryWarningDays, fmt.Sprintf("\n  >= time() + %d * 86400", s.ExpiryCriticalDays)
	}
	return alert{
		name: LicenseExpiring, severity: severity, pending: "5m",
		expr: fmt.Sprintf(`%s%s
  < time() + %d * 86400
and on (product)
%s`, s.figure(coverageEnd), notBefore, days, s.inState(api.LicensedProductValid)),
		summary: fmt.Sprintf("The license of %s ends in less than %d days", s.name, days),
		description: fmt.Sprintf("%s is licensed until %s, including grace periods and renewals that are already "+
			"applied.\nEverything works until then.%s\n%s. You can apply it early: it takes over without a gap.",
			s.nameAndVendor, valueAsTime, s.coming("Then"), s.renewal),
	}
}

// coming is a line that says what the product's restriction will do; empty if nothing is ever restricted.
func (s *subject) coming(when string) string {
	if s.effect == "" {
		return ""
	}
	return fmt.Sprintf("\n%s its restriction takes effect: %s. To see which: kubectl license simulate %s",
		when, s.effect, s.name)
}

// inForce is a line that says what the product's restriction does while it is in force; empty if nothing is ever
// restricted. An alert cannot say whether it is in force: it may be paused, or not due yet.
func (s *subject) inForce() string {
	if s.effect == "" {
		return ""
	}
	return fmt.Sprintf("\nWhile its restriction is in force, %s. To see its state: kubectl describe lprod %s",
		s.effect, s.name)
}

// late says what a license does that is applied too late.
func (s *subject) late() string {
	if s.effect == "" {
		return "it takes effect within seconds"
	}
	return "it takes effect within seconds and ends the restriction"
}

// inGracePeriod is critical if a restriction follows: traffic changes then, and people have to know before.
func (s *subject) inGracePeriod() alert {
	severity, summary := warning, fmt.Sprintf("The license of %s has expired and is in its grace period", s.name)
	if s.effect != "" {
		severity = critical
		summary += ", followed by a restriction"
	}
	return alert{
		name: LicenseInGracePeriod, severity: severity, pending: "1m",
		// A staged renewal that lasts longer than the warning silences the alert.
		expr: fmt.Sprintf(`%[1]s
and on (product)
%[2]s
unless on (product)
%[3]s
  > %[1]s
  >= time() + %[4]d * 86400`,
			s.figure(graceEnd), s.inState(api.LicensedProductGracePeriod), s.figure(coverageEnd), s.ExpiryWarningDays),
		summary: summary,
		description: fmt.Sprintf("The license of %s has expired. Its grace period ends at %s; everything works until "+
			"then.%s\nNo renewal for the next %d days has been applied. %s.",
			s.nameAndVendor, valueAsTime, s.coming("Without a renewal by then,"), s.ExpiryWarningDays, s.renewal),
	}
}

func (s *subject) expired() alert {
	effect := ". What that means is up to the product."
	if s.effect != "" {
		effect = "." + s.inForce()
	}
	return alert{
		name: LicenseExpired, severity: critical, pending: "1m",
		expr: fmt.Sprintf(`%s
and on (product)
%s`, s.figure(coverageEnd), s.inState(api.LicensedProductExpired)),
		summary: fmt.Sprintf("The license of %s has expired, and its grace period has ended", s.name),
		description: fmt.Sprintf("The license of %s has expired, and its grace period ended at %s.\nIt no longer "+
			"grants any features%s\n%s: %s.", s.nameAndVendor, valueAsTime, effect, s.renewal, s.late()),
	}
}

// keyInvalid is a warning while another key covers the product, else critical.
func (s *subject) keyInvalid(severity string) alert {
	operator, alone := "unless", ", and no other key covers it"
	effect := " No other key covers the product: it is not licensed." + s.inForce()
	if severity == warning {
		operator, alone = "and", ""
		effect = "\nAnother key covers the product, so everything works. But if this key is a renewal, it " +
			"will not take over."
	}
	return alert{
		name: LicenseKeyInvalid, severity: severity, pending: "5m",
		expr:    fmt.Sprintf("%s\n%s on (product)\n%s", s.invalidKeys(), operator, s.isCovered()),
		summary: fmt.Sprintf("LicenseKey %s of %s is invalid%s", licenseKey, s.name, alone),
		description: fmt.Sprintf("LicenseKey %s of %s is invalid and ignored.%s\n%s",
			licenseKey, s.nameAndVendor, effect, whyInvalid),
	}
}

const whyInvalid = "The condition Ready says why: kubectl describe lk " + licenseKey +
	". Follow its advice, or delete the key if it is not needed."

// missing fires while the product has no license and no invalid key, for which there is LicenseKeyInvalid. It is
// critical once the terms no longer allow that.
func (s *subject) missing(severity string) alert {
	a := alert{name: LicenseMissing, severity: severity, pending: "15m"}
	comparison := "<="
	if severity == warning {
		comparison, a.summary = ">", s.name+" has no license"
		a.description = fmt.Sprintf("%s has no valid LicenseKey. Its terms allow that until %s.%s\n%s.",
			s.nameAndVendor, valueAsTime, s.coming("Then"), s.renewal)
	} else {
		a.summary = s.name + " has had no license for longer than its terms allow"
		a.description = fmt.Sprintf("%s has no valid LicenseKey. Its terms allowed that until %s.%s\n%s: %s.",
			s.nameAndVendor, valueAsTime, s.inForce(), s.renewal, s.late())
	}
	a.expr = fmt.Sprintf(`%s
  %s time()
and on (product)
%s
unless on (product)
%s`, s.figure(effectiveTime), comparison, s.inState(api.LicensedProductUnlicensed), s.invalidKeys())
	return a
}

// restrictionBypassed has the number of bypasses as its value.
func (s *subject) restrictionBypassed() alert {
	return alert{
		name: LicenseRestrictionBypassed, severity: warning, pending: "15m",
		// Only a restriction that is in force can be bypassed.
		expr: fmt.Sprintf(`%s
  > 0
and on (product)
%s`, s.figure(bypasses), s.isRestricted()),
		summary: fmt.Sprintf("Policies bypass the restriction of %s", s.name),
		description: fmt.Sprintf("The restriction of %s is in force, but policies in the restricted tiers are still "+
			"applied to pods: {{ printf \"%%.0f\" $value }}.\nstatus.restriction.bypasses has their names and "+
			"reasons: kubectl describe lprod %s\n%s: give the policy a higher order or delete it. %s: complete the "+
			"deletion of the tier.", s.nameAndVendor, s.name, api.BypassSortsFirst, api.BypassTierDeleting),
	}
}

const nothingIsBlocked = "Nothing is blocked: new nodes join, and every feature works."

// nearLimit has the percentage of the limit that is in use as its value. A limit of zero has no percentage.
func (s *subject) nearLimit(k *usage.Kind) alert {
	return alert{
		name: k.NearLimitAlert(), severity: warning, pending: "15m",
		expr: fmt.Sprintf(`100 * %s
  / %s
  >= %d
  <= 100`, s.figure(k.UsedMetric()), s.figure(k.LimitMetric()), s.UsageWarningPercent),
		summary: fmt.Sprintf("%s uses %d%% or more of its licensed %s", s.name, s.UsageWarningPercent, k.Unit),
		description: fmt.Sprintf("%s uses {{ printf \"%%.1f\" $value }}%% of its licensed %s.\n%s\nTo add more, %s.",
			s.nameAndVendor, k.Unit, nothingIsBlocked, s.larger),
	}
}

// exceeded has as its value how much more is in use than is licensed.
func (s *subject) exceeded(k *usage.Kind) alert {
	return alert{
		name: k.ExceededAlert(), severity: warning, pending: "15m",
		expr: fmt.Sprintf(`%s
  - %s
  > 0`, s.figure(k.UsedMetric()), s.figure(k.LimitMetric())),
		summary: fmt.Sprintf("%s uses more %s than licensed", s.name, k.Unit),
		description: fmt.Sprintf("%s uses {{ printf \"%%.0f\" $value }} more %s than licensed.\n%s\nUse less, or %s.",
			s.nameAndVendor, k.Unit, nothingIsBlocked, s.larger),
	}
}

func (s *subject) clockSkewed() alert {
	return alert{
		name: LicenseClockSkewed, severity: warning, pending: "15m",
		expr:    s.isSkewed(),
		summary: "Clock skew detected for product " + s.name,
		description: fmt.Sprintf("The operator's clock differs from the API server's, or it is behind a time that was "+
			"recorded for %s. The condition ClockSkewed says which, and how to fix it: kubectl describe lprod %s\n"+
			"An expired license stays expired, but a license may begin or end too early or too late.",
			s.nameAndVendor, s.name),
	}
}

func (s *subject) metricsAbsent() alert {
	return alert{
		name: LicenseMetricsAbsent, severity: critical, pending: "10m",
		// No last_over_time here: gaps of less than ten minutes do not matter.
		expr:    fmt.Sprintf(`absent(license_state{product=%q})`, s.name),
		summary: fmt.Sprintf("The license of %s has no metrics", s.name),
		description: fmt.Sprintf("Prometheus has no license metrics of %s: license-operator is down or not scraped.\n"+
			"The product keeps working, but no other alert can fire for its license.\n"+
			"Check the operator's pod and its log, then its target in Prometheus.", s.nameAndVendor),
	}
}

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
