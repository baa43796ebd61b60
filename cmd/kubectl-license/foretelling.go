// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// contrast is a table of what is and what will be.
type contrast struct {
	screen
	rows []contrastRow
}

// contrastRow is one value and what becomes of it.
type contrastRow struct {
	label, before, after, more string
	shade                      shade
}

// add adds a row. Whatever comes from a file or from the cluster is made printable here.
func (c *contrast) add(row contrastRow) {
	for _, text := range []*string{&row.label, &row.before, &row.after, &row.more} {
		*text = printable(*text)
	}
	c.rows = append(c.rows, row)
}

// write prints the table. What does not fit into one line of the screen takes two.
func (c *contrast) write() error {
	labels := 0
	for _, row := range c.rows {
		labels = max(labels, columnsOf(row.label))
	}
	var t table
	for _, row := range c.rows {
		value := c.paint(row.after, row.shade) + row.more
		if row.before == "" || row.before == row.after {
			t.add(row.label, value)
			continue
		}
		width := labels + columnsOf("  "+row.before+" → "+row.after+row.more)
		if c.width > 0 && width > c.width {
			t.add(row.label, row.before)
			t.add("", "→ "+value)
			continue
		}
		t.add(row.label, row.before+" → "+value)
	}
	return t.write(c)
}

// tell shows what applying the key changes.
func (p *prospect) tell(s screen) error {
	c := &contrast{screen: s}
	c.add(contrastRow{label: "LicenseKey:", after: p.LicenseKeyName, more: p.changeText()})
	c.add(contrastRow{label: "License:",
		after: fmt.Sprintf("%s, issued to %s; %s", p.LicenseID, quoted(p.Customer), p.verificationText())})
	c.add(contrastRow{label: "Product:", after: p.ProductName})
	before, after := &p.Before, &p.After
	c.add(contrastRow{label: "State:", before: string(before.State), after: string(after.State),
		shade: stateShades[after.State]})
	c.add(contrastRow{label: "Active key:", before: cmp.Or(before.ActiveLicenseKeyName, "none"),
		after: cmp.Or(after.ActiveLicenseKeyName, "none")})
	if p.TakeoverTime != nil {
		c.add(contrastRow{label: "Takes over:", after: formatInstant(p.TakeoverTime.Time),
			more: " " + awayText(p.now, p.TakeoverTime.Time)})
	}
	p.addTime(c, "Expires:", before.ExpiryTime, after.ExpiryTime)
	p.addTime(c, "Grace ends:", before.GraceEndTime, after.GraceEndTime)
	p.addTime(c, "Coverage end:", before.CoverageEndTime, after.CoverageEndTime)
	p.addGrants(c)
	if r := after.Restriction; r != nil {
		row := contrastRow{label: "Restriction:", before: before.Restriction.text, after: r.text}
		if after.isRestricted() {
			row.shade = shadeBad
		}
		c.add(row)
	}
	if err := c.write(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s, "\n%s\n", fold(printable(p.conclusion()), "", ""))
	return err
}

func (p *prospect) verificationText() string {
	if p.ClusterUnknown {
		return "it verifies, but for its cluster"
	}
	return "it verifies"
}

func (p *prospect) changeText() string {
	switch {
	case p.Change == keyCreated:
		return " (new)"
	case p.Change == keyTokenReplaced && p.ReplacedLicenseID != "":
		return fmt.Sprintf(" (is there, with license %s, which this one replaces)", p.ReplacedLicenseID)
	case p.Change == keyTokenReplaced:
		return " (is there, with another token, which this one replaces)"
	default:
		return " (is there, with this token; its certificate, labels or annotations change)"
	}
}

func (p *prospect) addTime(c *contrast, label string, before, after *metav1.Time) {
	if before == nil && after == nil {
		return
	}
	row := contrastRow{label: label, before: timeText(before), after: timeText(after)}
	if after != nil {
		row.more = " " + awayText(p.now, after.Time)
	}
	c.add(row)
}

// timeText is an instant in a sentence, or in a change from one to another.
func timeText(t *metav1.Time) string {
	if t == nil {
		return "none"
	}
	return formatInstant(t.Time)
}

// addGrants adds limits and features. Those of a key that takes over later are compared with what there is until then.
func (p *prospect) addGrants(c *contrast) {
	before, after, then := &p.Before, p.settled(), ""
	if p.AtTakeover != nil {
		before, then = &p.After, " from then on"
	}
	for _, name := range limitNames(before.Limits, after.Limits) {
		was, will := limitText(before.Limits, name), limitText(after.Limits, name)
		row := contrastRow{label: name + " limit:", before: was, after: will}
		if was != will {
			row.more = then
		}
		if used := p.used(name); used != nil {
			row.more += fmt.Sprintf("; %d in use", *used)
			if limit := limitOf(after.Limits, name); limit != nil && *used > *limit {
				row.shade = shadeWarn
			}
		}
		c.add(row)
	}
	if len(before.Features) == 0 && len(after.Features) == 0 {
		return
	}
	row := contrastRow{label: "Features:", after: printableList(after.Features, "none")}
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
	limit := limitOf(limits, name)
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
func (p *prospect) conclusion() string {
	text := p.conclusionOfKey()
	switch {
	case p.endsRestriction():
		text += " The restriction ends."
	case p.After.isRestricted() && p.AtTakeover != nil && !p.AtTakeover.isRestricted():
		text += " The restriction stays in force until then."
	case p.After.isRestricted():
		text += " The restriction stays in force."
	case p.startsMeanwhile():
		text += fmt.Sprintf(" The restriction comes into force at %s.", formatInstant(p.RestrictionStartTime.Time))
	}
	if p.ClusterUnknown {
		text += " All of that, if the key is for this cluster."
	}
	return text
}

func (p *prospect) conclusionOfKey() string {
	if p.Active {
		return p.conclusionOfActive()
	}
	active := cmp.Or(p.After.ActiveLicenseKeyName, "no key")
	switch {
	case p.State == api.LicenseKeyNotYetValid && p.AtTakeover != nil && p.TakeoverTime.Time.Equal(p.claims.NotBefore):
		return fmt.Sprintf("The key begins at %s and takes over then, by itself; until then %s is active.",
			formatInstant(p.claims.NotBefore), active)
	case p.AtTakeover != nil:
		return fmt.Sprintf("The key is not the active one for now: %s is, and this one takes over at %s, by itself.",
			active, formatInstant(p.TakeoverTime.Time))
	case p.State == api.LicenseKeyExpired:
		return fmt.Sprintf("The key changes nothing: it has expired, and its grace period ended at %s.",
			formatInstant(p.claims.GraceEnd()))
	default:
		return fmt.Sprintf("The key changes nothing: %s is the active key, and stays it for as long as this one "+
			"could count.", active)
	}
}

func (p *prospect) conclusionOfActive() string {
	switch {
	case p.State == api.LicenseKeyExpired:
		return fmt.Sprintf("The key licenses nothing any more: it has expired, and its grace period ended at %s.",
			formatInstant(p.claims.GraceEnd()))
	case p.State == api.LicenseKeyGracePeriod:
		return "The key is in force as soon as it is applied, but it has expired already and is in its grace period."
	case p.Change == keyChanged && p.Before.ActiveLicenseKeyName == p.LicenseKeyName:
		return "The key is in force."
	default:
		return "The key is in force as soon as it is applied."
	}
}

// warn tells of what somebody who says yes might have overlooked.
func (p *prospect) warn(out io.Writer) {
	if p.ClusterUnknown {
		warnf(out, "the key is for certain clusters, and whether this is one of them cannot be seen from here: %v",
			p.clusterErr)
	}
	for _, limit := range p.exceeded() {
		consequence := "is over its limit, and alerts say so"
		if p.AtTakeover != nil {
			consequence = fmt.Sprintf("will be over its limit from %s on", formatInstant(p.TakeoverTime.Time))
		}
		warnf(out, "%d %s are in use, and the key is for %d: that blocks nothing, but the product %s",
			*p.used(limit.Name), limit.Name, *limit.Value, consequence)
	}
	switch before, after := p.Before.CoverageEndTime, p.After.CoverageEndTime; {
	case license.Usable(p.Before.State) && !license.Usable(p.After.State):
		warnf(out, "without the token that is replaced, LicensedProduct %s is %s at once: to keep it until the new "+
			"one takes over, apply that under another name", p.ProductName, p.After.State)
	case license.Usable(p.Before.State) && before != nil && (after == nil || after.Before(before)):
		warnf(out, "LicensedProduct %s is covered for a shorter time than before, until %s instead of %s",
			p.ProductName, timeText(after), timeText(before))
	}
	if p.twin != "" {
		warnf(out, "LicenseKey %s has the same license: two keys with it are worth no more than one", p.twin)
	}
	for _, name := range p.stale {
		warnf(out, "the operator has not looked at LicenseKey %s as it is now: what it found before counts, if "+
			"anything", name)
	}
}

// outcome is what there is to say once the key is applied and the operator says what was foretold.
func (p *prospect) outcome() string {
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
			formatInstant(p.TakeoverTime.Time), active)
	default:
		return fmt.Sprintf("%s is verified, and changes nothing: %s stays active.", key, active)
	}
}
