// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"io"
	"strings"
)

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
