// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

// names are few and alike, so that they are taken, odd, and of tiers that do not exist.
var (
	drawnTiers = []string{"a", "a-b", "a.b", "a-b-2e7336dc", "license-operator-pass", "default", "kube-admin", "calico-system", "allow-tigera"}
	drawnNames = []string{
		"a.license-operator-pass", "a.license-operator-pass-2", "a.license-operator-pass-3", "a-b.license-operator-pass", "a-b-2e7336dc.license-operator-pass",
		"a-b-2e7336dc.license-operator-pass-2", "license-operator-pass.license-operator-pass", "default.license-operator-pass", "a.x", "0.x", "x",
	}
	drawnNamespaces = []string{"apps", "zoo", operatorNamespace}
	drawnModes      = []v1alpha1.RestrictionMode{"", "Everything", observe, readOnly, defaultTierOnly, defaultTierOnly}
	drawnSelectors  = []labels.Selector{
		nil, labels.Everything(), labels.Everything(), labels.Nothing(), labels.SelectorFromSet(labels.Set{"team": "net"}),
	}
)

func drawWorld(t *rapid.T) world {
	flip := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	w := world{brakes: restriction.Brakes{
		MaxMode: rapid.SampledFrom(drawnModes).Draw(t, "max mode"), WindowsNode: flip("windows"), OperatorNamespace: operatorNamespace,
	}}
	for _, name := range drawnTiers {
		if flip("no tier") {
			continue
		}
		drawn := restriction.Tier{Name: name, Deleting: flip("deleting"), Labels: labels.Set{}}
		if flip("team") {
			drawn.Labels["team"] = "net"
		}
		if flip("never") {
			drawn.Labels[restriction.NeverLabel] = restriction.NeverValue
		}
		if flip("system") {
			drawn.Labels[restriction.SystemTierLabel] = restriction.SystemTierValue
		}
		w.tiers = append(w.tiers, drawn)
	}
	seen := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "policies") {
		p := restriction.Policy{
			Kind: restriction.GlobalNetworkPolicy,
			Name: rapid.SampledFrom(drawnNames).Draw(t, "name"), Tier: rapid.SampledFrom(append(drawnTiers, "", "nowhere")).Draw(t, "tier"),
			Allows: flip("allows"), Denies: flip("denies"), ForPods: !flip("host only"), Marked: flip("marked"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "order") {
		case 0:
			p.Order = new(-math.MaxFloat64)
		case 1:
			p.Order = new(float64(0))
		}
		if flip("namespaced") {
			p.Kind, p.Namespace = restriction.NetworkPolicy, rapid.SampledFrom(drawnNamespaces).Draw(t, "namespace")
		} else if flip("neutral") {
			p.Neutral, p.ForPods, p.Order = true, true, new(restriction.PassOrder)
		}
		if key := p.Namespace + "/" + p.Name; !seen[key] {
			seen[key] = true
			w.policies = append(w.policies, p)
		}
	}
	for _, name := range []string{"mesh", "quiet", "zeta"} {
		p := product(name, rapid.SampledFrom(drawnModes).Draw(t, "mode"))
		p.TierSelector = rapid.SampledFrom(drawnSelectors).Draw(t, "selector")
		p.Due, p.Paused = !flip("not due"), flip("paused")
		p.Since = epoch.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "since")) * time.Hour)
		w.products = append(w.products, p)
	}
	return w
}

func (w world) plan() restriction.Plan {
	return restriction.MakePlan(restriction.Seen{Tiers: w.tiers, Policies: w.policies}, w.products, w.brakes)
}

// done is the world once a plan has been carried out.
func (w world) done(plan restriction.Plan) world {
	var policies []restriction.Policy
	replaced := slices.Clone(plan.Delete)
	for _, p := range plan.Tiers {
		if p.Pass != nil {
			replaced = append(replaced, p.Pass.Name)
			policies = append(policies, made(p.Pass.Tier, p.Pass.Name))
		}
	}
	for _, p := range w.policies {
		if p.Kind != restriction.GlobalNetworkPolicy || !slices.Contains(replaced, p.Name) {
			policies = append(policies, p)
		}
	}
	w.policies = policies
	return w
}

// users are the policies that are not the operator's: those that it did not mark, or that neither are nor are named like its own.
func (w world) users() []restriction.Policy {
	var list []restriction.Policy
	for _, p := range w.policies {
		if p.Kind != restriction.GlobalNetworkPolicy || !p.Marked || !p.Neutral && (p.Name == "a.x" || p.Name == "0.x" || p.Name == "x") {
			list = append(list, p)
		}
	}
	return list
}

var byName = func(a, b restriction.Policy) int {
	if a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name {
		return -1
	}
	return 1
}

func TestPlanDoesNotDependOnTheOrderThatThingsAreSeenIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		shuffled := w
		shuffled.tiers = rapid.Permutation(w.tiers).Draw(t, "tiers")
		shuffled.policies = rapid.Permutation(w.policies).Draw(t, "policies")
		shuffled.products = rapid.Permutation(w.products).Draw(t, "products")
		if diff := cmp.Diff(w.plan(), shuffled.plan()); diff != "" {
			t.Fatalf("-as drawn +shuffled:\n%s", diff)
		}
	})
}

// A plan that has been carried out leaves nothing to do, and no plan ever touches a policy of a user.
func TestPlanSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		plan := w.plan()
		after := w.done(plan)
		again := after.plan()
		if len(again.Delete) > 0 {
			t.Errorf("there is still something to delete: %v", again.Delete)
		}
		if diff := cmp.Diff(plan.Tiers, again.Tiers); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
		// What is not in force may change its preview: the name that its pass policy would have can have been set free.
		inForce := cmpopts.IgnoreSliceElements(func(p restriction.ProductPlan) bool { return !p.InForce })
		if diff := cmp.Diff(plan.Products, again.Products, inForce); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
		before, now := w.users(), after.users()
		slices.SortFunc(before, byName)
		slices.SortFunc(now, byName)
		if diff := cmp.Diff(before, now); diff != "" {
			t.Errorf("users' policies: -before +after:\n%s", diff)
		}
	})
}

// Once nothing is in force, nothing of the operator's is left.
func TestLiftingLeavesNothingBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		after := w.done(w.plan())
		for i := range after.products {
			after.products[i].Due = false
		}
		lifted := after.plan()
		if len(lifted.Tiers) > 0 {
			t.Errorf("restricted: %v", lifted.Tiers)
		}
		left, users := after.done(lifted).policies, w.users()
		slices.SortFunc(left, byName)
		slices.SortFunc(users, byName)
		if diff := cmp.Diff(users, left); diff != "" {
			t.Errorf("-users' policies +what is left:\n%s", diff)
		}
	})
}

// Whatever is asked for, no plan goes beyond the brakes.
func TestPlanKeepsToTheBrakes(t *testing.T) {
	rank := map[v1alpha1.RestrictionMode]int{readOnly: 1, defaultTierOnly: 2}
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		most := rank[w.brakes.MaxMode]
		if w.brakes.WindowsNode {
			most = min(most, 1)
		}
		plan := w.plan()
		for _, p := range plan.Tiers {
			at := slices.IndexFunc(w.tiers, func(t restriction.Tier) bool { return t.Name == p.Name })
			if at < 0 || restriction.Spared(w.tiers[at]) != "" {
				t.Errorf("%s is restricted", p.Name)
			}
			if rank[p.Mode] == 0 || rank[p.Mode] > most {
				t.Errorf("%s is restricted by %s", p.Name, p.Mode)
			}
			if (p.Pass != nil) != (p.Mode == defaultTierOnly) || p.Pass != nil && w.tiers[at].Deleting {
				t.Errorf("%s, %s has the pass policy %v", p.Name, p.Mode, p.Pass)
			}
		}
		for i, p := range plan.Products {
			if want := w.products[i].Due && !w.products[i].Paused && rank[p.Mode] > 0; p.InForce != want {
				t.Errorf("%s is in force: %t", p.Name, p.InForce)
			}
			for _, e := range p.Affects {
				if at := slices.IndexFunc(w.tiers, func(t restriction.Tier) bool { return t.Name == e.Tier }); restriction.Spared(w.tiers[at]) != "" {
					t.Errorf("%s affects %s", p.Name, e.Tier)
				}
			}
		}
	})
}
