// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package overview sums up one product for people and programs: how its license, usage and restriction stand, what to
// do next, and where to renew. It goes by the statuses that the operator has written, and is pure.
package overview

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
)

// Product is how the license of a product stands. Its JSON form is an interface: fields are added, never
// renamed. Where the API has the same thing, it has the same name.
type Product struct {
	Name                 string                   `json:"name"`
	Vendor               string                   `json:"vendor,omitempty"`
	RenewalURL           string                   `json:"renewalURL,omitempty"`
	State                api.LicensedProductState `json:"state,omitempty"`
	ActiveLicenseKeyName string                   `json:"activeLicenseKeyName,omitempty"`
	ExpiryTime           *metav1.Time             `json:"expiryTime,omitempty"`
	GraceEndTime         *metav1.Time             `json:"graceEndTime,omitempty"`
	CoverageEndTime      *metav1.Time             `json:"coverageEndTime,omitempty"`
	// DaysLeft are whole days until the active key expires, 0 from then on.
	DaysLeft *int64 `json:"daysLeft,omitempty"`
	// GraceDaysLeft are whole days until the grace period ends, while it lasts.
	GraceDaysLeft *int64       `json:"graceDaysLeft,omitempty"`
	Limits        []api.Limit  `json:"limits,omitempty"`
	Usage         []api.Usage  `json:"usage,omitempty"`
	Restriction   *Restriction `json:"restriction,omitempty"`
	Next          []Step       `json:"next"`
}

// Restriction is how a product's restriction stands.
type Restriction struct {
	State         api.RestrictionState  `json:"state,omitempty"`
	Mode          api.RestrictionMode   `json:"mode,omitempty"`
	EffectiveTime *metav1.Time          `json:"effectiveTime,omitempty"`
	SinceTime     *metav1.Time          `json:"sinceTime,omitempty"`
	Pause         *api.RestrictionPause `json:"pause,omitempty"`
	// RestrictedTiers is how many tiers are restricted now.
	RestrictedTiers int   `json:"restrictedTiers"`
	Bypasses        int32 `json:"bypasses,omitempty"`
}

// Of sums up a product. keys are those of all products; now is for distances and for what the status should say by now.
func Of(product *api.LicensedProduct, keys []api.LicenseKey, now time.Time) *Product {
	status := &product.Status
	s := &Product{
		Name: product.Name, Vendor: product.Spec.Vendor, RenewalURL: product.Spec.RenewalURL, State: status.State,
		ActiveLicenseKeyName: status.ActiveLicenseKeyName, ExpiryTime: status.ExpiryTime,
		GraceEndTime: status.GraceEndTime, CoverageEndTime: status.CoverageEndTime, Limits: status.Limits,
		Usage: status.Usage, Restriction: summarizeRestriction(status.Restriction), Next: NextSteps(product, keys, now),
	}
	if status.ExpiryTime != nil {
		s.DaysLeft = new(WholeDays(now, status.ExpiryTime.Time))
	}
	if status.State == api.LicensedProductGracePeriod && status.GraceEndTime != nil {
		s.GraceDaysLeft = new(WholeDays(now, status.GraceEndTime.Time))
	}
	return s
}

func summarizeRestriction(status *api.RestrictionStatus) *Restriction {
	if status == nil {
		return nil
	}
	s := &Restriction{State: status.State, EffectiveTime: status.EffectiveTime, Pause: status.Pause}
	switch {
	case status.InForce != nil:
		s.Mode, s.SinceTime, s.RestrictedTiers = status.InForce.Mode, status.InForce.SinceTime,
			len(status.InForce.Tiers)
	case status.Preview != nil:
		s.Mode = status.Preview.Mode
	}
	if status.Bypasses != nil {
		s.Bypasses = status.Bypasses.Total
	}
	return s
}

// WholeDays are those from one instant to another, none where that has passed. They are rounded down: the last day of a
// license must not be shown as two.
func WholeDays(from, to time.Time) int64 { return max(int64(to.Sub(from)/text.Day), 0) }

// IsWithin tells whether less than so many days are left until an instant. Until one that nobody knows there may be.
func IsWithin(t *metav1.Time, days int32, now time.Time) bool {
	return t == nil || t.Time.Before(now.Add(time.Duration(days)*text.Day))
}

// NamedAmount is a number of something; ? stands for one that is missing, which an API server does not let in.
func NamedAmount(name string, value *int64) string {
	if value == nil {
		return name + " ?"
	}
	return fmt.Sprintf("%s %d", name, *value)
}

// LimitsText is limits in words.
func LimitsText(limits []api.Limit) string {
	texts := make([]string, len(limits))
	for i, limit := range limits {
		texts[i] = NamedAmount(limit.Name, limit.Value)
	}
	return text.PrintableList(texts, "none")
}

// UsageText is what is in use in words.
func UsageText(usage []api.Usage) string {
	texts := make([]string, len(usage))
	for i, used := range usage {
		texts[i] = NamedAmount(used.Name, used.Value)
	}
	return text.PrintableList(texts, "-")
}

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
