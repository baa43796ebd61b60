// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"

	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/usage"
)

// barWidth is how many marks a bar has when it is full.
const barWidth = 10

// amountCell is the amount with its bar, and without it where there is little room.
func amountCell(a usage.Amount, warningPercent int32) term.Cell {
	switch {
	case a.Limit == nil:
		return term.Cell{Text: a.String()}
	case a.IsExceeded():
		return term.Cell{Text: bar(a) + " " + a.String(), Short: a.String() + "!", Color: term.ColorBad}
	case a.IsNear(warningPercent):
		return term.Cell{Text: bar(a) + " " + a.String(), Short: a.String(), Color: term.ColorWarning}
	default:
		return term.Cell{Text: bar(a) + " " + a.String(), Short: a.String()}
	}
}

// bar is how much of the limit is in use. It is empty where that is nothing, full where it is all of it, and has a mark
// of its own where it is more.
func bar(a usage.Amount) string {
	marks, over := 0, ""
	switch {
	case a.Used == nil || *a.Used == 0:
	case a.IsExceeded():
		marks, over = barWidth, "!"
	case *a.Used == *a.Limit:
		marks = barWidth
	default:
		share := float64(*a.Used) / float64(*a.Limit)
		marks = min(max(int(share*barWidth), 1), barWidth-1)
	}
	return "[" + strings.Repeat("#", marks) + strings.Repeat("-", barWidth-marks) + over + "]"
}
