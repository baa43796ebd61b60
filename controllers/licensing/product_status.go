// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// observations are what has been found out about a product besides its assessment.
type observations struct {
	// used is what is in use; nil if the node selector is invalid.
	used []api.Usage
	// alertsReady is the condition of that type; nil if it is not known yet.
	alertsReady *metav1.Condition
	restriction *restrictionView
}

// transitionTime is the time of the transitions that this assessment finds, in whole seconds as the API keeps them.
func transitionTime(found *assess.Assessment) metav1.Time {
	return metav1.NewTime(found.Time.Now.UTC().Truncate(time.Second))
}

// renewal says where to get a license, as a sentence.
func renewal(product *api.LicensedProduct) string {
	return license.FromVendor("Get a license", product.Spec.Vendor, product.Spec.RenewalURL) + "."
}

// productStatus is the whole status of a product. Conditions that are not known yet stay as they were.
func productStatus(found *assess.Assessment, observed observations) api.LicensedProductStatus {
	product, used := found.Product, observed.used
	status := api.LicensedProductStatus{
		ObservedGeneration: product.Generation, Usage: used, MonthlyPeaks: monthlyPeaks(found, used),
		TrustAnchors: trustAnchors(found), Restriction: restrictionStatus(found, observed.restriction),
	}
	found.Evaluation.Record(&status)
	for _, c := range reconcile.Conditions(product.Status.Conditions, transitionTime(found), product.Generation,
		termsCondition(found), licensedCondition(found), withinLimitsCondition(found, used),
		*cmp.Or(observed.alertsReady, &metav1.Condition{Type: api.ConditionAlertsReady}),
		restrictedCondition(found, observed.restriction, status.Restriction),
		*cmp.Or(restrictionReadyCondition(found, observed.restriction),
			&metav1.Condition{Type: api.ConditionRestrictionReady}),
		clockSkewedCondition(found),
	) {
		if c.Status == "" {
			c = reconcile.FindCondition(product.Status.Conditions, c.Type)
		}
		if c.Type != "" {
			status.Conditions = append(status.Conditions, c)
		}
	}
	return status
}

// monthlyPeaks are those of before, with what is in use now. While the clocks disagree the month is not known: no month
// begins.
func monthlyPeaks(found *assess.Assessment, used []api.Usage) []api.MonthlyPeak {
	before := found.Product.Status.MonthlyPeaks
	if found.Time.SkewReason == api.ReasonNodeClock {
		return usage.RaiseLast(before, used)
	}
	return usage.Raise(before, found.Time.Now, used)
}

// trustAnchors are the last valid ones.
func trustAnchors(found *assess.Assessment) string {
	if found.TermsErr != nil {
		return found.Product.Status.TrustAnchors
	}
	return found.Product.Spec.TrustAnchors
}

const invalidNodeSelector = "Invalid spec.usage.nodeSelector: %v. Nodes are not counted until it is fixed."

func termsCondition(found *assess.Assessment) metav1.Condition {
	ready := metav1.Condition{Type: api.ConditionReady, Status: metav1.ConditionFalse}
	if found.TermsErr != nil {
		meanwhile := "no key can be verified"
		if found.HasTerms {
			meanwhile = "the last valid ones (status.trustAnchors) are used"
		}
		ready.Reason = api.ReasonTrustAnchorsInvalid
		ready.Message = fmt.Sprintf("Invalid spec.trustAnchors: %v. Fix them; until then %s.",
			found.TermsErr, meanwhile)
	} else if _, err := usage.Selector(found.Product); err != nil {
		ready.Reason, ready.Message = api.ReasonNodeSelectorInvalid, fmt.Sprintf(invalidNodeSelector, err)
	} else if _, err := restriction.TierSelectorOf(found.Product); err != nil {
		ready.Reason = api.ReasonTierSelectorInvalid
		ready.Message = fmt.Sprintf("Invalid spec.restriction.tierSelector: %v. No tier is restricted until it is "+
			"fixed.", err)
	} else {
		ready.Status, ready.Reason = metav1.ConditionTrue, api.ReasonTermsAccepted
		ready.Message = fmt.Sprintf("Terms accepted (vendor %s).", found.Product.Spec.Vendor)
	}
	return ready
}

func licensedCondition(found *assess.Assessment) metav1.Condition {
	e := &found.Evaluation
	next := renewal(found.Product)
	if e.State == api.LicensedProductGracePeriod && found.IsRenewed() {
		next = fmt.Sprintf("Other keys cover the product until %s.", text.Time(e.CoverageEnd))
	}
	licensed := metav1.Condition{
		Type: api.ConditionLicensed, Reason: string(e.State),
		Status: reconcile.ConditionStatus(license.Usable(e.State)),
	}
	switch e.State {
	case api.LicensedProductValid:
		licensed.Message = fmt.Sprintf("LicenseKey %q is valid until %s.", e.ActiveKeyName, text.Time(e.Expiry))
	case api.LicensedProductGracePeriod:
		licensed.Message = fmt.Sprintf("LicenseKey %q expired at %s; grace period ends at %s. %s",
			e.ActiveKeyName, text.Time(e.Expiry), text.Time(e.GraceEnd), next)
	case api.LicensedProductExpired:
		licensed.Message = fmt.Sprintf("LicenseKey %q expired at %s; grace period ended at %s. %s",
			e.ActiveKeyName, text.Time(e.Expiry), text.Time(e.GraceEnd), next)
	default:
		licensed.Message = fmt.Sprintf("No valid LicenseKey for product %q (kubectl get lk). %s",
			found.Product.Name, next)
	}
	return licensed
}

// withinLimitsCondition compares what is in use with what is licensed. It informs only: nothing depends on it.
func withinLimitsCondition(found *assess.Assessment, used []api.Usage) metav1.Condition {
	within := metav1.Condition{
		Type: api.ConditionWithinLimits, Status: metav1.ConditionTrue, Reason: api.ReasonNoLimits,
	}
	product := found.Product
	counted, exceeded := usage.Compare(found.Evaluation.Limits, used)
	switch _, err := usage.Selector(product); {
	case used == nil:
		within.Status, within.Reason = metav1.ConditionUnknown, api.ReasonNodeSelectorInvalid
		within.Message = fmt.Sprintf(invalidNodeSelector, err)
	case len(exceeded) > 0:
		within.Status, within.Reason = metav1.ConditionFalse, api.ReasonLimitExceeded
		var excesses []string
		for _, e := range exceeded {
			excesses = append(excesses, e.String())
		}
		within.Message = fmt.Sprintf("License limit exceeded: %s in use. Nothing is blocked. %s.",
			strings.Join(excesses, ", "),
			license.FromVendor("Use less, or get a larger license", product.Spec.Vendor, product.Spec.RenewalURL))
	case counted > 0:
		within.Reason, within.Message = api.ReasonWithinLimits, "Use is within the license limits."
	case found.Evaluation.Limits != nil:
		within.Message = fmt.Sprintf("The license has no limit for %s.", text.Or(usage.Names()))
	default:
		within.Message = "No license, so no limits."
	}
	return within
}

// clockSkewedCondition has no type if there is no clock skew.
func clockSkewedCondition(found *assess.Assessment) metav1.Condition {
	skewed := metav1.Condition{
		Type: api.ConditionClockSkewed, Status: metav1.ConditionTrue, Reason: found.Time.SkewReason,
	}
	switch skewed.Reason {
	case "":
		return metav1.Condition{}
	case api.ReasonBehindMark:
		skewed.Message = fmt.Sprintf("Clock of the operator is behind status.timeMark %s. Fix the node's clock, or "+
			"run: kubectl license clock reset %s", text.Time(found.Evaluation.Time.HighWaterMark), found.Product.Name)
	default:
		skewed.Message = "Clocks of the operator and the API server differ by more than 5 minutes. Fix the wrong " +
			"one. Until then no restriction starts."
	}
	return skewed
}

// transitions collects the events of going from one status to another: one for each transition.
type transitions struct {
	from, to []metav1.Condition
	events   []reconcile.Event
}

func (t *transitions) add(warning bool, reason, note string) {
	t.events = append(t.events, reconcile.Event{Warning: warning, Reason: reason, Note: note})
}

// of returns a condition before and after, and whether its reason changed.
func (t *transitions) of(conditionType string) (was, is metav1.Condition, changed bool) {
	was, is = reconcile.FindCondition(t.from, conditionType), reconcile.FindCondition(t.to, conditionType)
	return was, is, was.Reason != is.Reason
}

// productEvents are the events of going from one status to another.
func productEvents(from, to *api.LicensedProductStatus, found *assess.Assessment) []reconcile.Event {
	t := &transitions{from: from.Conditions, to: to.Conditions}
	if _, ready, changed := t.of(api.ConditionReady); changed {
		t.add(ready.Status != metav1.ConditionTrue, ready.Reason, ready.Message)
	}
	_, licensed, _ := t.of(api.ConditionLicensed)
	switch {
	case from.State != to.State:
		t.add(to.State != api.LicensedProductValid && !found.IsRenewed(), licensed.Reason, licensed.Message)
	case from.ActiveLicenseKeyName != to.ActiveLicenseKeyName:
		t.add(false, "ActiveLicenseKeyChanged", licensed.Message)
	}
	was, within, changed := t.of(api.ConditionWithinLimits)
	isExceeded := within.Reason == api.ReasonLimitExceeded
	if changed && (isExceeded || was.Reason == api.ReasonLimitExceeded) {
		t.add(isExceeded, within.Reason, within.Message)
	}
	if _, alerts, changed := t.of(api.ConditionAlertsReady); changed &&
		(alerts.Reason == api.ReasonForbidden || alerts.Reason == api.ReasonApplyFailed) {
		t.add(true, "AlertsNotReady", alerts.Message)
	}
	t.addRestriction()
	switch _, skewed, changed := t.of(api.ConditionClockSkewed); {
	case !changed:
	case skewed.Reason != "":
		t.add(true, "ClockSkewed", skewed.Message)
	default:
		t.add(false, "ClockInOrder", "Clock skew resolved.")
	}
	if from.LastHandledClockReset != to.LastHandledClockReset {
		t.add(true, "ClockReset",
			fmt.Sprintf("Clock reset as requested: status.timeMark is %s.", text.Time(to.TimeMark.Time)))
	}
	return t.events
}
