// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
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

// newListing returns the table of products, without rows.
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
		}, counts, []term.Column{
			{Head: "RESTRICTED", DropPriority: last + 1},
			{Head: "VENDOR", OnlyWide: true},
			{Head: "EXPIRES", OnlyWide: true},
			{Head: "COVERAGE END", OnlyWide: true},
			{Head: "RESTRICTS AT", OnlyWide: true},
			{Head: "OTHER LIMITS", OnlyWide: true},
		},
	)}
}

// statusRow returns the row of a product.
func statusRow(product *api.LicensedProduct, now time.Time) []term.Cell {
	status, thresholds := &product.Status, alerting.Thresholds(product)
	state := term.TextCell(string(status.State))
	state.Color = term.StateColors[status.State]
	row := []term.Cell{
		term.TextCell(product.Name), state, term.TextCell(status.ActiveLicenseKeyName),
		daysLeft(status, thresholds, now), term.TimeCell(status.GraceEndTime),
	}
	for _, name := range usage.Names() {
		row = append(row, amountCell(usage.AmountOf(status, name), thresholds.UsageWarningPercent))
	}
	restricted := restriction.StatusOf(product)
	return append(row, restrictedText(restricted), term.TextCell(product.Spec.Vendor),
		term.TimeCell(status.ExpiryTime), term.TimeCell(status.CoverageEndTime),
		term.TimeCell(restricted.EffectiveTime), term.TextCell(otherLimits(status.Limits)))
}

// deletedRow returns the row of a product that was deleted.
func deletedRow(name string) []term.Cell {
	row := make([]term.Cell, len(newListing().Columns))
	for i := range row {
		row[i].Text = "-"
	}
	row[0], row[1].Text = term.TextCell(name), "Deleted"
	return row
}

// daysLeft is how long the active key is Valid, or in its grace period, in whole days. Its color depends on when all
// keys have ended, as the alerts do: after a renewal, the last day of a key is not a problem.
func daysLeft(status *api.LicensedProductStatus, thresholds api.AlertsSpec, now time.Time) term.Cell {
	color := colorUntil(status.CoverageEndTime, thresholds, now)
	switch {
	case status.State == api.LicensedProductValid && status.ExpiryTime != nil:
		return term.Cell{Text: daysText(now, status.ExpiryTime.Time), Color: color}
	case status.State == api.LicensedProductGracePeriod && status.GraceEndTime != nil:
		return term.Cell{Text: daysText(now, status.GraceEndTime.Time) + " (grace)", Color: color}
	case status.State == api.LicensedProductExpired:
		return term.Cell{Text: "0", Color: term.ColorBad}
	default:
		return term.Cell{Text: "-"}
	}
}

// daysText is the number of whole days until the end; <1 on the last day, 0 after it.
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

// restrictedText is the number of restricted tiers or, if there are none, when the restriction starts.
func restrictedText(status api.RestrictionStatus) term.Cell {
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return term.Cell{Text: text.Plural(len(status.InForce.Tiers), "tier"), Color: term.ColorBad}
	case status.State == api.RestrictionScheduled, overview.ComesAfterPause(&status):
		return term.TimeCell(status.EffectiveTime)
	case status.State == api.RestrictionPaused:
		return term.Cell{Text: "Paused", Color: term.ColorWarning}
	default:
		return term.Cell{Text: "-"}
	}
}

// otherLimits are the limits of what the operator does not count.
func otherLimits(limits []api.Limit) string {
	others := slices.DeleteFunc(slices.Clone(limits), func(l api.Limit) bool { return usage.IsCounted(l.Name) })
	if len(others) == 0 {
		return ""
	}
	return overview.LimitsText(others)
}

// barWidth is the number of marks in a full bar.
const barWidth = 10

// amountCell is an amount with its bar, and without it where there is little room.
func amountCell(a usage.Amount, warningPercent int32) term.Cell {
	if a.Limit == nil {
		return term.Cell{Text: a.String()}
	}
	cell := term.Cell{Text: bar(a) + " " + a.String(), Short: a.String()}
	switch {
	case a.IsExceeded():
		cell.Short, cell.Color = a.String()+"!", term.ColorBad
	case a.IsNear(warningPercent):
		cell.Color = term.ColorWarning
	}
	return cell
}

// bar shows how much of the limit is in use: empty for nothing, full for all of it, and with a ! for more.
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
