// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

func affecting(total, allowing, denying int32) *api.AffectedPolicies {
	return &api.AffectedPolicies{Total: &total, Allowing: &allowing, Denying: &denying}
}

// The API rejects longer lists, and with them the whole status.
func TestEffectsAreBounded(t *testing.T) {
	plan := &restriction.ProductPlan{Name: "acme-mesh", Mode: defaultTierOnly, InForce: true}
	var tiers []api.RestrictedTier
	var spared []api.SparedTier
	var bypasses []api.BypassingPolicy
	for i := range 1001 {
		name := fmt.Sprintf("tier-%04d", i)
		effect := restriction.TierEffect{
			Tier: name, Mode: defaultTierOnly, Policies: make([]calico.PolicyRef, 3),
			Allow: 2, Deny: 1,
		}
		if i%100 == 7 {
			for _, bypass := range []string{"a", "b"} {
				effect.Bypasses = append(effect.Bypasses, api.BypassingPolicy{
					Kind: "NetworkPolicy", Namespace: "shop", Name: name + "." + bypass, Tier: name,
					Reason: api.BypassTierDeleting,
				})
			}
			bypasses = append(bypasses, effect.Bypasses...)
		}
		plan.Affects = append(plan.Affects, effect)
		plan.Spared = append(plan.Spared, api.SparedTier{Name: "spared-" + name, Reason: api.TierSparedNever})
		tiers = append(tiers, api.RestrictedTier{Name: name, Mode: defaultTierOnly})
		spared = append(spared, api.SparedTier{Name: "spared-" + name, Reason: api.TierSparedNever})
	}
	want := restriction.Effects{
		Tiers: tiers[:1000], Spared: spared[:1000], Policies: affecting(3003, 2002, 1001),
		Bypasses: &api.RestrictionBypasses{Total: 20, Policies: bypasses[:16]},
	}
	if diff := cmp.Diff(want, plan.Effects()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The status has what the plan has.
func TestEffectsOfAPlan(t *testing.T) {
	first := calico.Policy{
		Kind: calico.GlobalNetworkPolicy, Name: "security.first", Tier: "security",
		Order: new(calico.PassOrder), ForPods: true, Denies: true,
	}
	plan := restriction.MakePlan(restriction.Seen{
		Tiers: []calico.Tier{
			{Name: "default"},
			{Name: "security"},
			{Name: "leaving", Deleting: true},
			{Name: "mine", Labels: labels.Set{calico.NeverLabel: calico.NeverValue}},
		},
		Policies: []calico.Policy{
			first,
			{
				Kind: calico.NetworkPolicy, Namespace: "shop", Name: "security.allow", Tier: "security",
				ForPods: true, Allows: true,
			},
			{
				Kind: calico.NetworkPolicy, Namespace: "shop", Name: "leaving.deny", Tier: "leaving", ForPods: true,
				Denies: true,
			},
		},
	}, []restriction.Product{{
		Name: "acme-mesh", Mode: defaultTierOnly, TierSelector: labels.Everything(), Due: true,
		Since: epoch,
	}}, open)
	want := restriction.Effects{
		Tiers:    []api.RestrictedTier{{Name: "leaving", Mode: readOnly}, {Name: "security", Mode: defaultTierOnly}},
		Policies: affecting(2, 1, 1),
		Spared: []api.SparedTier{
			{Name: "default", Reason: api.TierSparedBuiltIn},
			{Name: "mine", Reason: api.TierSparedNever},
		},
		Bypasses: &api.RestrictionBypasses{Total: 2, Policies: []api.BypassingPolicy{
			{
				Kind: "NetworkPolicy", Namespace: "shop", Name: "leaving.deny", Tier: "leaving",
				Reason: api.BypassTierDeleting,
			},
			{Kind: "GlobalNetworkPolicy", Name: "security.first", Tier: "security", Reason: api.BypassSortsFirst},
		}},
	}
	if diff := cmp.Diff(want, plan.Products[0].Effects()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEffectsInAStatus(t *testing.T) {
	tiers := []api.RestrictedTier{{Name: "security", Mode: readOnly}}
	spared := []api.SparedTier{{Name: "default", Reason: api.TierSparedBuiltIn}}
	bypasses := &api.RestrictionBypasses{Total: 1}
	for name, test := range map[string]struct {
		status *api.RestrictionStatus
		want   restriction.Effects
	}{
		"no status":     {},
		"no effect yet": {status: &api.RestrictionStatus{SparedTiers: spared, Bypasses: bypasses}},
		"a preview": {
			&api.RestrictionStatus{
				Preview: &api.RestrictionPreview{Tiers: tiers, Policies: affecting(3, 2, 1)}, SparedTiers: spared,
			},
			restriction.Effects{Tiers: tiers, Policies: affecting(3, 2, 1), Spared: spared},
		},
		"in force": {
			&api.RestrictionStatus{
				InForce:     &api.RestrictionInForce{Tiers: tiers, Policies: affecting(3, 2, 1)},
				SparedTiers: spared, Bypasses: bypasses,
			},
			restriction.Effects{Tiers: tiers, Policies: affecting(3, 2, 1), Spared: spared, Bypasses: bypasses},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, restriction.EffectsIn(test.status)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
