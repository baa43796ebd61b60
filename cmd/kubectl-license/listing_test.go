// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestListingOfWideCharacters(t *testing.T) {
	l := &listing{columns: []column{{head: "KEY"}, {head: "CUSTOMER", dispensable: 1}, {head: "EXPIRES"}}}
	l.add(cell{text: "a"}, cell{text: "株式会社例"}, cell{text: "2027"})
	l.add(cell{text: "b"}, cell{text: "Cafe\u0301"}, cell{text: "2028"})
	for width, want := range map[int]string{
		26: "KEY   CUSTOMER     EXPIRES\na     株式会社例   2027\nb     Cafe\u0301         2028\n",
		25: "KEY   EXPIRES\na     2027\nb     2028\n",
	} {
		var out strings.Builder
		if err := l.write(screen{Writer: &out, width: width}, false); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("%d columns: got\n%swant\n%s", width, got, want)
		}
	}
}

func TestListing(t *testing.T) {
	l := &listing{columns: []column{{head: "PRODUCT"}, {head: "STATE"}, {head: "NODES", dispensable: 1},
		{head: "CORES", dispensable: 2}, {head: "UID", onlyWide: true}}}
	l.add(cell{text: "acme-mesh"}, cell{text: "Valid", shade: shadeGood}, cell{text: "[##--] 5/10", short: "5/10"},
		cell{text: "[#---] 2/10", short: "2/10"}, cell{text: "1-2"})
	l.add(cell{text: "db"}, cell{text: "Expired", shade: shadeBad}, cell{text: "-"}, cell{}, cell{text: "3"})
	for name, test := range map[string]struct {
		screen screen
		wide   bool
		want   string
	}{
		"a pipe": {want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   Valid     [##--] 5/10   [#---] 2/10
db          Expired   -
`},
		"all there is": {wide: true, screen: screen{width: 100}, want: `
PRODUCT     STATE     NODES         CORES         UID
acme-mesh   Valid     [##--] 5/10   [#---] 2/10   1-2
db          Expired   -                           3
`},
		"all there is, whatever the width": {wide: true, screen: screen{width: 20}, want: `
PRODUCT     STATE     NODES         CORES         UID
acme-mesh   Valid     [##--] 5/10   [#---] 2/10   1-2
db          Expired   -                           3
`},
		"as wide as it has to be": {screen: screen{width: 47}, want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   Valid     [##--] 5/10   [#---] 2/10
db          Expired   -
`},
		"short texts first": {screen: screen{width: 46}, want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   Valid     [##--] 5/10   2/10
db          Expired   -
`},
		"in all columns that have them": {screen: screen{width: 40}, want: `
PRODUCT     STATE     NODES   CORES
acme-mesh   Valid     5/10    2/10
db          Expired   -
`},
		"then without a column": {screen: screen{width: 34}, want: `
PRODUCT     STATE     NODES
acme-mesh   Valid     5/10
db          Expired   -
`},
		"what is left has to be": {screen: screen{width: 3}, want: `
PRODUCT     STATE
acme-mesh   Valid
db          Expired
`},
		"in colour, which has no width": {screen: screen{width: 47, colored: true}, want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   <32m>Valid<0m>     [##--] 5/10   [#---] 2/10
db          <31m>Expired<0m>   -
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			test.screen.Writer = &out
			if err := l.write(test.screen, test.wide); err != nil {
				t.Fatal(err)
			}
			got := strings.NewReplacer("\x1b[32m", "<32m>", "\x1b[31m", "<31m>", "\x1b[0m", "<0m>").
				Replace("\n" + out.String())
			if got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}
