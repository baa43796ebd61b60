// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// newListing is the table of products, without rows.
func newListing() *term.Listing {
	var counts []term.Column
	for i, name := range usage.Names() {
		counts = append(counts, term.Column{Head: strings.ToUpper(name), DropPriority: i + 1})
	}
	last := len(counts)
	return &term.Listing{Columns: slices.Concat(
		[]term.Column{
			{Head: "PRODUCT"},
			{Head: "STATE"},
			{Head: "KEY", DropPriority: last + 3},
			{Head: "DAYS LEFT"},
			{Head: "GRACE END", DropPriority: last + 2},
		},
		counts,
		[]term.Column{
			{Head: "RESTRICTED", DropPriority: last + 1},
			{Head: "VENDOR", OnlyWide: true},
			{Head: "EXPIRES", OnlyWide: true},
			{Head: "COVERAGE END", OnlyWide: true},
			{Head: "RESTRICTS AT", OnlyWide: true},
			{Head: "OTHER LIMITS", OnlyWide: true},
		},
	)}
}

// statusRow is a product in that table.
func statusRow(product *api.LicensedProduct, now time.Time) []term.Cell {
	status, thresholds := &product.Status, alerting.Thresholds(product)
	row := []term.Cell{
		term.TextCell(product.Name),
		{Text: cmp.Or(text.Printable(string(status.State)), "-"), Color: term.StateColors[status.State]},
		term.TextCell(status.ActiveLicenseKeyName),
		daysLeft(status, thresholds, now),
		term.TimeCell(status.GraceEndTime),
	}
	for _, name := range usage.Names() {
		row = append(row, amountCell(usage.AmountOf(status, name), thresholds.UsageWarningPercent))
	}
	return append(row,
		restrictedText(restriction.StatusOf(product)),
		term.TextCell(product.Spec.Vendor),
		term.TimeCell(status.ExpiryTime),
		term.TimeCell(status.CoverageEndTime),
		term.TimeCell(restriction.StatusOf(product).EffectiveTime),
		term.TextCell(otherLimits(status.Limits)),
	)
}

// deletedRow is a product that is not there any more.
func deletedRow(name string) []term.Cell {
	row := make([]term.Cell, len(newListing().Columns))
	for i := range row {
		row[i].Text = "-"
	}
	row[0], row[1].Text = term.TextCell(name), "Deleted"
	return row
}

// daysLeft is how long the active key is Valid, or in its grace period, in whole days. Its color goes by the end of all
// that the keys cover, as the alerts do: with a renewal in place a last day is nothing to worry about.
func daysLeft(status *api.LicensedProductStatus, thresholds api.AlertsSpec, now time.Time) term.Cell {
	switch {
	case status.State == api.LicensedProductValid && status.ExpiryTime != nil:
		return term.Cell{
			Text: daysText(now, status.ExpiryTime.Time), Color: colorUntil(status.CoverageEndTime, thresholds, now),
		}
	case status.State == api.LicensedProductGracePeriod && status.GraceEndTime != nil:
		return term.Cell{
			Text:  daysText(now, status.GraceEndTime.Time) + " (grace)",
			Color: colorUntil(status.CoverageEndTime, thresholds, now),
		}
	case status.State == api.LicensedProductExpired:
		return term.Cell{Text: "0", Color: term.ColorBad}
	default:
		return term.Cell{Text: "-"}
	}
}

// daysText is a number of days that is 0 only where none of the last is left.
func daysText(now, end time.Time) string {
	if days := overview.WholeDays(now, end); days > 0 || !now.Before(end) {
		return strconv.FormatInt(days, 10)
	}
	return "<1"
}

func colorUntil(end *metav1.Time, thresholds api.AlertsSpec, now time.Time) term.Color {
	switch {
	case overview.IsWithin(end, thresholds.ExpiryCriticalDays, now):
		return term.ColorBad
	case overview.IsWithin(end, thresholds.ExpiryWarningDays, now):
		return term.ColorWarning
	default:
		return term.ColorNone
	}
}

// restrictedText is how many tiers are restricted or, where none are, when that is to come.
func restrictedText(status api.RestrictionStatus) term.Cell {
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return term.Cell{Text: text.Plural(int64(len(status.InForce.Tiers)), "tier"), Color: term.ColorBad}
	case status.State == api.RestrictionScheduled, overview.ComesAfterPause(&status):
		return term.TimeCell(status.EffectiveTime)
	case status.State == api.RestrictionPaused:
		return term.Cell{Text: "Paused", Color: term.ColorWarning}
	default:
		return term.Cell{Text: "-"}
	}
}

// otherLimits are those of what the operator does not count.
func otherLimits(limits []api.Limit) string {
	var others []api.Limit
	for _, limit := range limits {
		if !usage.IsCounted(limit.Name) {
			others = append(others, limit)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return overview.LimitsText(others)
}

// barWidth is how many marks a bar has when it is full.
const barWidth = 10

// amountCell is the amount with its bar, and without it where there is little room.
func amountCell(a usage.Amount, warningPercent int32) term.Cell {
	switch {
	case a.Limit == nil:
		return term.Cell{Text: a.String()}
	case a.IsExceeded():
		return term.Cell{Text: bar(a) + " " + a.String(), Short: a.String() + "!", Color: term.ColorBad}
	case a.IsNear(warningPercent):
		return term.Cell{Text: bar(a) + " " + a.String(), Short: a.String(), Color: term.ColorWarning}
	default:
		return term.Cell{Text: bar(a) + " " + a.String(), Short: a.String()}
	}
}

// bar is how much of the limit is in use. It is empty where that is nothing, full where it is all of it, and has a mark
// of its own where it is more.
func bar(a usage.Amount) string {
	marks, over := 0, ""
	switch {
	case a.Used == nil || *a.Used == 0:
	case a.IsExceeded():
		marks, over = barWidth, "!"
	case *a.Used == *a.Limit:
		marks = barWidth
	default:
		share := float64(*a.Used) / float64(*a.Limit)
		marks = min(max(int(share*barWidth), 1), barWidth-1)
	}
	return "[" + strings.Repeat("#", marks) + strings.Repeat("-", barWidth-marks) + over + "]"
}
