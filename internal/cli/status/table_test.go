// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/usage"
)

func TestAmount(t *testing.T) {
	const huge = math.MaxInt64
	for name, test := range map[string]struct {
		amount usage.Amount
		want   term.Cell
	}{
		"unknown":               {usage.Amount{}, term.Cell{Text: "-"}},
		"no limit":              {usage.Amount{Used: new(int64(12))}, term.Cell{Text: "12"}},
		"no limit, none in use": {usage.Amount{Used: new(int64(0))}, term.Cell{Text: "0"}},
		"not counted": {
			usage.Amount{Limit: new(int64(10))},
			term.Cell{Text: "[----------] ?/10", Short: "?/10"},
		},
		"none in use": {
			usage.Amount{Used: new(int64(0)), Limit: new(int64(10))},
			term.Cell{Text: "[----------] 0/10", Short: "0/10"},
		},
		"none in use, none licensed": {
			usage.Amount{Used: new(int64(0)), Limit: new(int64(0))},
			term.Cell{Text: "[----------] 0/0", Short: "0/0"},
		},
		"very few": {
			usage.Amount{Used: new(int64(1)), Limit: new(int64(1000))},
			term.Cell{Text: "[#---------] 1/1000", Short: "1/1000"},
		},
		"half": {
			usage.Amount{Used: new(int64(5)), Limit: new(int64(10))},
			term.Cell{Text: "[#####-----] 5/10", Short: "5/10"},
		},
		"just below the warning": {
			usage.Amount{Used: new(int64(899)), Limit: new(int64(1000))},
			term.Cell{Text: "[########--] 899/1000", Short: "899/1000"},
		},
		"the warning": {
			usage.Amount{Used: new(int64(900)), Limit: new(int64(1000))},
			term.Cell{Text: "[#########-] 900/1000", Short: "900/1000", Color: term.ColorWarning},
		},
		"nearly all": {
			usage.Amount{Used: new(int64(999)), Limit: new(int64(1000))},
			term.Cell{Text: "[#########-] 999/1000", Short: "999/1000", Color: term.ColorWarning},
		},
		"all": {
			usage.Amount{Used: new(int64(10)), Limit: new(int64(10))},
			term.Cell{Text: "[##########] 10/10", Short: "10/10", Color: term.ColorWarning},
		},
		"too much": {
			usage.Amount{Used: new(int64(11)), Limit: new(int64(10))},
			term.Cell{Text: "[##########!] 11/10", Short: "11/10!", Color: term.ColorBad},
		},
		"some in use, none licensed": {
			usage.Amount{Used: new(int64(1)), Limit: new(int64(0))},
			term.Cell{Text: "[##########!] 1/0", Short: "1/0!", Color: term.ColorBad},
		},
		"nearly all of a large limit": {
			usage.Amount{Used: new(int64(huge - 1)), Limit: new(int64(huge))},
			term.Cell{
				Text:  "[#########-] 9223372036854775806/9223372036854775807",
				Short: "9223372036854775806/9223372036854775807", Color: term.ColorWarning,
			},
		},
		"far above the limit": {
			usage.Amount{Used: new(int64(huge)), Limit: new(int64(1))},
			term.Cell{
				Text: "[##########!] 9223372036854775807/1", Short: "9223372036854775807/1!",
				Color: term.ColorBad,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := amountCell(test.amount, api.DefaultUsageWarningPercent); !cmp.Equal(got, test.want,
				cmp.AllowUnexported(term.Cell{})) {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}
