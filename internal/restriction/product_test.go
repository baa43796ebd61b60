// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
)

// at is so many days after the epoch.
func at(days float64) time.Time { return epoch.Add(time.Duration(days * 24 * float64(time.Hour))) }

func stamp(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }

// terms are those of product mesh, created at the epoch: unlicensed for 30 days it is restricted, in every tier.
func terms(mode api.RestrictionMode, changes ...func(*api.LicensedProduct)) *api.LicensedProduct {
	p := &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{
			Name: "mesh", CreationTimestamp: metav1.NewTime(epoch),
			Annotations: map[string]string{},
		},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew", UnlicensedGracePeriodDays: new(int32(30)),
			Restriction: &api.RestrictionSpec{Mode: mode, TierSelector: &metav1.LabelSelector{}},
		},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func pausedBetween(since, until time.Time) func(*api.LicensedProduct) {
	return func(p *api.LicensedProduct) {
		p.Annotations[api.RestrictionPauseAnnotation] = restriction.PauseAnnotation(since, until)
	}
}

// inForceSince is what the status of a product says whose restriction is, as from day 30 on it would be.
func inForceSince(since time.Time) func(*api.LicensedProduct) {
	return func(p *api.LicensedProduct) {
		p.Status.State, p.Status.TimeMark = api.LicensedProductUnlicensed, stamp(since)
		p.Status.Restriction = &api.RestrictionStatus{
			State: api.RestrictionActive, EffectiveTime: stamp(at(30)), Basis: api.RestrictionBasisNeverLicensed,
			InForce: &api.RestrictionInForce{Mode: defaultTierOnly, SinceTime: stamp(since)},
		}
	}
}

func selecting(selector *metav1.LabelSelector) func(*api.LicensedProduct) {
	return func(p *api.LicensedProduct) { p.Spec.Restriction.TierSelector = selector }
}

func keyOf(name string, from, to float64) license.Key {
	return license.Key{
		Name: name,
		Claims: &license.Claims{
			ID: name, IssuedTime: at(from), NotBefore: at(from), Expiry: at(to),
			GracePeriod: 24 * time.Hour,
		},
	}
}

func agreeing(days float64) license.ClockReading {
	return license.ClockReading{Now: at(days), Agreement: license.ClocksAgree}
}

func disagreeing(days float64) license.ClockReading {
	return license.ClockReading{Now: at(days), Agreement: license.ClocksDisagree}
}

func TestProductOf(t *testing.T) {
	selected := labels.SelectorFromSet(labels.Set{"team": "net"})
	// mesh is what is known of the product in any case.
	mesh := func(effective time.Time, changes ...func(*restriction.Product)) restriction.Product {
		p := restriction.Product{
			Name: "mesh", Vendor: "Acme", RenewalURL: "https://acme.example/renew", Mode: defaultTierOnly,
			TierSelector: labels.Everything(), EffectiveTime: effective,
		}
		for _, change := range changes {
			change(&p)
		}
		return p
	}
	due := func(p *restriction.Product) { p.Due = true }
	disputed := func(p *restriction.Product) { p.Disputed = true }
	paused := func(p *restriction.Product) { p.Paused = true }
	since := func(at time.Time) func(*restriction.Product) { return func(p *restriction.Product) { p.Since = at } }
	unrestricted := func(p *restriction.Product) { p.Mode, p.TierSelector = "", nil }
	unselecting := func(p *restriction.Product) { p.TierSelector = nil }
	restrictsAtOnce := func(p *api.LicensedProduct) { p.Spec.UnlicensedGracePeriodDays = new(int32(0)) }

	for name, test := range map[string]struct {
		product *api.LicensedProduct
		clock   license.ClockReading
		keys    []license.Key
		want    restriction.Product
	}{
		"terms without a restriction": {
			product: terms(defaultTierOnly, func(p *api.LicensedProduct) { p.Spec.Restriction = nil }),
			clock:   agreeing(40), want: mesh(at(30), unrestricted),
		},
		"terms that have lost theirs while it was in force": {
			product: terms(defaultTierOnly,
				inForceSince(at(30)), func(p *api.LicensedProduct) { p.Spec.Restriction = nil }),
			clock: agreeing(40), want: mesh(at(30), unrestricted),
		},
		"a product that is being deleted": {
			product: terms(defaultTierOnly,
				inForceSince(at(30)), func(p *api.LicensedProduct) { p.DeletionTimestamp = stamp(at(40)) }),
			clock: agreeing(40), want: mesh(at(30), unrestricted),
		},
		"to come": {product: terms(defaultTierOnly), clock: agreeing(29), want: mesh(at(30))},
		"a moment before": {
			product: terms(defaultTierOnly),
			clock:   license.ClockReading{Now: at(30).Add(-1), Agreement: license.ClocksAgree}, want: mesh(at(30)),
		},
		"due": {product: terms(defaultTierOnly), clock: agreeing(30), want: mesh(at(30), due)},
		"due, and no server was heard": {
			product: terms(defaultTierOnly), clock: license.ClockReading{Now: at(30)},
			want: mesh(at(30), due),
		},
		"due in its first second": {
			product: terms(defaultTierOnly, restrictsAtOnce), clock: agreeing(0),
			want: mesh(at(0), due),
		},
		"in force": {
			product: terms(defaultTierOnly, inForceSince(at(31))), clock: agreeing(40),
			want: mesh(at(30), due, since(at(31))),
		},
		"in force by a status that tells no instant": {
			product: terms(defaultTierOnly, inForceSince(time.Time{})), clock: agreeing(40), want: mesh(at(30), due),
		},
		"a status alone starts nothing": {
			product: terms(defaultTierOnly, func(p *api.LicensedProduct) {
				p.Status.Restriction = &api.RestrictionStatus{
					State:   api.RestrictionActive,
					InForce: &api.RestrictionInForce{Mode: defaultTierOnly, SinceTime: stamp(at(0))},
				}
			}),
			clock: agreeing(10), want: mesh(at(30)),
		},
		"covered by a key": {
			product: terms(defaultTierOnly), clock: agreeing(40),
			keys: []license.Key{keyOf("k", 20, 50)}, want: mesh(at(51)),
		},
		"covered by a key in its grace period": {
			product: terms(defaultTierOnly), clock: agreeing(50.5), keys: []license.Key{keyOf("k", 20, 50)},
			want: mesh(at(51)),
		},
		"a key has come while it was in force": {
			product: terms(defaultTierOnly, inForceSince(at(31))), clock: agreeing(40),
			keys: []license.Key{keyOf("k", 20, 50)}, want: mesh(at(51)),
		},
		"a key that has expired ends nothing": {
			product: terms(defaultTierOnly, inForceSince(at(31))), clock: agreeing(60),
			keys: []license.Key{keyOf("k", 20, 50)}, want: mesh(at(30), due, since(at(31))),
		},
		"a key that has yet to begin ends nothing": {
			product: terms(defaultTierOnly, inForceSince(at(31))), clock: agreeing(40),
			keys: []license.Key{keyOf("k", 45, 50)}, want: mesh(at(30), due, since(at(31))),
		},
		"the clocks disagree before it is due": {
			product: terms(defaultTierOnly), clock: disagreeing(29),
			want: mesh(at(30)),
		},
		"the clocks disagree when it is due": {
			product: terms(defaultTierOnly), clock: disagreeing(30),
			want: mesh(at(30), disputed),
		},
		"the clocks disagree once it is in force": {
			product: terms(defaultTierOnly, inForceSince(at(31))), clock: disagreeing(40),
			want: mesh(at(30), due, since(at(31))),
		},
		"the clocks disagree once it is in force, and the operator's is set back": {
			product: terms(defaultTierOnly, inForceSince(at(31))), clock: disagreeing(10),
			want: mesh(at(30), due, since(at(31))),
		},
		"behind the mark, which counts": {
			product: terms(defaultTierOnly, func(p *api.LicensedProduct) { p.Status.TimeMark = stamp(at(35)) }),
			clock:   agreeing(10), want: mesh(at(30), due),
		},
		"behind a mark from before": {
			product: terms(defaultTierOnly, func(p *api.LicensedProduct) { p.Status.TimeMark = stamp(at(25)) }),
			clock:   agreeing(10), want: mesh(at(30)),
		},
		"behind the mark, which counts for pauses too": {
			product: terms(defaultTierOnly, inForceSince(at(35)), pausedBetween(at(34), at(36))),
			clock:   agreeing(10), want: mesh(at(30), due, since(at(35)), paused),
		},
		"paused before it is due": {
			product: terms(defaultTierOnly, pausedBetween(at(10), at(20))), clock: agreeing(15),
			want: mesh(at(30), paused),
		},
		"paused when it would be due": {
			product: terms(defaultTierOnly, pausedBetween(at(29), at(31))),
			clock:   agreeing(30), want: mesh(at(30), due, paused),
		},
		"paused while it is in force": {product: terms(defaultTierOnly, inForceSince(at(31)),
			pausedBetween(at(40), at(41))), clock: agreeing(40), want: mesh(at(30), due, since(at(31)), paused)},
		"to be paused": {
			product: terms(defaultTierOnly, pausedBetween(at(40), at(41))),
			clock:   agreeing(39.9), want: mesh(at(30), due),
		},
		"paused, and due again": {
			product: terms(defaultTierOnly, pausedBetween(at(40), at(41))),
			clock:   agreeing(41), want: mesh(at(30), due),
		},
		"paused for a year: for 14 days": {
			product: terms(defaultTierOnly, pausedBetween(at(40), at(405))),
			clock:   agreeing(53.9), want: mesh(at(30), due, paused),
		},
		"paused for a year, and over": {
			product: terms(defaultTierOnly, pausedBetween(at(40), at(405))),
			clock:   agreeing(54), want: mesh(at(30), due),
		},
		"paused, and the clocks disagree when that is over": {
			product: terms(defaultTierOnly, pausedBetween(at(40), at(41))), clock: disagreeing(41),
			want: mesh(at(30), disputed),
		},
		"paused, and disputed": {
			product: terms(defaultTierOnly, pausedBetween(at(40), at(41))), clock: disagreeing(40),
			want: mesh(at(30), disputed, paused),
		},
		"paused by an invalid annotation": {
			product: terms(defaultTierOnly,
				func(p *api.LicensedProduct) { p.Annotations[api.RestrictionPauseAnnotation] = "for ever" }),
			clock: agreeing(40), want: mesh(at(30), due),
		},
		"in Observe": {
			product: terms(observe), clock: agreeing(40),
			want: mesh(at(30), due, func(p *restriction.Product) { p.Mode = observe }),
		},
		"in Observe, without a selector": {
			product: terms(observe, selecting(nil)), clock: agreeing(40),
			want: mesh(at(30), due, unselecting, func(p *restriction.Product) { p.Mode = observe }),
		},
		"with a selector": {
			product: terms(readOnly, selecting(&metav1.LabelSelector{MatchLabels: map[string]string{"team": "net"}})),
			clock:   agreeing(40),
			want:    mesh(at(30), due, func(p *restriction.Product) { p.Mode, p.TierSelector = readOnly, selected }),
		},
		"with a selector that is none": {
			product: terms(defaultTierOnly,
				selecting(&metav1.LabelSelector{
					MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}},
				})),
			clock: agreeing(40), want: mesh(at(30), due, unselecting),
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := license.Evaluate(license.ResolveTime(test.clock, test.product), test.product, test.keys)
			before := test.product.DeepCopy()
			got := restriction.ProductOf(test.product, &e)
			if diff := cmp.Diff(test.want, got, cmp.Comparer(selectSame)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(before, test.product); diff != "" {
				t.Errorf("the product was changed: %s", diff)
			}
		})
	}
}

// What is usable is never restricted, even if an evaluation should once contradict itself.
func TestAUsableKeyComesFirst(t *testing.T) {
	for state, due := range map[api.LicensedProductState]bool{
		api.LicensedProductValid: false, api.LicensedProductGracePeriod: false, api.LicensedProductExpired: true,
		api.LicensedProductUnlicensed: true,
	} {
		e := license.Evaluation{Time: license.TrustedTime{Now: at(40)}, State: state, EffectiveTime: at(30)}
		if got := restriction.ProductOf(terms(defaultTierOnly, inForceSince(at(31))), &e).Due; got != due {
			t.Errorf("%s: due: %t", state, got)
		}
		e.EffectiveTime = time.Time{}
		if restriction.ProductOf(terms(defaultTierOnly, inForceSince(at(31))), &e).Due {
			t.Errorf("%s: due since never", state)
		}
	}
}

func selectSame(a, b labels.Selector) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.String() == b.String()
}

func TestTierSelectorOf(t *testing.T) {
	for name, test := range map[string]struct {
		spec *api.RestrictionSpec
		want labels.Selector
		err  string
	}{
		"no restriction": {nil, nil, ""},
		"no selector":    {&api.RestrictionSpec{Mode: observe}, nil, ""},
		"every tier":     {&api.RestrictionSpec{TierSelector: &metav1.LabelSelector{}}, labels.Everything(), ""},
		"by a label": {
			&api.RestrictionSpec{TierSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "net"}}},
			labels.SelectorFromSet(labels.Set{"team": "net"}), "",
		},
		"by an invalid operator": {
			&api.RestrictionSpec{
				TierSelector: &metav1.LabelSelector{
					MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}},
				},
			},
			nil, `"Like" is not a valid label selector operator`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := restriction.TierSelectorOf(
				&api.LicensedProduct{Spec: api.LicensedProductSpec{Restriction: test.spec}})
			if !selectSame(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if message := messageOf(err); message != test.err {
				t.Errorf("got %q, want %q", message, test.err)
			}
		})
	}
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Every combination of what a standing follows from. What ends a restriction for good comes before what puts it off,
// and that before when it is due.
func TestStateUnder(t *testing.T) {
	type standing struct {
		State  api.RestrictionState
		Reason string
	}
	for _, asked := range []api.RestrictionMode{"", "Everything", observe, readOnly, defaultTierOnly} {
		for _, most := range []api.RestrictionMode{"", "Everything", observe, readOnly, defaultTierOnly} {
			for bits := range 16 {
				windows, due, disputed, paused := bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0
				if due && disputed {
					continue // What is disputed is not due.
				}
				p := restriction.Product{
					Name: "mesh", Mode: asked, TierSelector: every, Due: due, Disputed: disputed,
					Paused: paused,
				}
				want := standing{api.RestrictionScheduled, "NotDue"}
				switch {
				case asked == "":
					want = standing{api.RestrictionNone, "NotRequested"}
				case asked == observe, asked == "Everything", most == observe, most == "", most == "Everything":
					want = standing{api.RestrictionNone, "Observed"}
				case paused:
					want = standing{api.RestrictionPaused, "Paused"}
				case disputed:
					want.Reason = "ClockDisputed"
				case due && asked == defaultTierOnly && most == defaultTierOnly && !windows:
					want = standing{api.RestrictionActive, "DefaultTierOnly"}
				case due:
					want = standing{api.RestrictionActive, "ReadOnly"}
				}
				t.Run(fmt.Sprintf("%q, at most %q, windows %t, due %t, disputed %t, paused %t", asked, most, windows,
					due, disputed, paused), func(t *testing.T) {
					caps := restriction.Caps{MaxMode: most, WindowsNode: windows}
					var got standing
					got.State, got.Reason = p.StateUnder(caps)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
					// What the status announces and what the plan does are the same.
					plan := restriction.MakePlan(restriction.Seen{}, []restriction.Product{p}, caps).Products[0]
					if plan.InForce != (got.State == api.RestrictionActive) {
						t.Errorf("it is %s, and in force: %t", got.State, plan.InForce)
					}
				})
			}
		}
	}
}

func TestNotice(t *testing.T) {
	const since = "2026-11-01T00:00:00Z"
	for name, test := range map[string]struct {
		product restriction.Product
		want    string
	}{
		"with a URL": {
			restriction.Product{Name: "acme-mesh", Vendor: "Acme", RenewalURL: "https://acme.example/renew"},
			`No license covers LicensedProduct "acme-mesh" (Acme): restricted since ` + since +
				`. Get a license at https://acme.example/renew`,
		},
		"without": {
			restriction.Product{Name: "acme-mesh", Vendor: "Acme"},
			`No license covers LicensedProduct "acme-mesh" (Acme): restricted since ` + since +
				`. Get a license from Acme`,
		},
		"a vendor in quotes": {
			restriction.Product{Name: "acme-mesh", Vendor: `"Acme" & 'Söhne' %d \n`},
			`No license covers LicensedProduct "acme-mesh" ("Acme" & 'Söhne' %d \n): restricted since ` + since +
				`. Get a license from "Acme" & 'Söhne' %d \n`,
		},
		"a vendor of several lines": {
			restriction.Product{
				Name: "acme-mesh", Vendor: "Acme\r\nInc.\u0085\u2028\x1b[2J\u202e",
				RenewalURL: "mailto:sales@acme.example",
			},
			`No license covers LicensedProduct "acme-mesh" (Acme  Inc.   [2J ): restricted since ` + since +
				`. Get a license at mailto:sales@acme.example`,
		},
		"a URL that ends in what the API server trims": {
			restriction.Product{
				Name: "acme-mesh", Vendor: "Acme",
				RenewalURL: "https://acme.example/renew\u0085\u00a0\u2003",
			},
			`No license covers LicensedProduct "acme-mesh" (Acme): restricted since ` + since +
				`. Get a license at https://acme.example/renew`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("", -8*3600)} {
				if diff := cmp.Diff(test.want, test.product.Notice(epoch.In(zone))); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

// The status takes 2048 characters, and the API server 5 KiB from an expression; what it quotes beyond that it leaves
// out.
func TestTheLongestNoticeFits(t *testing.T) {
	for name, url := range map[string]string{"with a URL": "https://" + strings.Repeat("€", 1016), "without": ""} {
		p := restriction.Product{Name: strings.Repeat("n", 253), Vendor: strings.Repeat("€", 128), RenewalURL: url}
		notice := p.Notice(epoch)
		if characters := utf8.RuneCountInString(notice); characters > 2048 || len(notice) > 5<<10 {
			t.Errorf("%s: %d characters, %d bytes", name, characters, len(notice))
		}
	}
}
