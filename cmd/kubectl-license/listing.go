// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// columnGap is what kubectl has between columns.
const columnGap = "   "

// listing is a table with a head, as kubectl get prints them. Its cells hold text that is printable already.
type listing struct {
	columns []column
	rows    [][]cell
}

// column of a listing.
type column struct {
	head string
	// onlyWide: there with -o wide alone, which leaves nothing out.
	onlyWide bool
	// dispensable: where a terminal is too narrow, the columns with the highest become short first, and go first where
	// that is not enough; those with 0 stay.
	dispensable int
}

// cell of a listing.
type cell struct {
	text string
	// short stands in for text on a terminal that is too narrow, in all of a column, before any column goes; empty:
	// nothing does.
	short string
	shade shade
}

func (l *listing) add(cells ...cell) { l.rows = append(l.rows, cells) }

// write prints the listing so that it fits the screen, if that can be. With wide it has everything, however long its
// lines get.
func (l *listing) write(s screen, wide bool) error {
	a := l.arrange(s, wide)
	if err := a.writeHead(s); err != nil {
		return err
	}
	for _, row := range l.rows {
		if err := a.writeRow(s, row); err != nil {
			return err
		}
	}
	return nil
}

// arrangement is how a listing is printed: its rows one by one, those too that nobody knew when it was made.
type arrangement struct {
	columns []column
	// shown are the indexes of the columns that there are, and widths how wide each is.
	shown, widths []int
	// brief tells of each column, by its index, whether its texts are short.
	brief []bool
}

// arrange finds the columns that fit the screen, or all with wide, and how wide they are, for the rows that there are.
func (l *listing) arrange(s screen, wide bool) *arrangement {
	shown, brief := l.shown(wide), make([]bool, len(l.columns))
	for !wide && s.width > 0 && l.width(shown, brief) > s.width {
		if !l.abridge(shown, brief) && !l.dispense(&shown) {
			break
		}
	}
	return &arrangement{columns: l.columns, shown: shown, widths: l.widths(shown, brief), brief: brief}
}

// abridge makes the column short that is missed least; false: all that can be are.
func (l *listing) abridge(shown []int, brief []bool) bool {
	least := -1
	for _, i := range shown {
		canBe := !brief[i] && slices.ContainsFunc(l.rows, func(row []cell) bool { return row[i].short != "" })
		if canBe && (least < 0 || l.columns[i].dispensable > l.columns[least].dispensable) {
			least = i
		}
	}
	if least < 0 {
		return false
	}
	brief[least] = true
	return true
}

func (a *arrangement) writeHead(s screen) error {
	head := make([]cell, len(a.columns))
	for i, c := range a.columns {
		head[i].text = c.head
	}
	return a.writeRow(s, head)
}

// writeRow prints a row. Where it needs more room than those before it, so do those after it.
func (a *arrangement) writeRow(s screen, row []cell) error {
	var line strings.Builder
	for n, i := range a.shown {
		text := row[i].in(a.brief[i])
		width := columnsOf(text)
		a.widths[n] = max(a.widths[n], width)
		line.WriteString(s.paint(text, row[i].shade))
		if n < len(a.shown)-1 {
			line.WriteString(strings.Repeat(" ", a.widths[n]-width) + columnGap)
		}
	}
	_, err := fmt.Fprintln(s, strings.TrimRight(line.String(), " "))
	return err
}

func (c cell) in(brief bool) string {
	if brief && c.short != "" {
		return c.short
	}
	return c.text
}

// shown are the indexes of the columns to begin with.
func (l *listing) shown(wide bool) []int {
	var shown []int
	for i, c := range l.columns {
		if wide || !c.onlyWide {
			shown = append(shown, i)
		}
	}
	return shown
}

// dispense takes out the column that is missed least; false: all are needed.
func (l *listing) dispense(shown *[]int) bool {
	least := -1
	for n, i := range *shown {
		if d := l.columns[i].dispensable; d > 0 && (least < 0 || d > l.columns[(*shown)[least]].dispensable) {
			least = n
		}
	}
	if least < 0 {
		return false
	}
	*shown = slices.Delete(*shown, least, least+1)
	return true
}

func (l *listing) widths(shown []int, brief []bool) []int {
	widths := make([]int, len(shown))
	for n, i := range shown {
		widths[n] = columnsOf(l.columns[i].head)
		for _, row := range l.rows {
			widths[n] = max(widths[n], columnsOf(row[i].in(brief[i])))
		}
	}
	return widths
}

func (l *listing) width(shown []int, brief []bool) int {
	total := len(columnGap) * (len(shown) - 1)
	for _, width := range l.widths(shown, brief) {
		total += width
	}
	return total
}
