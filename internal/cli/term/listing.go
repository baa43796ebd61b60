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

// ColumnGap is what kubectl has between columns.
const ColumnGap = "   "

// Listing is a table with a head, as kubectl get prints them. Its cells hold text that is printable already.
type Listing struct {
	Columns []Column
	rows    [][]Cell
}

// Column of a listing.
type Column struct {
	Head string
	// OnlyWide: there with -o wide alone, which leaves nothing out.
	OnlyWide bool
	// DropPriority: where a terminal is too narrow, the columns with the highest become short first, and go first where
	// that is not enough; those with 0 stay.
	DropPriority int
}

// Cell of a listing.
type Cell struct {
	Text string
	// Short stands in for text on a terminal that is too narrow, in all of a column, before any column goes; empty:
	// nothing does.
	Short string
	Color Color
}

// Add adds a row, with a cell for each column.
func (l *Listing) Add(cells ...Cell) { l.rows = append(l.rows, cells) }

// Write prints the listing so that it fits the screen, if that can be. With wide it has everything, however long its
// lines get.
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

// Arrangement is how a listing is printed: its rows one by one, those too that nobody knew when it was made.
type Arrangement struct {
	columns []Column
	// shown are the indexes of the columns that there are, and widths how wide each is.
	shown, widths []int
	// brief tells of each column, by its index, whether its texts are short.
	brief []bool
}

// Arrange finds the columns that fit the screen, or all with wide, and how wide they are, for the rows that there are.
func (l *Listing) Arrange(s Screen, wide bool) *Arrangement {
	shown, brief := l.shown(wide), make([]bool, len(l.Columns))
	for !wide && s.Width > 0 && l.width(shown, brief) > s.Width {
		if !l.shorten(shown, brief) && !l.drop(&shown) {
			break
		}
	}
	return &Arrangement{columns: l.Columns, shown: shown, widths: l.widths(shown, brief), brief: brief}
}

// shorten makes the column short that is missed least; false: all that can be are.
func (l *Listing) shorten(shown []int, brief []bool) bool {
	least := -1
	for _, i := range shown {
		canBe := !brief[i] && slices.ContainsFunc(l.rows, func(row []Cell) bool { return row[i].Short != "" })
		if canBe && (least < 0 || l.Columns[i].DropPriority > l.Columns[least].DropPriority) {
			least = i
		}
	}
	if least < 0 {
		return false
	}
	brief[least] = true
	return true
}

// WriteHead prints the head.
func (a *Arrangement) WriteHead(s Screen) error {
	head := make([]Cell, len(a.columns))
	for i, c := range a.columns {
		head[i].Text = c.Head
	}
	return a.WriteRow(s, head)
}

// WriteRow prints a row. Where it needs more room than those before it, so do those after it.
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

// shown are the indexes of the columns to begin with.
func (l *Listing) shown(wide bool) []int {
	var shown []int
	for i, c := range l.Columns {
		if wide || !c.OnlyWide {
			shown = append(shown, i)
		}
	}
	return shown
}

// drop takes out the column that is missed least; false: all are needed.
func (l *Listing) drop(shown *[]int) bool {
	least := -1
	for n, i := range *shown {
		if d := l.Columns[i].DropPriority; d > 0 && (least < 0 || d > l.Columns[(*shown)[least]].DropPriority) {
			least = n
		}
	}
	if least < 0 {
		return false
	}
	*shown = slices.Delete(*shown, least, least+1)
	return true
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

// TextCell is text of somebody's.
func TextCell(words string) Cell { return Cell{Text: cmp.Or(text.Printable(words), "-")} }

// TimeCell is an instant with its date in the place of it where there is little room.
func TimeCell(t *metav1.Time) Cell {
	if t == nil {
		return Cell{Text: "-"}
	}
	return Cell{Text: text.Time(t.Time), Short: t.UTC().Format(time.DateOnly)}
}
