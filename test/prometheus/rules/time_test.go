// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/rules"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// TestStories has for each course of events what became of each alert, to the minute.
func TestStories(t *testing.T) {
	for name, test := range map[string]struct {
		subject *subject
		minutes int
		events  map[int]func(*world)
		want    map[string]string
	}{
		"each waits for its time": {
			subject: acme(limited(key("2027", -360, 5, 0), map[string]int64{"nodes": 10, "cores": 10}),
				invalid("2028")).
				using(11, 10),
			minutes: 20,
			events:  map[int]func(*world){2: func(w *world) { w.operatorAhead = time.Hour }},
			want: map[string]string{
				"LicenseExpiring acme-mesh critical":                   "0m pending, 5m firing",
				"LicenseKeyInvalid acme-mesh warning license_key=2028": "0m pending, 5m firing",
				"LicenseNodesExceeded acme-mesh warning":               "0m pending, 15m firing",
				"LicenseCoresNearLimit acme-mesh warning":              "0m pending, 15m firing",
				"LicenseClockSkewed acme-mesh warning":                 "2m pending, 17m firing",
			},
		},
		"no key": {
			subject: product("acme-mesh", 1),
			minutes: 20,
			want:    map[string]string{"LicenseMissing acme-mesh warning": "0m pending, 15m firing"},
		},
		"no key, and the unlicensed period ends": {
			subject: withUnlicensed(product("acme-mesh", 1), 1, 20*time.Minute),
			minutes: 40,
			want: map[string]string{
				"LicenseMissing acme-mesh warning":  "0m pending, 15m firing, 20m resolved",
				"LicenseMissing acme-mesh critical": "20m pending, 35m firing",
			},
		},
		"expiry, grace, end, renewal": {
			subject: acme(minutely("2026", -1000, 10, 10)),
			minutes: 40,
			events: map[int]func(*world){30: func(w *world) {
				w.subjects[0].keys = append(w.subjects[0].keys,
					key("2027", 0, 365, 14))
			}},
			want: map[string]string{
				"LicenseExpiring acme-mesh critical":     "0m pending, 5m firing, 10m resolved",
				"LicenseInGracePeriod acme-mesh warning": "10m pending, 11m firing, 20m resolved",
				"LicenseExpired acme-mesh critical":      "20m pending, 21m firing, 30m resolved",
			},
		},
		"a staged renewal takes over": {
			subject: acme(minutely("2026", -1000, 10, 10), minutely("2027", 15, 500000, 0)),
			minutes: 40,
			want:    map[string]string{},
		},
		"a renewal is staged in grace": {
			subject: acme(minutely("2026", -1000, 2, 1000)),
			minutes: 20,
			events: map[int]func(*world){10: func(w *world) {
				w.subjects[0].keys = append(w.subjects[0].keys,
					key("2027", 0, 365, 14))
			}},
			want: map[string]string{
				"LicenseExpiring acme-mesh critical":     "0m pending, 2m resolved",
				"LicenseInGracePeriod acme-mesh warning": "2m pending, 3m firing, 10m resolved",
			},
		},
		"an invalid key outlives the good one, and is fixed": {
			subject: acme(key("2027", -100, 265, 14), invalid("2028")),
			minutes: 40,
			events: map[int]func(*world){
				10: func(w *world) { w.subjects[0].keys = w.subjects[0].keys[1:] },
				20: func(w *world) { w.subjects[0].keys = []license.Key{key("2028", -1, 365, 14)} },
			},
			want: map[string]string{
				"LicenseKeyInvalid acme-mesh warning license_key=2028":  "0m pending, 5m firing, 10m resolved",
				"LicenseKeyInvalid acme-mesh critical license_key=2028": "10m pending, 15m firing, 20m resolved",
			},
		},
		// Until nothing of the key is seen any more it takes five minutes.
		"an invalid key is deleted, and none is left": {
			subject: product("acme-mesh", 1, invalid("2027")),
			minutes: 40,
			events:  map[int]func(*world){10: func(w *world) { w.subjects[0].keys = nil }},
			want: map[string]string{
				"LicenseKeyInvalid acme-mesh critical license_key=2027": "0m pending, 5m firing, 14m resolved",
				"LicenseMissing acme-mesh warning":                      "14m pending, 29m firing",
			},
		},
		"more and more nodes": {
			subject: acme(limited(key("2027", -100, 265, 14), map[string]int64{"nodes": 10})).using(8, 0),
			minutes: 60,
			events: map[int]func(*world){
				5:  func(w *world) { w.subjects[0].using(9, 0) },
				25: func(w *world) { w.subjects[0].using(11, 0) },
				45: func(w *world) { limited(w.subjects[0].keys[0], map[string]int64{"nodes": 100}) },
			},
			want: map[string]string{
				"LicenseNodesNearLimit acme-mesh warning": "5m pending, 20m firing, 25m resolved",
				"LicenseNodesExceeded acme-mesh warning":  "25m pending, 40m firing, 45m resolved",
			},
		},
		"a policy gets around a restriction, and is then given another order": {
			subject: acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly),
			minutes: 40,
			events: map[int]func(*world){
				5: func(w *world) {
					w.subjects[0].seen.Policies = []calico.Policy{policy("first", calico.PassOrder)}
				},
				25: func(w *world) { w.subjects[0].seen.Policies = []calico.Policy{policy("first", -1e308)} },
			},
			want: map[string]string{
				"LicenseExpired acme-mesh critical":            "0m pending, 1m firing",
				"LicenseRestrictionBypassed acme-mesh warning": "5m pending, 20m firing, 25m resolved",
			},
		},
		"a policy gets around a restriction for too short to tell": {
			subject: acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder)),
			minutes: 40,
			events:  map[int]func(*world){10: func(w *world) { w.subjects[0].seen.Policies = nil }},
			want: map[string]string{
				"LicenseExpired acme-mesh critical":            "0m pending, 1m firing",
				"LicenseRestrictionBypassed acme-mesh warning": "0m pending, 10m resolved",
			},
		},
		"a restriction comes, is got around, paused, and ends with a renewal": {
			subject: acme(minutely("2026", -1000, 10, 10)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder)),
			minutes: 80,
			events: map[int]func(*world){
				40: func(w *world) { w.subjects[0].paused(w.now, 10*time.Minute) },
				70: func(w *world) { w.subjects[0].keys = append(w.subjects[0].keys, key("2027", 0, 365, 14)) },
			},
			want: map[string]string{
				"LicenseExpiring acme-mesh critical":      "0m pending, 5m firing, 10m resolved",
				"LicenseInGracePeriod acme-mesh critical": "10m pending, 11m firing, 20m resolved",
				"LicenseExpired acme-mesh critical":       "20m pending, 21m firing, 1h10m resolved",
				"LicenseRestrictionBypassed acme-mesh warning": "20m pending, 35m firing, 40m resolved, 50m " +
					"pending, 1h5m firing, 1h10m resolved",
			},
		},
		"a restriction takes effect at the end of the unlicensed period": {
			subject: withUnlicensed(product("acme-mesh", 1), 1, 20*time.Minute).
				restricting(api.RestrictionDefaultTierOnly, policy("first", calico.PassOrder)),
			minutes: 40,
			want: map[string]string{
				"LicenseMissing acme-mesh warning":             "0m pending, 15m firing, 20m resolved",
				"LicenseMissing acme-mesh critical":            "20m pending, 35m firing",
				"LicenseRestrictionBypassed acme-mesh warning": "20m pending, 35m firing",
			},
		},
		"operator gone": {
			subject: acme(key("2026", -385, -20, 14)),
			minutes: 40,
			events: map[int]func(*world){
				5:  func(w *world) { w.replicas[0].down = true },
				30: func(w *world) { w.replicas[0].down = false },
			},
			want: map[string]string{
				"LicenseExpired acme-mesh critical": "0m pending, 1m firing, 9m resolved, 30m pending, " +
					"31m firing",
				"LicenseMetricsAbsent acme-mesh critical": "5m pending, 15m firing, 30m resolved",
			},
		},
		// Prometheus looks for the series for five minutes more.
		"operator gone, and its target too": {
			subject: acme(key("2026", -385, -20, 14)),
			minutes: 40,
			events:  map[int]func(*world){5: func(w *world) { w.replicas[0].gone = true }},
			want: map[string]string{
				"LicenseExpired acme-mesh critical":       "0m pending, 1m firing, 9m resolved",
				"LicenseMetricsAbsent acme-mesh critical": "9m pending, 19m firing",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.subject)
			w.run(test.minutes, time.Minute, test.events, oneStory)
			if diff := cmp.Diff(test.want, w.history.stories()); diff != "" {
				t.Errorf("the alerts went other ways (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHandover: however one replica follows another, an alert that waits goes on waiting, and one that fires goes on
// firing.
func TestHandover(t *testing.T) {
	for name, events := range map[string]map[int]func(*world){
		"at once": {
			8: func(w *world) { w.lead("operator-b") },
		},
		"with both for a moment": {
			8:  func(w *world) { w.lead("operator-a", "operator-b") },
			10: func(w *world) { w.lead("operator-b") },
		},
		"with none for a while": {
			8:  func(w *world) { w.lead() },
			11: func(w *world) { w.lead("operator-b") },
		},
		"after a crash": {
			8:  func(w *world) { w.replicas[0].down = true; w.lead() },
			10: func(w *world) { w.replicas[0].gone = true; w.lead("operator-b") },
		},
		"after the node of the one was lost with its target": {
			8: func(w *world) { w.replicas[0].gone = true; w.lead("operator-b") },
		},
		"and back": {
			6:  func(w *world) { w.lead("operator-b") },
			8:  func(w *world) { w.lead("operator-a") },
			10: func(w *world) { w.lead("operator-b") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t,
				product("exceeded", 730, limited(key("exceeded", -370, -5, 14), map[string]int64{"nodes": 10}),
					invalid("invalid")).using(11, 0),
				product("expired", 730, key("expired", -385, -20, 14)),
				product("expiring", 730, limited(key("expiring", -360, 5, 0), map[string]int64{"cores": 10})).using(0,
					10),
				product("missing", 1),
				product("restricted", 730, key("restricted", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
					policy("first", calico.PassOrder)),
			)
			w.run(20, time.Minute, events, oneStory)
			want := map[string]string{
				"LicenseExpired expired critical":                        "0m pending, 1m firing",
				"LicenseExpiring expiring critical":                      "0m pending, 5m firing",
				"LicenseCoresNearLimit expiring warning":                 "0m pending, 15m firing",
				"LicenseInGracePeriod exceeded warning":                  "0m pending, 1m firing",
				"LicenseKeyInvalid exceeded warning license_key=invalid": "0m pending, 5m firing",
				"LicenseNodesExceeded exceeded warning":                  "0m pending, 15m firing",
				"LicenseMissing missing warning":                         "0m pending, 15m firing",
				"LicenseExpired restricted critical":                     "0m pending, 1m firing",
				"LicenseRestrictionBypassed restricted warning":          "0m pending, 15m firing",
			}
			got := w.history.stories()
			// That it was nearly absent is no story. That it never fired is.
			maps.DeleteFunc(got, func(name, story string) bool {
				return strings.HasPrefix(name, "LicenseMetricsAbsent ") && !strings.Contains(story, "firing")
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the alerts went other ways (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHandoverAtABoundary: the new replica says something else than the old one, whose series have not been noted to
// have ended. What was ends at once, and what is has to wait until nothing contradicts it.
func TestHandoverAtABoundary(t *testing.T) {
	handover := func(w *world) { w.replicas[0].gone = true; w.lead("operator-b") }
	for name, test := range map[string]struct {
		subject *subject
		events  map[int]func(*world)
		want    map[string]string
	}{
		"into the grace period": {
			subject: acme(minutely("2026", -1000, 10, 1000)),
			events:  map[int]func(*world){10: handover},
			want: map[string]string{
				"LicenseExpiring acme-mesh critical":     "0m pending, 5m firing, 10m resolved",
				"LicenseInGracePeriod acme-mesh warning": "14m pending, 15m firing",
			},
		},
		"renewed": {
			subject: acme(key("2026", -385, -20, 14)),
			events: map[int]func(*world){10: func(w *world) {
				handover(w)
				w.subjects[0].keys = append(w.subjects[0].keys, key("2027", 0, 365, 14))
			}},
			want: map[string]string{"LicenseExpired acme-mesh critical": "0m pending, 1m firing, 10m resolved"},
		},
		"into a restriction": {
			subject: acme(minutely("2026", -1000, 10, 0)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder)),
			events: map[int]func(*world){10: handover},
			want: map[string]string{
				"LicenseExpiring acme-mesh critical":           "0m pending, 5m firing, 10m resolved",
				"LicenseExpired acme-mesh critical":            "14m pending, 15m firing",
				"LicenseRestrictionBypassed acme-mesh warning": "14m pending, 29m firing",
			},
		},
		"renewed, and restricted no longer": {
			subject: acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder)),
			events: map[int]func(*world){20: func(w *world) {
				handover(w)
				w.subjects[0].keys = append(w.subjects[0].keys, key("2027", 0, 365, 14))
			}},
			want: map[string]string{
				"LicenseExpired acme-mesh critical":            "0m pending, 1m firing, 20m resolved",
				"LicenseRestrictionBypassed acme-mesh warning": "0m pending, 15m firing, 20m resolved",
			},
		},
		"to a node with a clock that is right": {
			subject: acme(key("2027", -100, 265, 14)),
			events: map[int]func(*world){
				0: func(w *world) { w.operatorAhead = time.Hour },
				20: func(w *world) {
					handover(w)
					w.operatorAhead = 0
				},
			},
			want: map[string]string{"LicenseClockSkewed acme-mesh warning": "0m pending, 15m firing, 20m resolved"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.subject)
			w.run(30, time.Minute, test.events, oneStory)
			if diff := cmp.Diff(test.want, w.history.stories()); diff != "" {
				t.Errorf("the alerts went other ways (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLife follows licenses from their first day until they have been renewed: no two alerts ever tell of their end at
// a time, and none is left in the end.
func TestLife(t *testing.T) {
	const perDay = 24 // every hour
	renew := func(w *world) { w.subjects[0].keys = append(w.subjects[0].keys, key("2028", 0, 400, 0)) }
	for name, test := range map[string]struct {
		subject *subject
		renewal int
		want    map[string]string
	}{
		"with a short grace period": {
			subject: acme(key("2027", 0, 10, 1)), renewal: 12,
			want: map[string]string{
				"LicenseExpiring acme-mesh warning":      "5d1h pending, 5d2h firing, 9d1h resolved",
				"LicenseExpiring acme-mesh critical":     "9d1h pending, 9d2h firing, 10d resolved",
				"LicenseInGracePeriod acme-mesh warning": "10d pending, 10d1h firing, 11d resolved",
				"LicenseExpired acme-mesh critical":      "11d pending, 11d1h firing, 12d resolved",
			},
		},
		"with a grace period that is longer than the warning": {
			subject: acme(key("2027", 0, 2, 7)), renewal: 10,
			want: map[string]string{
				"LicenseInGracePeriod acme-mesh warning": "2d pending, 2d1h firing, 9d resolved",
				"LicenseExpired acme-mesh critical":      "9d pending, 9d1h firing, 10d resolved",
			},
		},
		"with a short grace period that a restriction follows": {
			subject: acme(key("2027", 0, 10, 1)).restricting(api.RestrictionReadOnly,
				policy("first", calico.PassOrder)), renewal: 12,
			want: map[string]string{
				"LicenseExpiring acme-mesh warning":       "5d1h pending, 5d2h firing, 9d1h resolved",
				"LicenseExpiring acme-mesh critical":      "9d1h pending, 9d2h firing, 10d resolved",
				"LicenseInGracePeriod acme-mesh critical": "10d pending, 10d1h firing, 11d resolved",
				"LicenseExpired acme-mesh critical":       "11d pending, 11d1h firing, 12d resolved",
			},
		},
		"without a grace period, and with a key that does not verify": {
			subject: acme(key("2027", 0, 7, 0), invalid("2027-copy")), renewal: 8,
			want: map[string]string{
				"LicenseExpiring acme-mesh warning":  "1d1h pending, 1d2h firing, 5d1h resolved",
				"LicenseExpiring acme-mesh critical": "5d1h pending, 5d2h firing, 7d resolved",
				"LicenseExpired acme-mesh critical":  "7d pending, 7d1h firing, 8d resolved",
				"LicenseKeyInvalid acme-mesh warning license_key=2027-copy": "0m pending, 1h firing, 7d resolved, " +
					"8d pending, 8d1h firing",
				"LicenseKeyInvalid acme-mesh critical license_key=2027-copy": "7d pending, 7d1h firing, 8d resolved",
			},
		},
		"with a license that comes late, and a second that is staged with a gap": {
			subject: withUnlicensed(product("acme-mesh", 0, key("2027", 3, 4, 1), key("2027-2", 6, 7, 0)), 1, 0),
			renewal: 8,
			want: map[string]string{
				"LicenseMissing acme-mesh warning":  "0m pending, 1h firing, 1d resolved",
				"LicenseMissing acme-mesh critical": "1d pending, 1d1h firing, 3d resolved",
				"LicenseExpiring acme-mesh warning": "3d pending, 3d1h resolved",
				"LicenseExpiring acme-mesh critical": "3d1h pending, 3d2h firing, 4d resolved, 6d pending, 6d1h " +
					"firing, 7d resolved",
				"LicenseInGracePeriod acme-mesh warning": "4d pending, 4d1h firing, 5d resolved",
				"LicenseExpired acme-mesh critical": "5d pending, 5d1h firing, 6d resolved, 7d pending, 7d1h " +
					"firing, 8d resolved",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withAlerts(test.subject, 6, 2, 90))
			w.run((test.renewal+1)*perDay, day/perDay, map[int]func(*world){test.renewal * perDay: renew}, oneStory)
			if diff := cmp.Diff(test.want, w.history.stories()); diff != "" {
				t.Errorf("the alerts went other ways (-want +got):\n%s", diff)
			}
		})
	}
}

// oneStory fails where two alerts tell at once how the license of a product stands, or one tells the same with two
// severities.
func oneStory(w *world) {
	w.t.Helper()
	ofLife := []string{"LicenseExpiring", "LicenseInGracePeriod", "LicenseExpired", "LicenseMissing"}
	told := map[string]string{}
	for _, name := range w.inState(rules.StateFiring) {
		words := strings.Fields(name) // alert, product, severity, and the key
		topic := words[1] + " " + words[0] + strings.Join(words[3:], " ")
		if slices.Contains(ofLife, words[0]) {
			topic = words[1]
		}
		if other, ok := told[topic]; ok {
			w.t.Errorf("after %s both fire: %s, %s", w.now.Sub(start), other, name)
		}
		told[topic] = name
	}
}

// minutely is valid from one minute to another, counted from the start, and then in grace for some more.
func minutely(name string, from, to, grace int) license.Key {
	k := key(name, 0, 0, 0)
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	k.Claims.NotBefore, k.Claims.Expiry, k.Claims.GracePeriod = at(from), at(to), time.Duration(grace)*time.Minute
	return k
}

// paused puts the restriction off from now on.
func (s *subject) paused(now time.Time, duration time.Duration) {
	s.product.Annotations = map[string]string{api.RestrictionPauseAnnotation: restriction.PauseAnnotation(now,
		now.Add(duration))}
}

// withUnlicensed moves the creation so that the unlicensed period, some days, has a rest left at the start; none: it
// begins then.
func withUnlicensed(s *subject, unlicensedDays int32, rest time.Duration) *subject {
	s.product.Spec.UnlicensedGracePeriodDays = &unlicensedDays
	if rest != 0 {
		s.product.CreationTimestamp.Time = start.Add(rest - days(int(unlicensedDays)))
	}
	return s
}
