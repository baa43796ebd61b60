// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/timeline"
)

// timeReason says how the time of a simulation was come by.
type timeReason string

// How a time is come by.
const (
	// timeAsked: --at.
	timeAsked timeReason = "Asked"
	// timeRestrictionStarts: the first restriction to come of the products shown.
	timeRestrictionStarts timeReason = "RestrictionStarts"
	// timePauseEnds: the same, at the end of a pause.
	timePauseEnds timeReason = "PauseEnds"
	// timeNow: no restriction is to come.
	timeNow timeReason = "Now"
)

// simulation is what is restricted at a time, as things are now. Its JSON form is an interface: fields are added, never
// renamed. Where the API has the same thing, it has the same name.
type simulation struct {
	Time         metav1.Time `json:"time"`
	TimeReason   timeReason  `json:"timeReason"`
	TimeProducts []string    `json:"timeProducts,omitempty"`
	// Products that were asked for, by name.
	Products []simulatedProduct `json:"products"`
	// Tiers that are restricted at that time for any of these, with what the restrictions of all products come to
	// there.
	Tiers []simulatedTier `json:"tiers"`
	// SparedNamespace is the operator's own. Its pods keep everything.
	SparedNamespace string `json:"sparedNamespace,omitempty"`
	// DefaultDenials are listed where something closes, for what then decides.
	DefaultDenials []defaultDenial `json:"defaultDenials,omitempty"`

	now time.Time
	// withoutKubernetes is true where Kubernetes' own policies are missing among them.
	withoutKubernetes bool
	// notes are what a reader has to know besides, on the standard error.
	notes []string
}

// simulatedProduct is a product at that time.
type simulatedProduct struct {
	Name                 string                   `json:"name"`
	State                api.LicensedProductState `json:"state"`
	ActiveLicenseKeyName string                   `json:"activeLicenseKeyName,omitempty"`
	ExpiryTime           *metav1.Time             `json:"expiryTime,omitempty"`
	GraceEndTime         *metav1.Time             `json:"graceEndTime,omitempty"`
	Restriction          simulatedRestriction     `json:"restriction"`
}

// simulatedRestriction is the restriction of a product at that time.
type simulatedRestriction struct {
	State  api.RestrictionState `json:"state"`
	Reason string               `json:"reason"`
	// InForce tells whether Tiers are restricted; otherwise they would be.
	InForce bool `json:"inForce"`
	// AskedMode is that of the terms, and Mode what it comes to.
	AskedMode     api.RestrictionMode       `json:"askedMode,omitempty"`
	Mode          api.RestrictionMode       `json:"mode,omitempty"`
	ModeReason    api.RestrictionModeReason `json:"modeReason,omitempty"`
	EffectiveTime *metav1.Time              `json:"effectiveTime,omitempty"`
	SinceTime     *metav1.Time              `json:"sinceTime,omitempty"`
	Pause         *api.RestrictionPause     `json:"pause,omitempty"`
	Tiers         []affectedTier            `json:"tiers"`
	SparedTiers   []api.SparedTier          `json:"sparedTiers,omitempty"`
}

// affectedTier is what a restriction does in one tier; as part of a product, whatever other products do.
type affectedTier struct {
	Name          string                    `json:"name"`
	Mode          api.RestrictionMode       `json:"mode"`
	ModeReason    api.RestrictionModeReason `json:"modeReason,omitempty"`
	DefaultAction string                    `json:"defaultAction"`
	// Policies that stop being applied to pods, or, in ReadOnly, cannot be changed, and Bypasses, those that go on
	// being applied.
	Policies []affectedPolicy      `json:"policies"`
	Bypasses []api.BypassingPolicy `json:"bypasses,omitempty"`
}

// affectedPolicy is one of them, of projectcalico.org/v3.
type affectedPolicy struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Opens: it denies, which stops. Closes: it allows, which stops.
	Opens  bool `json:"opens,omitempty"`
	Closes bool `json:"closes,omitempty"`
}

// simulatedTier is what the restrictions of all products come to in a tier, and for which of them.
type simulatedTier struct {
	affectedTier
	Products []string `json:"products"`
}

// simulator is one simulation in the making.
type simulator struct {
	cluster   *cluster
	now       time.Time
	caps      restriction.Caps
	timelines []*timeline.Timeline
	notes     []string
}

// simulate tells what is restricted at a time; at its zero value, when the first restriction to come of the products
// shown starts. shown is one product, or empty for all of them. Restrictions overlap, so all products are planned even
// where one is shown.
func simulate(c *cluster, shown string, at, now time.Time) (*simulation, error) {
	if shown != "" && !slices.ContainsFunc(c.products, func(p api.LicensedProduct) bool { return p.Name == shown }) {
		return nil, kubeclient.NoSuchProduct(shown)
	}
	s := &simulator{cluster: c, now: now}
	slices.SortFunc(c.products, func(a, b api.LicensedProduct) int { return cmp.Compare(a.Name, b.Name) })
	isShown := func(name string) bool { return shown == "" || name == shown }
	s.findCaps()
	s.noteKeys(isShown)

	found := &simulation{
		now: now, TimeReason: timeAsked, SparedNamespace: s.caps.OperatorNamespace, Products: []simulatedProduct{},
		Tiers: []simulatedTier{},
	}
	if at.IsZero() {
		at, found.TimeReason, found.TimeProducts = s.firstStart(isShown)
	}
	found.Time = metav1.NewTime(at.UTC())
	for i := range c.products {
		s.timelines = append(s.timelines, s.timeline(&c.products[i]))
		s.timelines[i].AdvanceTo(at)
	}
	plan := s.plan()
	for i := range plan.Products {
		if isShown(plan.Products[i].Name) {
			s.noteProduct(s.timelines[i])
			found.Products = append(found.Products, s.product(s.timelines[i], &plan.Products[i]))
		}
	}
	for i := range plan.Tiers {
		if t := &plan.Tiers[i]; found.restricts(t.Name) {
			found.Tiers = append(found.Tiers,
				simulatedTier{affectedTier: s.affected(effectIn(&plan, t)), Products: t.Products})
		}
	}
	if found.closes() {
		found.DefaultDenials = defaultDenials(c, found.SparedNamespace)
		if err := c.kubernetesPoliciesErr; err != nil {
			found.withoutKubernetes = true
			s.notef("Kubernetes' NetworkPolicies cannot be listed, and are missing where the default tier denies by "+
				"default: %v", err)
		}
	}
	found.notes = s.notes
	return found, nil
}

func (s *simulator) notef(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// findCaps takes from a product's status what the operator was started with: it writes the same to each.
func (s *simulator) findCaps() {
	s.caps = restriction.Caps{MaxMode: api.RestrictionDefaultTierOnly, WindowsNode: s.cluster.windowsNode}
	known := slices.IndexFunc(s.cluster.products,
		func(p api.LicensedProduct) bool { return restriction.StatusOf(&p).SparedNamespace != "" })
	if known >= 0 {
		status := restriction.StatusOf(&s.cluster.products[known])
		s.caps.OperatorNamespace = status.SparedNamespace
		s.caps.MaxMode = cmp.Or(status.MaxMode, s.caps.MaxMode)
	}
	switch {
	case s.cluster.withoutTiers:
		s.notef("the cluster does not serve Calico's tiers (projectcalico.org/v3): there is nothing to restrict")
	case known < 0 && len(s.cluster.products) > 0:
		s.notef("the operator has not said yet which namespace it spares, nor what --max-restriction is: none and " +
			"DefaultTierOnly are assumed")
	}
	if err := s.cluster.nodesErr; err != nil && !s.cluster.withoutTiers {
		s.notef("nodes cannot be listed: that none runs Windows is assumed: %v", err)
	}
}

// noteKeys names the keys that the operator has not looked at as they are now.
func (s *simulator) noteKeys(isShown func(string) bool) {
	for i := range s.cluster.keys {
		if key := &s.cluster.keys[i]; key.Status.ObservedGeneration != key.Generation && isShown(key.Spec.ProductName) {
			s.notef("the operator has not reconciled the current LicenseKey %s yet: its last status is used", key.Name)
		}
	}
}

func (s *simulator) timeline(product *api.LicensedProduct) *timeline.Timeline {
	return timeline.New(product, timeline.KeysOf(product.Name, s.cluster.keys), s.caps, s.now)
}

// firstStart is when the first restriction to come of the products shown starts, and of which ones; now, where none is
// to come.
func (s *simulator) firstStart(isShown func(string) bool) (first time.Time, why timeReason, products []string) {
	first, why = s.now, timeNow
	for i := range s.cluster.products {
		product := &s.cluster.products[i]
		if !isShown(product.Name) {
			continue
		}
		at, pauseEnds := s.timeline(product).RestrictionStart()
		switch {
		case at.IsZero() || products != nil && at.After(first):
			continue
		case products == nil || at.Before(first):
			first, why, products = at, timeRestrictionStarts, nil
			if pauseEnds {
				why = timePauseEnds
			}
		}
		products = append(products, product.Name)
	}
	return first, why, products
}

// plan is what the operator would make of it all.
func (s *simulator) plan() restriction.Plan {
	var seen restriction.Seen
	for i := range s.cluster.tiers {
		seen.Tiers = append(seen.Tiers, calico.TierOf(&s.cluster.tiers[i]))
	}
	for i := range s.cluster.globalPolicies {
		seen.Policies = append(seen.Policies,
			calico.PolicyOf(calico.GlobalNetworkPolicy, &s.cluster.globalPolicies[i], s.caps.OperatorNamespace))
	}
	for i := range s.cluster.policies {
		seen.Policies = append(seen.Policies,
			calico.PolicyOf(calico.NetworkPolicy, &s.cluster.policies[i], s.caps.OperatorNamespace))
	}
	products := make([]restriction.Product, 0, len(s.timelines))
	for _, future := range s.timelines {
		products = append(products, future.Planned)
	}
	return restriction.MakePlan(seen, products, s.caps)
}

// noteProduct tells what is odd about a product.
func (s *simulator) noteProduct(c *timeline.Timeline) {
	product := c.Product
	if product.Status.ObservedGeneration != product.Generation {
		s.notef("the operator has not looked at LicensedProduct %s as it is now: its condition may tell more in "+
			"a moment", product.Name)
	}
	if _, err := restriction.TierSelectorOf(product); err != nil {
		s.notef("LicensedProduct %s has an invalid tierSelector, which selects nothing: %v", product.Name, err)
	}
	if _, err := restriction.PauseOf(product); err != nil {
		s.notef("LicensedProduct %s: %v", product.Name, err)
	}
	skewed := meta.FindStatusCondition(product.Status.Conditions, api.ConditionClockSkewed)
	switch {
	case c.Evaluation.Time.SkewReason == api.ReasonBehindMark:
		s.notef("time never runs backwards: for LicensedProduct %s it is %s already, its timeMark (kubectl license "+
			"clock reset, if that is wrong)", product.Name, text.Time(c.Evaluation.Time.Now))
	case skewed != nil && skewed.Status == metav1.ConditionTrue && skewed.Reason == api.ReasonNodeClock:
		s.notef("the clocks disagree, and while they do no restriction starts: that they are corrected by then is "+
			"assumed of LicensedProduct %s", product.Name)
	}
}

func (s *simulator) product(c *timeline.Timeline, plan *restriction.ProductPlan) simulatedProduct {
	e := &c.Evaluation
	r := simulatedRestriction{
		State: c.State, Reason: c.Reason, InForce: plan.InForce, AskedMode: c.Planned.Mode, Mode: plan.Mode,
		ModeReason: plan.ModeReason, EffectiveTime: timeline.Instant(e.EffectiveTime),
		Tiers: make([]affectedTier, 0, len(plan.Affects)),
	}
	if plan.InForce {
		r.SinceTime = timeline.Instant(c.Planned.Since)
	}
	if pause, err := restriction.PauseOf(c.Product); err == nil && pause != nil &&
		e.Time.Now.Before(pause.UntilTime.Time) {
		r.Pause = pause
	}
	for i := range plan.Affects {
		r.Tiers = append(r.Tiers, s.affected(&plan.Affects[i]))
	}
	r.SparedTiers = plan.Spared
	return simulatedProduct{
		Name: plan.Name, State: e.State, ActiveLicenseKeyName: e.ActiveKeyName,
		ExpiryTime: timeline.Instant(e.Expiry), GraceEndTime: timeline.Instant(e.GraceEnd), Restriction: r,
	}
}

func (s *simulator) affected(effect *restriction.TierEffect) affectedTier {
	tier := affectedTier{
		Name: effect.Tier, Mode: effect.Mode, ModeReason: effect.ModeReason,
		DefaultAction: s.defaultAction(effect.Tier), Policies: make([]affectedPolicy, 0, len(effect.Policies)),
	}
	opens, closes := refSet(effect.Opens()), refSet(effect.Closes())
	for _, policy := range effect.Policies {
		tier.Policies = append(tier.Policies, affectedPolicy{
			Kind: string(policy.Kind), Namespace: policy.Namespace, Name: policy.Name, Opens: opens[policy],
			Closes: closes[policy],
		})
	}
	tier.Bypasses = effect.Bypasses
	return tier
}

// effectIn is what the restriction of a tier does: the same for each of the products that it is in force for.
func effectIn(plan *restriction.Plan, tier *restriction.TierPlan) *restriction.TierEffect {
	for i := range plan.Products {
		product := &plan.Products[i]
		if product.Name != tier.Products[0] {
			continue
		}
		for j := range product.Affects {
			if product.Affects[j].Tier == tier.Name {
				return &product.Affects[j]
			}
		}
	}
	return &restriction.TierEffect{Tier: tier.Name, Mode: tier.Mode, ModeReason: tier.ModeReason}
}

func refSet(refs []calico.PolicyRef) map[calico.PolicyRef]bool {
	set := make(map[calico.PolicyRef]bool, len(refs))
	for _, ref := range refs {
		set[ref] = true
	}
	return set
}

// actionDeny is a tier's default action unless it says otherwise: what becomes of traffic of the pods that its policies
// select and no rule of them matches.
const actionDeny = "Deny"

func (s *simulator) defaultAction(tier string) string {
	for i := range s.cluster.tiers {
		if s.cluster.tiers[i].GetName() != tier {
			continue
		}
		if action, found, err := unstructured.NestedString(s.cluster.tiers[i].Object, "spec",
			"defaultAction"); err == nil && found && action != "" {
			return action
		}
	}
	return actionDeny
}

// restricts tells whether the restriction of a product that is shown is in force in a tier.
func (s *simulation) restricts(tier string) bool {
	return slices.ContainsFunc(s.Products, func(p simulatedProduct) bool {
		return p.Restriction.InForce &&
			slices.ContainsFunc(p.Restriction.Tiers, func(t affectedTier) bool { return t.Name == tier })
	})
}

// closes tells whether anything that is allowed now is then for later tiers to decide.
func (s *simulation) closes() bool {
	return slices.ContainsFunc(s.Products, func(p simulatedProduct) bool {
		return p.Restriction.InForce && slices.ContainsFunc(p.Restriction.Tiers, func(t affectedTier) bool {
			return slices.ContainsFunc(t.Policies, func(policy affectedPolicy) bool { return policy.Closes })
		})
	})
}
