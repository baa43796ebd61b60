// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/rules"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// acme is a product that was created two years ago, whose license is warned of 60 and 14 days before it ends, and of
// whose limits 90 percent may be used in silence.
func acme(keys ...license.Key) *subject { return product("acme-mesh", 730, keys...) }

// product was created that many days ago.
func product(name string, daysAgo int, keys ...license.Key) *subject {
	return &subject{
		product: &api.LicensedProduct{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(start.Add(-days(daysAgo)))},
			Spec:       api.LicensedProductSpec{Vendor: "Acme", RenewalURL: "https://acme.example/renew"},
		},
		keys: keys,
	}
}

func (s *subject) using(nodes, cores int64) *subject {
	s.usage = []api.Usage{{Name: api.UsageCores, Value: &cores}, {Name: api.UsageNodes, Value: &nodes}}
	return s
}

// restricting gives the product a restriction of that mode, of every tier; empty: none. There is one tier that is not
// Calico's own, with these policies in it.
func (s *subject) restricting(mode api.RestrictionMode, policies ...calico.Policy) *subject {
	if mode != "" {
		s.product.Spec.Restriction = &api.RestrictionSpec{Mode: mode, TierSelector: &metav1.LabelSelector{}}
	}
	s.seen = restriction.Seen{Tiers: []calico.Tier{{Name: "default"}, {Name: "security"}}, Policies: policies}
	return s
}

// policy is one in the tier security. One of the least order that there is comes before the operator's,
// license-operator-pass, or after it, as its name does.
func policy(name string, order float64) calico.Policy {
	return calico.Policy{
		Kind: calico.GlobalNetworkPolicy, Name: "security." + name, Tier: "security",
		Order: &order, Denies: true, ForPods: true,
	}
}

// key is valid from one day to another, counted from the start, and then in grace for some more.
func key(name string, from, to, grace int) license.Key {
	return license.Key{Name: name, Claims: &license.Claims{
		ID: "L-" + name, Customer: "Example GmbH", IssuedTime: start.Add(days(min(from, 0) - 1)),
		NotBefore: start.Add(days(from)), Expiry: start.Add(days(to)), GracePeriod: days(grace),
	}}
}

func limited(k license.Key, limits map[string]int64) license.Key {
	k.Claims.Limits = limits
	return k
}

// invalid is a key that does not verify.
func invalid(name string) license.Key { return license.Key{Name: name} }

func days(n int) time.Duration { return time.Duration(n) * day }

// TestTruth has for each situation exactly those alerts that fire after 25 minutes, and that are pending then.
func TestTruth(t *testing.T) {
	for name, test := range map[string]struct {
		subjects []*subject
		// events by the minute, from 0 to 25.
		events  map[int]func(*world)
		firing  []string
		pending []string
	}{
		"valid": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
		},
		"valid, and used within the limits": {
			subjects: []*subject{
				acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100, "cores": 1000, "teapots": 0})).
					using(89, 899),
			},
		},
		"60 days of coverage left are enough": {
			subjects: []*subject{acme(key("2027", -100, 61, 0))},
		},
		"40 days left": {
			subjects: []*subject{acme(key("2027", -325, 40, 0))},
			firing:   []string{"LicenseExpiring acme-mesh warning"},
		},
		"40 days left with the grace period": {
			subjects: []*subject{acme(key("2027", -325, 10, 30))},
			firing:   []string{"LicenseExpiring acme-mesh warning"},
		},
		"5 days left": {
			subjects: []*subject{acme(key("2027", -360, 5, 0))},
			firing:   []string{"LicenseExpiring acme-mesh critical"},
		},
		"5 days left, and the thresholds are the product's own": {
			subjects: []*subject{withAlerts(acme(key("2027", -360, 5, 0)), 6, 3, 90)},
			firing:   []string{"LicenseExpiring acme-mesh warning"},
		},
		"5 days left, and the thresholds are lower": {
			subjects: []*subject{withAlerts(acme(key("2027", -360, 5, 0)), 4, 3, 90)},
		},
		"5 days left, renewal staged": {
			subjects: []*subject{acme(key("2026", -360, 5, 0), key("2027", 5, 370, 0))},
		},
		"5 days left, renewal staged that begins within the grace period": {
			subjects: []*subject{acme(key("2026", -360, 5, 3), key("2027", 8, 370, 0))},
		},
		"5 days left, renewal staged that ends soon": {
			subjects: []*subject{acme(key("2026", -360, 5, 0), key("2027", 5, 35, 0))},
			firing:   []string{"LicenseExpiring acme-mesh warning"},
		},
		"5 days left, renewal staged with a gap": {
			subjects: []*subject{acme(key("2026", -360, 5, 1), key("2027", 7, 370, 0))},
			firing:   []string{"LicenseExpiring acme-mesh critical"},
		},
		"in grace": {
			subjects: []*subject{acme(key("2026", -370, -5, 14))},
			firing:   []string{"LicenseInGracePeriod acme-mesh warning"},
		},
		"in grace for long": {
			subjects: []*subject{acme(key("2026", -370, -1, 90))},
			firing:   []string{"LicenseInGracePeriod acme-mesh warning"},
		},
		"in grace, comfortable renewal staged": {
			subjects: []*subject{acme(key("2026", -370, -5, 14), key("2027", 2, 367, 0))},
		},
		"in grace, renewal staged that ends soon": {
			subjects: []*subject{acme(key("2026", -370, -5, 14), key("2027", 2, 32, 0))},
			firing:   []string{"LicenseInGracePeriod acme-mesh warning"},
		},
		"in grace, renewal staged with a gap": {
			subjects: []*subject{acme(key("2026", -370, -5, 14), key("2027", 10, 375, 0))},
			firing:   []string{"LicenseInGracePeriod acme-mesh warning"},
		},
		"expired": {
			subjects: []*subject{acme(key("2026", -385, -20, 14))},
			firing:   []string{"LicenseExpired acme-mesh critical"},
		},
		"expired, renewal that has yet to begin": {
			subjects: []*subject{acme(key("2026", -385, -20, 14), key("2027", 5, 370, 14))},
			firing:   []string{"LicenseExpired acme-mesh critical"},
		},
		"invalid signature alone": {
			subjects: []*subject{acme(invalid("2027"))},
			firing:   []string{"LicenseKeyInvalid acme-mesh critical license_key=2027"},
		},
		"an invalid key beside a good one": {
			subjects: []*subject{acme(key("2027", -100, 265, 14), invalid("2028"))},
			firing:   []string{"LicenseKeyInvalid acme-mesh warning license_key=2028"},
		},
		"an invalid key beside one in grace": {
			subjects: []*subject{acme(key("2026", -370, -5, 14), invalid("2027"))},
			firing: []string{
				"LicenseInGracePeriod acme-mesh warning",
				"LicenseKeyInvalid acme-mesh warning license_key=2027",
			},
		},
		"two invalid keys": {
			subjects: []*subject{acme(invalid("2027"), invalid("2027-again"))},
			firing: []string{
				"LicenseKeyInvalid acme-mesh critical license_key=2027",
				"LicenseKeyInvalid acme-mesh critical license_key=2027-again",
			},
		},
		"an old expired key beside a good one": {
			subjects: []*subject{acme(key("2026", -470, -105, 0), key("2027", -100, 265, 14))},
		},
		"expired with an invalid renewal": {
			subjects: []*subject{acme(key("2026", -385, -20, 14), invalid("2027"))},
			firing: []string{
				"LicenseExpired acme-mesh critical",
				"LicenseKeyInvalid acme-mesh critical license_key=2027",
			},
		},
		"no key": {
			subjects: []*subject{product("acme-mesh", 1)},
			firing:   []string{"LicenseMissing acme-mesh warning"},
		},
		"no key, but use": {
			subjects: []*subject{product("acme-mesh", 1).using(100, 1000)},
			firing:   []string{"LicenseMissing acme-mesh warning"},
		},
		"no key, and the unlicensed period is over": {
			subjects: []*subject{product("acme-mesh", 31)},
			firing:   []string{"LicenseMissing acme-mesh critical"},
		},
		"a future key only": {
			subjects: []*subject{product("acme-mesh", 1, key("2027", 3, 368, 14))},
			firing:   []string{"LicenseMissing acme-mesh warning"},
		},
		"a future key and an invalid one": {
			subjects: []*subject{product("acme-mesh", 1, key("2027", 3, 368, 14), invalid("2026"))},
			firing:   []string{"LicenseKeyInvalid acme-mesh critical license_key=2026"},
		},
		"the only key deleted": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.subjects[0].keys = nil }},
			firing:   []string{"LicenseMissing acme-mesh warning"},
		},
		"over the node limit": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100})).using(101,
				5000)},
			firing: []string{"LicenseNodesExceeded acme-mesh warning"},
		},
		"over the node limit in grace": {
			subjects: []*subject{acme(limited(key("2026", -370, -5, 14), map[string]int64{"nodes": 100})).using(101,
				5000)},
			firing: []string{"LicenseInGracePeriod acme-mesh warning", "LicenseNodesExceeded acme-mesh warning"},
		},
		"near the node limit": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100})).using(90,
				0)},
			firing: []string{"LicenseNodesNearLimit acme-mesh warning"},
		},
		"near the node limit, and the threshold is the product's own": {
			subjects: []*subject{withAlerts(acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100})).
				using(90, 0), 60, 14, 91)},
		},
		"at the node limit": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100})).using(100,
				0)},
			firing: []string{"LicenseNodesNearLimit acme-mesh warning"},
		},
		"a node limit of 0, without nodes": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 0})).using(0, 0)},
		},
		"a node limit of 0, with nodes": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 0})).using(1, 8)},
			firing:   []string{"LicenseNodesExceeded acme-mesh warning"},
		},
		"a limit, and nothing is counted": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 0, "cores": 0}))},
		},
		"near the cores limit": {
			subjects: []*subject{
				acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100, "cores": 1000})).using(10,
					900),
			},
			firing: []string{"LicenseCoresNearLimit acme-mesh warning"},
		},
		"over the cores limit": {
			subjects: []*subject{
				acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 100, "cores": 1000})).using(10,
					1001),
			},
			firing: []string{"LicenseCoresExceeded acme-mesh warning"},
		},
		"over a limit that the largest number is": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 1<<63 - 1})).
				using(10, 1001)},
		},
		"a valid license, the operator's clock set back": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.operatorAhead = -days(40) }},
			firing:   []string{"LicenseClockSkewed acme-mesh warning"},
		},
		"an expired license, the operator's clock set back": {
			subjects: []*subject{acme(key("2026", -385, -20, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.operatorAhead = -days(40) }},
			firing:   []string{"LicenseClockSkewed acme-mesh warning", "LicenseExpired acme-mesh critical"},
		},
		"an expired license, all clocks of the cluster set back": {
			subjects: []*subject{acme(key("2026", -385, -20, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.operatorAhead, w.serverAhead = -days(40), -days(40) }},
			firing:   []string{"LicenseClockSkewed acme-mesh warning", "LicenseExpired acme-mesh critical"},
		},
		"a clock set back, and right again": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events: map[int]func(*world){
				2:  func(w *world) { w.operatorAhead = -days(40) },
				12: func(w *world) { w.operatorAhead = 0 },
			},
		},
		"restricted": {
			subjects: []*subject{acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", 0), policy("second", calico.PassOrder))},
			firing: []string{"LicenseExpired acme-mesh critical"},
		},
		"restricted, and two policies get around it": {
			subjects: []*subject{acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder), policy("ahead", calico.PassOrder),
				policy("second", calico.PassOrder))},
			firing: []string{"LicenseExpired acme-mesh critical", "LicenseRestrictionBypassed acme-mesh warning"},
		},
		"restricted while an invalid key is there, and a policy gets around it": {
			subjects: []*subject{product("acme-mesh", 31, invalid("2027")).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder))},
			firing: []string{
				"LicenseKeyInvalid acme-mesh critical license_key=2027",
				"LicenseRestrictionBypassed acme-mesh warning",
			},
		},
		"restricted, and a tier is stuck in its deletion": {
			subjects: []*subject{acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
				policy("any", 0)).deletingTiers()},
			firing: []string{"LicenseExpired acme-mesh critical", "LicenseRestrictionBypassed acme-mesh warning"},
		},
		"restricted on a cluster without tiers": {
			subjects: []*subject{
				withoutTiers(acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly)),
			},
			firing: []string{"LicenseExpired acme-mesh critical"},
		},
		"in grace, comfortable renewal staged before a restriction": {
			subjects: []*subject{acme(key("2026", -370, -5, 14), key("2027", 2, 367, 0)).
				restricting(api.RestrictionDefaultTierOnly, policy("first", calico.PassOrder))},
		},
		"in grace, renewal staged before a restriction that ends soon": {
			subjects: []*subject{acme(key("2026", -370, -5, 14), key("2027", 2, 32, 0)).
				restricting(api.RestrictionReadOnly)},
			firing: []string{"LicenseInGracePeriod acme-mesh critical"},
		},
		"operator gone": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.replicas[0].down = true }},
			firing:   []string{"LicenseMetricsAbsent acme-mesh critical"},
		},
		"operator gone, and its target too": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.replicas[0].gone = true }},
			firing:   []string{"LicenseMetricsAbsent acme-mesh critical"},
		},
		"operator gone while there was something to tell": {
			subjects: []*subject{acme(limited(key("2026", -370, -5, 14), map[string]int64{"nodes": 1}),
				invalid("2027")).
				using(2, 16)},
			events: map[int]func(*world){5: func(w *world) { w.replicas[0].down = true }},
			firing: []string{"LicenseMetricsAbsent acme-mesh critical"},
		},
		"operator that leads no more, and no other does": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events:   map[int]func(*world){5: func(w *world) { w.lead() }},
			firing:   []string{"LicenseMetricsAbsent acme-mesh critical"},
		},
		"operator restarted": {
			subjects: []*subject{acme(key("2027", -100, 265, 14))},
			events: map[int]func(*world){
				5:  func(w *world) { w.replicas[0].down = true },
				13: func(w *world) { w.replicas[0].down = false },
			},
		},
		"two products, each with its own story": {
			subjects: []*subject{
				acme(key("2026", -385, -20, 14)),
				product("acme-mesh.eu", 1, invalid("eu")),
				product("bolt", 800, limited(key("bolt", -360, 5, 0), map[string]int64{"nodes": 10})).using(9, 9),
				product("calm", 800, key("calm", -100, 265, 14)),
			},
			firing: []string{
				"LicenseExpired acme-mesh critical",
				"LicenseExpiring bolt critical",
				"LicenseKeyInvalid acme-mesh.eu critical license_key=eu",
				"LicenseNodesNearLimit bolt warning",
			},
		},
		"pending": {
			subjects: []*subject{acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 10})).using(2, 2)},
			events: map[int]func(*world){
				21: func(w *world) { w.subjects[0].keys = append(w.subjects[0].keys, invalid("2028")) },
				20: func(w *world) { w.subjects[0].using(11, 11) },
			},
			pending: []string{
				"LicenseKeyInvalid acme-mesh warning license_key=2028",
				"LicenseNodesExceeded acme-mesh warning",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.subjects...)
			w.run(26, time.Minute, test.events)
			if diff := cmp.Diff(append([]string{}, test.firing...), w.inState(rules.StateFiring)); diff != "" {
				t.Errorf("other alerts fire (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, test.pending...), w.inState(rules.StatePending)); diff != "" {
				t.Errorf("other alerts are pending (-want +got):\n%s", diff)
			}
		})
	}
}

func withAlerts(s *subject, warningDays, criticalDays, percent int32) *subject {
	s.product.Spec.Alerts = &api.AlertsSpec{
		ExpiryWarningDays: warningDays, ExpiryCriticalDays: criticalDays,
		UsageWarningPercent: percent,
	}
	return s
}

// deletingTiers has all tiers in the middle of their deletion.
func (s *subject) deletingTiers() *subject {
	for i := range s.seen.Tiers {
		s.seen.Tiers[i].Deleting = true
	}
	return s
}

func withoutTiers(s *subject) *subject {
	s.seen = restriction.Seen{}
	return s
}

// TestRestriction has for each mode that terms ask for, and each that the cluster owner allows at most, what fires in
// each state of a product. A policy would get around the restriction of each.
func TestRestriction(t *testing.T) {
	const none, observe = "", api.RestrictionObserve
	const readOnly, defaultTierOnly = api.RestrictionReadOnly, api.RestrictionDefaultTierOnly
	for _, test := range []struct {
		asked, max api.RestrictionMode
		// inGrace is the severity of LicenseInGracePeriod.
		inGrace string
		// bypassed tells whether something fires that only mode DefaultTierOnly has.
		bypassed bool
	}{
		{none, defaultTierOnly, "warning", false},
		{observe, defaultTierOnly, "warning", false},
		{readOnly, defaultTierOnly, "critical", false},
		{defaultTierOnly, defaultTierOnly, "critical", true},
		{none, readOnly, "warning", false},
		{observe, readOnly, "warning", false},
		{readOnly, readOnly, "critical", false},
		{defaultTierOnly, readOnly, "critical", false},
		{none, observe, "warning", false},
		{observe, observe, "warning", false},
		{readOnly, observe, "warning", false},
		{defaultTierOnly, observe, "warning", false},
		{readOnly, none, "warning", false},
		{defaultTierOnly, none, "warning", false},
	} {
		t.Run(fmt.Sprintf("%q of at most %q", test.asked, test.max), func(t *testing.T) {
			t.Parallel()
			of := func(name string, daysAgo int, keys ...license.Key) *subject {
				return product(name, daysAgo, keys...).restricting(test.asked, policy("first", calico.PassOrder))
			}
			paused := of("paused", 730, key("paused", -385, -20, 14))
			paused.paused(start, day)
			under := options
			under.MaxRestriction = test.max
			w := newWorldWith(t, under,
				of("ending", 730, key("ending", -360, 5, 0)),
				of("expired", 730, key("expired", -385, -20, 14)),
				of("expiring", 730, key("expiring", -325, 10, 30)),
				of("in-grace", 730, key("in-grace", -370, -5, 14)),
				of("lost", 730, invalid("lost")),
				of("missing", 1),
				of("missing-for-long", 31),
				paused,
				of("renewed", 730, key("renewed", -370, -5, 14), key("renewed-2027", 2, 367, 0)),
				of("valid", 730, key("valid", -100, 265, 14)),
			)
			w.run(2, 20*time.Minute, nil, oneStory)
			want := []string{
				"LicenseExpired expired critical",
				"LicenseExpired paused critical",
				"LicenseExpiring ending critical",
				"LicenseExpiring expiring warning",
				"LicenseInGracePeriod in-grace " + test.inGrace,
				"LicenseKeyInvalid lost critical license_key=lost",
				"LicenseMissing missing warning",
				"LicenseMissing missing-for-long critical",
			}
			if test.bypassed {
				want = append(want,
					"LicenseRestrictionBypassed expired warning",
					"LicenseRestrictionBypassed lost warning",
					"LicenseRestrictionBypassed missing-for-long warning",
				)
			}
			if diff := cmp.Diff(want, w.inState(rules.StateFiring)); diff != "" {
				t.Errorf("other alerts fire (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStateDoesNotRevive: the metrics say so too, while the clock is behind.
func TestStateDoesNotRevive(t *testing.T) {
	w := newWorld(t, acme(key("2026", -370, -5, 14)))
	grace := func() []string {
		var states []string
		for _, sample := range w.query(`license_state == 1`) {
			states = append(states, sample.Metric.Get("state"))
		}
		return states
	}
	w.run(10, time.Minute, map[int]func(*world){5: func(w *world) { w.operatorAhead = -days(40) }}, func(w *world) {
		if diff := cmp.Diff([]string{"GracePeriod"}, grace()); diff != "" {
			t.Errorf("after %s another state (-want +got):\n%s", w.now.Sub(start), diff)
		}
	})
}

// TestCalicoRule has the rule that Calico Enterprise documents work unchanged.
func TestCalicoRule(t *testing.T) {
	for name, test := range map[string]struct {
		keys []license.Key
		want map[string]float64
	}{
		"16 days left": {keys: []license.Key{key("2027", -349, 16, 0)}, want: map[string]float64{}},
		"14 days left": {keys: []license.Key{key("2027", -351, 14, 0)}, want: map[string]float64{"2027": 14}},
		"in grace":     {keys: []license.Key{key("2027", -366, -1, 14)}, want: map[string]float64{"2027": -1}},
		"expired":      {keys: []license.Key{key("2027", -400, -35, 14)}, want: map[string]float64{"2027": -35}},
		"renewed": {
			keys: []license.Key{key("2026", -370, -5, 14), key("2027", -1, 364, 14)},
			want: map[string]float64{},
		},
		"invalid": {keys: []license.Key{invalid("2027")}, want: map[string]float64{}},
		"none":    {want: map[string]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, acme(test.keys...))
			got := map[string]float64{}
			w.run(1, time.Minute, nil, func(w *world) {
				for _, sample := range w.query(`license_number_of_days < 15`) {
					got[sample.Metric.Get("license_key")] = sample.F
				}
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the rule yields something else (-want +got):\n%s", diff)
			}
		})
	}
}
