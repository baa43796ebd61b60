// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
)

// RestrictionOf is how a product's restriction stands, as its status has it.
func RestrictionOf(product *api.LicensedProduct) string {
	return RestrictionText(restriction.StatusOf(product))
}

// RestrictionText is how a restriction stands, by its status.
func RestrictionText(status api.RestrictionStatus) string {
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return fmt.Sprintf("Active since %s, %s", text.Time(status.InForce.SinceTime.Time), status.InForce.Mode)
	case status.State == api.RestrictionPaused && status.Pause != nil:
		return fmt.Sprintf("Paused until %s", text.Time(status.Pause.UntilTime.Time))
	case status.State == api.RestrictionScheduled && status.EffectiveTime != nil:
		return fmt.Sprintf("Scheduled for %s", text.Time(status.EffectiveTime.Time))
	default:
		return string(status.State)
	}
}

// ExtentText is how far a restriction goes.
func ExtentText(inForce *api.RestrictionInForce) string {
	words := "in " + text.Plural(int64(len(inForce.Tiers)), "tier")
	if policies := inForce.Policies; policies != nil && policies.Total != nil {
		words += " with " + text.Count(int64(*policies.Total), "policy", "policies")
	}
	return words
}

// ComesAfterPause tells of a restriction that is paused, and comes all the same: the pause is over by then.
func ComesAfterPause(status *api.RestrictionStatus) bool {
	return status.State == api.RestrictionPaused && status.Pause != nil && status.EffectiveTime != nil &&
		!status.EffectiveTime.Before(status.Pause.UntilTime)
}

// NotReady is the condition RestrictionReady where it is False; empty otherwise.
func NotReady(product *api.LicensedProduct) metav1.Condition {
	ready := meta.FindStatusCondition(product.Status.Conditions, api.ConditionRestrictionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse {
		return metav1.Condition{}
	}
	return *ready
}

// NotReadyText says what is not done yet of putting a restriction into force, or of lifting it; empty: all is.
func NotReadyText(product *api.LicensedProduct) string {
	condition := NotReady(product)
	if condition.Reason == "" {
		return ""
	}
	return fmt.Sprintf("not all of it is done (%s): %s", condition.Reason, condition.Message)
}
