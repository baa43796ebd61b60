// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
)

// productSummary is how the license of a product stands. Its JSON form is an interface: fields are added, never
// renamed. Where the API has the same thing, it has the same name.
type productSummary struct {
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
	GraceDaysLeft *int64              `json:"graceDaysLeft,omitempty"`
	Limits        []api.Limit         `json:"limits,omitempty"`
	Usage         []api.Usage         `json:"usage,omitempty"`
	Restriction   *restrictionSummary `json:"restriction,omitempty"`
	Next          []step              `json:"next"`
}

// restrictionSummary is how a product's restriction stands.
type restrictionSummary struct {
	State         api.RestrictionState  `json:"state,omitempty"`
	Mode          api.RestrictionMode   `json:"mode,omitempty"`
	EffectiveTime *metav1.Time          `json:"effectiveTime,omitempty"`
	SinceTime     *metav1.Time          `json:"sinceTime,omitempty"`
	Pause         *api.RestrictionPause `json:"pause,omitempty"`
	// RestrictedTiers is how many tiers are restricted now.
	RestrictedTiers int   `json:"restrictedTiers"`
	Bypasses        int32 `json:"bypasses,omitempty"`
}

func summarize(product *api.LicensedProduct, keys []api.LicenseKey, now time.Time) *productSummary {
	status := &product.Status
	s := &productSummary{
		Name: product.Name, Vendor: product.Spec.Vendor, RenewalURL: product.Spec.RenewalURL,
		State: status.State, ActiveLicenseKeyName: status.ActiveLicenseKeyName,
		ExpiryTime: status.ExpiryTime, GraceEndTime: status.GraceEndTime, CoverageEndTime: status.CoverageEndTime,
		Limits: status.Limits, Usage: status.Usage, Restriction: summarizeRestriction(status.Restriction),
		Next: nextSteps(product, keys, now),
	}
	if status.ExpiryTime != nil {
		s.DaysLeft = new(wholeDays(now, status.ExpiryTime.Time))
	}
	if status.State == api.LicensedProductGracePeriod && status.GraceEndTime != nil {
		s.GraceDaysLeft = new(wholeDays(now, status.GraceEndTime.Time))
	}
	return s
}

func summarizeRestriction(status *api.RestrictionStatus) *restrictionSummary {
	if status == nil {
		return nil
	}
	s := &restrictionSummary{State: status.State, EffectiveTime: status.EffectiveTime, Pause: status.Pause}
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

// wholeDays are those from one instant to another, none where that has passed. They are rounded down: the last day of a
// license must not be shown as two.
func wholeDays(from, to time.Time) int64 { return max(int64(to.Sub(from)/day), 0) }

// dateText is an instant with its date in the place of it where there is little room.
func dateText(t *metav1.Time) cell {
	if t == nil {
		return cell{text: "-"}
	}
	return cell{text: formatInstant(t.Time), short: t.UTC().Format(time.DateOnly)}
}

// textCell is text of somebody's.
func textCell(text string) cell { return cell{text: cmp.Or(printable(text), "-")} }

// newStatusListing is the table of products, without rows.
func newStatusListing() *listing {
	return &listing{columns: []column{
		{head: "PRODUCT"},
		{head: "STATE"},
		{head: "KEY", dispensable: 5},
		{head: "DAYS LEFT"},
		{head: "GRACE END", dispensable: 4},
		{head: "NODES", dispensable: 1},
		{head: "CORES", dispensable: 2},
		{head: "RESTRICTED", dispensable: 3},
		{head: "VENDOR", onlyWide: true},
		{head: "EXPIRES", onlyWide: true},
		{head: "COVERAGE END", onlyWide: true},
		{head: "RESTRICTS AT", onlyWide: true},
		{head: "OTHER LIMITS", onlyWide: true},
	}}
}

// statusRow is a product in that table.
func statusRow(product *api.LicensedProduct, now time.Time) []cell {
	status, thresholds := &product.Status, alerting.Thresholds(product)
	return []cell{
		textCell(product.Name),
		{text: cmp.Or(printable(string(status.State)), "-"), shade: stateShades[status.State]},
		textCell(status.ActiveLicenseKeyName),
		daysLeft(status, thresholds, now),
		dateText(status.GraceEndTime),
		amountCell(amountOf(status, api.UsageNodes), thresholds.UsageWarningPercent),
		amountCell(amountOf(status, api.UsageCores), thresholds.UsageWarningPercent),
		restrictedText(restrictionOf(product)),
		textCell(product.Spec.Vendor),
		dateText(status.ExpiryTime),
		dateText(status.CoverageEndTime),
		dateText(restrictionOf(product).EffectiveTime),
		textCell(otherLimits(status.Limits)),
	}
}

// deletedRow is a product that is not there any more.
func deletedRow(name string) []cell {
	row := make([]cell, len(newStatusListing().columns))
	for i := range row {
		row[i].text = "-"
	}
	row[0], row[1].text = textCell(name), "Deleted"
	return row
}

var stateShades = map[api.LicensedProductState]shade{
	api.LicensedProductValid:       shadeGood,
	api.LicensedProductGracePeriod: shadeWarn,
	api.LicensedProductExpired:     shadeBad,
	api.LicensedProductUnlicensed:  shadeBad,
}

// daysLeft is how long the active key is Valid, or in its grace period, in whole days. Its shade goes by the end of all
// that the keys cover, as the alerts do: with a renewal in place a last day is nothing to worry about.
func daysLeft(status *api.LicensedProductStatus, thresholds api.AlertsSpec, now time.Time) cell {
	switch {
	case status.State == api.LicensedProductValid && status.ExpiryTime != nil:
		return cell{text: daysText(now, status.ExpiryTime.Time),
			shade: shadeUntil(status.CoverageEndTime, thresholds, now)}
	case status.State == api.LicensedProductGracePeriod && status.GraceEndTime != nil:
		return cell{text: daysText(now, status.GraceEndTime.Time) + " (grace)",
			shade: shadeUntil(status.CoverageEndTime, thresholds, now)}
	case status.State == api.LicensedProductExpired:
		return cell{text: "0", shade: shadeBad}
	default:
		return cell{text: "-"}
	}
}

// daysText is a number of days that is 0 only where none of the last is left.
func daysText(now, end time.Time) string {
	if days := wholeDays(now, end); days > 0 || !now.Before(end) {
		return strconv.FormatInt(days, 10)
	}
	return "<1"
}

func shadeUntil(end *metav1.Time, thresholds api.AlertsSpec, now time.Time) shade {
	switch {
	case isWithin(end, thresholds.ExpiryCriticalDays, now):
		return shadeBad
	case isWithin(end, thresholds.ExpiryWarningDays, now):
		return shadeWarn
	default:
		return shadeNone
	}
}

// isWithin tells whether less than so many days are left until an instant. Until one that nobody knows there may be.
func isWithin(t *metav1.Time, days int32, now time.Time) bool {
	return t == nil || t.Time.Before(now.Add(time.Duration(days)*day))
}

// restrictedText is how many tiers are restricted or, where none are, when that is to come.
func restrictedText(status api.RestrictionStatus) cell {
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return cell{text: plural(int64(len(status.InForce.Tiers)), "tier"), shade: shadeBad}
	case status.State == api.RestrictionScheduled, comesAfterPause(&status):
		return dateText(status.EffectiveTime)
	case status.State == api.RestrictionPaused:
		return cell{text: "Paused", shade: shadeWarn}
	default:
		return cell{text: "-"}
	}
}

// otherLimits are those of what the operator does not count.
func otherLimits(limits []api.Limit) string {
	var others []api.Limit
	for _, limit := range limits {
		if limit.Name != api.UsageNodes && limit.Name != api.UsageCores {
			others = append(others, limit)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return limitsText(others)
}

// writeNextSteps prints what is to be done, where something is.
func writeNextSteps(out screen, summaries []*productSummary) error {
	width := textWidth
	if out.width > 0 {
		width = min(width, out.width)
	}
	head := "\nWhat to do next:\n"
	for _, summary := range summaries {
		if len(summary.Next) == 0 {
			continue
		}
		text := head + "\n" + printable(summary.Name) + ":\n"
		head = ""
		for _, next := range summary.Next {
			text += foldTo(width, printable(next.Message), "- ", "  ") + "\n"
			if next.Command != "" {
				text += "    " + printable(next.Command) + "\n"
			}
		}
		if _, err := fmt.Fprint(out, text); err != nil {
			return err
		}
	}
	return nil
}
