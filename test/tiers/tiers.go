// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tiers is an oracle: it decides flows by Calico's documented semantics of policy tiers, as simply as that can
// be put and with no code of the operator, so that tests can ask it what a restriction does. Its sources are the
// reference pages of the kinds Tier, GlobalNetworkPolicy, NetworkPolicy and of host endpoints at docs.tigera.io/calico,
// and where these are silent the code of projectcalico/calico, release 3.32, that a comment names.
//
// It leaves out whatever no restriction touches: ports, protocols, nets, service accounts, failsafe ports, established
// connections, and Windows.
package tiers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Action is what a rule does, or a tier with what no rule of it decided.
type Action string

// The actions. Log decides nothing, and a tier's is Deny or Pass.
const (
	Allow Action = "Allow"
	Deny  Action = "Deny"
	Pass  Action = "Pass"
	Log   Action = "Log"
)

// Direction is the type of a policy, and the direction of a flow as the endpoint sees it.
type Direction string

// The directions.
const (
	Ingress Direction = "Ingress"
	Egress  Direction = "Egress"
)

// Cluster is what there is.
type Cluster struct {
	// Namespaces and their labels. Calico's own need not be among them.
	Namespaces map[string]map[string]string
	Tiers      []Tier
	Policies   []Policy
}

// Tier is a tier. One that is being deleted is no different from others.
type Tier struct {
	Name          string
	Order         *float64
	DefaultAction Action // empty: Deny
}

// Policy is a policy of any kind. Those of other kinds than GlobalNetworkPolicy and NetworkPolicy, as the staged ones,
// are never applied.
type Policy struct {
	Kind            string
	Namespace, Name string
	Spec            PolicySpec
}

// PolicySpec is the part of a policy's spec that the oracle understands, under the names of projectcalico.org/v3.
type PolicySpec struct {
	Tier              string      `json:"tier,omitempty"`
	Order             *float64    `json:"order,omitempty"`
	Selector          string      `json:"selector,omitempty"`
	NamespaceSelector string      `json:"namespaceSelector,omitempty"`
	Types             []Direction `json:"types,omitempty"`
	Ingress           []Rule      `json:"ingress,omitempty"`
	Egress            []Rule      `json:"egress,omitempty"`
	DoNotTrack        bool        `json:"doNotTrack,omitempty"`
	PreDNAT           bool        `json:"preDNAT,omitempty"`
	ApplyOnForward    bool        `json:"applyOnForward,omitempty"`
}

// Rule is a rule of a policy.
type Rule struct {
	Action      Action `json:"action"`
	Source      Entity `json:"source,omitzero"`
	Destination Entity `json:"destination,omitzero"`
}

// Entity is what a rule asks of an end of a flow. Without a selector it is anybody, otherwise an endpoint that the
// cluster knows; of a NetworkPolicy, in its namespace.
type Entity struct {
	Selector string `json:"selector,omitempty"`
}

// Endpoint is a workload endpoint, or, without a namespace, a host endpoint.
type Endpoint struct {
	Namespace string
	Labels    map[string]string
	// NoProfile is an endpoint with no profile that allows what no tier decides. Pods have their namespace's, host
	// endpoints what they were given.
	NoProfile bool
}

// Flow is a new connection as one endpoint sees it.
type Flow struct {
	Endpoint  Endpoint
	Direction Direction
	// Peer is the other end; nil: an endpoint outside the cluster.
	Peer *Endpoint
	// Forwarded tells of a host endpoint's flow that it is not one of a local process.
	Forwarded bool
}

// Dialect is what versions of Calico, or what is said of them, differ in.
type Dialect struct {
	// NamespaceBreaksTies is how releases before 3.32 sort policies of the same order: by namespace/name, and a
	// GlobalNetworkPolicy by its name, in the place of name/namespace/kind (felix/calc/policy_sorter.go,
	// networkpolicyprocessor.go).
	NamespaceBreaksTies bool
	// TierWithoutOrderLast puts a tier without an order behind all others, as felix/calc/policy_sorter.go does, and not
	// where one of order 1,000,000 would be.
	TierWithoutOrderLast bool
}

// Evaluator decides flows on a cluster.
type Evaluator struct {
	namespaces map[string]map[string]string
	tiers      []compiledTier
}

type compiledTier struct {
	defaultAction Action
	policies      []compiledPolicy
}

type compiledPolicy struct {
	*Policy
	selector        Selector
	types           []Direction
	ingress, egress []compiledRule
}

type compiledRule struct {
	action              Action
	source, destination *Selector // nil: anybody
}

// Tiers without an order, and the default one, are at this place.
const defaultTierOrder = 1_000_000

// New prepares a cluster for evaluation, and fails on what the oracle does not understand.
func New(cluster Cluster, dialect Dialect) (*Evaluator, error) {
	e := &Evaluator{namespaces: cluster.Namespaces}
	for _, tier := range SortTiers(cluster.Tiers, dialect) {
		compiled := compiledTier{defaultAction: cmp.Or(tier.DefaultAction, Deny)}
		for _, policy := range SortPolicies(cluster.Policies, tier.Name, dialect) {
			c, err := compile(policy)
			if err != nil {
				return nil, fmt.Errorf("%s %s/%s: %w", policy.Kind, policy.Namespace, policy.Name, err)
			}
			compiled.policies = append(compiled.policies, c)
		}
		e.tiers = append(e.tiers, compiled)
	}
	return e, nil
}

// SortTiers are the tiers in the order of their evaluation: by order, then by name.
func SortTiers(tiers []Tier, dialect Dialect) []Tier {
	order := func(t Tier) float64 {
		switch {
		case t.Order != nil:
			return *t.Order
		case dialect.TierWithoutOrderLast:
			return math.Inf(1)
		default:
			return defaultTierOrder
		}
	}
	return slices.SortedFunc(slices.Values(tiers), func(a, b Tier) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.Name, b.Name))
	})
}

// SortPolicies are the policies of a tier in the order of their evaluation: by order, none being last, then by what the
// dialect breaks ties with. Kinds that are never applied are not among them.
func SortPolicies(policies []Policy, tier string, dialect Dialect) []*Policy {
	order := func(p *Policy) float64 {
		if p.Spec.Order == nil {
			return math.Inf(1)
		}
		return *p.Spec.Order
	}
	tie := func(p *Policy) string {
		switch {
		case !dialect.NamespaceBreaksTies:
			return p.Name + "/" + p.Namespace + "/" + p.Kind
		case p.Namespace != "":
			return p.Namespace + "/" + p.Name
		default:
			return p.Name
		}
	}
	var sorted []*Policy
	for i := range policies {
		p := &policies[i]
		if cmp.Or(p.Spec.Tier, "default") == tier && (p.Kind == "GlobalNetworkPolicy" || p.Kind == "NetworkPolicy") {
			sorted = append(sorted, p)
		}
	}
	slices.SortFunc(sorted, func(a, b *Policy) int {
		if less := cmp.Compare(order(a), order(b)); less != 0 {
			return less
		}
		return cmp.Compare(tie(a), tie(b))
	})
	return sorted
}

func compile(p *Policy) (compiledPolicy, error) {
	c := compiledPolicy{Policy: p, types: p.Spec.Types}
	if len(c.types) == 0 {
		c.types = defaultTypes(&p.Spec)
	}
	selector, err := ParseSelector(p.Spec.Selector)
	if err != nil {
		return c, err
	}
	namespaces, err := ParseSelector(p.Spec.NamespaceSelector)
	switch {
	case err != nil:
		return c, err
	case p.Kind == "NetworkPolicy" && p.Spec.NamespaceSelector != "":
		return c, fmt.Errorf("a NetworkPolicy selects no namespaces")
	case p.Kind == "NetworkPolicy":
		selector = selector.inNamespace(p.Namespace)
	case p.Spec.NamespaceSelector != "":
		selector = selector.inNamespaces(namespaces)
	}
	c.selector = selector
	if c.ingress, err = compileRules(p, p.Spec.Ingress); err != nil {
		return c, err
	}
	c.egress, err = compileRules(p, p.Spec.Egress)
	return c, err
}

// defaultTypes are those of a policy that names none: the directions it has rules for, and Ingress where it has none.
func defaultTypes(spec *PolicySpec) []Direction {
	switch {
	case len(spec.Egress) == 0:
		return []Direction{Ingress}
	case len(spec.Ingress) == 0:
		return []Direction{Egress}
	default:
		return []Direction{Ingress, Egress}
	}
}

func compileRules(p *Policy, rules []Rule) ([]compiledRule, error) {
	compiled := make([]compiledRule, 0, len(rules))
	for _, rule := range rules {
		source, err := compileEntity(p, rule.Source)
		if err != nil {
			return nil, err
		}
		destination, err := compileEntity(p, rule.Destination)
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, compiledRule{action: rule.Action, source: source, destination: destination})
	}
	return compiled, nil
}

func compileEntity(p *Policy, entity Entity) (*Selector, error) {
	if entity.Selector == "" {
		return nil, nil //nolint:nilnil // Nobody is asked for: anybody will do.
	}
	selector, err := ParseSelector(entity.Selector)
	if err != nil {
		return nil, err
	}
	if p.Kind == "NetworkPolicy" {
		selector = selector.inNamespace(p.Namespace)
	}
	return &selector, nil
}

// Verdict is Allow or Deny.
func (e *Evaluator) Verdict(flow Flow) Action {
	endpoint := e.labelsOf(&flow.Endpoint)
	var peer map[string]string
	if flow.Peer != nil {
		peer = e.labelsOf(flow.Peer)
	}
	run := func(policies func(*PolicySpec) bool, defaults bool) Action {
		return e.walk(flow.Direction, endpoint, peer, policies, defaults)
	}
	if flow.Endpoint.Namespace == "" {
		// A host endpoint's policies before connection tracking and before DNAT come first, and decide alone where they
		// decide. What no rule of them matches goes on: no default action (felix/calc/event_sequencer.go).
		if verdict := run(func(s *PolicySpec) bool { return s.DoNotTrack }, false); verdict != Pass {
			return verdict
		}
		if verdict := run(func(s *PolicySpec) bool { return s.PreDNAT }, false); verdict != Pass &&
			flow.Direction == Ingress {
			return verdict
		}
		if flow.Forwarded {
			// What is forwarded only meets the policies that say so, and passes where none decides.
			if verdict := run(func(s *PolicySpec) bool { return s.tracked() && s.ApplyOnForward },
				true); verdict != Pass {
				return verdict
			}
			return Allow
		}
	}
	// Workload endpoints have no stage but this one; applyOnForward makes no difference to it
	// (felix/calc/event_sequencer.go).
	if verdict := run((*PolicySpec).tracked, true); verdict != Pass {
		return verdict
	}
	if flow.Endpoint.NoProfile {
		return Deny
	}
	return Allow
}

// tracked tells of a policy of the ordinary stage.
func (s *PolicySpec) tracked() bool { return !s.DoNotTrack && !s.PreDNAT }

func (e *Evaluator) labelsOf(endpoint *Endpoint) map[string]string {
	switch {
	case endpoint.Namespace == "" && endpoint.Labels == nil:
		return map[string]string{}
	case endpoint.Namespace == "":
		return endpoint.Labels
	}
	return effectiveLabels(endpoint.Labels, endpoint.Namespace, e.namespaces[endpoint.Namespace])
}

// walk goes through the tiers. Pass: no tier decided. A tier counts if any of the policies in it applies to the
// endpoint in this direction; if no such policy decides, the tier's default action does.
func (e *Evaluator) walk(
	direction Direction, endpoint, peer map[string]string, which func(*PolicySpec) bool, defaults bool,
) Action {
	for i := range e.tiers {
		tier := &e.tiers[i]
		applies, verdict := false, Log
		for j := range tier.policies {
			policy := &tier.policies[j]
			if !which(&policy.Spec) || !slices.Contains(policy.types, direction) || !policy.selector.Matches(endpoint) {
				continue
			}
			applies = true
			if verdict = policy.decide(direction, endpoint, peer); verdict != Log {
				break
			}
		}
		if verdict == Log {
			if !applies || !defaults {
				continue
			}
			verdict = tier.defaultAction
		}
		if verdict != Pass {
			return verdict
		}
	}
	return Pass
}

// decide is the action of the first rule that matches and does more than to log; Log where there is none.
func (p *compiledPolicy) decide(direction Direction, endpoint, peer map[string]string) Action {
	rules, source, destination := p.ingress, peer, endpoint
	if direction == Egress {
		rules, source, destination = p.egress, endpoint, peer
	}
	for _, rule := range rules {
		if rule.action != Log && isAt(rule.source, source) && isAt(rule.destination, destination) {
			return rule.action
		}
	}
	return Log
}

// isAt tells whether what a rule asks for is at an end of a flow. Nobody that the cluster knows has no labels at all,
// and is matched by no selector, all() included.
func isAt(selector *Selector, labels map[string]string) bool {
	return selector == nil || labels != nil && selector.Matches(labels)
}
