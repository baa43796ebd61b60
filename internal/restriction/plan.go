// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package restriction plans the restrictions of all products: which policy tiers are restricted and how, which objects
// have to exist for that and which have to be deleted, what that affects, and which policies bypass it. It is pure: it
// has no client and no clock, and it needs to know so little of a policy that tens of thousands can be kept.
//
// What depends on Calico is in package calico.
package restriction

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// Plan is the result of the restrictions of all products on what was seen. Its lists are sorted: tiers and products by
// name, policies by namespace, name, kind.
type Plan struct {
	// Products are all products, whether they restrict anything or not.
	Products []ProductPlan
	// Tiers in which a restriction is in force.
	Tiers []TierPlan
	// Delete are the names of the operator's GlobalNetworkPolicies that have to be deleted.
	Delete []string
}

// TierPlan is the restriction that is in force in a tier.
type TierPlan struct {
	Name string
	// Mode is the strongest of the products', and ModeReason says why it is not the one that they have.
	Mode       api.RestrictionMode
	ModeReason api.RestrictionModeReason
	// Products with the strongest mode.
	Products []string
	// Pass has to exist; nil if the mode suspends no policies.
	Pass *calico.PassPolicy
	// Bypasses are the policies that are applied to pods although a product's mode suspends policies.
	Bypasses []api.BypassingPolicy
}

// ProductPlan is the result of the restriction of one product, whatever other products do.
type ProductPlan struct {
	Name string
	// Mode is the product's, as reduced by the caps, and ModeReason says why it is not the one in the terms.
	Mode       api.RestrictionMode
	ModeReason api.RestrictionModeReason
	// InForce reports whether the restriction restricts: it is due, not paused, and its mode is stronger than Observe.
	InForce bool
	// Affects are the tiers that it restricts or, if not in force, would restrict. Under Observe they are computed for
	// the mode in the terms or, if that is Observe, for DefaultTierOnly (with a Windows node, ReadOnly).
	Affects []TierEffect
	// Spared are the tiers that the product selects and that are exempt.
	Spared []api.SparedTier
}

// TierEffect is what the restriction of one product does in one tier.
type TierEffect struct {
	Tier       string
	Mode       api.RestrictionMode
	ModeReason api.RestrictionModeReason
	// Policies that stop being applied to pods or, if the mode freezes policies, can no longer be changed. The former
	// do not include those for host endpoints only, those of the operator's namespace, and bypasses. Plans share this
	// list: do not write to it.
	Policies []calico.PolicyRef
	// Allow and Deny are how many of Policies have a rule that allows, and one that denies.
	Allow, Deny int
	// Bypasses are the policies that stay applied to pods. Plans share this list, too.
	Bypasses []api.BypassingPolicy
}

// Opens returns the policies whose denials stop: what they deny passes, unless a later tier denies it. It is empty if
// the mode suspends no policies.
func (e *TierEffect) Opens() []calico.PolicyRef {
	return e.suspended(func(p calico.PolicyRef) bool { return p.Denies })
}

// Closes returns the policies whose permissions stop: later tiers decide on what they allow. It is empty if the mode
// suspends no policies.
func (e *TierEffect) Closes() []calico.PolicyRef {
	return e.suspended(func(p calico.PolicyRef) bool { return p.Allows })
}

func (e *TierEffect) suspended(which func(calico.PolicyRef) bool) []calico.PolicyRef {
	if !e.Mode.Suspends() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(e.Policies), func(p calico.PolicyRef) bool { return !which(p) })
}

// MakePlan plans the restrictions of products. It keeps nothing of its arguments but strings.
func MakePlan(seen Seen, products []Product, caps Caps) Plan {
	p := newPlanner(seen, caps)
	inForce := make(map[string][]*Product)
	modes := make(map[string]api.RestrictionMode, len(products))
	products = slices.SortedFunc(slices.Values(products), func(a, b Product) int { return cmp.Compare(a.Name, b.Name) })
	var plan Plan
	for i := range products {
		product := &products[i]
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
	for _, name := range p.existing {
		if !needed[name] {
			plan.Delete = append(plan.Delete, name)
		}
	}
	return plan
}

// planner is what was seen, in the order of a plan.
type planner struct {
	caps  Caps
	tiers []*calico.Tier
	// policies by tier, without the operator's own.
	policies map[string][]*calico.Policy
	// existing are the names of the operator's policies, and existingIn those policies by tier.
	existing   []string
	existingIn map[string][]*calico.Policy
	// taken are the names of pass policies that users' policies have, and those that the plan has assigned to a tier:
	// the names for two tiers can be the same.
	taken map[string]bool
	// views of the tiers that any product selects, made when first needed.
	views map[string]*view
}

// view is what a tier's restriction means for its policies.
type view struct {
	// passName is the name that the pass policy has or would have.
	passName string
	// all policies, and those that stop being applied.
	all, stopping []calico.PolicyRef
	// applied are the policies that are applied to pods without a pass policy, and first those that come before it.
	applied, first []api.BypassingPolicy
}

func newPlanner(seen Seen, caps Caps) *planner {
	p := &planner{
		caps: caps, policies: map[string][]*calico.Policy{}, existingIn: map[string][]*calico.Policy{},
		taken: map[string]bool{}, views: map[string]*view{},
	}
	for i := range seen.Tiers {
		p.tiers = append(p.tiers, &seen.Tiers[i])
	}
	slices.SortFunc(p.tiers, func(a, b *calico.Tier) int { return cmp.Compare(a.Name, b.Name) })
	for i := range seen.Policies {
		policy := &seen.Policies[i]
		if policy.IsOurs() {
			p.existing = append(p.existing, policy.Name)
			p.existingIn[policy.Tier] = append(p.existingIn[policy.Tier], policy)
			continue
		}
		if policy.Kind == calico.GlobalNetworkPolicy && calico.IsPassName(policy.Name) {
			p.taken[policy.Name] = true
		}
		p.policies[policy.Tier] = append(p.policies[policy.Tier], policy)
	}
	slices.Sort(p.existing)
	for _, policies := range p.policies {
		slices.SortFunc(policies, calico.CompareByName)
	}
	return p
}

func (p *planner) product(product *Product) ProductPlan {
	mode, reason := EffectiveMode(product.Mode, p.caps)
	plan := ProductPlan{
		Name: product.Name, Mode: mode, ModeReason: reason,
		InForce: mode.Restricts() && product.Due && !product.Paused,
	}
	if mode == "" || product.TierSelector == nil {
		return plan
	}
	if !mode.Restricts() {
		asked := product.Mode
		if !asked.Restricts() {
			asked = api.RestrictionDefaultTierOnly
		}
		mode, _ = EffectiveMode(asked, Caps{MaxMode: asked, WindowsNode: p.caps.WindowsNode})
	}
	for _, t := range p.tiers {
		if !product.TierSelector.Matches(t.Labels) {
			continue
		}
		if exemption := t.Exemption(); exemption != "" {
			plan.Spared = append(plan.Spared, api.SparedTier{Name: t.Name, Reason: exemption})
			continue
		}
		plan.Affects = append(plan.Affects, p.effect(t, mode))
	}
	return plan
}

func (p *planner) effect(t *calico.Tier, asked api.RestrictionMode) TierEffect {
	v := p.view(t)
	mode, reason := modeIn(t, asked)
	effect := TierEffect{Tier: t.Name, Mode: mode, ModeReason: reason, Policies: v.all}
	switch {
	case reason == api.ModeReasonTierDeleting:
		effect.Bypasses = v.applied
	case mode.Suspends():
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

// tier plans a tier for the products, sorted by name and with these modes, whose restrictions are in force there.
func (p *planner) tier(t *calico.Tier, products []*Product, modes map[string]api.RestrictionMode) TierPlan {
	strongest := modes[products[0].Name]
	for _, product := range products {
		if mode := modes[product.Name]; compareStrength(mode, strongest) > 0 {
			strongest = mode
		}
	}
	var names []string
	var holders []calico.Holder
	for _, product := range products {
		if modes[product.Name] == strongest {
			since := product.Since
			if since.IsZero() {
				since = product.EffectiveTime
			}
			names = append(names, product.Name)
			holders = append(holders, calico.Holder{
				Product: product.Name, Vendor: product.Vendor, RenewalURL: product.RenewalURL, Since: since,
			})
		}
	}
	effect := p.effect(t, strongest)
	plan := TierPlan{
		Name: t.Name, Mode: effect.Mode, ModeReason: effect.ModeReason, Products: names, Bypasses: effect.Bypasses,
	}
	if effect.Mode.Suspends() {
		plan.Pass = calico.NewPassPolicy(p.view(t).passName, t.Name, holders, p.caps.OperatorNamespace)
	}
	return plan
}

func (p *planner) view(t *calico.Tier) *view {
	if v, ok := p.views[t.Name]; ok {
		return v
	}
	v := &view{passName: calico.PassName(t.Name, p.existingIn[t.Name], p.taken)}
	p.taken[v.passName] = true
	for _, policy := range p.policies[t.Name] {
		ref := policy.Ref()
		v.all = append(v.all, ref)
		if !policy.IsSuspendable(p.caps.OperatorNamespace) {
			continue
		}
		first := policy.SortsBefore(v.passName)
		if !first {
			v.stopping = append(v.stopping, ref)
		}
		// A policy that does the same as the pass policy bypasses nothing.
		if policy.Neutral {
			continue
		}
		v.applied = append(v.applied, bypass(t, ref, api.BypassTierDeleting))
		if first {
			v.first = append(v.first, bypass(t, ref, api.BypassSortsFirst))
		}
	}
	p.views[t.Name] = v
	return v
}

func bypass(t *calico.Tier, policy calico.PolicyRef, reason api.BypassReason) api.BypassingPolicy {
	return api.BypassingPolicy{
		Kind: string(policy.Kind), Namespace: policy.Namespace, Name: policy.Name, Tier: t.Name, Reason: reason,
	}
}

// Seen is what exists in the cluster, in any order. A plan reads it and does not change it.
type Seen struct {
	Tiers    []calico.Tier
	Policies []calico.Policy
}

// Product is what a plan needs to know of a product. The caller decides what makes it Due, Disputed or Paused.
type Product struct {
	Name string
	// Vendor and RenewalURL are for the annotations of pass policies; RenewalURL may be empty.
	Vendor, RenewalURL string
	// Mode is the one in the product's terms; empty means none, which restricts nothing and affects nothing.
	Mode api.RestrictionMode
	// TierSelector selects tiers by their labels; nil selects none.
	TierSelector labels.Selector
	// Due is true from the effective time on, once the restriction may start, and for as long as it is in force.
	Due bool
	// Disputed is true while the restriction would be due but may not start, because the clocks disagree.
	Disputed bool
	// Paused is true while the cluster owner pauses the restriction.
	Paused bool
	// Since is when the restriction came into force; zero before that. EffectiveTime is when it takes effect.
	Since, EffectiveTime time.Time
}

// Caps are the limits that the cluster owner and the cluster set for restrictions, other than by labels on tiers.
type Caps struct {
	// MaxMode is the strongest mode of any product (--max-restriction). A value that is not a mode, the empty string
	// included, counts as Observe: a mistake restricts nothing.
	MaxMode api.RestrictionMode
	// WindowsNode is true while the cluster has one. There, a Pass in the last tier that applies to a pod blocks its
	// traffic (projectcalico/calico#13208), so ReadOnly replaces DefaultTierOnly.
	WindowsNode bool
	// OperatorNamespace is where the operator runs. Its pods are exempt, so that a renewal always arrives.
	OperatorNamespace string
}
