// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

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
