// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// licenseKeyStatus is the whole status of a key, as of what was found of it and of its product.
func licenseKeyStatus(key *v1alpha1.LicenseKey, f finding, found *assessment) v1alpha1.LicenseKeyStatus {
	status := v1alpha1.LicenseKeyStatus{ObservedGeneration: key.Generation, State: v1alpha1.LicenseKeyInvalid}
	if f.Claims != nil {
		status.State = f.Claims.StateAt(found.time.Now)
	}
	if c := f.claims; c != nil {
		status.LicenseID, status.Customer = c.ID, c.Customer
		status.IssuedTime, status.NotBeforeTime = instant(c.IssuedTime), instant(c.NotBefore)
		status.ExpiryTime, status.GraceEndTime = instant(c.Expiry), instant(c.GraceEnd())
		if status.State == v1alpha1.LicenseKeyValid || status.State == v1alpha1.LicenseKeyGracePeriod {
			status.Features, status.Limits = c.Features, license.LimitList(c.Limits)
		}
	}
	status.Conditions = conditionsSince(key.Status.Conditions, transitionTime(found), key.Generation,
		readyCondition(f), activeCondition(key, status.State, f.Claims, found))
	return status
}

// recalled is the finding of a key that could not be judged, with what its own status says of it: what was last verified stands.
func recalled(f finding, key *v1alpha1.LicenseKey) finding {
	f.Claims = lastVerified(key)
	f.claims = f.Claims
	switch {
	case f.reason != "":
	case f.Claims != nil:
		f.reason = v1alpha1.ReasonVerified
		f.message = fmt.Sprintf("License %q, issued to %q, verified earlier, and that stands: the trust anchors of LicensedProduct %q cannot be used now.",
			f.Claims.ID, f.Claims.Customer, key.Spec.ProductName)
	default:
		f.reason = v1alpha1.ReasonUntrustedCertificate
		f.message = fmt.Sprintf("The trust anchors of LicensedProduct %q cannot be used, so no new key can be verified: mend spec.trustAnchors as the product's condition Ready says.",
			key.Spec.ProductName)
	}
	return f
}

// lastVerified are the claims that a key's own status has of it; nil where the key was not accepted then.
func lastVerified(key *v1alpha1.LicenseKey) *license.Claims {
	s := &key.Status
	if s.State == "" || s.State == v1alpha1.LicenseKeyInvalid || s.IssuedTime == nil || s.NotBeforeTime == nil || s.ExpiryTime == nil || s.GraceEndTime == nil {
		return nil
	}
	claims := &license.Claims{
		ID: s.LicenseID, Customer: s.Customer,
		IssuedTime: s.IssuedTime.Time, NotBefore: s.NotBeforeTime.Time,
		Expiry: s.ExpiryTime.Time, GracePeriod: s.GraceEndTime.Sub(s.ExpiryTime.Time),
		Features: s.Features, Limits: map[string]int64{},
	}
	for _, limit := range s.Limits {
		if limit.Value != nil {
			claims.Limits[limit.Name] = *limit.Value
		}
	}
	return claims
}

func readyCondition(f finding) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: statusOf(f.reason == v1alpha1.ReasonVerified), Reason: f.reason, Message: f.message}
}

func activeCondition(key *v1alpha1.LicenseKey, state v1alpha1.LicenseKeyState, claims *license.Claims, found *assessment) metav1.Condition {
	active := metav1.Condition{Type: v1alpha1.ConditionActive, Status: metav1.ConditionFalse}
	switch {
	case found.product != nil && found.evaluation.ActiveKeyName == key.Name:
		active.Status, active.Reason = metav1.ConditionTrue, v1alpha1.ReasonInForce
		active.Message = fmt.Sprintf("This key decides the state of LicensedProduct %q.", key.Spec.ProductName)
	case state == v1alpha1.LicenseKeyInvalid:
		active.Reason = v1alpha1.ReasonNotVerified
		active.Message = "The key does not verify: condition Ready says why."
	case state == v1alpha1.LicenseKeyNotYetValid:
		active.Reason = v1alpha1.ReasonNotYetValid
		active.Message = fmt.Sprintf("The key begins at %s and counts from then on.", rfc3339(claims.NotBefore))
	case state == v1alpha1.LicenseKeyExpired:
		active.Reason = v1alpha1.ReasonExpired
		active.Message = fmt.Sprintf("The key expired at %s and its grace period ended at %s; LicenseKey %q decides the state of LicensedProduct %q.",
			rfc3339(claims.Expiry), rfc3339(claims.GraceEnd()), found.evaluation.ActiveKeyName, key.Spec.ProductName)
	default:
		active.Reason = v1alpha1.ReasonStandby
		active.Message = fmt.Sprintf("LicenseKey %q decides the state of LicensedProduct %q.", found.evaluation.ActiveKeyName, key.Spec.ProductName)
	}
	return active
}

// licenseKeyEvents are the events of going from one status to another: one for each transition.
func licenseKeyEvents(from, to *v1alpha1.LicenseKeyStatus, product *v1alpha1.LicensedProduct) []transition {
	before, after := conditionOf(from.Conditions, v1alpha1.ConditionReady), conditionOf(to.Conditions, v1alpha1.ConditionReady)
	switch {
	case before.Reason == after.Reason && from.State == to.State:
		return nil
	case after.Reason != v1alpha1.ReasonVerified:
		return []transition{{warning: true, reason: after.Reason, note: after.Message}}
	}
	story := transition{reason: string(to.State), note: licenseKeyStory(to)}
	if over := to.State == v1alpha1.LicenseKeyGracePeriod || to.State == v1alpha1.LicenseKeyExpired; over && isActive(to) {
		// Nobody has renewed: of a key that has been, its end is no news to worry about.
		story.warning, story.note = true, story.note+" "+renewal(product)
	}
	return []transition{story}
}

func isActive(s *v1alpha1.LicenseKeyStatus) bool {
	return conditionOf(s.Conditions, v1alpha1.ConditionActive).Status == metav1.ConditionTrue
}

func licenseKeyStory(s *v1alpha1.LicenseKeyStatus) string {
	expiry, graceEnd := rfc3339(s.ExpiryTime.Time), rfc3339(s.GraceEndTime.Time)
	switch s.State {
	case v1alpha1.LicenseKeyNotYetValid:
		return fmt.Sprintf("License %q begins at %s.", s.LicenseID, rfc3339(s.NotBeforeTime.Time))
	case v1alpha1.LicenseKeyValid:
		return fmt.Sprintf("License %q is valid until %s.", s.LicenseID, expiry)
	case v1alpha1.LicenseKeyGracePeriod:
		return fmt.Sprintf("License %q expired at %s; its grace period ends at %s.", s.LicenseID, expiry, graceEnd)
	default:
		return fmt.Sprintf("License %q expired at %s, and its grace period ended at %s.", s.LicenseID, expiry, graceEnd)
	}
}

func instant(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
