// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// observations are what has been found out about a product besides its assessment.
type observations struct {
	// used is what is in use; nil where its selector is none.
	used []api.Usage
	// alertsReady is the condition of that type; nil where it has yet to be seen, and is as it was.
	alertsReady *metav1.Condition
	restriction *restrictionView
}

// licensedProductStatus is the whole status of a product.
func productStatus(found *assess.Assessment, observed observations) api.LicensedProductStatus {
	product, e, used := found.Product, &found.Evaluation, observed.used
	restricts := restrictionStatus(found, observed.restriction)
	before := product.Status.Conditions
	since := func(conditions ...metav1.Condition) []metav1.Condition {
		return reconcile.Conditions(before, transitionTime(found), product.Generation, conditions...)
	}
	// What has yet to be seen is as it was.
	orBefore := func(conditionType string, seen *metav1.Condition) []metav1.Condition {
		if seen == nil {
			if was := meta.FindStatusCondition(before, conditionType); was != nil {
				return []metav1.Condition{*was}
			}
			return nil
		}
		return since(*seen)
	}
	conditions := slices.Concat(
		since(termsCondition(found), licensedCondition(found), withinLimitsCondition(found, used)),
		orBefore(api.ConditionAlertsReady, observed.alertsReady),
		since(restrictedCondition(found, observed.restriction, restricts)),
		orBefore(api.ConditionRestrictionReady, restrictionReadyCondition(found, observed.restriction)),
	)
	if e.Time.SkewReason != "" {
		conditions = append(conditions, since(clockSkewedCondition(found))...)
	}
	conditions = slices.DeleteFunc(conditions, func(c metav1.Condition) bool { return c.Type == "" })
	return api.LicensedProductStatus{
		Conditions:            conditions,
		ObservedGeneration:    product.Generation,
		State:                 e.State,
		ActiveLicenseKeyName:  e.ActiveKeyName,
		ExpiryTime:            instant(e.Expiry),
		GraceEndTime:          instant(e.GraceEnd),
		CoverageEndTime:       instant(e.CoverageEnd),
		Features:              e.Features,
		Limits:                e.Limits,
		Usage:                 used,
		MonthlyPeaks:          monthlyPeaks(found, used),
		TimeMark:              instant(e.Time.HighWaterMark),
		LastHandledClockReset: e.Time.HandledReset,
		TrustAnchors:          trustAnchors(found),
		Restriction:           restricts,
	}
}

// monthlyPeaks are those of before, with what is in use now. While the clocks disagree nobody knows what month it is,
// and none begins or has its peak raised afterwards.
func monthlyPeaks(found *assess.Assessment, used []api.Usage) []api.MonthlyPeak {
	before := found.Product.Status.MonthlyPeaks
	if found.Time.SkewReason == api.ReasonNodeClock {
		return usage.RaiseLast(before, used)
	}
	return usage.Raise(before, found.Time.Now, used)
}

// trustAnchors are the last that could be used.
func trustAnchors(found *assess.Assessment) string {
	if found.TermsErr != nil {
		return found.Product.Status.TrustAnchors
	}
	return found.Product.Spec.TrustAnchors
}

func termsCondition(found *assess.Assessment) metav1.Condition {
	ready := metav1.Condition{
		Type: api.ConditionReady, Status: metav1.ConditionTrue, Reason: api.ReasonTermsAccepted,
		Message: fmt.Sprintf("Terms accepted (vendor %s).", found.Product.Spec.Vendor),
	}
	if found.TermsErr != nil {
		ready.Status, ready.Reason = metav1.ConditionFalse, api.ReasonTrustAnchorsInvalid
		meanwhile := "no key can be verified"
		if found.HasTerms {
			meanwhile = "the last valid trust anchors (status.trustAnchors) remain in effect"
		}
		ready.Message = fmt.Sprintf("Invalid spec.trustAnchors: %v. Correct them; until then %s.", found.TermsErr,
			meanwhile)
	} else if _, err := usage.Selector(found.Product); err != nil {
		ready.Status, ready.Reason = metav1.ConditionFalse, api.ReasonNodeSelectorInvalid
		ready.Message = fmt.Sprintf("Invalid spec.usage.nodeSelector: %v. Nodes are not counted until it is fixed.",
			err)
	} else if _, err := restriction.TierSelectorOf(found.Product); err != nil {
		ready.Status, ready.Reason = metav1.ConditionFalse, api.ReasonTierSelectorInvalid
		ready.Message = fmt.Sprintf("Invalid spec.restriction.tierSelector: %v. No tier is restricted until it "+
			"is fixed.", err)
	}
	return ready
}

func licensedCondition(found *assess.Assessment) metav1.Condition {
	e := &found.Evaluation
	licensed := metav1.Condition{Type: api.ConditionLicensed, Status: metav1.ConditionFalse, Reason: string(e.State)}
	expiry, graceEnd := rfc3339(e.Expiry), rfc3339(e.GraceEnd)
	switch e.State {
	case api.LicensedProductValid:
		licensed.Status = metav1.ConditionTrue
		licensed.Message = fmt.Sprintf("LicenseKey %q is valid until %s.", e.ActiveKeyName, expiry)
	case api.LicensedProductGracePeriod:
		licensed.Status = metav1.ConditionTrue
		next := renewal(found.Product)
		if found.IsRenewed() {
			next = fmt.Sprintf("Other keys cover the product until %s.", rfc3339(e.CoverageEnd))
		}
		licensed.Message = fmt.Sprintf("LicenseKey %q expired at %s; grace period ends at %s. %s", e.ActiveKeyName,
			expiry, graceEnd, next)
	case api.LicensedProductExpired:
		licensed.Message = fmt.Sprintf("LicenseKey %q expired at %s; grace period ended at %s. %s",
			e.ActiveKeyName, expiry, graceEnd, renewal(found.Product))
	default:
		licensed.Message = fmt.Sprintf("No valid LicenseKey for product %q (kubectl get lk). %s", found.Product.Name,
			renewal(found.Product))
	}
	return licensed
}

// withinLimitsCondition compares what is in use with what is licensed. It only tells: nothing waits for it.
func withinLimitsCondition(found *assess.Assessment, used []api.Usage) metav1.Condition {
	within := metav1.Condition{
		Type: api.ConditionWithinLimits, Status: metav1.ConditionTrue,
		Reason: api.ReasonWithinLimits,
	}
	if used == nil {
		within.Status, within.Reason = metav1.ConditionUnknown, api.ReasonNodeSelectorInvalid
		_, err := usage.Selector(found.Product)
		within.Message = fmt.Sprintf("Invalid spec.usage.nodeSelector: %v. Nodes are not counted until it is fixed.",
			err)
		return within
	}
	counted, exceeded := usage.Compare(found.Evaluation.Limits, used)
	switch {
	case len(exceeded) > 0:
		within.Status, within.Reason = metav1.ConditionFalse, api.ReasonLimitExceeded
		var excesses []string
		for _, e := range exceeded {
			excesses = append(excesses, e.String())
		}
		within.Message = fmt.Sprintf("License limit exceeded: %s in use. Nothing is blocked. Reduce use or get a "+
			"larger license. %s", strings.Join(excesses, ", "), renewal(found.Product))
	case counted > 0:
		within.Message = "Use is within the license limits."
	case found.Evaluation.Limits != nil:
		within.Reason = api.ReasonNoLimits
		within.Message = fmt.Sprintf("The license has no limit for %s.", text.Or(usage.Names()))
	default:
		within.Reason = api.ReasonNoLimits
		within.Message = "No license, so no limits."
	}
	return within
}

func clockSkewedCondition(found *assess.Assessment) metav1.Condition {
	skewed := metav1.Condition{
		Type: api.ConditionClockSkewed, Status: metav1.ConditionTrue,
		Reason: found.Time.SkewReason,
	}
	if skewed.Reason == api.ReasonBehindMark {
		skewed.Message = fmt.Sprintf("Clock of the operator is behind status.timeMark %s, which is used instead. "+
			"Fix the node's clock, or run: kubectl license clock reset %s",
			rfc3339(found.Evaluation.Time.HighWaterMark), found.Product.Name)
	} else {
		skewed.Message = "Clocks of the operator and the API server differ by more than 5 minutes. Fix the wrong " +
			"one. Until then no restriction starts."
	}
	return skewed
}

// productEvents are the events of going from one status to another: one for each transition.
func productEvents(from, to *api.LicensedProductStatus, found *assess.Assessment) []reconcile.Event {
	var events []reconcile.Event
	add := func(warning bool, c metav1.Condition) {
		events = append(events, reconcile.Event{Warning: warning, Reason: c.Reason, Note: c.Message})
	}
	readyBefore, ready := reconcile.FindCondition(from.Conditions, api.ConditionReady),
		reconcile.FindCondition(to.Conditions, api.ConditionReady)
	if readyBefore.Reason != ready.Reason {
		add(ready.Status != metav1.ConditionTrue, ready)
	}
	licensed := reconcile.FindCondition(to.Conditions, api.ConditionLicensed)
	switch {
	case from.State != to.State:
		add(to.State != api.LicensedProductValid && !found.IsRenewed(), licensed)
	case from.ActiveLicenseKeyName != to.ActiveLicenseKeyName:
		events = append(events, reconcile.Event{Reason: "ActiveLicenseKeyChanged", Note: licensed.Message})
	}
	withinBefore, within := reconcile.FindCondition(from.Conditions, api.ConditionWithinLimits),
		reconcile.FindCondition(to.Conditions, api.ConditionWithinLimits)
	switch {
	case withinBefore.Reason == within.Reason:
	case within.Reason == api.ReasonLimitExceeded:
		add(true, within)
	case withinBefore.Reason == api.ReasonLimitExceeded:
		add(false, within)
	}
	alertsBefore, alerts := reconcile.FindCondition(from.Conditions, api.ConditionAlertsReady),
		reconcile.FindCondition(to.Conditions, api.ConditionAlertsReady)
	if alertsBefore.Reason != alerts.Reason &&
		(alerts.Reason == api.ReasonForbidden || alerts.Reason == api.ReasonApplyFailed) {
		events = append(events, reconcile.Event{Warning: true, Reason: "AlertsNotReady", Note: alerts.Message})
	}
	events = append(events, restrictionEvents(from, to)...)
	skewedBefore, skewed := reconcile.FindCondition(from.Conditions, api.ConditionClockSkewed),
		reconcile.FindCondition(to.Conditions, api.ConditionClockSkewed)
	switch {
	case skewedBefore.Reason == skewed.Reason:
	case skewed.Reason != "":
		events = append(events, reconcile.Event{Warning: true, Reason: "ClockSkewed", Note: skewed.Message})
	default:
		events = append(events, reconcile.Event{
			Reason: "ClockInOrder", Note: "Clock skew resolved.",
		})
	}
	if from.LastHandledClockReset != to.LastHandledClockReset {
		events = append(events,
			reconcile.Event{
				Warning: true, Reason: "ClockReset",
				Note: fmt.Sprintf("Clock reset as requested: status.timeMark is %s.",
					rfc3339(to.TimeMark.Time)),
			})
	}
	return events
}
