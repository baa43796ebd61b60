// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

// inDays is a time this many days after Present.
func inDays(days int) *metav1.Time { return new(metav1.NewTime(clitest.Present.AddDate(0, 0, days))) }

// wellProduct is a product without next steps.
func wellProduct() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh", Generation: 2},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", RenewalURL: "https://acme.example/renew"},
		Status: api.LicensedProductStatus{
			Conditions: []metav1.Condition{
				{Type: api.ConditionReady, Status: metav1.ConditionTrue, Reason: api.ReasonTermsAccepted},
				{Type: api.ConditionAlertsReady, Status: metav1.ConditionTrue, Reason: api.ReasonRuleApplied},
				{Type: api.ConditionRestrictionReady, Status: metav1.ConditionTrue, Reason: api.ReasonComplete},
			},
			ObservedGeneration: 2, State: api.LicensedProductValid, ActiveLicenseKeyName: "acme-mesh-2026",
			ExpiryTime: inDays(70), GraceEndTime: inDays(100), CoverageEndTime: inDays(100),
			Limits: []api.Limit{
				{Name: "cores", Value: new(int64(400))},
				{Name: "nodes", Value: new(int64(100))},
				{Name: "sites", Value: new(int64(5))},
			},
			Usage: []api.Usage{{Name: "nodes", Value: new(int64(73))}, {Name: "cores", Value: new(int64(292))}},
			Restriction: &api.RestrictionStatus{
				State: api.RestrictionScheduled, EffectiveTime: inDays(100),
				Preview: &api.RestrictionPreview{Mode: api.RestrictionDefaultTierOnly},
			},
		},
	}
}

func TestDaysLeft(t *testing.T) {
	for name, test := range map[string]struct {
		state                         api.LicensedProductState
		expiry, graceEnd, coverageEnd time.Duration
		want                          term.Cell
	}{
		"never licensed": {state: api.LicensedProductUnlicensed, want: term.Cell{Text: "-"}},
		"not reconciled": {want: term.Cell{Text: "-"}},
		"plenty": {
			api.LicensedProductValid, 60 * text.Day, 60 * text.Day, 60 * text.Day,
			term.Cell{Text: "60"},
		},
		"rounded down": {
			api.LicensedProductValid, 60*text.Day - 1, 60*text.Day - 1, 60*text.Day - 1,
			term.Cell{Text: "59", Color: term.ColorWarning},
		},
		"critical": {
			api.LicensedProductValid, 14*text.Day - 1, 14*text.Day - 1, 14*text.Day - 1,
			term.Cell{Text: "13", Color: term.ColorBad},
		},
		"a long grace period": {
			api.LicensedProductValid, 5 * text.Day, 95 * text.Day, 95 * text.Day,
			term.Cell{Text: "5"},
		},
		"a renewal in place": {
			api.LicensedProductValid, time.Second, 10 * text.Day, 400 * text.Day,
			term.Cell{Text: "<1"},
		},
		"over, by this clock": {api.LicensedProductValid, 0, 10 * text.Day, 400 * text.Day, term.Cell{Text: "0"}},
		"in grace": {
			api.LicensedProductGracePeriod, -10 * text.Day, 20 * text.Day, 20 * text.Day,
			term.Cell{Text: "20 (grace)", Color: term.ColorWarning},
		},
		"the last day of grace": {
			api.LicensedProductGracePeriod, -29 * text.Day, text.Day - 1, text.Day - 1,
			term.Cell{Text: "<1 (grace)", Color: term.ColorBad},
		},
		"expired": {
			api.LicensedProductExpired, -40 * text.Day, -10 * text.Day, -10 * text.Day,
			term.Cell{Text: "0", Color: term.ColorBad},
		},
	} {
		t.Run(name, func(t *testing.T) {
			status := &api.LicensedProductStatus{State: test.state}
			status.ExpiryTime, status.GraceEndTime = new(metav1.NewTime(clitest.Present.Add(test.expiry))),
				new(metav1.NewTime(clitest.Present.Add(test.graceEnd)))
			status.CoverageEndTime = new(metav1.NewTime(clitest.Present.Add(test.coverageEnd)))
			thresholds := api.AlertsSpec{ExpiryWarningDays: 60, ExpiryCriticalDays: 14}
			if got := daysLeft(status, thresholds, clitest.Present); !cmp.Equal(got, test.want,
				cmp.AllowUnexported(term.Cell{})) {
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
		want   term.Cell
	}{
		"none": {api.RestrictionStatus{State: api.RestrictionNone}, term.Cell{Text: "-"}},
		"scheduled": {
			api.RestrictionStatus{State: api.RestrictionScheduled, EffectiveTime: inDays(10)},
			term.Cell{Text: "2026-12-02T10:00:00Z", Short: "2026-12-02"},
		},
		"in force": {
			api.RestrictionStatus{
				State: api.RestrictionActive, EffectiveTime: inDays(-1),
				InForce: &api.RestrictionInForce{Tiers: make([]api.RestrictedTier, 2)},
			},
			term.Cell{Text: "2 tiers", Color: term.ColorBad},
		},
		"paused": {
			api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: inDays(-1), Pause: pausedUntil(2)},
			term.Cell{Text: "Paused", Color: term.ColorWarning},
		},
		"a pause in the future": {
			api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: inDays(1), Pause: pausedUntil(2)},
			term.Cell{Text: "Paused", Color: term.ColorWarning},
		},
		"scheduled after the pause": {
			api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: inDays(10), Pause: pausedUntil(10)},
			term.Cell{Text: "2026-12-02T10:00:00Z", Short: "2026-12-02"},
		},
		"paused, without an end": {
			api.RestrictionStatus{State: api.RestrictionPaused, Pause: pausedUntil(2)},
			term.Cell{Text: "Paused", Color: term.ColorWarning},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restrictedText(test.status); !cmp.Equal(got, test.want, cmp.AllowUnexported(term.Cell{})) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestStatusScreens(t *testing.T) {
	well, grace := wellProduct(), wellProduct()
	grace.Name = "acme-db"
	grace.Status.State, grace.Status.ExpiryTime = api.LicensedProductGracePeriod, inDays(-18)
	grace.Status.GraceEndTime, grace.Status.CoverageEndTime = inDays(12), inDays(12)
	grace.Status.Restriction = &api.RestrictionStatus{State: api.RestrictionNone}
	listing := newListing()
	listing.Add(statusRow(grace, clitest.Present)...)
	listing.Add(statusRow(well, clitest.Present)...)
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
			if err := listing.Write(term.Screen{Writer: &out, Width: test.width}, test.wide); err != nil {
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
		below = "See below the table what to do.\n"
		many  = "error: not licensed: p2 (not reconciled yet), p3 (Expired), p4 (Expired), p5 (Expired), p6 " +
			"(Expired) and 1 more\n"
	)
	for name, test := range map[string]struct {
		products []api.LicensedProduct
		format   string
		want     clitest.Output
	}{
		"none":     {nil, "", clitest.Output{}},
		"licensed": {products[:2], "", clitest.Output{}},
		"one is not": {
			products[:3], "",
			clitest.Output{
				Code:   command.ExitNotUsable,
				Stderr: "error: not licensed: p2 (not reconciled yet)\n" + below,
			},
		},
		"many are not": {products, output.Wide, clitest.Output{Code: command.ExitNotUsable, Stderr: many + below}},
		"one is not, in JSON": {
			products[:3], output.JSON,
			clitest.Output{
				Code:   command.ExitNotUsable,
				Stderr: "error: not licensed: p2 (not reconciled yet)\nSee what to do: kubectl license status p2\n",
			},
		},
		"many are not, in YAML": {
			products, output.YAML,
			clitest.Output{Code: command.ExitNotUsable, Stderr: many + "See what to do: kubectl license status\n"},
		},
		"names": {
			products, output.Name,
			clitest.Output{Code: command.ExitNotUsable, Stderr: many + "See what to do: kubectl license status\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			if got := (clitest.Output{
				Code:   command.PrintError(&text, judgeLicenses(test.products, test.format)),
				Stderr: text.String(),
			}); got != test.want {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestRowOfHalfAStatus(t *testing.T) {
	for _, state := range []api.LicensedProductState{
		"", "Unheard", api.LicensedProductUnlicensed,
		api.LicensedProductValid, api.LicensedProductGracePeriod, api.LicensedProductExpired,
	} {
		for _, restriction := range []api.RestrictionState{
			"", api.RestrictionNone, api.RestrictionScheduled,
			api.RestrictionActive, api.RestrictionPaused,
		} {
			product := &api.LicensedProduct{}
			product.Status.State, product.Status.Restriction = state, &api.RestrictionStatus{State: restriction}
			product.Status.Limits, product.Status.Usage = []api.Limit{{Name: "nodes"}, {Name: "sites"}},
				[]api.Usage{{Name: "nodes"}}
			if row := statusRow(product, clitest.Present); len(row) != len(newListing().Columns) {
				t.Errorf("%q, %q: got %+v", state, restriction, row)
			}
		}
	}
}
