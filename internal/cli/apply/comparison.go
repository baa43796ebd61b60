// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

// comparison is a table of what is and what will be.
type comparison struct {
	term.Screen
	rows []comparisonRow
}

// comparisonRow is one value and what becomes of it.
type comparisonRow struct {
	label, before, after, more string
	color                      term.Color
}

// add adds a row. Whatever comes from a file or from the cluster is made printable here.
func (c *comparison) add(row comparisonRow) {
	for _, words := range []*string{&row.label, &row.before, &row.after, &row.more} {
		*words = text.Printable(*words)
	}
	c.rows = append(c.rows, row)
}

// write prints the table. What does not fit into one line of the screen takes two.
func (c *comparison) write() error {
	labels := 0
	for _, row := range c.rows {
		labels = max(labels, term.Width(row.label))
	}
	var t term.Table
	for _, row := range c.rows {
		value := c.Paint(row.after, row.color) + row.more
		if row.before == "" || row.before == row.after {
			t.Add(row.label, value)
			continue
		}
		width := labels + term.Width("  "+row.before+" → "+row.after+row.more)
		if c.Width > 0 && width > c.Width {
			t.Add(row.label, row.before)
			t.Add("", "→ "+value)
			continue
		}
		t.Add(row.label, row.before+" → "+value)
	}
	return t.Write(c)
}
