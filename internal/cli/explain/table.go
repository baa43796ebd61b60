// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// print prints the explanation, as a table or in a format for programs.
func (e *explanation) print(out term.Screen, format string) error {
	switch format {
	case output.JSON, output.YAML:
		return output.Write(out, format, e)
	case output.Name:
		for i := range e.Nodes {
			if !e.Nodes[i].Counted {
				continue
			}
			if _, err := fmt.Fprintln(out, "node/"+text.Printable(e.Nodes[i].Name)); err != nil {
				return err
			}
		}
		return nil
	}
	columns := min(cmp.Or(out.Width, command.HelpWidth), command.HelpWidth)
	rule := fmt.Sprintf("For %s every node counts, ready or not.", e.ProductName)
	if e.NodeSelector != nil {
		rule = fmt.Sprintf("For %s the nodes with %s count, ready or not (spec.usage.nodeSelector).", e.ProductName,
			metav1.FormatLabelSelector(e.NodeSelector))
	}
	if _, err := fmt.Fprintf(out, "%s\n\n", term.WrapTo(columns, text.Printable(rule), "", "  ")); err != nil {
		return err
	}
	if err := e.listing().Write(out, format == output.Wide); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	if out.Width > 0 {
		return e.sums().WriteWrapped(out, out.Width)
	}
	return e.sums().Write(out)
}

func (e *explanation) listing() *term.Listing {
	l := &term.Listing{Columns: []term.Column{
		{Head: "NODE"},
		{Head: "COUNTED"},
		{Head: "CORES"},
		{Head: "READY", OnlyWide: true},
		{Head: "CAPACITY", OnlyWide: true},
		{Head: "LABELS", OnlyWide: true},
		{Head: "WHY"},
	}}
	for i := range e.Nodes {
		node := &e.Nodes[i]
		cores, why := term.Cell{Text: "-"}, term.Cell{Text: text.Printable(node.Reason)}
		if node.Counted {
			cores.Text = coresText(node.Millicores)
		}
		switch {
		case !node.Counted:
			why.Short = text.Printable(node.unmet)
		case node.Reason != "":
			why.Color, why.Short = term.ColorWarning, "no credible capacity"
		}
		l.Add(term.Cell{Text: text.Printable(node.Name)}, yesOrNo(node.Counted), cores, yesOrNo(node.Ready),
			term.TextCell(node.Capacity), term.TextCell(node.labels), why)
	}
	return l
}

// coresText is a number of cores.
func coresText(millicores int64) string {
	return strconv.FormatFloat(float64(millicores)/1000, 'f', -1, 64)
}

// sums are the totals, beside those from the operator and the licensed amounts.
func (e *explanation) sums() *term.Table {
	var counted, millicores int64
	for i := range e.Nodes {
		if e.Nodes[i].Counted {
			counted++
			millicores += e.Nodes[i].Millicores
		}
	}
	t := &term.Table{}
	now := amountsText(e.Usage)
	if millicores%1000 != 0 {
		now += fmt.Sprintf(" (%s, rounded up)", coresText(millicores))
	}
	if all := int64(len(e.Nodes)); counted < all {
		now += fmt.Sprintf("; %s not counted", text.Plural(all-counted, "node"))
	}
	status := amountsText(e.StatusUsage) + "; that may be some seconds old"
	switch {
	case len(e.StatusUsage) == 0:
		status = "nothing yet: the operator has not counted"
	case sameUsage(e.StatusUsage, e.Usage):
		status = "the same"
	}
	t.Add("Counted now:", now)
	t.Add("In its status:", status)
	t.Add("Licensed:", e.licensed())
	return t
}

// licensed is the limits of the active key for the counted amounts, and by how much they are exceeded.
func (e *explanation) licensed() string {
	switch e.State {
	case api.LicensedProductValid, api.LicensedProductGracePeriod:
	case "":
		return "not known yet: the operator has not reconciled the product"
	default:
		return fmt.Sprintf("nothing: the product is %s", text.Printable(string(e.State)))
	}
	var allowed, over []string
	for _, limit := range e.Limits {
		if usage.Of(e.Usage, limit.Name) != nil && limit.Value != nil {
			allowed = append(allowed, amountText(limit.Name, *limit.Value))
		}
	}
	words := cmp.Or(strings.Join(allowed, " and "), "any number") + ", by LicenseKey " +
		text.Printable(e.ActiveLicenseKeyName)
	_, exceeded := usage.Compare(e.Limits, e.Usage)
	for _, excess := range exceeded {
		over = append(over, amountText(excess.Name, excess.Used-excess.Limit))
	}
	if len(over) > 0 {
		words += "; exceeded by " + strings.Join(over, " and ")
	}
	return words
}

func amountsText(used []api.Usage) string {
	var parts []string
	for _, u := range used {
		if u.Value != nil {
			parts = append(parts, amountText(u.Name, *u.Value))
		}
	}
	return strings.Join(parts, " and ")
}

// amountText is 1 node, 73 nodes, 292 cores: the names of amounts are in the plural.
func amountText(name string, amount int64) string {
	return text.Count(amount, text.Printable(strings.TrimSuffix(name, "s")), text.Printable(name))
}

func sameUsage(a, b []api.Usage) bool {
	for _, u := range b {
		if value := usage.Of(a, u.Name); value == nil || u.Value == nil || *value != *u.Value {
			return false
		}
	}
	return true
}

func yesOrNo(yes bool) term.Cell {
	if yes {
		return term.Cell{Text: "yes"}
	}
	return term.Cell{Text: "no"}
}
