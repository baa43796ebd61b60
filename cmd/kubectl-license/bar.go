// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// barWidth is how many marks a bar has when it is full.
const barWidth = 10

// amount is how much of one thing is in use, and how much of it is licensed; nil: nobody says.
type amount struct{ used, limit *int64 }

// amountOf is what a product's status says of one thing.
func amountOf(status *api.LicensedProductStatus, name string) amount {
	return amount{used: usageOf(status.Usage, name), limit: limitOf(status.Limits, name)}
}

// usageOf is how much of something is in use; nil: nobody says.
func usageOf(used []api.Usage, name string) *int64 {
	for i := range used {
		if used[i].Name == name {
			return used[i].Value
		}
	}
	return nil
}

// namedAmount is a number of something; ? stands for one that is missing, which an API server does not let in.
func namedAmount(name string, value *int64) string {
	if value == nil {
		return name + " ?"
	}
	return fmt.Sprintf("%s %d", name, *value)
}

func (a amount) isExceeded() bool { return a.used != nil && a.limit != nil && *a.used > *a.limit }

// isNear tells whether so many percent of the limit are in use, and no more than the limit. A limit of zero has no
// share.
func (a amount) isNear(percent int32) bool {
	return a.used != nil && a.limit != nil && *a.limit > 0 && !a.isExceeded() &&
		100*float64(*a.used) >= float64(percent)*float64(*a.limit)
}

// amountCell is the amount with its bar, and without it where there is little room.
func amountCell(a amount, warningPercent int32) cell {
	switch {
	case a.limit == nil:
		return cell{text: a.text()}
	case a.isExceeded():
		return cell{text: bar(a) + " " + a.text(), short: a.text() + "!", shade: shadeBad}
	case a.isNear(warningPercent):
		return cell{text: bar(a) + " " + a.text(), short: a.text(), shade: shadeWarn}
	default:
		return cell{text: bar(a) + " " + a.text(), short: a.text()}
	}
}

// text is the amount in numbers.
func (a amount) text() string {
	switch {
	case a.used == nil && a.limit == nil:
		return "-"
	case a.used == nil:
		return fmt.Sprintf("?/%d", *a.limit)
	case a.limit == nil:
		return strconv.FormatInt(*a.used, 10)
	default:
		return fmt.Sprintf("%d/%d", *a.used, *a.limit)
	}
}

// bar is how much of the limit is in use. It is empty where that is nothing, full where it is all of it, and has a mark
// of its own where it is more.
func bar(a amount) string {
	marks, over := 0, ""
	switch {
	case a.used == nil || *a.used == 0:
	case a.isExceeded():
		marks, over = barWidth, "!"
	case *a.used == *a.limit:
		marks = barWidth
	default:
		share := float64(*a.used) / float64(*a.limit)
		marks = min(max(int(share*barWidth), 1), barWidth-1)
	}
	return "[" + strings.Repeat("#", marks) + strings.Repeat("-", barWidth-marks) + over + "]"
}
