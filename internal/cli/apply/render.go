// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// print shows what applying the key changes.
func (p *preview) print(s term.Screen) error {
	c := &comparison{Screen: s}
	before, after := &p.Before, &p.After
	verified := "it verifies"
	if p.ClusterUnknown {
		verified = "verified, except for its cluster"
	}
	for _, row := range []comparisonRow{
		{label: "LicenseKey:", after: p.LicenseKeyName, more: p.changeText()},
		{label: "License:", after: fmt.Sprintf("%s, issued to %s; %s", p.LicenseID, term.Quote(p.Customer), verified)},
		{label: "Product:", after: p.ProductName},
		{
			label: "State:", before: string(before.State), after: string(after.State),
			color: term.StateColors[after.State],
		},
		{
			label: "Active key:", before: cmp.Or(before.ActiveLicenseKeyName, "none"),
			after: cmp.Or(after.ActiveLicenseKeyName, "none"),
		},
	} {
		c.add(row)
	}
	if p.TakeoverTime != nil {
		c.add(comparisonRow{label: "Takes over:", after: text.TimeAway(p.now, p.TakeoverTime.Time)})
	}
	p.addTime(c, "Expires:", before.ExpiryTime, after.ExpiryTime)
	p.addTime(c, "Grace ends:", before.GraceEndTime, after.GraceEndTime)
	p.addTime(c, "Coverage end:", before.CoverageEndTime, after.CoverageEndTime)
	p.addGrants(c)
	if r := after.Restriction; r != nil {
		row := comparisonRow{label: "Restriction:", before: before.Restriction.text, after: r.text}
		if after.isRestricted() {
			row.color = term.ColorBad
		}
		c.add(row)
	}
	if err := c.write(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s, "\n%s\n", term.Wrap(text.Printable(p.conclusion()), "", ""))
	return err
}

func (p *preview) changeText() string {
	switch {
	case p.Change == keyCreated:
		return " (new)"
	case p.Change == keyTokenReplaced && p.ReplacedLicenseID != "":
		return fmt.Sprintf(" (exists; its license %s is replaced)", p.ReplacedLicenseID)
	case p.Change == keyTokenReplaced:
		return " (exists; its token is replaced)"
	default:
		return " (exists with this token; its certificate, labels or annotations change)"
	}
}

func (p *preview) addTime(c *comparison, label string, before, after *metav1.Time) {
	if before == nil && after == nil {
		return
	}
	row := comparisonRow{label: label, before: timeText(before), after: timeText(after)}
	if after != nil {
		row.more = " " + text.Away(p.now, after.Time)
	}
	c.add(row)
}

// timeText is a time in a sentence or a comparison.
func timeText(t *metav1.Time) string {
	if t == nil {
		return "none"
	}
	return text.Time(t.Time)
}

// addGrants adds limits and features. If the key takes over later, they are compared with those until then.
func (p *preview) addGrants(c *comparison) {
	before, after, then := &p.Before, p.settled(), ""
	if p.AtTakeover != nil {
		before, then = &p.After, " from then on"
	}
	names := sets.New[string]()
	for _, limit := range slices.Concat(before.Limits, after.Limits) {
		names.Insert(limit.Name)
	}
	for _, name := range sets.List(names) {
		was, will := limitText(before.Limits, name), limitText(after.Limits, name)
		row := comparisonRow{label: name + " limit:", before: was, after: will}
		if was != will {
			row.more = then
		}
		if used := usage.Of(p.Usage, name); used != nil {
			row.more += fmt.Sprintf("; %d in use", *used)
			if limit := usage.LimitOf(after.Limits, name); limit != nil && *used > *limit {
				row.color = term.ColorWarning
			}
		}
		c.add(row)
	}
	if len(before.Features) == 0 && len(after.Features) == 0 {
		return
	}
	row := comparisonRow{label: "Features:", after: text.PrintableList(after.Features, "none")}
	changes := slices.Concat(additions("+", before.Features, after.Features),
		additions("-", after.Features, before.Features))
	if len(changes) > 0 {
		row.more = fmt.Sprintf(" (%s%s)", strings.Join(changes, " "), then)
	}
	c.add(row)
}

func limitText(limits []api.Limit, name string) string {
	limit := usage.LimitOf(limits, name)
	if limit == nil {
		return "none"
	}
	return strconv.FormatInt(*limit, 10)
}

// additions are the features that only the second list has, each with a sign before it.
func additions(sign string, before, after []string) (added []string) {
	for _, feature := range after {
		if !slices.Contains(before, feature) {
			added = append(added, sign+feature)
		}
	}
	return added
}

// conclusion summarizes the change in words.
func (p *preview) conclusion() string {
	words := p.conclusionOfKey()
	switch {
	case p.endsRestriction():
		words += " The restriction ends."
	case p.After.isRestricted() && p.AtTakeover != nil && !p.AtTakeover.isRestricted():
		words += " The restriction stays in force until then."
	case p.After.isRestricted():
		words += " The restriction stays in force."
	case p.startsMeanwhile():
		words += fmt.Sprintf(" The restriction takes effect at %s.", timeText(p.RestrictionStartTime))
	}
	if p.ClusterUnknown {
		words += " All of this applies only if the key is for this cluster."
	}
	return words
}

func (p *preview) conclusionOfKey() string {
	active := p.activeAfter()
	expired := "it has expired, and its grace period ended at " + text.Time(p.claims.GraceEnd()) + "."
	switch {
	case p.Active && p.State == api.LicenseKeyExpired:
		return "The key has no effect: " + expired
	case p.Active && p.State == api.LicenseKeyGracePeriod:
		return "The key is in force as soon as it is applied, but it has expired already and is in its grace period."
	case p.Active && p.Change == keyChanged && p.Before.ActiveLicenseKeyName == p.LicenseKeyName:
		return "The key is in force."
	case p.Active:
		return "The key is in force as soon as it is applied."
	case p.State == api.LicenseKeyNotYetValid && p.AtTakeover != nil && p.TakeoverTime.Time.Equal(p.claims.NotBefore):
		return fmt.Sprintf("The key becomes active at %s; until then %s is active.", timeText(p.TakeoverTime), active)
	case p.AtTakeover != nil:
		return fmt.Sprintf("The key is not active yet: %s is active, and this key takes over at %s.", active,
			timeText(p.TakeoverTime))
	case p.State == api.LicenseKeyExpired:
		return "The key changes nothing: " + expired
	default:
		return fmt.Sprintf("The key changes nothing: %s is the active key and stays active until this one ends.",
			active)
	}
}

// activeAfter is the active key as soon as the key is applied.
func (p *preview) activeAfter() string { return cmp.Or(p.After.ActiveLicenseKeyName, "no key") }

// warn prints what the user should know before the answer.
func (p *preview) warn(out io.Writer) {
	if p.ClusterUnknown {
		term.Warnf(out, "cannot check whether the key is for this cluster: %v", p.clusterErr)
	}
	for _, excess := range p.exceeded() {
		consequence := "is over its limit, and alerts say so"
		if p.AtTakeover != nil {
			consequence = fmt.Sprintf("will be over its limit from %s on", timeText(p.TakeoverTime))
		}
		term.Warnf(out, "%d %s in use, but the key allows %d: nothing is blocked, but the product %s",
			excess.Used, excess.Name, excess.Limit, consequence)
	}
	switch before, after := p.Before.CoverageEndTime, p.After.CoverageEndTime; {
	case license.Usable(p.Before.State) && !license.Usable(p.After.State):
		term.Warnf(out, "replacing this token makes LicensedProduct %s %s at once: apply the new key under another "+
			"name to keep both", p.ProductName, p.After.State)
	case license.Usable(p.Before.State) && before != nil && (after == nil || after.Before(before)):
		term.Warnf(out, "LicensedProduct %s is covered for a shorter time than before, until %s instead of %s",
			p.ProductName, timeText(after), timeText(before))
	}
	if p.twin != "" {
		term.Warnf(out, "LicenseKey %s contains the same license; duplicates do not add up", p.twin)
	}
	for _, name := range p.stale {
		term.Warnf(out, "the operator has not reconciled the current LicenseKey %s yet: its last status is used", name)
	}
}

// outcome is the final message when the operator has confirmed the preview.
func (p *preview) outcome() string {
	key := "LicenseKey " + p.LicenseKeyName
	switch {
	case p.Active && license.Usable(p.After.State):
		return fmt.Sprintf("%s is in force: LicensedProduct %s is %s, and covered until %s.", key, p.ProductName,
			p.After.State, timeText(p.After.CoverageEndTime))
	case p.Active:
		return fmt.Sprintf("%s is verified, and decides the state of LicensedProduct %s: %s.", key, p.ProductName,
			p.After.State)
	case p.TakeoverTime != nil:
		return fmt.Sprintf("%s is verified, and takes over at %s. Until then %s is active.", key,
			timeText(p.TakeoverTime), p.activeAfter())
	default:
		return fmt.Sprintf("%s is verified, and changes nothing: %s stays active.", key, p.activeAfter())
	}
}

// comparison is a table of values before and after a change.
type comparison struct {
	term.Screen
	rows []comparisonRow
}

// comparisonRow is one value before and after, and more about it.
type comparisonRow struct {
	label, before, after, more string
	color                      term.Color
}

// add adds a row, and makes it printable.
func (c *comparison) add(row comparisonRow) {
	for _, words := range []*string{&row.label, &row.before, &row.after, &row.more} {
		*words = text.Printable(*words)
	}
	c.rows = append(c.rows, row)
}

// write prints the table. A row that is wider than the screen takes two lines.
func (c *comparison) write() error {
	labels := 0
	for _, row := range c.rows {
		labels = max(labels, term.Width(row.label))
	}
	var t term.Table
	for _, row := range c.rows {
		value := c.Paint(row.after, row.color) + row.more
		width := labels + term.Width("  "+row.before+" → "+row.after+row.more)
		switch {
		case row.before == "" || row.before == row.after:
			t.Add(row.label, value)
		case c.Width > 0 && width > c.Width:
			t.Add(row.label, row.before)
			t.Add("", "→ "+value)
		default:
			t.Add(row.label, row.before+" → "+value)
		}
	}
	return t.Write(c)
}
