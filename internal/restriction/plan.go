// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"cmp"
	"math"
	"slices"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Plan is what the restrictions of all products come to on what was seen. All lists are in an order of their own,
// whatever order things were seen in: tiers and products by name, policies by namespace, name, kind.
type Plan struct {
	// Products, each of them, whether it restricts anything or not.
	Products []ProductPlan
	// Tiers that a restriction is in force in.
	Tiers []TierPlan
	// Delete are the names of the GlobalNetworkPolicies that the operator made and that have to go.
	Delete []string
}

// TierPlan is the restriction that is in force in a tier.
type TierPlan struct {
	Name string
	// Mode is the strongest of the products', ReadOnly or DefaultTierOnly, and ModeReason tells why it is not the one
	// that they have.
	Mode       api.RestrictionMode
	ModeReason api.RestrictionModeReason
	// Products are those that it is in force for: the ones whose mode is the strongest.
	Products []string
	// Pass has to exist; nil in ReadOnly.
	Pass *PassPolicy
	// Bypasses are the policies that are applied to pods although a product's mode is DefaultTierOnly.
	Bypasses []Bypass
}

// ProductPlan is what the restriction of a product comes to, by itself, whatever other products do.
type ProductPlan struct {
	Name string
	// Mode is the product's under the brakes, and ModeReason tells why it is another than the one asked for.
	Mode       api.RestrictionMode
	ModeReason api.RestrictionModeReason
	// InForce tells whether the restriction restricts: it is due, not paused, and its mode is more than Observe.
	InForce bool
	// Affects are the tiers that it restricts, or, not in force, would. Under Observe that is by the mode that was
	// asked for, or, where that is Observe, by DefaultTierOnly; with a Windows node by ReadOnly.
	Affects []TierEffect
	// Spared are the tiers that the product selects and cannot restrict.
	Spared []SparedTier
}

// SparedTier is a tier that a product selects and cannot restrict.
type SparedTier struct {
	Name   string
	Reason api.TierSpareReason
}

// TierEffect is what the restriction of one product does in one tier.
type TierEffect struct {
	Tier       string
	Mode       api.RestrictionMode
	ModeReason api.RestrictionModeReason
	// Policies that stop being applied to pods, or, in ReadOnly, can no longer be changed. The former leaves out those
	// that act on host endpoints only, those of the operator's namespace, and what bypasses. Plans share this list: it
	// is not to be written to.
	Policies []PolicyRef
	// Allow and Deny are how many of Policies have a rule that allows, and one that denies.
	Allow, Deny int
	// Bypasses are the policies that go on being applied to pods.
	Bypasses []Bypass
}

// Opens are the policies whose denials stop: what they deny passes, unless a later tier denies it. None in ReadOnly.
func (e *TierEffect) Opens() []PolicyRef {
	return e.stopping(func(p PolicyRef) bool { return p.Denies })
}

// Closes are the policies whose permissions stop: what they allow is decided by later tiers. None in ReadOnly.
func (e *TierEffect) Closes() []PolicyRef {
	return e.stopping(func(p PolicyRef) bool { return p.Allows })
}

func (e *TierEffect) stopping(which func(PolicyRef) bool) []PolicyRef {
	if e.Mode != api.RestrictionDefaultTierOnly {
		return nil
	}
	var found []PolicyRef
	for _, p := range e.Policies {
		if which(p) {
			found = append(found, p)
		}
	}
	return found
}

// Counts are how many policies the restriction affects in all tiers, and how many of them have a rule that allows, and
// one that denies.
func (p *ProductPlan) Counts() (policies, allow, deny int) {
	for i := range p.Affects {
		policies += len(p.Affects[i].Policies)
		allow += p.Affects[i].Allow
		deny += p.Affects[i].Deny
	}
	return policies, allow, deny
}

// Bypass is a policy that is applied to pods in spite of DefaultTierOnly.
type Bypass struct {
	Policy PolicyRef
	Reason api.BypassReason
}

// MakePlan works out what the restrictions of products come to. It keeps nothing of what it is given but strings.
func MakePlan(seen Seen, products []Product, brakes Brakes) Plan {
	p := newPlanner(seen, brakes)
	inForce := make(map[string][]*Product)
	modes := make(map[string]api.RestrictionMode, len(products))

	sorted := make([]*Product, 0, len(products))
	for i := range products {
		sorted = append(sorted, &products[i])
	}
	slices.SortFunc(sorted, func(a, b *Product) int { return cmp.Compare(a.Name, b.Name) })

	var plan Plan
	for _, product := range sorted {
		pp := p.product(product)
		modes[product.Name] = pp.Mode
		plan.Products = append(plan.Products, pp)
		if pp.InForce {
			for i := range pp.Affects {
				inForce[pp.Affects[i].Tier] = append(inForce[pp.Affects[i].Tier], product)
			}
		}
	}
	needed := make(map[string]bool)
	for _, t := range p.tiers {
		if restricting := inForce[t.Name]; len(restricting) > 0 {
			tp := p.tier(t, restricting, modes)
			if tp.Pass != nil {
				needed[tp.Pass.Name] = true
			}
			plan.Tiers = append(plan.Tiers, tp)
		}
	}
	for _, name := range p.made {
		if !needed[name] {
			plan.Delete = append(plan.Delete, name)
		}
	}
	return plan
}

// planner is what was seen, in the order of a plan.
type planner struct {
	brakes Brakes
	tiers  []*Tier
	// policies by tier, without the operator's own.
	policies map[string][]*Policy
	// made are the names of all policies that the operator made, and madeIn those of them that may stand in for a
	// tier's pass policy, by that tier.
	made   []string
	madeIn map[string][]*Policy
	// taken are the names of GlobalNetworkPolicies that the operator did not make, and those that the plan has given to
	// a tier: the names of two tiers can be made up to come to the same.
	taken map[string]bool
	// views of the tiers that any product selects, made when first needed.
	views map[string]*view
}

// view is what a tier's restriction means for what is in it.
type view struct {
	// passName is the name that the pass policy has or would have.
	passName string
	// all policies, those that stop being applied, those that are applied to pods whatever the operator does, and those
	// of them that it cannot stop.
	all, stopping  []PolicyRef
	applied, first []Bypass
}

func newPlanner(seen Seen, brakes Brakes) *planner {
	p := &planner{
		brakes:   brakes,
		policies: make(map[string][]*Policy, len(seen.Tiers)),
		madeIn:   make(map[string][]*Policy),
		taken:    make(map[string]bool),
		views:    make(map[string]*view, len(seen.Tiers)),
	}
	for i := range seen.Tiers {
		p.tiers = append(p.tiers, &seen.Tiers[i])
	}
	slices.SortFunc(p.tiers, func(a, b *Tier) int { return cmp.Compare(a.Name, b.Name) })
	for i := range seen.Policies {
		policy := &seen.Policies[i]
		if policy.IsOurs() {
			p.made = append(p.made, policy.Name)
			p.madeIn[policy.Tier] = append(p.madeIn[policy.Tier], policy)
			continue
		}
		if policy.Kind == GlobalNetworkPolicy && passNumber(policy.Name) > 0 {
			p.taken[policy.Name] = true
		}
		p.policies[policy.Tier] = append(p.policies[policy.Tier], policy)
	}
	slices.Sort(p.made)
	for _, policies := range p.policies {
		slices.SortFunc(policies, compareByName)
	}
	return p
}

func compareByName(a, b *Policy) int {
	if a.Namespace != b.Namespace {
		return cmp.Compare(a.Namespace, b.Namespace)
	}
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

func (p *planner) product(product *Product) ProductPlan {
	mode, reason := EffectiveMode(product.Mode, p.brakes)
	plan := ProductPlan{
		Name: product.Name, Mode: mode, ModeReason: reason,
		InForce: strength(mode) > 0 && product.Due && !product.Paused,
	}
	if mode == "" || product.TierSelector == nil {
		return plan
	}
	if mode == api.RestrictionObserve {
		asked := product.Mode
		if strength(asked) == 0 {
			asked = api.RestrictionDefaultTierOnly
		}
		mode, _ = EffectiveMode(asked, Brakes{MaxMode: asked, WindowsNode: p.brakes.WindowsNode})
	}
	for _, t := range p.tiers {
		if !product.TierSelector.Matches(t.Labels) {
			continue
		}
		if spared := Spared(*t); spared != "" {
			plan.Spared = append(plan.Spared, SparedTier{Name: t.Name, Reason: spared})
			continue
		}
		plan.Affects = append(plan.Affects, p.effect(t, mode))
	}
	return plan
}

func (p *planner) effect(t *Tier, asked api.RestrictionMode) TierEffect {
	v := p.view(t)
	mode, reason := modeIn(t, asked)
	effect := TierEffect{Tier: t.Name, Mode: mode, ModeReason: reason, Policies: v.all}
	switch {
	case reason == api.ModeReasonTierDeleting:
		effect.Bypasses = v.applied
	case mode == api.RestrictionDefaultTierOnly:
		effect.Policies, effect.Bypasses = v.stopping, v.first
	}
	for i := range effect.Policies {
		if effect.Policies[i].Allows {
			effect.Allow++
		}
		if effect.Policies[i].Denies {
			effect.Deny++
		}
	}
	return effect
}

// tier plans a tier for the products, sorted by name and of these modes, that have a restriction in force there.
func (p *planner) tier(t *Tier, products []*Product, modes map[string]api.RestrictionMode) TierPlan {
	strongest := api.RestrictionReadOnly
	for _, product := range products {
		if modes[product.Name] == api.RestrictionDefaultTierOnly {
			strongest = api.RestrictionDefaultTierOnly
		}
	}
	var by []*Product
	var names []string
	for _, product := range products {
		if modes[product.Name] == strongest {
			by, names = append(by, product), append(names, product.Name)
		}
	}
	effect := p.effect(t, strongest)
	plan := TierPlan{Name: t.Name, Mode: effect.Mode, ModeReason: effect.ModeReason, Products: names,
		Bypasses: effect.Bypasses}
	if effect.Mode == api.RestrictionDefaultTierOnly {
		plan.Pass = passPolicy(p.view(t).passName, t, by, p.brakes.OperatorNamespace)
	}
	return plan
}

func (p *planner) view(t *Tier) *view {
	if v, ok := p.views[t.Name]; ok {
		return v
	}
	v := &view{passName: p.passName(t)}
	p.taken[v.passName] = true
	for _, policy := range p.policies[t.Name] {
		ref := policy.ref()
		v.all = append(v.all, ref)
		// Host endpoints keep their policies, and the pods of the operator's namespace theirs.
		if !policy.ForPods || policy.Kind == NetworkPolicy && policy.Namespace == p.brakes.OperatorNamespace {
			continue
		}
		first := policy.sortsBefore(v.passName)
		if !first {
			v.stopping = append(v.stopping, ref)
		}
		// What does just what the pass policy does gets around nothing.
		if policy.Neutral {
			continue
		}
		v.applied = append(v.applied, Bypass{Policy: ref, Reason: api.BypassTierDeleting})
		if first {
			v.first = append(v.first, Bypass{Policy: ref, Reason: api.BypassSortsFirst})
		}
	}
	p.views[t.Name] = v
	return v
}

// passName is the name of the pass policy of a tier. One that is there is kept, best one that is as it should be, so
// that nothing is written or opened for the sake of a nicer name; otherwise it is the first that nobody else's policy
// has.
func (p *planner) passName(t *Tier) string {
	var kept *Policy
	for _, policy := range p.madeIn[t.Name] {
		n := passNumber(policy.Name)
		if n == 0 || policy.Name != passPolicyName(t.Name, n) || p.taken[policy.Name] {
			continue
		}
		if kept == nil || policy.Neutral && !kept.Neutral ||
			policy.Neutral == kept.Neutral && n < passNumber(kept.Name) {
			kept = policy
		}
	}
	if kept != nil {
		return kept.Name
	}
	for n := 1; ; n++ {
		if name := passPolicyName(t.Name, n); !p.taken[name] {
			return name
		}
	}
}

// sortsBefore tells whether any version of Calico evaluates the policy before the pass policy of that name. Orders
// compare first, and none comes last. Of the same order, releases from 3.32 on compare name/namespace/kind, as that one
// string, and earlier ones namespace/name, or the mere name of a global policy (felix/calc/policy_sorter.go,
// networkpolicyprocessor.go in projectcalico/calico). Which it is cannot be seen here, so either counts.
func (p *Policy) sortsBefore(passName string) bool {
	order := math.Inf(1)
	if p.Order != nil {
		order = *p.Order
	}
	if order != PassOrder {
		return order < PassOrder
	}
	name := p.Name
	if p.Namespace != "" {
		name = p.Namespace + "/" + p.Name
	}
	return p.Name+"/"+p.Namespace+"/"+string(p.Kind) < passName+"//"+string(GlobalNetworkPolicy) || name < passName
}
