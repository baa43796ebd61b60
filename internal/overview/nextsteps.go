// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// Reasons of next steps. They are an interface: status -o json prints them.
const (
	StepStatusOutdated      = "StatusOutdated"
	StepTermsNotAccepted    = "TermsNotAccepted"
	StepClockSkewed         = "ClockSkewed"
	StepUnlicensed          = "Unlicensed"
	StepExpired             = "Expired"
	StepGracePeriod         = "GracePeriod"
	StepExpiresSoon         = "ExpiresSoon"
	StepKeyInvalid          = "KeyInvalid"
	StepLimitExceeded       = "LimitExceeded"
	StepNearLimit           = "NearLimit"
	StepRestricted          = "Restricted"
	StepRestrictionPaused   = "RestrictionPaused"
	StepRestrictionComing   = "RestrictionComing"
	StepRestrictionBypassed = "RestrictionBypassed"
	StepRestrictionNotReady = "RestrictionNotReady"
	StepAlertsNotReady      = "AlertsNotReady"
)

const (
	// maxNamedKeys limits the keys that are listed, and maxQuoted quoted messages, in characters.
	maxNamedKeys, maxQuoted = 3, 400

	// staleAfter is how long after a boundary the status must show it. The operator needs a second, but clocks differ.
	staleAfter = time.Minute

	doctor = "kubectl license doctor"
)

// Step is something to do about a product. Its JSON form is an interface.
type Step struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Command that helps; empty: none.
	Command string `json:"command,omitempty"`
}

// adviser finds what to do about one product. It uses the status, the time, and the thresholds of the alerts.
type adviser struct {
	product    *api.LicensedProduct
	keys       []api.LicenseKey // of the product
	now        time.Time
	thresholds api.AlertsSpec
}

// NextSteps returns what to do about a product; empty: nothing. Problems that make the rest doubtful come first. It
// uses the thresholds of the product's alerts.
func NextSteps(product *api.LicensedProduct, keys []api.LicenseKey, now time.Time) []Step {
	a := &adviser{product: product, now: now, thresholds: alerting.Thresholds(product)}
	a.keys = slices.DeleteFunc(slices.Clone(keys),
		func(key api.LicenseKey) bool { return key.Spec.ProductName != product.Name })
	steps := []Step{}
	for _, find := range []func() *Step{
		a.outdated, a.terms, a.clock, a.license, a.invalidKeys, a.exceeded, a.nearLimit, a.restriction,
		a.restrictionReady, a.alerts,
	} {
		if found := find(); found != nil {
			steps = append(steps, *found)
		}
	}
	return steps
}

// conditionWith returns a condition of the product if it has this status; nil otherwise.
func conditionWith(product *api.LicensedProduct, name string, status metav1.ConditionStatus) *metav1.Condition {
	condition := meta.FindStatusCondition(product.Status.Conditions, name)
	if condition == nil || condition.Status != status {
		return nil
	}
	return condition
}

// stepOf returns a step with the message of a condition; nil without one.
func stepOf(reason string, condition *metav1.Condition, command string) *Step {
	if condition == nil {
		return nil
	}
	return &Step{reason, text.TruncateRunes(condition.Message, maxQuoted), command}
}

func (a *adviser) outdated() *Step {
	status := &a.product.Status
	if status.State == "" || status.ObservedGeneration < a.product.Generation {
		return &Step{StepStatusOutdated, "The operator has not reconciled this product yet, so its status is out of " +
			"date. If the operator runs, it does so within seconds.", doctor}
	}
	boundary, what := a.missed()
	if boundary == nil || conditionWith(a.product, api.ConditionClockSkewed, metav1.ConditionTrue) != nil {
		return nil
	}
	return &Step{StepStatusOutdated, fmt.Sprintf("By this machine's clock %s at %s, but the status does not show it: "+
		"the operator is not running, or a clock is wrong.", what, a.at(boundary)), doctor}
}

// missed returns a boundary in the past that the status does not show, and what should have happened then; nil: none.
func (a *adviser) missed() (boundary *metav1.Time, what string) {
	isMissed := func(t *metav1.Time) bool { return t != nil && !a.now.Before(t.Add(staleAfter)) }
	status := &a.product.Status
	switch {
	case status.State == api.LicensedProductValid && isMissed(status.ExpiryTime):
		return status.ExpiryTime, "the license expired"
	case status.State == api.LicensedProductGracePeriod && isMissed(status.GraceEndTime):
		return status.GraceEndTime, "the grace period ended"
	}
	if key := a.firstToBegin(time.Time{}); key != nil && isMissed(key.Status.NotBeforeTime) {
		return key.Status.NotBeforeTime, "LicenseKey " + key.Name + " began"
	}
	return nil, ""
}

func (a *adviser) terms() *Step {
	return stepOf(StepTermsNotAccepted, conditionWith(a.product, api.ConditionReady, metav1.ConditionFalse),
		"kubectl describe lprod "+a.product.Name)
}

func (a *adviser) clock() *Step {
	return stepOf(StepClockSkewed, conditionWith(a.product, api.ConditionClockSkewed, metav1.ConditionTrue), doctor)
}

func (a *adviser) license() *Step {
	status := &a.product.Status
	switch status.State {
	case api.LicensedProductUnlicensed:
		return a.renewal(StepUnlicensed, "No license: the product has no valid key."+a.staged())
	case api.LicensedProductExpired:
		return a.renewal(StepExpired, fmt.Sprintf("The license expired at %s, and its grace period ended at %s.%s",
			a.at(status.ExpiryTime), a.at(status.GraceEndTime), a.staged()))
	case api.LicensedProductGracePeriod:
		// Even a long grace period is not a license: only a renewal that does not end soon is.
		if a.isRenewed() && !a.endsSoon() {
			return nil
		}
		return a.renewal(StepGracePeriod,
			fmt.Sprintf("The license expired at %s. Everything works until its grace period ends at %s.%s",
				a.at(status.ExpiryTime), a.at(status.GraceEndTime), a.further()))
	case api.LicensedProductValid:
		if !a.endsSoon() {
			return nil
		}
		return a.renewal(StepExpiresSoon, fmt.Sprintf("The license expires at %s, and its grace period ends at %s.%s",
			a.at(status.ExpiryTime), a.at(status.GraceEndTime), a.further()))
	default:
		return nil
	}
}

// at is a time of the status with its distance.
func (a *adviser) at(t *metav1.Time) string {
	if t == nil {
		return "an unknown time"
	}
	return text.TimeAway(a.now, t.Time)
}

// endsSoon tells whether the coverage of all keys, including renewals, ends so soon that there is an alert.
func (a *adviser) endsSoon() bool {
	return IsWithin(a.product.Status.CoverageEndTime, a.thresholds.ExpiryWarningDays, a.now)
}

// isRenewed tells whether other keys cover the product longer than the active key.
func (a *adviser) isRenewed() bool {
	return a.product.Status.GraceEndTime.Before(a.product.Status.CoverageEndTime)
}

// further is a sentence about these keys; empty without them.
func (a *adviser) further() string {
	if !a.isRenewed() {
		return ""
	}
	return fmt.Sprintf(" Other keys cover the product from then to %s.", a.at(a.product.Status.CoverageEndTime))
}

// staged is a sentence about the first key that begins in the future; empty without one.
func (a *adviser) staged() string {
	first := a.firstToBegin(a.now)
	if first == nil {
		return ""
	}
	return fmt.Sprintf(" LicenseKey %s begins at %s.", first.Name, a.at(first.Status.NotBeforeTime))
}

// firstToBegin returns the key that begins first after a time, of those whose state is NotYetValid; nil: none.
func (a *adviser) firstToBegin(after time.Time) *api.LicenseKey {
	var first *api.LicenseKey
	for i := range a.keys {
		key := &a.keys[i]
		if key.Status.State != api.LicenseKeyNotYetValid || key.Status.NotBeforeTime == nil ||
			!key.Status.NotBeforeTime.After(after) {
			continue
		}
		if first == nil || key.Status.NotBeforeTime.Before(first.Status.NotBeforeTime) {
			first = key
		}
	}
	return first
}

// renewal is a step that needs a new key.
func (a *adviser) renewal(reason, message string) *Step {
	return &Step{
		reason, message + " " + a.fromVendor("Get a license") + " To get what the vendor needs:",
		"kubectl license request " + a.product.Name,
	}
}

// fromVendor says where to get something.
func (a *adviser) fromVendor(what string) string {
	return license.FromVendor(what, a.product.Spec.Vendor, a.product.Spec.RenewalURL) + "."
}

func (a *adviser) invalidKeys() *Step {
	var names []string
	var message string
	for i := range a.keys {
		ready := meta.FindStatusCondition(a.keys[i].Status.Conditions, api.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse {
			continue
		}
		names = append(names, fmt.Sprintf("%s (%s)", a.keys[i].Name, ready.Reason))
		message = text.TruncateRunes(ready.Message, maxQuoted)
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return nil
	case 1:
		message = fmt.Sprintf("LicenseKey %s is invalid and has no effect. %s", names[0], message)
	default:
		message = fmt.Sprintf("%d keys are invalid and have no effect: %s. Correct them, or delete those that are "+
			"not needed.", len(names), text.List(names, maxNamedKeys))
	}
	return &Step{StepKeyInvalid, message, fmt.Sprintf("kubectl license keys %s -o wide", a.product.Name)}
}

const nothingIsBlocked = "Nothing is blocked."

func (a *adviser) exceeded() *Step {
	_, exceeded := usage.Compare(a.product.Status.Limits, a.product.Status.Usage)
	if len(exceeded) == 0 {
		return nil
	}
	texts := make([]string, len(exceeded))
	for i, e := range exceeded {
		texts[i] = e.String()
	}
	return &Step{Reason: StepLimitExceeded, Message: fmt.Sprintf("License limit exceeded: %s in use. %s %s",
		strings.Join(texts, ", "), nothingIsBlocked, a.fromVendor("Use less, or get a larger license"))}
}

func (a *adviser) nearLimit() *Step {
	var texts []string
	for _, name := range usage.Names() {
		if amount := usage.AmountOf(&a.product.Status, name); amount.IsNear(a.thresholds.UsageWarningPercent) {
			texts = append(texts, fmt.Sprintf("%d of %d %s", *amount.Used, *amount.Limit, name))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return &Step{Reason: StepNearLimit, Message: fmt.Sprintf("%d%% or more of what is licensed is in use: %s. %s %s",
		a.thresholds.UsageWarningPercent, strings.Join(texts, ", "), nothingIsBlocked,
		a.fromVendor("To add more, get a larger license"))}
}

func (a *adviser) restriction() *Step {
	status, simulate := restriction.StatusOf(a.product), "kubectl license simulate "+a.product.Name
	disputed := conditionWith(a.product, api.ConditionRestricted, metav1.ConditionFalse)
	isScheduled := status.State == api.RestrictionScheduled || ComesAfterPause(&status)
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return &Step{
			StepRestricted, fmt.Sprintf("A restriction is in force since %s %s, which %s. A renewal ends it; "+
				"a cluster administrator can pause it:", a.at(status.InForce.SinceTime), ExtentText(status.InForce),
				restriction.Effect(status.InForce.Mode)),
			fmt.Sprintf("kubectl license pause %s --for 72h --reason TEXT", a.product.Name),
		}
	case isScheduled && disputed != nil && disputed.Reason == api.ReasonClockDisputed:
		return stepOf(StepRestrictionComing, disputed, simulate)
	case isScheduled && status.EffectiveTime != nil &&
		IsWithin(status.EffectiveTime, a.thresholds.ExpiryWarningDays, a.now):
		return &Step{StepRestrictionComing, fmt.Sprintf("A restriction takes effect at %s unless the license is "+
			"renewed. To see its effects:", a.at(status.EffectiveTime)), simulate}
	case !isScheduled && status.State == api.RestrictionPaused && status.Pause != nil && status.EffectiveTime != nil:
		return &Step{StepRestrictionPaused, fmt.Sprintf("The restriction is paused until %s, with the reason: %s. "+
			"Then it takes effect unless the license is renewed. To see its effects:", a.at(status.Pause.UntilTime),
			status.Pause.Reason), simulate}
	default:
		return nil
	}
}

func (a *adviser) restrictionReady() *Step {
	ready := conditionWith(a.product, api.ConditionRestrictionReady, metav1.ConditionFalse)
	switch {
	case ready == nil, ready.Reason == api.ReasonApplying:
		return nil
	case ready.Reason == api.ReasonBypassed:
		return stepOf(StepRestrictionBypassed, ready, "kubectl describe lprod "+a.product.Name)
	default:
		return stepOf(StepRestrictionNotReady, ready, doctor)
	}
}

func (a *adviser) alerts() *Step {
	ready := conditionWith(a.product, api.ConditionAlertsReady, metav1.ConditionFalse)
	if ready != nil && ready.Reason == api.ReasonAPINotInstalled {
		return nil // A cluster without prometheus-operator does not need alerts.
	}
	return stepOf(StepAlertsNotReady, ready, doctor)
}
