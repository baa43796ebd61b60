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

// Reasons of next steps. They are an interface, as status -o json prints them.
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

// Bounds of what is told, whatever an object holds.
const (
	maxNamedKeys = 3
	maxQuoted    = 400
)

// staleAfter is how much later than a boundary a status that does not know of it is called old. The operator takes a
// second; clocks differ by more.
const staleAfter = time.Minute

// Step is something that is to be done about a product. Its JSON form is an interface.
type Step struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Command is what helps, if a command does.
	Command string `json:"command,omitempty"`
}

// adviser finds what is to be done about one product. It goes by what the status says: what it adds are distances in
// time, and thresholds.
type adviser struct {
	product *api.LicensedProduct
	// keys are the product's own.
	keys       []api.LicenseKey
	now        time.Time
	thresholds api.AlertsSpec
}

// NextSteps are what is to be done about a product, what casts doubt on the rest first; none: all is well. What is
// about time and limits comes when the product's alerts come.
func NextSteps(product *api.LicensedProduct, keys []api.LicenseKey, now time.Time) []Step {
	a := &adviser{product: product, now: now, thresholds: alerting.Thresholds(product)}
	for i := range keys {
		if keys[i].Spec.ProductName == product.Name {
			a.keys = append(a.keys, keys[i])
		}
	}
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

// failing is a condition of the product that has this status; nil: it has not.
func (a *adviser) failing(conditionType string, status metav1.ConditionStatus) *metav1.Condition {
	condition := meta.FindStatusCondition(a.product.Status.Conditions, conditionType)
	if condition == nil || condition.Status != status {
		return nil
	}
	return condition
}

// as is a condition's message as a step.
func (a *adviser) as(reason string, condition *metav1.Condition, command string) *Step {
	return &Step{Reason: reason, Message: text.TruncateRunes(condition.Message, maxQuoted), Command: command}
}

func (a *adviser) describe() string { return "kubectl describe lprod " + a.product.Name }

func (a *adviser) outdated() *Step {
	status := &a.product.Status
	if status.State == "" || status.ObservedGeneration < a.product.Generation {
		return &Step{
			Reason: StepStatusOutdated, Command: "kubectl license doctor",
			Message: "The operator has not reconciled this product yet, so its status is out of date. If the " +
				"operator runs, it does so within seconds.",
		}
	}
	boundary, what := a.missed()
	if boundary == nil || a.failing(api.ConditionClockSkewed, metav1.ConditionTrue) != nil {
		return nil
	}
	return &Step{
		Reason: StepStatusOutdated, Command: "kubectl license doctor",
		Message: fmt.Sprintf("By this machine's clock %s at %s, but the status does not show it: the operator is "+
			"not running, or a clock is wrong.", what, a.at(boundary)),
	}
}

// missed is a boundary that the status should know of and does not, and what was to happen then; nil: there is none.
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
	if ready := a.failing(api.ConditionReady, metav1.ConditionFalse); ready != nil {
		return a.as(StepTermsNotAccepted, ready, a.describe())
	}
	return nil
}

func (a *adviser) clock() *Step {
	if skewed := a.failing(api.ConditionClockSkewed, metav1.ConditionTrue); skewed != nil {
		return a.as(StepClockSkewed, skewed, "kubectl license doctor")
	}
	return nil
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
		// However long the grace period is, it is no license: only a renewal that will do for a while is.
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

// at is an instant of the status with its distance.
func (a *adviser) at(t *metav1.Time) string {
	if t == nil {
		return "an unknown time"
	}
	return text.TimeAway(a.now, t.Time)
}

// endsSoon tells whether all that the keys cover, renewals that are applied already included, ends so soon that alerts
// say so.
func (a *adviser) endsSoon() bool {
	return IsWithin(a.product.Status.CoverageEndTime, a.thresholds.ExpiryWarningDays, a.now)
}

// isRenewed tells whether other keys cover the product for longer than the active one.
func (a *adviser) isRenewed() bool {
	return a.product.Status.GraceEndTime.Before(a.product.Status.CoverageEndTime)
}

// further tells of such keys.
func (a *adviser) further() string {
	if !a.isRenewed() {
		return ""
	}
	return fmt.Sprintf(" Other keys cover the product from then to %s.", a.at(a.product.Status.CoverageEndTime))
}

// staged tells of the first key to begin.
func (a *adviser) staged() string {
	first := a.firstToBegin(a.now)
	if first == nil {
		return ""
	}
	return fmt.Sprintf(" LicenseKey %s begins at %s.", first.Name, a.at(first.Status.NotBeforeTime))
}

// firstToBegin is the first of the keys to begin after an instant that had not begun when the operator last looked;
// nil: there is none.
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

// renewal is a step to be done by getting a key.
func (a *adviser) renewal(reason, message string) *Step {
	return &Step{
		Reason: reason, Message: message + " " + a.fromVendor("Get a license") + " To get what the vendor needs:",
		Command: "kubectl license request " + a.product.Name,
	}
}

// fromVendor says where to go for something.
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
	return &Step{
		Reason: StepKeyInvalid, Message: message,
		Command: fmt.Sprintf("kubectl license keys %s -o wide", a.product.Name),
	}
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
	status := restriction.StatusOf(a.product)
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return &Step{
			Reason: StepRestricted,
			Message: fmt.Sprintf("A restriction is in force since %s %s, which %s. A renewal ends it; a cluster "+
				"administrator can pause it:", a.at(status.InForce.SinceTime), ExtentText(status.InForce),
				restriction.Effect(status.InForce.Mode)),
			Command: fmt.Sprintf("kubectl license pause %s --for 72h --reason TEXT", a.product.Name),
		}
	case status.State == api.RestrictionScheduled, ComesAfterPause(&status):
		return a.scheduled(&status)
	case status.State == api.RestrictionPaused && status.Pause != nil && status.EffectiveTime != nil:
		return &Step{
			Reason: StepRestrictionPaused,
			Message: fmt.Sprintf("The restriction is paused until %s, with the reason: %s. Then it takes effect "+
				"unless the license is renewed. To see its effects:",
				a.at(status.Pause.UntilTime), status.Pause.Reason),
			Command: "kubectl license simulate " + a.product.Name,
		}
	default:
		return nil
	}
}

func (a *adviser) scheduled(status *api.RestrictionStatus) *Step {
	if disputed := a.failing(api.ConditionRestricted, metav1.ConditionFalse); disputed != nil &&
		disputed.Reason == api.ReasonClockDisputed {
		return a.as(StepRestrictionComing, disputed, "kubectl license simulate "+a.product.Name)
	}
	if status.EffectiveTime == nil || !IsWithin(status.EffectiveTime, a.thresholds.ExpiryWarningDays, a.now) {
		return nil
	}
	return &Step{
		Reason: StepRestrictionComing,
		Message: fmt.Sprintf("A restriction takes effect at %s unless the license is renewed. To see its effects:",
			a.at(status.EffectiveTime)),
		Command: "kubectl license simulate " + a.product.Name,
	}
}

func (a *adviser) restrictionReady() *Step {
	ready := a.failing(api.ConditionRestrictionReady, metav1.ConditionFalse)
	switch {
	case ready == nil, ready.Reason == api.ReasonApplying:
		return nil
	case ready.Reason == api.ReasonBypassed:
		return a.as(StepRestrictionBypassed, ready, a.describe())
	default:
		return a.as(StepRestrictionNotReady, ready, "kubectl license doctor")
	}
}

func (a *adviser) alerts() *Step {
	// A cluster without prometheus-operator has no use for the news, and doctor finds nothing wrong with it.
	if ready := a.failing(api.ConditionAlertsReady, metav1.ConditionFalse); ready != nil &&
		ready.Reason != api.ReasonAPINotInstalled {
		return a.as(StepAlertsNotReady, ready, "kubectl license doctor")
	}
	return nil
}
