// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/license-operator/license-operator/test/tiers"
)

const (
	gnp = "GlobalNetworkPolicy"
	np  = "NetworkPolicy"
)

// rules have one rule for each action.
func rules(actions ...tiers.Action) []tiers.Rule {
	var list []tiers.Rule
	for _, action := range actions {
		list = append(list, tiers.Rule{Action: action})
	}
	return list
}

// global does the same, both ways, to whatever there is.
func global(tier, name string, order *float64, actions ...tiers.Action) tiers.Policy {
	return tiers.Policy{Kind: gnp, Name: name, Spec: tiers.PolicySpec{
		Tier: tier, Order: order, Selector: "all()", Types: []tiers.Direction{tiers.Ingress, tiers.Egress},
		Ingress: rules(actions...), Egress: rules(actions...),
	}}
}

func namespaced(tier, namespace, name string, order *float64, actions ...tiers.Action) tiers.Policy {
	p := global(tier, name, order, actions...)
	p.Kind, p.Namespace = np, namespace
	return p
}

func with(p tiers.Policy, change func(*tiers.PolicySpec)) tiers.Policy {
	change(&p.Spec)
	return p
}

var (
	web = tiers.Endpoint{Namespace: "shop", Labels: map[string]string{"app": "web"}}
	db  = tiers.Endpoint{Namespace: "apps", Labels: map[string]string{"app": "db"}}
	// bare is a host endpoint without a profile, host one with a profile that allows.
	bare, host = tiers.Endpoint{NoProfile: true}, tiers.Endpoint{Labels: map[string]string{"app": "node"}}

	namespaces = map[string]map[string]string{"shop": {"team": "sales"}, "apps": {}}
)

// tierNamed denies by default.
func tierNamed(name string, order *float64) tiers.Tier { return tiers.Tier{Name: name, Order: order} }

func passing(t tiers.Tier) tiers.Tier {
	t.DefaultAction = tiers.Pass
	return t
}

func one(tier tiers.Tier, policies ...tiers.Policy) tiers.Cluster {
	return tiers.Cluster{Namespaces: namespaces, Tiers: []tiers.Tier{tier}, Policies: policies}
}

func many(list []tiers.Tier, policies ...tiers.Policy) tiers.Cluster {
	return tiers.Cluster{Namespaces: namespaces, Tiers: list, Policies: policies}
}

func in(e tiers.Endpoint) tiers.Flow  { return tiers.Flow{Endpoint: e, Direction: tiers.Ingress} }
func out(e tiers.Endpoint) tiers.Flow { return tiers.Flow{Endpoint: e, Direction: tiers.Egress} }

func from(f tiers.Flow, peer tiers.Endpoint) tiers.Flow {
	f.Peer = &peer
	return f
}

func forwarded(f tiers.Flow) tiers.Flow {
	f.Forwarded = true
	return f
}

func TestVerdict(t *testing.T) {
	const allow, deny, pass, logs = tiers.Allow, tiers.Deny, tiers.Pass, tiers.Log
	var none *float64
	least, low, high, most := new(-math.MaxFloat64), new(float64(-1)), new(float64(1)), new(math.MaxFloat64)
	custom, custom2 := tierNamed("custom", new(float64(10))), tierNamed("custom2", new(float64(20)))
	defaultTier := tierNamed("default", new(float64(1_000_000)))
	old, last := tiers.Dialect{NamespaceBreaksTies: true}, tiers.Dialect{TierWithoutOrderLast: true}
	exempt := func(selector, namespaceSelector string) tiers.Policy {
		return with(global("custom", "custom.pass", least,
			pass), func(s *tiers.PolicySpec) { s.Selector, s.NamespaceSelector = selector, namespaceSelector })
	}
	toWeb := func(action tiers.Action, change func(*tiers.Rule)) tiers.Policy {
		return with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) {
			s.Ingress = rules(action)
			change(&s.Ingress[0])
		})
	}
	const butShop = `has(projectcalico.org/name) && projectcalico.org/name != "shop"`

	for name, test := range map[string]struct {
		cluster tiers.Cluster
		dialect tiers.Dialect
		flow    tiers.Flow
		want    tiers.Action
	}{
		// After the last tier come profiles: a namespace's allows all, and who has none is denied.
		"nothing: a pod's profile allows":            {many(nil), tiers.Dialect{}, in(web), allow},
		"nothing: a host endpoint without a profile": {many(nil), tiers.Dialect{}, in(bare), deny},
		"nothing: a host endpoint with a profile":    {many(nil), tiers.Dialect{}, out(host), allow},
		"every tier passed: a pod's profile allows": {
			one(custom, global("custom", "custom.a", none, pass)),
			tiers.Dialect{},
			in(web), allow,
		},
		"every tier passed: no profile": {
			one(custom, global("custom", "custom.a", none, pass)),
			tiers.Dialect{},
			in(bare), deny,
		},
		"the last tier's default action is not a profile": {
			one(custom, global("custom", "custom.a", none)),
			tiers.Dialect{},
			in(web), deny,
		},

		// In a tier the first matching Allow or Deny decides; Pass leaves the tier; no match means the default action.
		"Allow decides": {many([]tiers.Tier{custom, custom2}, global("custom", "custom.a", none, allow),
			global("custom2", "custom2.a", none, deny)), tiers.Dialect{}, in(web), allow},
		"Deny decides": {many([]tiers.Tier{custom, custom2}, global("custom", "custom.a", none, deny),
			global("custom2", "custom2.a", none, allow)), tiers.Dialect{}, out(web), deny},
		"the first rule decides": {
			one(custom, global("custom", "custom.a", none, allow, deny)),
			tiers.Dialect{},
			in(web), allow,
		},
		"the first policy decides": {one(custom, global("custom", "custom.a", low, deny),
			global("custom", "custom.b", high, allow)), tiers.Dialect{}, in(web), deny},
		"Log decides nothing": {
			one(custom, global("custom", "custom.a", none, logs, deny)),
			tiers.Dialect{},
			in(web), deny,
		},
		"Log alone leaves it to the default action": {
			one(passing(custom), global("custom", "custom.a", none, logs)),
			tiers.Dialect{},
			in(web), allow,
		},
		"Pass leaves the tier, past its other policies": {many([]tiers.Tier{custom, custom2},
			global("custom", "custom.a", low, pass), global("custom", "custom.b", high, deny),
			global("custom2", "custom2.a", none, allow)), tiers.Dialect{}, in(web), allow},
		"Pass leaves the tier, past its default action": {
			many([]tiers.Tier{custom, custom2},
				global("custom", "custom.a", none, pass), global("custom2", "custom2.a", none, deny)),
			tiers.Dialect{},
			in(web), deny,
		},
		"no match: the default action denies": {
			many([]tiers.Tier{custom, custom2},
				global("custom", "custom.a", none), global("custom2", "custom2.a", none, allow)),
			tiers.Dialect{},
			in(web),
			deny,
		},
		"no match: the default action passes": {
			many([]tiers.Tier{passing(custom), custom2},
				global("custom", "custom.a", none), global("custom2", "custom2.a", none, allow)),
			tiers.Dialect{},
			in(web),
			allow,
		},
		"a policy without rules leaves it to the next": {one(custom, global("custom", "custom.a", low),
			global("custom", "custom.b", high, allow)), tiers.Dialect{}, in(web), allow},
		"a tier without policies has no default action": {many([]tiers.Tier{custom, custom2},
			global("custom2", "custom2.a", none, allow)), tiers.Dialect{}, in(web), allow},
		"a tier that does not select the pod has none": {
			one(custom,
				with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) { s.Selector = `app == "db"` })),
			tiers.Dialect{},
			in(web), allow,
		},
		"nor one that does not select the direction": {
			one(custom,
				with(global("custom", "custom.a",
					none), func(s *tiers.PolicySpec) { s.Types = []tiers.Direction{tiers.Egress} })),
			tiers.Dialect{},
			in(web), allow,
		},
		"a policy of a tier that does not exist": {
			one(custom, global("nowhere", "nowhere.a", none, deny)),
			tiers.Dialect{},
			in(web), allow,
		},
		"a policy without a tier is in the default one": {
			one(defaultTier, global("", "a", none, deny)),
			tiers.Dialect{},
			in(web), deny,
		},
		"the tier is the spec's, not the name's": {
			many([]tiers.Tier{custom, custom2},
				global("custom", "custom2.a", none, allow), global("custom2", "custom.a", none, deny)),
			tiers.Dialect{},
			in(web), allow,
		},
		"staged policies are never applied": {one(custom,
			tiers.Policy{
				Kind: "StagedGlobalNetworkPolicy", Name: "custom.a",
				Spec: global("custom", "", none, deny).Spec,
			}), tiers.Dialect{}, in(web), allow},

		// Tiers by order, then by name. One without an order counts as the default tier's, or comes last.
		"tiers by order": {many([]tiers.Tier{tierNamed("b", high), tierNamed("a", most)},
			global("a", "a.a", none, deny), global("b", "b.a", none, allow)), tiers.Dialect{}, in(web), allow},
		"tiers of negative order": {many([]tiers.Tier{tierNamed("b", least), tierNamed("a", low)},
			global("a", "a.a", none, deny), global("b", "b.a", none, allow)), tiers.Dialect{}, in(web), allow},
		"tiers of one order, by name": {many([]tiers.Tier{tierNamed("b", high), tierNamed("a", high)},
			global("a", "a.a", none, deny), global("b", "b.a", none, allow)), tiers.Dialect{}, in(web), deny},
		"no order: after 999,999": {many([]tiers.Tier{tierNamed("a", none), tierNamed("b", new(float64(999_999)))},
			global("a", "a.a", none, deny), global("b", "b.a", none, allow)), tiers.Dialect{}, in(web), allow},
		"no order: before 1,000,001": {
			many([]tiers.Tier{
				tierNamed("b", none),
				tierNamed("a", new(float64(1_000_001))),
			}, global("a", "a.a", none, deny), global("b", "b.a", none, allow)),
			tiers.Dialect{},
			in(web), allow,
		},
		"no order, of the other dialect: last": {
			many([]tiers.Tier{
				tierNamed("b", none),
				tierNamed("a", new(float64(1_000_001))),
			}, global("a", "a.a", none, deny), global("b", "b.a", none, allow)),
			last, in(web), deny,
		},
		"no order: by name at 1,000,000": {many([]tiers.Tier{tierNamed("e", none), defaultTier},
			global("e", "e.a", none, allow), global("default", "a", none, deny)), tiers.Dialect{}, in(web), deny},

		// Policies by order, none being last, then by name/namespace/kind, as one string; before 3.32 by
		// namespace/name.
		"policies by order": {one(custom, global("custom", "custom.b", low, allow),
			global("custom", "custom.a", high, deny)), tiers.Dialect{}, in(web), allow},
		"the least order is first": {one(custom, global("custom", "custom.a", low, deny),
			global("custom", "custom.b", least, allow)), tiers.Dialect{}, in(web), allow},
		"no order is last": {one(custom, global("custom", "custom.b", most, allow),
			global("custom", "custom.a", none, deny)), tiers.Dialect{}, in(web), allow},
		"no order, by name": {one(custom, global("custom", "custom.b", none, allow),
			global("custom", "custom.a", none, deny)), tiers.Dialect{}, in(web), deny},
		"one order, by name": {one(custom, global("custom", "custom.b", least, allow),
			global("custom", "custom.a", least, deny)), tiers.Dialect{}, in(web), deny},
		"of one order, a longer name": {one(custom, global("custom", "custom.a", least, allow),
			global("custom", "custom.ab", least, deny)), tiers.Dialect{}, in(web), allow},
		"of one order, a hyphen": {one(custom, global("custom", "custom.a", least, allow),
			global("custom", "custom.a-b", least, deny)), tiers.Dialect{}, in(web), deny},
		"of one order, a hyphen, before 3.32": {one(custom, global("custom", "custom.a", least, allow),
			global("custom", "custom.a-b", least, deny)), old, in(web), allow},
		"namespaced ones sort with the others": {one(custom, namespaced("custom", "shop", "custom.a", least, allow),
			global("custom", "custom.b", least, deny)), tiers.Dialect{}, in(web), allow},
		"name before namespace": {one(custom, namespaced("custom", "shop", "custom.b", least, allow),
			global("custom", "custom.a", least, deny)), tiers.Dialect{}, in(web), deny},
		"of one name, without a namespace": {one(custom, namespaced("custom", "shop", "custom.a", least, allow),
			global("custom", "custom.a", least, deny)), tiers.Dialect{}, in(web), deny},
		"namespace before name, before 3.32": {one(custom, namespaced("custom", "apps", "custom.b", least, allow),
			global("custom", "custom.a", least, deny)), old, in(db), allow},

		// Types, and what they are where none are named.
		"no types, no rules: ingress": {
			one(custom,
				with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) { s.Types = nil })),
			tiers.Dialect{},
			in(web), deny,
		},
		"no types, no rules: not egress": {
			one(custom,
				with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) { s.Types = nil })),
			tiers.Dialect{},
			out(web), allow,
		},
		"no types, ingress rules: not egress": {one(custom,
			with(global("custom", "custom.a", none, allow), func(s *tiers.PolicySpec) {
				s.Types, s.Egress = nil,
					nil
			})), tiers.Dialect{}, out(web), allow},
		"no types, egress rules: egress": {one(custom,
			with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) {
				s.Types, s.Ingress = nil,
					nil
			})), tiers.Dialect{}, out(web), deny},
		"no types, egress rules: not ingress": {one(custom,
			with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) {
				s.Types, s.Ingress = nil,
					nil
			})), tiers.Dialect{}, in(web), allow},
		"no types, both rules: ingress": {
			one(custom,
				with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) { s.Types = nil })),
			tiers.Dialect{},
			in(web), deny,
		},
		"no types, both rules: egress": {
			one(custom,
				with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) { s.Types = nil })),
			tiers.Dialect{},
			out(web), deny,
		},
		"rules of a direction that is not a type": {
			one(custom,
				with(global("custom", "custom.a", none,
					deny), func(s *tiers.PolicySpec) { s.Types = []tiers.Direction{tiers.Ingress} })),
			tiers.Dialect{},
			out(web), allow,
		},
		"a type without rules: the default action": {
			one(custom,
				with(global("custom", "custom.a", none, allow), func(s *tiers.PolicySpec) { s.Egress = nil })),
			tiers.Dialect{},
			out(web), deny,
		},
		"ingress and egress are decided on their own": {
			one(custom,
				with(global("custom", "custom.a", none, allow), func(s *tiers.PolicySpec) { s.Egress = rules(deny) })),
			tiers.Dialect{},
			in(web), allow,
		},

		// Selectors.
		"of another namespace": {
			one(custom, namespaced("custom", "apps", "custom.a", none, deny)),
			tiers.Dialect{},
			in(web), allow,
		},
		"of its own namespace": {
			one(custom, namespaced("custom", "shop", "custom.a", none, deny)),
			tiers.Dialect{},
			in(web), deny,
		},
		"a namespaced policy selects no host": {
			one(custom, namespaced("custom", "shop", "custom.a", none, deny)),
			tiers.Dialect{},
			in(host), allow,
		},
		"an empty selector is all()": {
			one(custom,
				with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) { s.Selector = "" })),
			tiers.Dialect{},
			in(web), deny,
		},
		"by the namespace's labels": {
			one(custom,
				with(global("custom", "custom.a", none,
					deny), func(s *tiers.PolicySpec) { s.NamespaceSelector = `team == "sales"` })),
			tiers.Dialect{},
			in(web), deny,
		},
		"by the namespace's labels, not the pod's": {
			one(custom,
				with(global("custom", "custom.a", none,
					deny), func(s *tiers.PolicySpec) { s.NamespaceSelector = `app == "web"` })),
			tiers.Dialect{},
			in(web),
			allow,
		},
		"by the namespace's name": {
			one(custom,
				with(global("custom", "custom.a", none,
					deny), func(s *tiers.PolicySpec) { s.NamespaceSelector = `projectcalico.org/name == "apps"` })),
			tiers.Dialect{},
			in(db), deny,
		},
		"a peer of the rule": {
			one(custom,
				toWeb(deny, func(r *tiers.Rule) { r.Source.Selector = `app == "db"` })),
			tiers.Dialect{},
			from(in(web), db),
			deny,
		},
		"no peer of the rule": {
			one(passing(custom),
				toWeb(deny, func(r *tiers.Rule) { r.Source.Selector = `app == "db"` })),
			tiers.Dialect{},
			from(in(web), host), allow,
		},
		"an unknown peer matches no rule": {one(passing(custom),
			toWeb(deny, func(r *tiers.Rule) { r.Source.Selector = `all()` })), tiers.Dialect{}, in(web), allow},
		"an unknown peer may be any": {
			one(passing(custom), toWeb(deny, func(*tiers.Rule) {})),
			tiers.Dialect{},
			in(web), deny,
		},
		"the destination of ingress is the endpoint": {
			one(custom,
				toWeb(deny, func(r *tiers.Rule) { r.Destination.Selector = `app == "web"` })),
			tiers.Dialect{},
			from(in(web), db), deny,
		},
		"the source of egress is the endpoint": {one(passing(custom),
			with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) {
				s.Egress = []tiers.Rule{{Action: deny, Source: tiers.Entity{Selector: `app == "web"`}}}
			})), tiers.Dialect{}, from(out(web), db), deny},
		"the destination of egress is the peer": {one(passing(custom),
			with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) {
				s.Egress = []tiers.Rule{{Action: deny, Destination: tiers.Entity{Selector: `app == "db"`}}}
			})), tiers.Dialect{}, from(out(web), db), deny},
		"a namespaced policy's peers are its own": {one(passing(custom),
			with(namespaced("custom", "shop", "custom.a", none), func(s *tiers.PolicySpec) {
				s.Ingress = []tiers.Rule{{Action: deny, Source: tiers.Entity{Selector: `all()`}}}
			})), tiers.Dialect{}, from(in(web), db), allow},

		// Host endpoints have stages of their own; pods have not. What is forwarded passes unless a policy says
		// otherwise.
		"pods do not see doNotTrack": {
			one(custom,
				with(global("custom", "custom.a", none,
					deny), func(s *tiers.PolicySpec) { s.DoNotTrack, s.ApplyOnForward = true, true })),
			tiers.Dialect{},
			in(web), allow,
		},
		"pods do not see preDNAT": {
			one(custom,
				with(global("custom", "custom.a", none,
					deny), func(s *tiers.PolicySpec) { s.PreDNAT, s.ApplyOnForward = true, true })),
			tiers.Dialect{},
			in(web), allow,
		},
		"pods do see applyOnForward": {
			one(custom,
				with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) { s.ApplyOnForward = true })),
			tiers.Dialect{},
			in(web), deny,
		},
		"hosts see doNotTrack first": {
			one(custom, global("custom", "custom.a", least, deny),
				with(global("custom", "custom.b", most,
					allow), func(s *tiers.PolicySpec) { s.DoNotTrack, s.ApplyOnForward = true, true })),
			tiers.Dialect{},
			out(bare), allow,
		},
		"doNotTrack has no default action": {one(custom,
			with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) {
				s.DoNotTrack, s.ApplyOnForward = true,
					true
			})), tiers.Dialect{}, in(host), allow},
		"hosts see preDNAT before the others": {
			one(custom, global("custom", "custom.a", least, allow),
				with(global("custom", "custom.b", most,
					deny), func(s *tiers.PolicySpec) { s.PreDNAT, s.ApplyOnForward = true, true })),
			tiers.Dialect{},
			forwarded(in(host)), deny,
		},
		"preDNAT is about ingress": {
			one(custom,
				with(global("custom", "custom.b", most,
					deny), func(s *tiers.PolicySpec) { s.PreDNAT, s.ApplyOnForward = true, true })),
			tiers.Dialect{},
			out(host), allow,
		},
		"a host's own traffic": {
			one(custom, global("custom", "custom.a", none, deny)),
			tiers.Dialect{},
			in(host), deny,
		},
		"a host's forwarded traffic": {
			one(custom, global("custom", "custom.a", none, deny)),
			tiers.Dialect{},
			forwarded(in(bare)), allow,
		},
		"a host's forwarded traffic, applyOnForward": {
			one(custom,
				with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) { s.ApplyOnForward = true })),
			tiers.Dialect{},
			forwarded(in(host)), deny,
		},
		"a host's forwarded traffic, default action": {
			one(custom,
				with(global("custom", "custom.a", none), func(s *tiers.PolicySpec) { s.ApplyOnForward = true })),
			tiers.Dialect{},
			forwarded(in(host)), deny,
		},
		"a host's own traffic, applyOnForward as well": {
			one(custom,
				with(global("custom", "custom.a", none, deny), func(s *tiers.PolicySpec) { s.ApplyOnForward = true })),
			tiers.Dialect{},
			in(host), deny,
		},

		// One policy at the least order that passes everything neutralizes a tier, for pods, and its default action
		// with it.
		"neutralized: what it denied": {
			one(custom, exempt("all()", butShop), global("custom", "custom.a", none, deny)),
			tiers.Dialect{},
			in(db), allow,
		},
		"neutralized: what it allowed, the next denies": {
			many([]tiers.Tier{custom, custom2}, exempt("all()", butShop),
				global("custom", "custom.a", none, allow), global("custom2", "custom2.a", none, deny)),
			tiers.Dialect{},
			out(db), deny,
		},
		"neutralized: its default action": {one(custom, exempt("all()", butShop),
			global("custom", "custom.a", none)), tiers.Dialect{}, out(db), allow},
		"neutralized: not for the namespace excepted": {one(custom, exempt("all()", butShop),
			global("custom", "custom.a", none, deny)), tiers.Dialect{}, in(web), deny},
		"neutralized: not for hosts": {one(custom, exempt("all()", butShop),
			global("custom", "custom.a", none, allow)), tiers.Dialect{}, in(bare), allow},
		"a selector of namespaces keeps hosts out: all()": {
			one(custom,
				exempt("all()", `projectcalico.org/name != "shop"`), global("custom", "custom.a", none, allow)),
			tiers.Dialect{},
			in(bare), allow,
		},
		// This is why the operator's says has(): by itself != holds for hosts too, and passing a host endpoint's tier
		// may lock it out.
		"a selector of namespaces does not keep hosts out": {one(custom, exempt("", `projectcalico.org/name != "shop"`),
			global("custom", "custom.a", none, allow)), tiers.Dialect{}, in(bare), deny},
		"bypassed: the same order, a smaller name": {one(custom, exempt("all()", butShop),
			global("custom", "custom.a", least, deny)), tiers.Dialect{}, in(db), deny},
	} {
		t.Run(name, func(t *testing.T) {
			evaluator, err := tiers.New(test.cluster, test.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if got := evaluator.Verdict(test.flow); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSortTiers(t *testing.T) {
	list := []tiers.Tier{
		tierNamed("kube-baseline", new(float64(10_000_000))), tierNamed("zeta", nil),
		tierNamed("default", new(float64(1_000_000))), tierNamed("b", new(float64(0))),
		tierNamed("kube-admin", new(float64(1000))), tierNamed("a", new(float64(0))),
		tierNamed("first", new(-math.MaxFloat64)), tierNamed("alpha", nil),
	}
	for dialect, want := range map[tiers.Dialect]string{
		{}:                           "first a b kube-admin alpha default zeta kube-baseline",
		{TierWithoutOrderLast: true}: "first a b kube-admin default kube-baseline alpha zeta",
	} {
		var names []string
		for _, tier := range tiers.SortTiers(list, dialect) {
			names = append(names, tier.Name)
		}
		if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
			t.Errorf("%v: -want +got:\n%s", dialect, diff)
		}
	}
}

func TestSortPolicies(t *testing.T) {
	least := new(-math.MaxFloat64)
	list := []tiers.Policy{
		global("t", "t.z", least), global("t", "t.a", nil), namespaced("t", "b", "t.a", nil),
		namespaced("t", "a", "t.z", least), namespaced("t", "z", "t.m", least),
		global("t", "t.m", least), global("t", "t.m-2", least), global("other", "t.b", least),
		global("t", "t.x", new(float64(-5))), global("", "t.c", least),
		{Kind: "StagedNetworkPolicy", Namespace: "a", Name: "t.a", Spec: tiers.PolicySpec{Tier: "t", Order: least}},
	}
	for dialect, want := range map[tiers.Dialect]string{
		{}:                          "/t.m-2 /t.m z/t.m /t.z a/t.z /t.x /t.a b/t.a",
		{NamespaceBreaksTies: true}: "a/t.z /t.m /t.m-2 /t.z z/t.m /t.x b/t.a /t.a",
	} {
		var names []string
		for _, p := range tiers.SortPolicies(list, "t", dialect) {
			names = append(names, fmt.Sprintf("%s/%s", p.Namespace, p.Name))
		}
		if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
			t.Errorf("%v: -want +got:\n%s", dialect, diff)
		}
	}
}

func TestNewFailsOnWhatItDoesNotUnderstand(t *testing.T) {
	custom := tierNamed("custom", nil)
	for name, change := range map[string]func(*tiers.Policy){
		"selector":           func(p *tiers.Policy) { p.Spec.Selector = "!all()" },
		"namespace selector": func(p *tiers.Policy) { p.Spec.NamespaceSelector = "global()" },
		"source": func(p *tiers.Policy) {
			p.Spec.Ingress = []tiers.Rule{{Action: tiers.Allow, Source: tiers.Entity{Selector: "a b"}}}
		},
		"destination": func(p *tiers.Policy) {
			p.Spec.Egress = []tiers.Rule{{Action: tiers.Allow, Destination: tiers.Entity{Selector: "a b"}}}
		},
		"namespaced selector": func(p *tiers.Policy) {
			p.Kind, p.Namespace, p.Spec.NamespaceSelector = np, "shop",
				"all()"
		},
	} {
		policy := global("custom", "custom.a", nil)
		change(&policy)
		if _, err := tiers.New(one(custom, policy), tiers.Dialect{}); err == nil {
			t.Errorf("%s: it did not fail", name)
		}
	}
}
