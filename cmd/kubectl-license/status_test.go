// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// TestNotInstalled asks a cluster that has never heard of licenses. What real API servers answer is for test/plugin.
func TestNotInstalled(t *testing.T) {
	fake := newFakeAPI(t)
	fake.missing = true
	server := fake.start()
	want := output{
		code: exitFailed,
		stderr: "error: license-operator is not installed in this cluster: it has no LicensedProducts\nInstall it, " +
			"or choose another cluster with --context.\n",
	}
	for _, args := range [][]string{{"status"}, {"status", "acme-mesh", "--watch"}, {"keys"},
		{"request", "acme-mesh"}} {
		if got := newTerminal(t).run("", append(args, "--server", server)...); got != want {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

func TestDaysLeft(t *testing.T) {
	for name, test := range map[string]struct {
		state                         api.LicensedProductState
		expiry, graceEnd, coverageEnd time.Duration
		want                          cell
	}{
		"never licensed":    {state: api.LicensedProductUnlicensed, want: cell{text: "-"}},
		"nobody has looked": {want: cell{text: "-"}},
		"plenty":            {api.LicensedProductValid, 60 * day, 60 * day, 60 * day, cell{text: "60"}},
		"rounded down, to be seen": {api.LicensedProductValid, 60*day - 1, 60*day - 1, 60*day - 1,
			cell{text: "59", shade: shadeWarn}},
		"critical": {api.LicensedProductValid, 14*day - 1, 14*day - 1, 14*day - 1,
			cell{text: "13", shade: shadeBad}},
		"a long grace period": {api.LicensedProductValid, 5 * day, 95 * day, 95 * day, cell{text: "5"}},
		"a renewal in place":  {api.LicensedProductValid, time.Second, 10 * day, 400 * day, cell{text: "<1"}},
		"over, by this clock": {api.LicensedProductValid, 0, 10 * day, 400 * day, cell{text: "0"}},
		"in grace": {api.LicensedProductGracePeriod, -10 * day, 20 * day, 20 * day,
			cell{text: "20 (grace)", shade: shadeWarn}},
		"the last day of grace": {api.LicensedProductGracePeriod, -29 * day, day - 1, day - 1,
			cell{text: "<1 (grace)", shade: shadeBad}},
		"expired": {api.LicensedProductExpired, -40 * day, -10 * day, -10 * day,
			cell{text: "0", shade: shadeBad}},
	} {
		t.Run(name, func(t *testing.T) {
			status := &api.LicensedProductStatus{State: test.state}
			status.ExpiryTime, status.GraceEndTime = new(metav1.NewTime(present.Add(test.expiry))),
				new(metav1.NewTime(present.Add(test.graceEnd)))
			status.CoverageEndTime = new(metav1.NewTime(present.Add(test.coverageEnd)))
			thresholds := api.AlertsSpec{ExpiryWarningDays: 60, ExpiryCriticalDays: 14}
			if got := daysLeft(status, thresholds, present); !cmp.Equal(got, test.want, cmp.AllowUnexported(cell{})) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRestrictedText(t *testing.T) {
	pausedUntil := func(days int) *api.RestrictionPause {
		return &api.RestrictionPause{SinceTime: inDays(-1), UntilTime: inDays(days), Reason: "Freeze"}
	}
	for name, test := range map[string]struct {
		status api.RestrictionStatus
		want   cell
	}{
		"none": {api.RestrictionStatus{State: api.RestrictionNone}, cell{text: "-"}},
		"to come": {
			api.RestrictionStatus{State: api.RestrictionScheduled, EffectiveTime: inDays(10)},
			cell{text: "2026-12-02T10:00:00Z", short: "2026-12-02"},
		},
		"in force": {
			api.RestrictionStatus{State: api.RestrictionActive, EffectiveTime: inDays(-1),
				InForce: &api.RestrictionInForce{Tiers: make([]api.RestrictedTier, 2)}},
			cell{text: "2 tiers", shade: shadeBad},
		},
		"put off": {
			api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: inDays(-1), Pause: pausedUntil(2)},
			cell{text: "Paused", shade: shadeWarn},
		},
		"to be put off": {
			api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: inDays(1), Pause: pausedUntil(2)},
			cell{text: "Paused", shade: shadeWarn},
		},
		"to come when the pause is over": {
			api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: inDays(10), Pause: pausedUntil(10)},
			cell{text: "2026-12-02T10:00:00Z", short: "2026-12-02"},
		},
		"put off, nobody knows how long": {api.RestrictionStatus{State: api.RestrictionPaused, Pause: pausedUntil(2)},
			cell{text: "Paused", shade: shadeWarn}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restrictedText(test.status); !cmp.Equal(got, test.want, cmp.AllowUnexported(cell{})) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestStatusScreens(t *testing.T) {
	well, grace := wellProduct(), wellProduct()
	grace.Name = "acme-db"
	grace.Status.State, grace.Status.ExpiryTime, grace.Status.GraceEndTime, grace.Status.CoverageEndTime = api.LicensedProductGracePeriod, inDays(-18), inDays(12), inDays(12)
	grace.Status.Restriction = &api.RestrictionStatus{State: api.RestrictionNone}
	listing := newStatusListing()
	listing.add(statusRow(grace, present)...)
	listing.add(statusRow(well, present)...)
	for name, test := range map[string]struct {
		width int
		wide  bool
		want  string
	}{
		"a pipe": {want: `
PRODUCT     STATE         KEY              DAYS LEFT    GRACE END              NODES                 CORES                  RESTRICTED
acme-db     GracePeriod   acme-mesh-2026   12 (grace)   2026-12-04T10:00:00Z   [#######---] 73/100   [#######---] 292/400   -
acme-mesh   Valid         acme-mesh-2026   70           2027-03-02T10:00:00Z   [#######---] 73/100   [#######---] 292/400   2027-03-02T10:00:00Z
`},
		"a wide pipe": {wide: true, want: `
PRODUCT     STATE         KEY              DAYS LEFT    GRACE END              NODES                 CORES                  RESTRICTED             VENDOR   EXPIRES                COVERAGE END           RESTRICTS AT           OTHER LIMITS
acme-db     GracePeriod   acme-mesh-2026   12 (grace)   2026-12-04T10:00:00Z   [#######---] 73/100   [#######---] 292/400   -                      Acme     2026-11-04T10:00:00Z   2026-12-04T10:00:00Z   -                      sites 5
acme-mesh   Valid         acme-mesh-2026   70           2027-03-02T10:00:00Z   [#######---] 73/100   [#######---] 292/400   2027-03-02T10:00:00Z   Acme     2027-01-31T10:00:00Z   2027-03-02T10:00:00Z   2027-03-02T10:00:00Z   sites 5
`},
		"a terminal of 120 columns": {width: 120, want: `
PRODUCT     STATE         KEY              DAYS LEFT    GRACE END    NODES                 CORES     RESTRICTED
acme-db     GracePeriod   acme-mesh-2026   12 (grace)   2026-12-04   [#######---] 73/100   292/400   -
acme-mesh   Valid         acme-mesh-2026   70           2027-03-02   [#######---] 73/100   292/400   2027-03-02
`},
		"a terminal of 80 columns": {width: 80, want: `
PRODUCT     STATE         DAYS LEFT    NODES    CORES     RESTRICTED
acme-db     GracePeriod   12 (grace)   73/100   292/400   -
acme-mesh   Valid         70           73/100   292/400   2027-03-02
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := listing.write(screen{Writer: &out, width: test.width}, test.wide); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, "\n"+out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJudgeLicenses(t *testing.T) {
	products := make([]api.LicensedProduct, 8)
	for i := range products {
		products[i].Name, products[i].Status.State = "p"+string(rune('0'+i)), api.LicensedProductExpired
	}
	products[0].Status.State, products[1].Status.State, products[2].Status.State = api.LicensedProductValid,
		api.LicensedProductGracePeriod, ""
	const (
		below = "What to do is said below the table.\n"
		many  = "error: not licensed: p2 (not looked at yet), p3 (Expired), p4 (Expired), p5 (Expired), p6 " +
			"(Expired) and 1 more\n"
	)
	for name, test := range map[string]struct {
		products []api.LicensedProduct
		format   string
		want     output
	}{
		"none":     {nil, "", output{}},
		"licensed": {products[:2], "", output{}},
		"one is not": {products[:3], "",
			output{code: exitNotUsable, stderr: "error: not licensed: p2 (not looked at yet)\n" + below}},
		"many are not": {products, outputWide, output{code: exitNotUsable, stderr: many + below}},
		"one is not, in JSON": {products[:3], outputJSON,
			output{code: exitNotUsable,
				stderr: "error: not licensed: p2 (not looked at yet)\nSee what to do: kubectl license status p2\n"}},
		"many are not, in YAML": {products, outputYAML,
			output{code: exitNotUsable, stderr: many + "See what to do: kubectl license status\n"}},
		"names": {products, outputName,
			output{code: exitNotUsable, stderr: many + "See what to do: kubectl license status\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			if got := (output{code: report(&text, judgeLicenses(test.products, test.format)),
				stderr: text.String()}); got != test.want {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestRowOfHalfAStatus(t *testing.T) {
	for _, state := range []api.LicensedProductState{"", "Unheard", api.LicensedProductUnlicensed,
		api.LicensedProductValid, api.LicensedProductGracePeriod, api.LicensedProductExpired} {
		for _, restriction := range []api.RestrictionState{"", api.RestrictionNone, api.RestrictionScheduled,
			api.RestrictionActive, api.RestrictionPaused} {
			product := &api.LicensedProduct{}
			product.Status.State, product.Status.Restriction = state, &api.RestrictionStatus{State: restriction}
			product.Status.Limits, product.Status.Usage = []api.Limit{{Name: "nodes"}, {Name: "sites"}},
				[]api.Usage{{Name: "nodes"}}
			if row := statusRow(product, present); len(row) != len(newStatusListing().columns) {
				t.Errorf("%q, %q: got %+v", state, restriction, row)
			}
		}
	}
}
