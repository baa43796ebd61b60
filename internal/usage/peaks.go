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

// RaiseLast returns peaks with what is used now counted towards the latest month of them, for a time that no clock
// tells: a month that is over keeps its peak, and no month begins. The peaks that it is given stay as they are.
func RaiseLast(peaks []api.MonthlyPeak, used []api.Usage) []api.MonthlyPeak {
	if len(used) == 0 || len(peaks) == 0 {
		return peaks
	}
	raised := slices.Clone(peaks)
	last := &raised[len(raised)-1]
	last.Usage = highest(last.Usage, used)
	return raised
}

// Raise returns peaks with what is used at an instant counted towards its month, in UTC. No peak is lowered; the last
// v1alpha1.MaxMonthlyPeaks months are kept, the latest last. The peaks that it is given stay as they are.
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
		// Months to come are those of a clock that was ahead: they do not push out the past.
		if last := len(raised) - 1; raised[last].Month > month {
			raised = raised[:last]
		} else {
			raised = raised[1:]
		}
	}
	return raised
}

// highest is the peak of what is counted: of anything else that is in peak, nobody knows what it is.
func highest(peak, used []api.Usage) []api.Usage {
	raised := slices.Clone(used)
	for i := range raised {
		if before := Of(peak, raised[i].Name); before != nil && *before > *raised[i].Value {
			raised[i].Value = new(*before)
		}
	}
	return raised
}

// MonthEnd is the end of the month that an instant is in, in UTC: a boundary, since from then on what is in use counts
// towards another month.
func MonthEnd(at time.Time) time.Time {
	year, month, _ := at.UTC().Date()
	return time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
}
