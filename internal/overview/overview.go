// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package overview sums up one product for people and programs: how its license, usage and restriction stand, what to
// do next, and where to renew. It goes by the statuses that the operator has written, and is pure.
package overview

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
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
