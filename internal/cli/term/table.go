// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"io"
	"strings"
)

// Table is a list of labels and values, aligned.
type Table struct{ rows [][2]string }

// Add adds a row.
func (t *Table) Add(label, value string) { t.rows = append(t.rows, [2]string{label, value}) }

// labelWidth is how wide the labels are.
func (t *Table) labelWidth() int {
	width := 0
	for _, row := range t.rows {
		width = max(width, Width(row[0]))
	}
	return width
}

// WriteWrapped prints the table in lines of no more than some columns, as far as words allow.
func (t *Table) WriteWrapped(out io.Writer, columns int) error {
	width := t.labelWidth()
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out,
			WrapTo(columns, row[1], pad(row[0], width)+"  ", strings.Repeat(" ", width+2))); err != nil {
			return err
		}
	}
	return nil
}

// Write prints the table; a line that continues a value has an empty label.
func (t *Table) Write(out io.Writer) error {
	width := t.labelWidth()
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out, strings.TrimRight(pad(row[0], width)+"  "+row[1], " ")); err != nil {
			return err
		}
	}
	return nil
}

// Grid is rows of columns, aligned, the first row being their head. The last column is as wide as it likes, so that is
// the one for names.
type Grid struct{ rows [][]string }

// Add adds a row.
func (g *Grid) Add(cells ...string) { g.rows = append(g.rows, cells) }

// Write prints the grid, a little indented: it is a part of something.
func (g *Grid) Write(out io.Writer) {
	var widths []int
	for _, row := range g.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	for _, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(pad(cell, widths[i]) + "  ")
		}
		fmt.Fprintln(out, "  "+strings.TrimRight(line.String(), " "))
	}
}
