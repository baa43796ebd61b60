// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"slices"
	"time"

	"github.com/license-operator/license-operator/api/v1alpha1"
)

// monthLayout is that of MonthlyPeak.Month.
const monthLayout = "2006-01"

// Raise returns peaks with what is used at an instant counted towards its month, in UTC. No peak is lowered; the last v1alpha1.MaxMonthlyPeaks months are kept, the
// latest last. The peaks that it is given stay as they are.
func Raise(peaks []v1alpha1.MonthlyPeak, at time.Time, used []v1alpha1.Usage) []v1alpha1.MonthlyPeak {
	if len(used) == 0 {
		return peaks
	}
	month := at.UTC().Format(monthLayout)
	raised := slices.Clone(peaks)
	i := slices.IndexFunc(raised, func(p v1alpha1.MonthlyPeak) bool { return p.Month == month })
	if i < 0 {
		raised = append(raised, v1alpha1.MonthlyPeak{Month: month, Usage: slices.Clone(used)})
	} else {
		raised[i].Usage = highest(raised[i].Usage, used)
	}
	slices.SortStableFunc(raised, func(a, b v1alpha1.MonthlyPeak) int { return cmp.Compare(a.Month, b.Month) })
	for len(raised) > v1alpha1.MaxMonthlyPeaks {
		// Months to come are those of a clock that was ahead: they do not push out the past.
		if last := len(raised) - 1; raised[last].Month > month {
			raised = raised[:last]
		} else {
			raised = raised[1:]
		}
	}
	return raised
}

func highest(peak, used []v1alpha1.Usage) []v1alpha1.Usage {
	raised := slices.Clone(peak)
	for _, u := range used {
		i := slices.IndexFunc(raised, func(p v1alpha1.Usage) bool { return p.Name == u.Name })
		switch {
		case i < 0:
			raised = append(raised, u)
		case raised[i].Value == nil || *raised[i].Value < *u.Value:
			raised[i] = u
		}
	}
	return raised
}

// MonthEnd is the end of the month that an instant is in, in UTC: a boundary, since from then on what is in use counts towards another month.
func MonthEnd(at time.Time) time.Time {
	year, month, _ := at.UTC().Date()
	return time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
}
