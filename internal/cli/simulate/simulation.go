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
	"k8s.io/apimachinery/pkg/util/sets"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/timeline"
)

// timeReason says why a simulation is of its time.
type timeReason string

const (
	timeAsked             timeReason = "Asked"             // --at
	timeRestrictionStarts timeReason = "RestrictionStarts" // the next restriction of the products shown
	timePauseEnds         timeReason = "PauseEnds"         // the same, at the end of a pause
	timeNow               timeReason = "Now"               // no restriction will start
)

// simulation is what is restricted at a time, as things are now. Its JSON form is an interface: fields are added, never
// renamed. Fields that the API has too have its names.
type simulation struct {
	Time         metav1.Time `json:"time"`
	TimeReason   timeReason  `json:"timeReason"`
	TimeProducts []string    `json:"timeProducts,omitempty"`
	// Products that are shown, sorted by name.
	Products []simulatedProduct `json:"products"`
	// Tiers that are restricted for any of these, with the result of the restrictions of all products.
	Tiers []simulatedTier `json:"tiers"`
	// SparedNamespace is the operator's own. Its pods are exempt.
	SparedNamespace string `json:"sparedNamespace,omitempty"`
	// DefaultDenials are listed if a policy closes: the default tier may then deny its traffic.
	DefaultDenials []defaultDenial `json:"defaultDenials,omitempty"`

	now time.Time
	// withoutKubernetes is true if DefaultDenials do not have Kubernetes' own policies.
	withoutKubernetes bool
	// notes are warnings for the standard error.
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
	// AskedMode is the mode of the terms, and Mode the one that is applied.
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
	// Policies that stop being applied to pods or, in ReadOnly, cannot be changed. Bypasses are still applied.
	Policies []affectedPolicy      `json:"policies"`
	Bypasses []api.BypassingPolicy `json:"bypasses,omitempty"`
}

// affectedPolicy is a policy of projectcalico.org/v3.
type affectedPolicy struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Opens: it does not deny any more. Closes: it does not allow any more.
	Opens  bool `json:"opens,omitempty"`
	Closes bool `json:"closes,omitempty"`
}

// simulatedTier is the result of the restrictions of all products in a tier, and the products that restrict it.
type simulatedTier struct {
	affectedTier
	Products []string `json:"products"`
}

// simulator makes a simulation.
type simulator struct {
	cluster   *cluster
	now       time.Time
	caps      restriction.Caps
	timelines []*timeline.Timeline
	notes     []string
}

// simulate returns what is restricted at a time; zero: when the next restriction of the products shown starts. shown is
// one product; empty: all. It plans all products even if it shows one, since restrictions overlap.
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
			s.notef("Kubernetes NetworkPolicies, which may deny by default, cannot be listed: %v", err)
		}
	}
	found.notes = s.notes
	return found, nil
}

func (s *simulator) notef(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// findCaps reads the operator's settings from the status of a product: they are the same in each.
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
		s.notef("the operator has not written its namespace and --max-restriction to a status yet: assuming no " +
			"exempt namespace, and DefaultTierOnly")
	}
	if err := s.cluster.nodesErr; err != nil && !s.cluster.withoutTiers {
		s.notef("assuming that no node runs Windows, since nodes cannot be listed: %v", err)
	}
}

// noteKeys notes the keys that the operator has not reconciled since they changed.
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

// firstStart returns when the next restriction of the products shown starts, and of which products; now if no
// restriction will start.
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

// plan is the plan that the operator would make.
func (s *simulator) plan() restriction.Plan {
	var seen restriction.Seen
	for i := range s.cluster.tiers {
		seen.Tiers = append(seen.Tiers, calico.TierOf(&s.cluster.tiers[i]))
	}
	addPolicies := func(kind calico.PolicyKind, policies []unstructured.Unstructured) {
		for i := range policies {
			seen.Policies = append(seen.Policies, calico.PolicyOf(kind, &policies[i], s.caps.OperatorNamespace))
		}
	}
	addPolicies(calico.GlobalNetworkPolicy, s.cluster.globalPolicies)
	addPolicies(calico.NetworkPolicy, s.cluster.policies)
	var products []restriction.Product
	for _, future := range s.timelines {
		products = append(products, future.Planned)
	}
	return restriction.MakePlan(seen, products, s.caps)
}

// noteProduct notes what the reader must know about a product.
func (s *simulator) noteProduct(c *timeline.Timeline) {
	product := c.Product
	if product.Status.ObservedGeneration != product.Generation {
		s.notef("the operator has not reconciled the current LicensedProduct %s yet: its last status is used",
			product.Name)
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
		s.notef("the clock is behind the timeMark of LicensedProduct %s, %s, which is used as the time (if it is "+
			"wrong: kubectl license clock reset)", product.Name, text.Time(c.Evaluation.Time.Now))
	case skewed != nil && skewed.Status == metav1.ConditionTrue && skewed.Reason == api.ReasonNodeClock:
		s.notef("no restriction of LicensedProduct %s starts while the clocks disagree: assuming that they are "+
			"corrected by then", product.Name)
	}
}

func (s *simulator) product(c *timeline.Timeline, plan *restriction.ProductPlan) simulatedProduct {
	e := &c.Evaluation
	r := simulatedRestriction{
		State: c.State, Reason: c.Reason, InForce: plan.InForce, AskedMode: c.Planned.Mode, Mode: plan.Mode,
		ModeReason: plan.ModeReason, EffectiveTime: license.Instant(e.EffectiveTime),
		Tiers: make([]affectedTier, 0, len(plan.Affects)), SparedTiers: plan.Spared,
	}
	if plan.InForce {
		r.SinceTime = license.Instant(c.Planned.Since)
	}
	if pause, err := restriction.PauseOf(c.Product); err == nil && pause != nil &&
		e.Time.Now.Before(pause.UntilTime.Time) {
		r.Pause = pause
	}
	for i := range plan.Affects {
		r.Tiers = append(r.Tiers, s.affected(&plan.Affects[i]))
	}
	return simulatedProduct{
		Name: plan.Name, State: e.State, ActiveLicenseKeyName: e.ActiveKeyName,
		ExpiryTime: license.Instant(e.Expiry), GraceEndTime: license.Instant(e.GraceEnd), Restriction: r,
	}
}

func (s *simulator) affected(effect *restriction.TierEffect) affectedTier {
	tier := affectedTier{
		Name: effect.Tier, Mode: effect.Mode, ModeReason: effect.ModeReason, Bypasses: effect.Bypasses,
		DefaultAction: s.defaultAction(effect.Tier), Policies: make([]affectedPolicy, 0, len(effect.Policies)),
	}
	opens, closes := sets.New(effect.Opens()...), sets.New(effect.Closes()...)
	for _, policy := range effect.Policies {
		tier.Policies = append(tier.Policies, affectedPolicy{
			Kind: string(policy.Kind), Namespace: policy.Namespace, Name: policy.Name, Opens: opens.Has(policy),
			Closes: closes.Has(policy),
		})
	}
	return tier
}

// effectIn is the effect of the restrictions in a tier. It is the same for each product that restricts the tier.
func effectIn(plan *restriction.Plan, tier *restriction.TierPlan) *restriction.TierEffect {
	for i := range plan.Products {
		product := &plan.Products[i]
		for j := range product.Affects {
			if product.Name == tier.Products[0] && product.Affects[j].Tier == tier.Name {
				return &product.Affects[j]
			}
		}
	}
	return &restriction.TierEffect{Tier: tier.Name, Mode: tier.Mode, ModeReason: tier.ModeReason}
}

// actionDeny is the default of a tier's defaultAction: what happens to traffic of the pods that its policies select, if
// no rule matches.
const actionDeny = "Deny"

func (s *simulator) defaultAction(tier string) string {
	action := ""
	for i := range s.cluster.tiers {
		if s.cluster.tiers[i].GetName() == tier {
			action, _, _ = unstructured.NestedString(s.cluster.tiers[i].Object, "spec", "defaultAction")
		}
	}
	return cmp.Or(action, actionDeny)
}

// restricts tells whether a product that is shown restricts a tier.
func (s *simulation) restricts(tier string) bool {
	return slices.ContainsFunc(s.Products, func(p simulatedProduct) bool {
		return p.Restriction.InForce &&
			slices.ContainsFunc(p.Restriction.Tiers, func(t affectedTier) bool { return t.Name == tier })
	})
}

// closes tells whether a policy does not allow traffic any more.
func (s *simulation) closes() bool {
	return slices.ContainsFunc(s.Products, func(p simulatedProduct) bool {
		return p.Restriction.InForce && slices.ContainsFunc(p.Restriction.Tiers, func(t affectedTier) bool {
			return slices.ContainsFunc(t.Policies, func(policy affectedPolicy) bool { return policy.Closes })
		})
	})
}
