// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/internal/text"
)

// ColumnGap is the space between columns, as in kubectl.
const ColumnGap = "   "

// Listing is a table with a head, as kubectl get prints them. Its cells hold text that is printable already.
type Listing struct {
	Columns []Column
	rows    [][]Cell
}

// Column of a listing.
type Column struct {
	Head string
	// OnlyWide: printed only with -o wide, which prints all columns.
	OnlyWide bool
	// DropPriority: on a terminal that is too narrow, the columns with the highest one are shortened first and, if that
	// is not enough, left out first. Columns with 0 stay.
	DropPriority int
}

// Cell of a listing.
type Cell struct {
	Text string
	// Short replaces Text where the terminal is too narrow; empty: nothing does.
	Short string
	Color Color
}

// Add adds a row, with a cell for each column.
func (l *Listing) Add(cells ...Cell) { l.rows = append(l.rows, cells) }

// Write prints the listing so that it fits the screen, if possible. With wide it prints everything.
func (l *Listing) Write(s Screen, wide bool) error {
	a := l.Arrange(s, wide)
	if err := a.WriteHead(s); err != nil {
		return err
	}
	for _, row := range l.rows {
		if err := a.WriteRow(s, row); err != nil {
			return err
		}
	}
	return nil
}

// Arrangement is how a listing is printed. It can also print rows that the listing did not have.
type Arrangement struct {
	columns []Column
	// shown are the indexes of the columns to print, and widths how wide each of them is.
	shown, widths []int
	// brief tells for each column, by its index, whether its texts are short.
	brief []bool
}

// Arrange chooses the columns that fit the screen, or all with wide, and how wide they are.
func (l *Listing) Arrange(s Screen, wide bool) *Arrangement {
	var shown []int
	for i, c := range l.Columns {
		if wide || !c.OnlyWide {
			shown = append(shown, i)
		}
	}
	brief := make([]bool, len(l.Columns))
	canShorten := func(i int) bool {
		return !brief[i] && slices.ContainsFunc(l.rows, func(row []Cell) bool { return row[i].Short != "" })
	}
	canDrop := func(i int) bool { return l.Columns[i].DropPriority > 0 }
	for !wide && s.Width > 0 && l.width(shown, brief) > s.Width {
		if n := l.leastNeeded(shown, canShorten); n >= 0 {
			brief[shown[n]] = true
		} else if n := l.leastNeeded(shown, canDrop); n >= 0 {
			shown = slices.Delete(shown, n, n+1)
		} else {
			break
		}
	}
	return &Arrangement{columns: l.Columns, shown: shown, widths: l.widths(shown, brief), brief: brief}
}

// leastNeeded is the position in shown of the column with the highest DropPriority among those that qualify; -1: none.
func (l *Listing) leastNeeded(shown []int, qualifies func(column int) bool) int {
	least := -1
	for n, i := range shown {
		if qualifies(i) && (least < 0 || l.Columns[i].DropPriority > l.Columns[shown[least]].DropPriority) {
			least = n
		}
	}
	return least
}

// WriteHead prints the head.
func (a *Arrangement) WriteHead(s Screen) error {
	head := make([]Cell, len(a.columns))
	for i, c := range a.columns {
		head[i].Text = c.Head
	}
	return a.WriteRow(s, head)
}

// WriteRow prints a row. If it needs wider columns, the rows after it get them too.
func (a *Arrangement) WriteRow(s Screen, row []Cell) error {
	var line strings.Builder
	for n, i := range a.shown {
		text := row[i].in(a.brief[i])
		width := Width(text)
		a.widths[n] = max(a.widths[n], width)
		line.WriteString(s.Paint(text, row[i].Color))
		if n < len(a.shown)-1 {
			line.WriteString(strings.Repeat(" ", a.widths[n]-width) + ColumnGap)
		}
	}
	_, err := fmt.Fprintln(s, strings.TrimRight(line.String(), " "))
	return err
}

func (c Cell) in(brief bool) string {
	if brief && c.Short != "" {
		return c.Short
	}
	return c.Text
}

func (l *Listing) widths(shown []int, brief []bool) []int {
	widths := make([]int, len(shown))
	for n, i := range shown {
		widths[n] = Width(l.Columns[i].Head)
		for _, row := range l.rows {
			widths[n] = max(widths[n], Width(row[i].in(brief[i])))
		}
	}
	return widths
}

func (l *Listing) width(shown []int, brief []bool) int {
	total := len(ColumnGap) * (len(shown) - 1)
	for _, width := range l.widths(shown, brief) {
		total += width
	}
	return total
}

// TextCell is a text of unknown origin, made printable; - if it is empty.
func TextCell(words string) Cell { return Cell{Text: cmp.Or(text.Printable(words), "-")} }

// TimeCell is a time; its date where there is little room.
func TimeCell(t *metav1.Time) Cell {
	if t == nil {
		return Cell{Text: "-"}
	}
	return Cell{Text: text.Time(t.Time), Short: t.UTC().Format(time.DateOnly)}
}
