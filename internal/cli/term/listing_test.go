// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"strings"
	"testing"
)

func TestListingOfWideCharacters(t *testing.T) {
	l := &Listing{Columns: []Column{{Head: "KEY"}, {Head: "CUSTOMER", DropPriority: 1}, {Head: "EXPIRES"}}}
	l.Add(Cell{Text: "a"}, Cell{Text: "株式会社例"}, Cell{Text: "2027"})
	l.Add(Cell{Text: "b"}, Cell{Text: "Cafe\u0301"}, Cell{Text: "2028"})
	for width, want := range map[int]string{
		26: "KEY   CUSTOMER     EXPIRES\na     株式会社例   2027\nb     Cafe\u0301         2028\n",
		25: "KEY   EXPIRES\na     2027\nb     2028\n",
	} {
		var out strings.Builder
		if err := l.Write(Screen{Writer: &out, Width: width}, false); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("%d columns: got\n%swant\n%s", width, got, want)
		}
	}
}

func TestListing(t *testing.T) {
	l := &Listing{Columns: []Column{
		{Head: "PRODUCT"},
		{Head: "STATE"},
		{Head: "NODES", DropPriority: 1},
		{Head: "CORES", DropPriority: 2},
		{Head: "UID", OnlyWide: true},
	}}
	l.Add(Cell{Text: "acme-mesh"}, Cell{Text: "Valid", Color: ColorGood}, Cell{Text: "[##--] 5/10", Short: "5/10"},
		Cell{Text: "[#---] 2/10", Short: "2/10"}, Cell{Text: "1-2"})
	l.Add(Cell{Text: "db"}, Cell{Text: "Expired", Color: ColorBad}, Cell{Text: "-"}, Cell{}, Cell{Text: "3"})
	for name, test := range map[string]struct {
		screen Screen
		wide   bool
		want   string
	}{
		"a pipe": {want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   Valid     [##--] 5/10   [#---] 2/10
db          Expired   -
`},
		"wide": {wide: true, screen: Screen{Width: 100}, want: `
PRODUCT     STATE     NODES         CORES         UID
acme-mesh   Valid     [##--] 5/10   [#---] 2/10   1-2
db          Expired   -                           3
`},
		"wide, on a narrow screen": {wide: true, screen: Screen{Width: 20}, want: `
PRODUCT     STATE     NODES         CORES         UID
acme-mesh   Valid     [##--] 5/10   [#---] 2/10   1-2
db          Expired   -                           3
`},
		"just wide enough": {screen: Screen{Width: 47}, want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   Valid     [##--] 5/10   [#---] 2/10
db          Expired   -
`},
		"short texts first": {screen: Screen{Width: 46}, want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   Valid     [##--] 5/10   2/10
db          Expired   -
`},
		"short texts in all columns": {screen: Screen{Width: 40}, want: `
PRODUCT     STATE     NODES   CORES
acme-mesh   Valid     5/10    2/10
db          Expired   -
`},
		"without a column": {screen: Screen{Width: 34}, want: `
PRODUCT     STATE     NODES
acme-mesh   Valid     5/10
db          Expired   -
`},
		"columns that stay": {screen: Screen{Width: 3}, want: `
PRODUCT     STATE
acme-mesh   Valid
db          Expired
`},
		"in color": {screen: Screen{Width: 47, Colored: true}, want: `
PRODUCT     STATE     NODES         CORES
acme-mesh   <32m>Valid<0m>     [##--] 5/10   [#---] 2/10
db          <31m>Expired<0m>   -
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			test.screen.Writer = &out
			if err := l.Write(test.screen, test.wide); err != nil {
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
