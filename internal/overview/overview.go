// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package overview summarizes one product for people and programs: its license, usage and restriction, and what to do
// next. It uses the statuses that the operator wrote. It is pure.
package overview

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
)

// Product is the summary of a product. Its JSON form is an interface: fields are added, never renamed. Fields that the
// API has too have its names.
type Product struct {
	Name                 string                   `json:"name"`
	Vendor               string                   `json:"vendor,omitempty"`
	RenewalURL           string                   `json:"renewalURL,omitempty"`
	State                api.LicensedProductState `json:"state,omitempty"`
	ActiveLicenseKeyName string                   `json:"activeLicenseKeyName,omitempty"`
	ExpiryTime           *metav1.Time             `json:"expiryTime,omitempty"`
	GraceEndTime         *metav1.Time             `json:"graceEndTime,omitempty"`
	CoverageEndTime      *metav1.Time             `json:"coverageEndTime,omitempty"`
	// DaysLeft are whole days until the active key expires, then 0.
	DaysLeft *int64 `json:"daysLeft,omitempty"`
	// GraceDaysLeft are whole days until the grace period ends; nil outside of it.
	GraceDaysLeft *int64       `json:"graceDaysLeft,omitempty"`
	Limits        []api.Limit  `json:"limits,omitempty"`
	Usage         []api.Usage  `json:"usage,omitempty"`
	Restriction   *Restriction `json:"restriction,omitempty"`
	Next          []Step       `json:"next"`
}

// Restriction is the summary of a product's restriction.
type Restriction struct {
	State         api.RestrictionState  `json:"state,omitempty"`
	Mode          api.RestrictionMode   `json:"mode,omitempty"`
	EffectiveTime *metav1.Time          `json:"effectiveTime,omitempty"`
	SinceTime     *metav1.Time          `json:"sinceTime,omitempty"`
	Pause         *api.RestrictionPause `json:"pause,omitempty"`
	// RestrictedTiers and Bypasses are how many there are now.
	RestrictedTiers int   `json:"restrictedTiers"`
	Bypasses        int32 `json:"bypasses,omitempty"`
}

// Of summarizes a product. keys are the keys of all products.
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

// WholeDays returns the days from one time to another, rounded down; 0 if that has passed.
func WholeDays(from, to time.Time) int64 { return max(int64(to.Sub(from)/text.Day), 0) }

// IsWithin tells whether there are fewer than this many days until a time. If the time is unknown, there may be.
func IsWithin(t *metav1.Time, days int32, now time.Time) bool {
	return t == nil || t.Time.Before(now.Add(time.Duration(days)*text.Day))
}

// NamedAmount is a name with its number, or with ? if that is missing, which the API server does not allow.
func NamedAmount(name string, value *int64) string {
	if value == nil {
		return name + " ?"
	}
	return fmt.Sprintf("%s %d", name, *value)
}

// LimitsText lists limits.
func LimitsText(limits []api.Limit) string {
	texts := make([]string, len(limits))
	for i, limit := range limits {
		texts[i] = NamedAmount(limit.Name, limit.Value)
	}
	return text.PrintableList(texts, "none")
}

// UsageText lists what is in use.
func UsageText(usage []api.Usage) string {
	texts := make([]string, len(usage))
	for i, used := range usage {
		texts[i] = NamedAmount(used.Name, used.Value)
	}
	return text.PrintableList(texts, "-")
}

// RestrictionOf is the state of a product's restriction, by its status.
func RestrictionOf(product *api.LicensedProduct) string {
	return RestrictionText(restriction.StatusOf(product))
}

// RestrictionText is the state of a restriction, with its time.
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

// ExtentText says how many tiers and policies a restriction affects.
func ExtentText(inForce *api.RestrictionInForce) string {
	words := "in " + text.Plural(len(inForce.Tiers), "tier")
	if policies := inForce.Policies; policies != nil && policies.Total != nil {
		words += " with " + text.Count(*policies.Total, "policy", "policies")
	}
	return words
}

// ComesAfterPause tells whether a paused restriction starts only after the pause.
func ComesAfterPause(status *api.RestrictionStatus) bool {
	return status.State == api.RestrictionPaused && status.Pause != nil && status.EffectiveTime != nil &&
		!status.EffectiveTime.Before(status.Pause.UntilTime)
}

// NotReady is the condition RestrictionReady where it is False; empty otherwise.
func NotReady(product *api.LicensedProduct) metav1.Condition {
	if condition := conditionWith(product, api.ConditionRestrictionReady, metav1.ConditionFalse); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}

// NotReadyText says why a restriction is not completely applied or removed; empty: it is.
func NotReadyText(product *api.LicensedProduct) string {
	condition := NotReady(product)
	if condition.Reason == "" {
		return ""
	}
	return fmt.Sprintf("the restriction is not completely applied or removed (%s): %s", condition.Reason,
		condition.Message)
}
