// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"io"
	"strings"
)

// Table is a list of labels and values, aligned.
type Table struct{ rows [][]string }

// Add adds a row. A line that continues a value has an empty label.
func (t *Table) Add(label, value string) { t.rows = append(t.rows, []string{label, value}) }

// Write prints the table, each row on one line.
func (t *Table) Write(out io.Writer) error { return writeAligned(out, "", t.rows) }

// WriteWrapped prints the table in lines of at most this many columns, as far as words allow.
func (t *Table) WriteWrapped(out io.Writer, columns int) error {
	widths := widthsOf(t.rows)
	for _, row := range t.rows {
		label := pad(row[0], widths[0]) + "  "
		if _, err := fmt.Fprintln(out, WrapTo(columns, row[1], label, pad("", Width(label)))); err != nil {
			return err
		}
	}
	return nil
}

// Grid is rows of aligned columns. The first row is their head.
type Grid struct{ rows [][]string }

// Add adds a row.
func (g *Grid) Add(cells ...string) { g.rows = append(g.rows, cells) }

// Write prints the grid, indented. out must not fail: it is a buffer.
func (g *Grid) Write(out io.Writer) { _ = writeAligned(out, "  ", g.rows) }

func writeAligned(out io.Writer, indent string, rows [][]string) error {
	widths := widthsOf(rows)
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			line += pad(cell, widths[i]) + "  "
		}
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// widthsOf returns the width of each column.
func widthsOf(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		widths = append(widths, make([]int, max(len(row)-len(widths), 0))...)
		for i, cell := range row {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	return widths
}
