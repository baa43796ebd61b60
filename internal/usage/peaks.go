// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"slices"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// monthLayout is that of MonthlyPeak.Month.
const monthLayout = "2006-01"

// RaiseLast returns peaks with what is used now counted in their latest month. It is for when the time is not known: no
// earlier month changes, and no month begins. It does not change its argument.
func RaiseLast(peaks []api.MonthlyPeak, used []api.Usage) []api.MonthlyPeak {
	if len(used) == 0 || len(peaks) == 0 {
		return peaks
	}
	raised := slices.Clone(peaks)
	last := &raised[len(raised)-1]
	last.Usage = highest(last.Usage, used)
	return raised
}

// Raise returns peaks with what is used at a time counted in its month, in UTC. It lowers no peak and keeps the last
// api.MaxMonthlyPeaks months, the latest last. It does not change its argument.
func Raise(peaks []api.MonthlyPeak, at time.Time, used []api.Usage) []api.MonthlyPeak {
	if len(used) == 0 {
		return peaks
	}
	month := at.UTC().Format(monthLayout)
	raised := slices.Clone(peaks)
	i := slices.IndexFunc(raised, func(p api.MonthlyPeak) bool { return p.Month == month })
	if i < 0 {
		raised = append(raised, api.MonthlyPeak{Month: month, Usage: slices.Clone(used)})
	} else {
		raised[i].Usage = highest(raised[i].Usage, used)
	}
	slices.SortStableFunc(raised, func(a, b api.MonthlyPeak) int { return cmp.Compare(a.Month, b.Month) })
	for len(raised) > api.MaxMonthlyPeaks {
		// Future months come from a clock that was ahead. They must not displace the past.
		if last := len(raised) - 1; raised[last].Month > month {
			raised = raised[:last]
		} else {
			raised = raised[1:]
		}
	}
	return raised
}

// highest returns the maximum of each thing in used. It drops what else is in peak.
func highest(peak, used []api.Usage) []api.Usage {
	raised := slices.Clone(used)
	for i := range raised {
		if before := Of(peak, raised[i].Name); before != nil && *before > *raised[i].Value {
			raised[i].Value = new(*before)
		}
	}
	return raised
}

// MonthEnd returns the end of the month of a time, in UTC. It is a boundary: from then on, use counts in another month.
func MonthEnd(at time.Time) time.Time {
	year, month, _ := at.UTC().Date()
	return time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
}
