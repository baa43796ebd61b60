// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/api/v1alpha1"
)

// licensedProductStatus is the whole status of a product, as of its assessment.
func licensedProductStatus(found *assessment) v1alpha1.LicensedProductStatus {
	product, e := found.product, &found.evaluation
	conditions := []metav1.Condition{termsCondition(found), licensedCondition(found)}
	if e.Time.SkewReason != "" {
		conditions = append(conditions, clockSkewedCondition(found))
	}
	return v1alpha1.LicensedProductStatus{
		Conditions:            conditionsSince(product.Status.Conditions, transitionTime(found), product.Generation, conditions...),
		ObservedGeneration:    product.Generation,
		State:                 e.State,
		ActiveLicenseKeyName:  e.ActiveKeyName,
		ExpiryTime:            instant(e.Expiry),
		GraceEndTime:          instant(e.GraceEnd),
		CoverageEndTime:       instant(e.CoverageEnd),
		Features:              e.Features,
		Limits:                e.Limits,
		TimeMark:              instant(e.Time.Mark),
		LastHandledClockReset: e.Time.HandledReset,
		TrustAnchors:          trustAnchors(found),
		Restriction:           &v1alpha1.RestrictionStatus{EffectiveTime: instant(e.EffectiveTime), Basis: e.Basis, UsableUntilTime: instant(e.UsableUntil)},
	}
}

// trustAnchors are the last that could be used.
func trustAnchors(found *assessment) string {
	if found.termsErr != nil {
		return found.product.Status.TrustAnchors
	}
	return found.product.Spec.TrustAnchors
}

func termsCondition(found *assessment) metav1.Condition {
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTermsAccepted,
		Message: fmt.Sprintf("The terms of %s are in order.", found.product.Spec.Vendor),
	}
	if found.termsErr != nil {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonTrustAnchorsInvalid
		meanwhile := "no key can be verified"
		if found.terms != nil {
			meanwhile = "the last that could be used count, those in status.trustAnchors"
		}
		ready.Message = fmt.Sprintf("spec.trustAnchors cannot be used: %v. Mend them; until then %s.", found.termsErr, meanwhile)
	}
	return ready
}

func licensedCondition(found *assessment) metav1.Condition {
	e := &found.evaluation
	licensed := metav1.Condition{Type: v1alpha1.ConditionLicensed, Status: metav1.ConditionFalse, Reason: string(e.State)}
	expiry, graceEnd := rfc3339(e.Expiry), rfc3339(e.GraceEnd)
	switch e.State {
	case v1alpha1.LicensedProductValid:
		licensed.Status = metav1.ConditionTrue
		licensed.Message = fmt.Sprintf("LicenseKey %q is valid until %s.", e.ActiveKeyName, expiry)
	case v1alpha1.LicensedProductGracePeriod:
		licensed.Status = metav1.ConditionTrue
		next := renewal(found.product)
		if found.isRenewed() {
			next = fmt.Sprintf("Other keys cover the product from then to %s without a gap.", rfc3339(e.CoverageEnd))
		}
		licensed.Message = fmt.Sprintf("LicenseKey %q expired at %s; its grace period ends at %s. %s", e.ActiveKeyName, expiry, graceEnd, next)
	case v1alpha1.LicensedProductExpired:
		licensed.Message = fmt.Sprintf("LicenseKey %q expired at %s, and its grace period ended at %s. %s", e.ActiveKeyName, expiry, graceEnd, renewal(found.product))
	default:
		licensed.Message = fmt.Sprintf("No LicenseKey with spec.productName %q verifies and has begun (kubectl get lk shows them). %s", found.product.Name, renewal(found.product))
	}
	return licensed
}

func clockSkewedCondition(found *assessment) metav1.Condition {
	skewed := metav1.Condition{Type: v1alpha1.ConditionClockSkewed, Status: metav1.ConditionTrue, Reason: found.time.SkewReason}
	if skewed.Reason == v1alpha1.ReasonBehindMark {
		skewed.Message = fmt.Sprintf("The operator's clock is behind status.timeMark, %s, which counts as the time until the clock has passed it. "+
			"Mend the clock of the operator's node; if the mark is what is wrong, run: kubectl license clock reset %s", rfc3339(found.evaluation.Time.Mark), found.product.Name)
	} else {
		skewed.Message = "The operator's clock and the API server's are more than 5 minutes apart. Mend the one that is wrong: until then no restriction starts and status.timeMark stands still."
	}
	return skewed
}

// licensedProductEvents are the events of going from one status to another: one for each transition.
func licensedProductEvents(from, to *v1alpha1.LicensedProductStatus, found *assessment) []transition {
	var events []transition
	add := func(warning bool, c metav1.Condition) {
		events = append(events, transition{warning: warning, reason: c.Reason, note: c.Message})
	}
	readyBefore, ready := conditionOf(from.Conditions, v1alpha1.ConditionReady), conditionOf(to.Conditions, v1alpha1.ConditionReady)
	if readyBefore.Reason != ready.Reason {
		add(ready.Status != metav1.ConditionTrue, ready)
	}
	licensed := conditionOf(to.Conditions, v1alpha1.ConditionLicensed)
	switch {
	case from.State != to.State:
		add(to.State != v1alpha1.LicensedProductValid && !found.isRenewed(), licensed)
	case from.ActiveLicenseKeyName != to.ActiveLicenseKeyName:
		events = append(events, transition{reason: "ActiveLicenseKeyChanged", note: licensed.Message})
	}
	skewedBefore, skewed := conditionOf(from.Conditions, v1alpha1.ConditionClockSkewed), conditionOf(to.Conditions, v1alpha1.ConditionClockSkewed)
	switch {
	case skewedBefore.Reason == skewed.Reason:
	case skewed.Reason != "":
		events = append(events, transition{warning: true, reason: "ClockSkewed", note: skewed.Message})
	default:
		events = append(events, transition{reason: "ClockInOrder", note: "The operator's clock is believed again."})
	}
	if from.LastHandledClockReset != to.LastHandledClockReset {
		events = append(events, transition{warning: true, reason: "ClockReset", note: fmt.Sprintf("As requested, the clock is believed again and status.timeMark is %s.", rfc3339(to.TimeMark.Time))})
	}
	return events
}
