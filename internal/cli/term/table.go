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
