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

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// tell shows what applying the key changes.
func (p *preview) tell(s term.Screen) error {
	c := &comparison{Screen: s}
	c.add(comparisonRow{label: "LicenseKey:", after: p.LicenseKeyName, more: p.changeText()})
	c.add(comparisonRow{
		label: "License:",
		after: fmt.Sprintf("%s, issued to %s; %s", p.LicenseID, term.Quote(p.Customer), p.verificationText()),
	})
	c.add(comparisonRow{label: "Product:", after: p.ProductName})
	before, after := &p.Before, &p.After
	c.add(comparisonRow{
		label: "State:", before: string(before.State), after: string(after.State),
		color: term.StateColors[after.State],
	})
	c.add(comparisonRow{
		label: "Active key:", before: cmp.Or(before.ActiveLicenseKeyName, "none"),
		after: cmp.Or(after.ActiveLicenseKeyName, "none"),
	})
	if p.TakeoverTime != nil {
		c.add(comparisonRow{
			label: "Takes over:", after: text.Time(p.TakeoverTime.Time),
			more: " " + text.Away(p.now, p.TakeoverTime.Time),
		})
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

func (p *preview) verificationText() string {
	if p.ClusterUnknown {
		return "verified, except for its cluster"
	}
	return "it verifies"
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

// timeText is an instant in a sentence, or in a change from one to another.
func timeText(t *metav1.Time) string {
	if t == nil {
		return "none"
	}
	return text.Time(t.Time)
}

// addGrants adds limits and features. Those of a key that takes over later are compared with what there is until then.
func (p *preview) addGrants(c *comparison) {
	before, after, then := &p.Before, p.settled(), ""
	if p.AtTakeover != nil {
		before, then = &p.After, " from then on"
	}
	for _, name := range limitNames(before.Limits, after.Limits) {
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
	if changes := featureChanges(before.Features, after.Features); changes != "" {
		row.more = fmt.Sprintf(" (%s%s)", changes, then)
	}
	c.add(row)
}

// limitNames are the names of both, sorted.
func limitNames(before, after []api.Limit) []string {
	var names []string
	for _, limit := range slices.Concat(before, after) {
		names = append(names, limit.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func limitText(limits []api.Limit, name string) string {
	limit := usage.LimitOf(limits, name)
	if limit == nil {
		return "none"
	}
	return strconv.FormatInt(*limit, 10)
}

// featureChanges says which features come and which go.
func featureChanges(before, after []string) string {
	var changes []string
	for _, feature := range after {
		if !slices.Contains(before, feature) {
			changes = append(changes, "+"+feature)
		}
	}
	for _, feature := range before {
		if !slices.Contains(after, feature) {
			changes = append(changes, "-"+feature)
		}
	}
	return strings.Join(changes, " ")
}

// conclusion says in words what it all comes to.
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
		words += fmt.Sprintf(" The restriction takes effect at %s.", text.Time(p.RestrictionStartTime.Time))
	}
	if p.ClusterUnknown {
		words += " All of that, if the key is for this cluster."
	}
	return words
}

func (p *preview) conclusionOfKey() string {
	if p.Active {
		return p.conclusionOfActive()
	}
	active := cmp.Or(p.After.ActiveLicenseKeyName, "no key")
	switch {
	case p.State == api.LicenseKeyNotYetValid && p.AtTakeover != nil && p.TakeoverTime.Time.Equal(p.claims.NotBefore):
		return fmt.Sprintf("The key becomes active at %s; until then %s is active.",
			text.Time(p.claims.NotBefore), active)
	case p.AtTakeover != nil:
		return fmt.Sprintf("The key is not active yet: %s is active, and this key takes over at %s.",
			active, text.Time(p.TakeoverTime.Time))
	case p.State == api.LicenseKeyExpired:
		return fmt.Sprintf("The key changes nothing: it has expired, and its grace period ended at %s.",
			text.Time(p.claims.GraceEnd()))
	default:
		return fmt.Sprintf("The key changes nothing: %s is the active key and stays active until this one ends.",
			active)
	}
}

func (p *preview) conclusionOfActive() string {
	switch {
	case p.State == api.LicenseKeyExpired:
		return fmt.Sprintf("The key has no effect: it has expired, and its grace period ended at %s.",
			text.Time(p.claims.GraceEnd()))
	case p.State == api.LicenseKeyGracePeriod:
		return "The key is in force as soon as it is applied, but it has expired already and is in its grace period."
	case p.Change == keyChanged && p.Before.ActiveLicenseKeyName == p.LicenseKeyName:
		return "The key is in force."
	default:
		return "The key is in force as soon as it is applied."
	}
}

// warn tells of what somebody who says yes might have overlooked.
func (p *preview) warn(out io.Writer) {
	if p.ClusterUnknown {
		term.Warnf(out, "cannot check whether the key is for this cluster: %v",
			p.clusterErr)
	}
	for _, limit := range p.exceeded() {
		consequence := "is over its limit, and alerts say so"
		if p.AtTakeover != nil {
			consequence = fmt.Sprintf("will be over its limit from %s on", text.Time(p.TakeoverTime.Time))
		}
		term.Warnf(out, "%d %s in use, but the key allows %d: nothing is blocked, but the product %s",
			*usage.Of(p.Usage, limit.Name), limit.Name, *limit.Value, consequence)
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

// outcome is what there is to say once the key is applied and the operator says what the preview says.
func (p *preview) outcome() string {
	key := "LicenseKey " + p.LicenseKeyName
	active := cmp.Or(p.After.ActiveLicenseKeyName, "no key")
	switch {
	case p.Active && license.Usable(p.After.State):
		return fmt.Sprintf("%s is in force: LicensedProduct %s is %s, and covered until %s.", key, p.ProductName,
			p.After.State, timeText(p.After.CoverageEndTime))
	case p.Active:
		return fmt.Sprintf("%s is verified, and decides the state of LicensedProduct %s: %s.", key, p.ProductName,
			p.After.State)
	case p.TakeoverTime != nil:
		return fmt.Sprintf("%s is verified, and takes over at %s. Until then %s is active.", key,
			text.Time(p.TakeoverTime.Time), active)
	default:
		return fmt.Sprintf("%s is verified, and changes nothing: %s stays active.", key, active)
	}
}
