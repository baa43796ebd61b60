// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

func TestAmount(t *testing.T) {
	const huge = math.MaxInt64
	for name, test := range map[string]struct {
		amount amount
		want   cell
	}{
		"nothing known":         {amount{}, cell{text: "-"}},
		"no limit":              {amount{used: new(int64(12))}, cell{text: "12"}},
		"no limit, none in use": {amount{used: new(int64(0))}, cell{text: "0"}},
		"nothing counted":       {amount{limit: new(int64(10))}, cell{text: "[----------] ?/10", short: "?/10"}},
		"none in use": {amount{used: new(int64(0)), limit: new(int64(10))},
			cell{text: "[----------] 0/10", short: "0/10"}},
		"none in use, none to use": {amount{used: new(int64(0)), limit: new(int64(0))},
			cell{text: "[----------] 0/0", short: "0/0"}},
		"hardly any is not none": {amount{used: new(int64(1)), limit: new(int64(1000))},
			cell{text: "[#---------] 1/1000", short: "1/1000"}},
		"half": {amount{used: new(int64(5)), limit: new(int64(10))},
			cell{text: "[#####-----] 5/10", short: "5/10"}},
		"just below the warning": {amount{used: new(int64(899)), limit: new(int64(1000))},
			cell{text: "[########--] 899/1000", short: "899/1000"}},
		"the warning": {amount{used: new(int64(900)), limit: new(int64(1000))},
			cell{text: "[#########-] 900/1000", short: "900/1000", shade: shadeWarn}},
		"nearly all is not all": {amount{used: new(int64(999)), limit: new(int64(1000))},
			cell{text: "[#########-] 999/1000", short: "999/1000", shade: shadeWarn}},
		"all": {amount{used: new(int64(10)), limit: new(int64(10))},
			cell{text: "[##########] 10/10", short: "10/10", shade: shadeWarn}},
		"too much": {amount{used: new(int64(11)), limit: new(int64(10))},
			cell{text: "[##########!] 11/10", short: "11/10!", shade: shadeBad}},
		"some of none": {amount{used: new(int64(1)), limit: new(int64(0))},
			cell{text: "[##########!] 1/0", short: "1/0!", shade: shadeBad}},
		"nearly all of very much": {
			amount{used: new(int64(huge - 1)), limit: new(int64(huge))},
			cell{text: "[#########-] 9223372036854775806/9223372036854775807",
				short: "9223372036854775806/9223372036854775807", shade: shadeWarn},
		},
		"very much of little": {
			amount{used: new(int64(huge)), limit: new(int64(1))},
			cell{text: "[##########!] 9223372036854775807/1", short: "9223372036854775807/1!", shade: shadeBad},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := amountCell(test.amount, api.DefaultUsageWarningPercent); !cmp.Equal(got, test.want,
				cmp.AllowUnexported(cell{})) {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}
