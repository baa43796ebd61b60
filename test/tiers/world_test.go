// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/tiers"
)

const operatorNamespace = "license-operator-system"

// world is a cluster before anything of the operator's is on it, and those who would restrict it.
type world struct {
	Cluster  tiers.Cluster
	Dialect  tiers.Dialect
	TierMeta map[string]tierMeta
	// Marked are the names of GlobalNetworkPolicies that a user gave our label.
	Marked   map[string]bool
	Products []product
	Caps     restriction.Caps
	Flows    []tiers.Flow
}

type tierMeta struct {
	Labels   labels.Set
	Deleting bool
}

// product is a restriction.Product in a form that can be printed.
type product struct {
	Name   string
	Mode   api.RestrictionMode
	Team   string // empty: every tier
	Due    bool
	Paused bool
}

func (p product) selector() labels.Selector {
	if p.Team == "" {
		return labels.Everything()
	}
	return labels.SelectorFromSet(labels.Set{"team": p.Team})
}

func (w *world) products(due bool) []restriction.Product {
	list := make([]restriction.Product, 0, len(w.Products))
	for _, p := range w.Products {
		list = append(list, restriction.Product{
			Name: p.Name, Mode: p.Mode, TierSelector: p.selector(),
			Due: p.Due && due, Paused: p.Paused,
		})
	}
	return list
}

// held is a policy on the cluster, and what the operator sees of it.
type held struct {
	policy tiers.Policy
	seen   calico.Policy
}

// users are the policies of a world. The operator is told of specs as the API serves them, not as the oracle has them.
func (w *world) users() ([]*held, error) {
	list := make([]*held, 0, len(w.Cluster.Policies))
	for _, p := range w.Cluster.Policies {
		if p.Kind != gnp && p.Kind != np {
			continue
		}
		var spec map[string]any
		// Nothing else is neutral, as other tests show, and this is the slowest part of all.
		if p.Kind == gnp && p.Spec.Order != nil && *p.Spec.Order == calico.PassOrder {
			text, err := json.Marshal(p.Spec)
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(text, &spec); err != nil {
				return nil, err
			}
		}
		list = append(list, &held{policy: p, seen: observed(&p, spec, p.Kind == gnp && w.Marked[p.Name])})
	}
	return list, nil
}

func observed(p *tiers.Policy, spec map[string]any, marked bool) calico.Policy {
	does := func(action tiers.Action) bool {
		is := func(r tiers.Rule) bool { return r.Action == action }
		return slices.ContainsFunc(p.Spec.Ingress, is) || slices.ContainsFunc(p.Spec.Egress, is)
	}
	return calico.Policy{
		Kind: calico.PolicyKind(p.Kind), Namespace: p.Namespace, Name: p.Name, Tier: p.Spec.Tier,
		Order:  p.Spec.Order,
		Allows: does(tiers.Allow), Denies: does(tiers.Deny),
		ForPods: !p.Spec.DoNotTrack && !p.Spec.PreDNAT,
		Neutral: calico.IsNeutral(spec, operatorNamespace),
		Marked:  marked,
	}
}

// made is the policy that the API server would be given, as the oracle understands it.
func made(pass *calico.PassPolicy) (*held, error) {
	p := tiers.Policy{Kind: gnp, Name: pass.Name}
	text, err := json.Marshal(pass.Spec)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p.Spec); err != nil {
		return nil, err
	}
	marked := pass.Labels[calico.PassPolicyLabel] == calico.PassPolicyLabelValue
	return &held{policy: p, seen: observed(&p, pass.Spec, marked)}, nil
}

// plan is the operator's, of what it sees.
func (w *world) plan(present []*held, due bool) restriction.Plan {
	s := restriction.Seen{
		Tiers:    make([]calico.Tier, 0, len(w.Cluster.Tiers)),
		Policies: make([]calico.Policy, 0, len(present)),
	}
	for _, t := range w.Cluster.Tiers {
		meta := w.TierMeta[t.Name]
		s.Tiers = append(s.Tiers, calico.Tier{Name: t.Name, Labels: meta.Labels, Deleting: meta.Deleting})
	}
	for _, p := range present {
		s.Policies = append(s.Policies, p.seen)
	}
	return restriction.MakePlan(s, w.products(due), w.Caps)
}

// carriedOut are the policies once a plan has been carried out, by name, of any author.
func carriedOut(plan restriction.Plan, present []*held) ([]*held, error) {
	now := slices.Clone(present)
	remove := func(name string) {
		now = slices.DeleteFunc(now, func(h *held) bool { return h.policy.Kind == gnp && h.policy.Name == name })
	}
	for _, name := range plan.Delete {
		remove(name)
	}
	for _, t := range plan.Tiers {
		if t.Pass != nil {
			remove(t.Pass.Name)
			h, err := made(t.Pass)
			if err != nil {
				return nil, err
			}
			now = append(now, h)
		}
	}
	return now, nil
}

// with is the cluster with these policies.
func (w *world) with(policies []*held) tiers.Cluster {
	c := w.Cluster
	c.Policies = make([]tiers.Policy, 0, len(policies))
	for _, h := range policies {
		c.Policies = append(c.Policies, h.policy)
	}
	return c
}

// What worlds are made of is little, so that names are taken, orders equal, and selectors match.
var (
	customTiers  = []string{"a", "b", "a.b", "a-b-2e7336dc", "z"}
	builtInTiers = []string{"default", "kube-admin", "kube-baseline", "calico-system", "adminnetworkpolicy"}
	policyNames  = []string{
		"x", "a.x", "b.x", "z.x", "a.license-operator-pass", "a.license-operator-pass-2",
		"b.license-operator-pass", "z.license-operator-pass-",
	}
	selectors = []string{
		"", "all()", "all()", "all()", `app == "web"`, `app != "web"`, `has(app)`,
		`projectcalico.org/namespace == "apps"`,
	}
	ofNamespaces = []string{
		"", "", "", "all()", `team == "sales"`, `projectcalico.org/name != "apps"`,
		`has(team) && team != "sales"`,
	}
	peers = []string{
		"", "", "", "", "", "", "all()", `app == "web"`, `app != "web"`,
		`projectcalico.org/namespace == "shop"`,
	}
	workloadsIn = []string{"apps", "apps", "apps", "shop", "shop", "shop", operatorNamespace}
	modes       = []api.RestrictionMode{
		api.RestrictionDefaultTierOnly, api.RestrictionDefaultTierOnly, api.RestrictionDefaultTierOnly,
		api.RestrictionReadOnly,
		api.RestrictionObserve,
	}
)

type source struct{ *rand.Rand }

func newSource(seed, number uint64) source { return source{rand.New(rand.NewPCG(seed, number))} }

func pick[T any](s source, list []T) T { return list[s.IntN(len(list))] }

func (s source) once(in int) bool { return s.IntN(in) == 0 }

func (s source) order() *float64 {
	switch s.IntN(6) {
	case 0:
		return nil
	case 1, 2:
		return new(-math.MaxFloat64)
	case 3:
		return new(float64(s.IntN(3) - 1))
	case 4:
		return new(float64(1_000_000))
	default:
		return new(math.MaxFloat64)
	}
}

func (s source) rules() []tiers.Rule {
	var list []tiers.Rule
	for range s.IntN(3) {
		list = append(list, tiers.Rule{
			Action: pick(s,
				[]tiers.Action{tiers.Allow, tiers.Allow, tiers.Deny, tiers.Deny, tiers.Pass, tiers.Log}),
			Source:      tiers.Entity{Selector: pick(s, peers)},
			Destination: tiers.Entity{Selector: pick(s, peers)},
		})
	}
	return list
}

func (s source) types() []tiers.Direction {
	return pick(s, [][]tiers.Direction{
		nil,
		{tiers.Ingress},
		{tiers.Egress},
		{tiers.Ingress, tiers.Egress},
		{tiers.Egress, tiers.Ingress},
	})
}

func (s source) policy(tierNames []string) tiers.Policy {
	p := tiers.Policy{Kind: gnp, Name: pick(s, policyNames)}
	p.Spec = tiers.PolicySpec{
		Tier: pick(s, tierNames), Order: s.order(), Selector: pick(s, selectors), Types: s.types(), Ingress: s.rules(),
		Egress: s.rules(),
	}
	switch s.IntN(10) {
	case 0, 1, 2, 3:
		p.Kind, p.Namespace = np, pick(s, workloadsIn)
		return p
	case 4:
		p.Kind = "StagedGlobalNetworkPolicy"
	}
	p.Spec.NamespaceSelector = pick(s, ofNamespaces)
	switch s.IntN(8) {
	case 0:
		p.Spec.ApplyOnForward = true
	case 1:
		p.Spec.ApplyOnForward, p.Spec.DoNotTrack = true, true
	case 2:
		p.Spec.ApplyOnForward, p.Spec.PreDNAT, p.Spec.Types, p.Spec.Egress = true, true,
			[]tiers.Direction{tiers.Ingress}, nil
	case 3:
		// Just what the operator's does, but the user's: it has a name of the user's, or it would be the operator's.
		p.Name = pick(s, policyNames[:4])
		text, _ := json.Marshal(calico.PassSpec(p.Spec.Tier, operatorNamespace))
		p.Spec = tiers.PolicySpec{}
		_ = json.Unmarshal(text, &p.Spec)
	}
	return p
}

func (s source) endpoint() tiers.Endpoint {
	e := tiers.Endpoint{Labels: map[string]string{}}
	switch s.IntN(3) {
	case 0:
		e.Labels["app"] = "web"
	case 1:
		e.Labels["app"] = "db"
	}
	if s.once(8) {
		e.NoProfile = s.once(2)
		return e
	}
	e.Namespace = pick(s, workloadsIn)
	return e
}

func (s source) flow() tiers.Flow {
	f := tiers.Flow{Endpoint: s.endpoint(), Direction: pick(s, []tiers.Direction{tiers.Ingress, tiers.Egress})}
	if !s.once(4) {
		peer := s.endpoint()
		f.Peer = &peer
	}
	f.Forwarded = f.Endpoint.Namespace == "" && s.once(2)
	return f
}

// world has as many flows. Those of different worlds have nothing in common.
func (s source) world(flows int) *world {
	w := &world{
		Cluster: tiers.Cluster{Namespaces: map[string]map[string]string{
			"apps": {"team": "net"},
			"shop": {"team": "sales"}, operatorNamespace: {},
		}},
		Dialect:  tiers.Dialect{NamespaceBreaksTies: s.once(2), TierWithoutOrderLast: s.once(2)},
		TierMeta: map[string]tierMeta{},
		Marked:   map[string]bool{},
		Caps: restriction.Caps{
			MaxMode: api.RestrictionDefaultTierOnly, WindowsNode: s.once(16),
			OperatorNamespace: operatorNamespace,
		},
	}
	if s.once(16) {
		w.Caps.MaxMode = pick(s, modes)
	}
	tierNames := []string{"nowhere"}
	for i, name := range slices.Concat(customTiers, builtInTiers) {
		order, custom := s.order(), i < len(customTiers)
		switch {
		case name == "default":
			// Where it belongs, so that there is often something behind the others that they open and close.
			order = new(float64(1_000_000))
			tierNames = append(tierNames, name, name)
		case custom && s.once(2), !custom && !s.once(4):
			continue
		case custom:
			tierNames = append(tierNames, name, name, name)
		}
		tierNames = append(tierNames, name)
		w.Cluster.Tiers = append(w.Cluster.Tiers,
			tiers.Tier{Name: name, Order: order, DefaultAction: pick(s, []tiers.Action{"", tiers.Deny, tiers.Pass})})
		meta := tierMeta{Labels: labels.Set{}, Deleting: s.once(12)}
		if s.once(2) {
			meta.Labels["team"] = "net"
		}
		if s.once(12) {
			meta.Labels[calico.NeverLabel] = calico.NeverValue
		}
		if s.once(12) {
			meta.Labels[calico.SystemTierLabel] = calico.SystemTierValue
		}
		w.TierMeta[name] = meta
	}
	names := map[string]bool{}
	for range s.IntN(12) {
		p := s.policy(tierNames)
		key := fmt.Sprintf("%s/%s/%s", p.Kind, p.Namespace, p.Name)
		if names[key] {
			continue
		}
		names[key] = true
		// A mark alone makes nothing ours; under our name, or on just what we would make, it does, and then the policy
		// would not be a user's.
		if p.Kind == gnp && s.once(8) && (p.Name == "x" || p.Name == "a.x") &&
			p.Spec.NamespaceSelector != calico.PassSpec("", operatorNamespace)["namespaceSelector"] {
			w.Marked[p.Name] = true
		}
		w.Cluster.Policies = append(w.Cluster.Policies, p)
	}
	for _, name := range []string{"mesh", "zeta"} {
		w.Products = append(w.Products,
			product{
				Name: name, Mode: pick(s, modes), Team: pick(s, []string{"", "", "net", "nobody"}), Due: !s.once(4),
				Paused: s.once(10),
			})
	}
	for range flows {
		w.Flows = append(w.Flows, s.flow())
	}
	return w
}
