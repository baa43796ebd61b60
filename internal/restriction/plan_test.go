// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

const operatorNamespace = "license-operator-system"

var (
	epoch  = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	open   = restriction.Caps{MaxMode: defaultTierOnly, OperatorNamespace: operatorNamespace}
	every  = labels.Everything()
	filled = cmpopts.EquateEmpty()
)

func tier(name string) calico.Tier { return calico.Tier{Name: name} }

// global is a GlobalNetworkPolicy without an order that allows.
func global(tier, name string) calico.Policy {
	return calico.Policy{
		Kind: calico.GlobalNetworkPolicy, Name: name, Tier: tier, Allows: true,
		ForPods: true,
	}
}

// namespaced is a NetworkPolicy without an order that denies.
func namespaced(tier, namespace, name string) calico.Policy {
	return calico.Policy{
		Kind: calico.NetworkPolicy, Namespace: namespace, Name: name, Tier: tier,
		Denies: true, ForPods: true,
	}
}

func ordered(p calico.Policy, order float64) calico.Policy {
	p.Order = &order
	return p
}

// made is a pass policy as the operator makes it.
func made(tier, name string) calico.Policy {
	return calico.Policy{
		Kind: calico.GlobalNetworkPolicy, Name: name, Tier: tier, Order: new(calico.PassOrder),
		ForPods: true, Neutral: true, Marked: true,
	}
}

// product restricts every tier, in force since the epoch.
func product(name string, mode api.RestrictionMode) restriction.Product {
	return restriction.Product{
		Name: name, Vendor: "Acme", RenewalURL: "https://acme.example/renew", Mode: mode, TierSelector: every,
		Due: true, Since: epoch, EffectiveTime: epoch,
	}
}

func ref(p calico.Policy) calico.PolicyRef {
	return calico.PolicyRef{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, Allows: p.Allows, Denies: p.Denies}
}

func refs(policies ...calico.Policy) []calico.PolicyRef {
	var list []calico.PolicyRef
	for _, p := range policies {
		list = append(list, ref(p))
	}
	return list
}

func bypasses(reason api.BypassReason, policies ...calico.Policy) []api.BypassingPolicy {
	var list []api.BypassingPolicy
	for _, p := range policies {
		list = append(list, api.BypassingPolicy{
			Kind: string(p.Kind), Namespace: p.Namespace, Name: p.Name, Tier: p.Tier, Reason: reason,
		})
	}
	return list
}

// pass is the pass policy of a tier that product mesh alone restricts.
func pass(tier, name string) *calico.PassPolicy {
	return &calico.PassPolicy{
		Name: name, Tier: tier, Owners: []string{"mesh"},
		Labels: map[string]string{"license-operator.io/pass-policy": "true"},
		Annotations: map[string]string{
			"kubernetes.io/description": "The policies of tier " + tier +
				" are not applied to pods while this one is here: no license covers mesh (Acme). " +
				"It was put here by license-operator, which takes it away on renewal. Renew at " +
				"https://acme.example/renew",
			"license-operator.io/products":         "mesh",
			"license-operator.io/restricted-since": "2026-11-01T00:00:00Z",
			"license-operator.io/renewal-urls":     "https://acme.example/renew",
		},
		Spec: calico.PassSpec(tier, operatorNamespace),
	}
}

// mesh is the plan of product mesh, in force.
func mesh(mode api.RestrictionMode, affects ...restriction.TierEffect) []restriction.ProductPlan {
	return []restriction.ProductPlan{{Name: "mesh", Mode: mode, InForce: true, Affects: affects}}
}

// stops and freezes are what a restriction does in a tier.
func stops(tier string, policies ...calico.Policy) restriction.TierEffect {
	return effect(tier, defaultTierOnly, policies)
}

func freezes(tier string, policies ...calico.Policy) restriction.TierEffect {
	return effect(tier, readOnly, policies)
}

func effect(tier string, mode api.RestrictionMode, policies []calico.Policy) restriction.TierEffect {
	e := restriction.TierEffect{Tier: tier, Mode: mode, Policies: refs(policies...)}
	for _, p := range policies {
		if p.Allows {
			e.Allow++
		}
		if p.Denies {
			e.Deny++
		}
	}
	return e
}

func (w world) with(change func(*world)) world {
	change(&w)
	return w
}

type world struct {
	tiers    []calico.Tier
	policies []calico.Policy
	products []restriction.Product
	caps     restriction.Caps
}

// restricted is tier security with some policies, of which product mesh restricts every one.
func restricted(mode api.RestrictionMode, policies ...calico.Policy) world {
	return world{
		tiers:    []calico.Tier{tier("default"), tier("security")},
		policies: policies,
		products: []restriction.Product{product("mesh", mode)},
		caps:     open,
	}
}

var defaultSpared = []api.SparedTier{{Name: "default", Reason: api.TierSparedBuiltIn}}

// spares adds the spared default tier to the only product.
func spares(plan []restriction.ProductPlan) []restriction.ProductPlan {
	plan[0].Spared = defaultSpared
	return plan
}

// passed is the whole plan for a restricted world in which one pass policy of this name has to be.
func passed(name string, e restriction.TierEffect, remove ...string) restriction.Plan {
	return restriction.Plan{
		Products: spares(mesh(defaultTierOnly, e)),
		Tiers: []restriction.TierPlan{{
			Name: "security", Mode: defaultTierOnly, Products: []string{"mesh"}, Pass: pass("security", name),
			Bypasses: e.Bypasses,
		}},
		Delete: remove,
	}
}

func bypassed(e restriction.TierEffect, list []api.BypassingPolicy) restriction.TierEffect {
	e.Bypasses = list
	return e
}

func TestPlan(t *testing.T) {
	const ours = "security.license-operator-pass"
	allow, deny := global("security", "security.allow"), namespaced("security", "shop", "security.deny")
	host := global("security", "security.host")
	host.ForPods = false
	least := func(p calico.Policy) calico.Policy { return ordered(p, -math.MaxFloat64) }
	mine := namespaced("security", operatorNamespace, "security.mine")
	copied := made("security", "security.copied")
	copied.Marked = false
	edited := made("security", ours)
	edited.Neutral, edited.Denies = false, true
	stripped := made("security", ours)
	stripped.Marked = false
	branded := allow
	branded.Marked = true
	deleting := calico.Tier{Name: "security", Deleting: true}

	for name, test := range map[string]struct {
		world world
		want  restriction.Plan
	}{
		"nothing at all": {},
		"no products": {
			world: world{
				tiers: []calico.Tier{tier("security")}, policies: []calico.Policy{allow, deny},
				caps: open,
			},
		},
		"no tiers, as where Calico is not": {
			world: world{products: []restriction.Product{product("mesh", defaultTierOnly)}, caps: open},
			want:  restriction.Plan{Products: mesh(defaultTierOnly)},
		},
		"DefaultTierOnly: one pass policy, whatever is in the tier": {
			world: restricted(defaultTierOnly, deny, allow),
			want:  passed(ours, stops("security", allow, deny)),
		},
		"an empty tier is restricted too": {
			world: restricted(defaultTierOnly),
			want:  passed(ours, stops("security")),
		},
		"what is already there stays": {
			world: restricted(defaultTierOnly, allow, made("security", ours)),
			want:  passed(ours, stops("security", allow)),
		},
		"ReadOnly: no object": {
			world: restricted(readOnly, allow, deny, host),
			want: restriction.Plan{
				Products: spares(mesh(readOnly, freezes("security", allow, host, deny))),
				Tiers:    []restriction.TierPlan{{Name: "security", Mode: readOnly, Products: []string{"mesh"}}},
			},
		},
		"from DefaultTierOnly to ReadOnly": {
			world: restricted(readOnly, allow, made("security", ours)),
			want: restriction.Plan{
				Products: spares(mesh(readOnly, freezes("security", allow))),
				Tiers:    []restriction.TierPlan{{Name: "security", Mode: readOnly, Products: []string{"mesh"}}},
				Delete:   []string{ours},
			},
		},
		"Observe: what DefaultTierOnly would do, and nothing is done": {
			world: restricted(observe, allow),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: observe,
					Affects: []restriction.TierEffect{stops("security", allow)}, Spared: defaultSpared,
				}},
			},
		},
		"Observe on a cluster with a Windows node: what ReadOnly would do": {
			world: restricted(observe, allow).with(func(w *world) { w.caps.WindowsNode = true }),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: observe,
					Affects: []restriction.TierEffect{freezes("security", allow)}, Spared: defaultSpared,
				}},
			},
		},
		"Observe without a selector": {
			world: restricted(observe, allow).with(func(w *world) { w.products[0].TierSelector = nil }),
			want:  restriction.Plan{Products: []restriction.ProductPlan{{Name: "mesh", Mode: observe}}},
		},
		"no mode asked for": {
			world: restricted("", allow),
			want:  restriction.Plan{Products: []restriction.ProductPlan{{Name: "mesh"}}},
		},
		"not due: a preview": {
			world: restricted(defaultTierOnly, allow, deny).
				with(func(w *world) { w.products[0].Due, w.products[0].Since = false, time.Time{} }),
			want: restriction.Plan{Products: []restriction.ProductPlan{{
				Name: "mesh", Mode: defaultTierOnly, Affects: []restriction.TierEffect{stops("security", allow, deny)},
				Spared: defaultSpared,
			}}},
		},
		"renewed: what is ours goes": {
			world: restricted(defaultTierOnly, allow, made("security", ours)).
				with(func(w *world) { w.products[0].Due = false }),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: defaultTierOnly,
					Affects: []restriction.TierEffect{stops("security", allow)}, Spared: defaultSpared,
				}},
				Delete: []string{ours},
			},
		},
		"paused: what is ours goes": {
			world: restricted(defaultTierOnly, allow, made("security", ours)).
				with(func(w *world) { w.products[0].Paused = true }),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: defaultTierOnly,
					Affects: []restriction.TierEffect{stops("security", allow)}, Spared: defaultSpared,
				}},
				Delete: []string{ours},
			},
		},
		"the product is gone: what is ours goes": {
			world: world{
				tiers:    []calico.Tier{tier("security")},
				policies: []calico.Policy{made("security", ours), allow}, caps: open,
			},
			want: restriction.Plan{Delete: []string{ours}},
		},
		"the tier is not selected any more: what is ours goes": {
			world: restricted(defaultTierOnly, made("security", ours)).with(func(w *world) {
				w.products[0].TierSelector = labels.SelectorFromSet(labels.Set{"team": "net"})
			}),
			want: restriction.Plan{Products: mesh(defaultTierOnly), Delete: []string{ours}},
		},
		"labeled never in the middle of it: what is ours goes": {
			world: restricted(defaultTierOnly, made("security", ours), allow).with(func(w *world) {
				w.tiers[1].Labels = labels.Set{calico.NeverLabel: calico.NeverValue}
			}),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: defaultTierOnly, InForce: true,
					Spared: append(defaultSpared[:1:1],
						api.SparedTier{Name: "security", Reason: api.TierSparedNever}),
				}},
				Delete: []string{ours},
			},
		},
		"the tier is gone: what is ours goes, the user's policies do not count": {
			world: restricted(defaultTierOnly, made("security", ours), allow).
				with(func(w *world) { w.tiers = w.tiers[:1] }),
			want: restriction.Plan{Products: spares(mesh(defaultTierOnly)), Delete: []string{ours}},
		},
		"policies of a tier that does not exist do not count": {
			world: restricted(defaultTierOnly, allow, global("nowhere", "nowhere.allow")),
			want:  passed(ours, stops("security", allow)),
		},
		"policies without a tier are in the default one": {
			world: restricted(defaultTierOnly, global("", "allow")),
			want:  passed(ours, stops("security")),
		},
		"a policy's tier counts, not its name": {
			world: restricted(defaultTierOnly, global("default", "security.allow"),
				global("security", "default.allow")),
			want: passed(ours, stops("security", global("security", "default.allow"))),
		},
		"--max-restriction=ReadOnly": {
			world: restricted(defaultTierOnly, allow, made("security", ours)).
				with(func(w *world) { w.caps.MaxMode = readOnly }),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: readOnly, ModeReason: api.ModeReasonMaxRestriction, InForce: true,
					Affects: []restriction.TierEffect{freezes("security", allow)}, Spared: defaultSpared,
				}},
				Tiers:  []restriction.TierPlan{{Name: "security", Mode: readOnly, Products: []string{"mesh"}}},
				Delete: []string{ours},
			},
		},
		"--max-restriction=Observe: what the mode asked for would do": {
			world: restricted(readOnly, allow).with(func(w *world) { w.caps.MaxMode = observe }),
			want: restriction.Plan{Products: []restriction.ProductPlan{{
				Name: "mesh", Mode: observe, ModeReason: api.ModeReasonMaxRestriction,
				Affects: []restriction.TierEffect{freezes("security", allow)}, Spared: defaultSpared,
			}}},
		},
		"a Windows node": {
			world: restricted(defaultTierOnly, allow, made("security", ours)).
				with(func(w *world) { w.caps.WindowsNode = true }),
			want: restriction.Plan{
				Products: []restriction.ProductPlan{{
					Name: "mesh", Mode: readOnly, ModeReason: api.ModeReasonWindowsNode, InForce: true,
					Affects: []restriction.TierEffect{freezes("security", allow)}, Spared: defaultSpared,
				}},
				Tiers:  []restriction.TierPlan{{Name: "security", Mode: readOnly, Products: []string{"mesh"}}},
				Delete: []string{ours},
			},
		},
		"a tier that is being deleted: the pass policy lets go, nothing new comes in, and what is there bypasses": {
			world: restricted(defaultTierOnly, allow, deny, host, made("security", ours)).
				with(func(w *world) { w.tiers[1] = deleting }),
			want: restriction.Plan{
				Products: spares(mesh(defaultTierOnly, restriction.TierEffect{
					Tier: "security", Mode: readOnly, ModeReason: api.ModeReasonTierDeleting,
					Policies: refs(allow, host, deny), Allow: 2, Deny: 1,
					Bypasses: bypasses(api.BypassTierDeleting, allow, deny),
				})),
				Tiers: []restriction.TierPlan{{
					Name: "security", Mode: readOnly, ModeReason: api.ModeReasonTierDeleting,
					Products: []string{"mesh"},
					Bypasses: bypasses(api.BypassTierDeleting, allow, deny),
				}},
				Delete: []string{ours},
			},
		},
		"host endpoints keep their policies, which bypass nothing": {
			world: restricted(defaultTierOnly, allow, least(host)),
			want:  passed(ours, stops("security", allow)),
		},
		"the operator's namespace keeps its policies, which bypass nothing": {
			world: restricted(defaultTierOnly, allow, least(mine)),
			want:  passed(ours, stops("security", allow)),
		},
		"orders: only the least one can be first": {
			world: restricted(
				defaultTierOnly,
				ordered(global("security", "security.a"), -math.MaxFloat32),
				ordered(global("security", "security.b"), 0),
				ordered(global("security", "security.c"), math.MaxFloat64),
				least(global("security", "security.z")), global("security", "security.d"),
			),
			want: passed(ours, stops(
				"security", global("security", "security.a"), global("security", "security.b"),
				global("security", "security.c"), global("security", "security.d"),
				global("security", "security.z"),
			)),
		},
		"a bypass: the least order and a smaller name": {
			world: restricted(defaultTierOnly, least(global("security", "security.a")), allow),
			want: passed(ours,
				bypassed(stops("security", allow), bypasses(api.BypassSortsFirst, global("security", "security.a")))),
		},
		"a bypass: less than the least, should there ever be one": {
			world: restricted(defaultTierOnly, ordered(global("security", "security.z"), math.Inf(-1)), allow),
			want: passed(ours,
				bypassed(stops("security", allow), bypasses(api.BypassSortsFirst, global("security", "security.z")))),
		},
		"a bypass: names compare before namespaces, as in 3.32, where a hyphen sorts before the slash": {
			world: restricted(defaultTierOnly, least(namespaced("security", "zoo", ours+"-")),
				least(namespaced("security", "zoo", ours+"0"))),
			want: passed(ours, bypassed(
				stops("security", namespaced("security", "zoo", ours+"0")),
				bypasses(api.BypassSortsFirst, namespaced("security", "zoo", ours+"-")),
			)),
		},
		"a bypass: namespaces compare before names, as before 3.32": {
			world: restricted(defaultTierOnly, least(namespaced("security", "apps", "security.z")),
				least(namespaced("security", "shop", "security.z"))),
			want: passed(ours, bypassed(
				stops("security", namespaced("security", "shop", "security.z")),
				bypasses(api.BypassSortsFirst, namespaced("security", "apps", "security.z")),
			)),
		},
		"a namespaced policy of our very name sorts behind ours, and does not take the name": {
			world: restricted(defaultTierOnly, least(namespaced("security", "shop", ours))),
			want:  passed(ours, stops("security", namespaced("security", "shop", ours))),
		},
		"what merely does the same is the user's, and gets around nothing": {
			world: restricted(defaultTierOnly, copied),
			want:  passed(ours, stops("security")),
		},
		"our mark alone makes nothing ours": {
			world: restricted(defaultTierOnly, branded),
			want:  passed(ours, stops("security", allow)),
		},
		"the name is taken: another one, and the user's policy is left alone": {
			world: restricted(defaultTierOnly, global("security", ours)),
			want:  passed(ours+"-2", stops("security", global("security", ours))),
		},
		"the name is taken by a policy of another tier": {
			world: restricted(defaultTierOnly, global("default", ours)),
			want:  passed(ours+"-2", stops("security")),
		},
		"several names are taken": {
			world: restricted(defaultTierOnly, global("security", ours), global("security", ours+"-2"),
				global("security", ours+"-4")),
			want: passed(ours+"-3", stops("security", global("security", ours), global("security", ours+"-2"),
				global("security", ours+"-4"))),
		},
		"a name that was taken once: ours stays where it is": {
			world: restricted(defaultTierOnly, made("security", ours+"-2")),
			want:  passed(ours+"-2", stops("security")),
		},
		"of two of ours one stays": {
			world: restricted(defaultTierOnly, made("security", ours+"-3"), made("security", ours+"-2")),
			want:  passed(ours+"-2", stops("security"), ours+"-3"),
		},
		"of two of ours the sound one stays": {
			world: restricted(defaultTierOnly, edited, made("security", ours+"-2")),
			want:  passed(ours+"-2", stops("security"), ours),
		},
		"ours under a name that we do not give goes": {
			world: restricted(defaultTierOnly, made("security", "security.something"), allow),
			want:  passed(ours, stops("security", allow), "security.something"),
		},
		"ours was edited: it has to be as it was": {
			world: restricted(defaultTierOnly, edited),
			want:  passed(ours, stops("security")),
		},
		"ours was edited and has to go": {
			world: world{
				tiers: []calico.Tier{tier("security")}, policies: []calico.Policy{edited},
				caps: open,
			},
			want: restriction.Plan{Delete: []string{ours}},
		},
		"ours was deleted: it has to be there": {
			world: restricted(defaultTierOnly, allow),
			want:  passed(ours, stops("security", allow)),
		},
		"ours was moved to the default tier: it has to be back": {
			world: restricted(defaultTierOnly, made("default", ours)),
			want:  passed(ours, stops("security")),
		},
		"ours was moved to the default tier, and has to go": {
			world: world{
				tiers:    []calico.Tier{tier("default"), tier("security")},
				policies: []calico.Policy{made("default", ours)}, caps: open,
			},
			want: restriction.Plan{Delete: []string{ours}},
		},
		"all marks were stripped: it is known by its name and spec": {
			world: restricted(defaultTierOnly, stripped),
			want:  passed(ours, stops("security")),
		},
		"a name of ours that is none": {
			world: restricted(defaultTierOnly, global("security", ours+"-02"), global("security", ours+"-1"),
				global("security", ours+"2"), global("security", "license-operator-pass")),
			want: passed(ours, stops(
				"security",
				global("security", "license-operator-pass"), global("security", ours+"-02"),
				global("security", ours+"-1"), global("security", ours+"2"),
			)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := restriction.MakePlan(restriction.Seen{Tiers: test.world.tiers, Policies: test.world.policies},
				test.world.products, test.world.caps)
			if diff := cmp.Diff(test.want, got, filled); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A tier is as restricted as the strongest product has it, and free when the last one lets go.
func TestPlanOfOverlappingProducts(t *testing.T) {
	byLabel := func(name string, mode api.RestrictionMode, team string) restriction.Product {
		p := product(name, mode)
		p.TierSelector = labels.SelectorFromSet(labels.Set{"team": team})
		return p
	}
	later := product("zeta", defaultTierOnly)
	later.Vendor, later.RenewalURL, later.Since = "Zeta Inc.", "mailto:sales@zeta.example", epoch.Add(-time.Hour)
	silent := product("quiet", defaultTierOnly)
	silent.RenewalURL, silent.Since, silent.EffectiveTime = "", time.Time{}, epoch.Add(time.Hour)
	net := calico.Tier{Name: "net", Labels: labels.Set{"team": "net"}}

	type tierPlan struct {
		Name     string
		Mode     api.RestrictionMode
		Products []string
		Pass     string
		Notes    map[string]string
	}
	annotated := func(tier, who, products, since, urls, renew string) map[string]string {
		return map[string]string{
			calico.DescriptionAnnotation: "The policies of tier " + tier +
				" are not applied to pods while this one is here: no license covers " + who +
				". It was put here by license-operator, which takes it away on renewal. Renew at " + renew,
			calico.ProductsAnnotation: products, calico.SinceAnnotation: since,
			calico.RenewalURLsAnnotation: urls,
		}
	}
	const acme, sales = "https://acme.example/renew", "mailto:sales@zeta.example"
	for name, test := range map[string]struct {
		products []restriction.Product
		want     []tierPlan
		remove   []string
	}{
		"two of one mode own one policy": {
			products: []restriction.Product{later, product("mesh", defaultTierOnly), silent},
			want: []tierPlan{
				{"net", defaultTierOnly, []string{"mesh", "quiet", "zeta"}, "net.license-operator-pass", annotated(
					"net", "mesh (Acme), quiet (Acme), zeta (Zeta Inc.)", "mesh,quiet,zeta", "2026-10-31T23:00:00Z",
					acme+" "+sales, acme+" or "+sales,
				)},
				{"ops", defaultTierOnly, []string{"mesh", "quiet", "zeta"}, "ops.license-operator-pass", annotated(
					"ops", "mesh (Acme), quiet (Acme), zeta (Zeta Inc.)", "mesh,quiet,zeta", "2026-10-31T23:00:00Z",
					acme+" "+sales, acme+" or "+sales,
				)},
			},
		},
		"the stronger one counts, and it alone owns": {
			products: []restriction.Product{product("mesh", readOnly), byLabel("zeta", defaultTierOnly, "net")},
			want: []tierPlan{
				{
					"net", defaultTierOnly,
					[]string{"zeta"},
					"net.license-operator-pass",
					annotated("net", "zeta (Acme)", "zeta", "2026-11-01T00:00:00Z", acme, acme),
				},
				{"ops", readOnly, []string{"mesh"}, "", nil},
			},
			remove: []string{"ops.license-operator-pass"},
		},
		"one lets go": {
			products: []restriction.Product{
				byLabel("mesh", defaultTierOnly, "net"),
				func() restriction.Product { p := product("zeta", defaultTierOnly); p.Due = false; return p }(),
			},
			want: []tierPlan{
				{
					"net", defaultTierOnly,
					[]string{"mesh"},
					"net.license-operator-pass",
					annotated("net", "mesh (Acme)", "mesh", "2026-11-01T00:00:00Z", acme, acme),
				},
			},
			remove: []string{"ops.license-operator-pass"},
		},
		"the last one lets go": {
			products: []restriction.Product{
				func() restriction.Product { p := product("mesh", defaultTierOnly); p.Paused = true; return p }(),
				func() restriction.Product { p := product("zeta", defaultTierOnly); p.Due = false; return p }(),
				product("watch", observe),
			},
			remove: []string{"net.license-operator-pass", "ops.license-operator-pass"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := restriction.Seen{
				Tiers: []calico.Tier{tier("ops"), net},
				Policies: []calico.Policy{
					made("ops", "ops.license-operator-pass"),
					made("net", "net.license-operator-pass"),
				},
			}
			plan := restriction.MakePlan(seen, test.products, open)
			var got []tierPlan
			for _, p := range plan.Tiers {
				tp := tierPlan{Name: p.Name, Mode: p.Mode, Products: p.Products}
				if p.Pass != nil {
					tp.Pass, tp.Notes = p.Pass.Name, p.Pass.Annotations
					if diff := cmp.Diff(p.Products, p.Pass.Owners); diff != "" {
						t.Errorf("products and owners of %s: %s", p.Name, diff)
					}
				}
				got = append(got, tp)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.remove, plan.Delete); diff != "" {
				t.Errorf("deleted: -want +got:\n%s", diff)
			}
		})
	}
}

// Names of tiers that no policy's name can begin with, and names that come to the same.
func TestPassPolicyNames(t *testing.T) {
	long := strings.Repeat("x", 253)
	for name, test := range map[string]struct {
		tiers []string
		seen  []calico.Policy
		want  []string
	}{
		"plain": {
			[]string{"a", "b-c", "0"},
			nil,
			[]string{"0.license-operator-pass", "a.license-operator-pass", "b-c.license-operator-pass"},
		},
		"as ours":    {[]string{"license-operator-pass"}, nil, []string{"license-operator-pass.license-operator-pass"}},
		"with a dot": {[]string{"a.b"}, nil, []string{"a-b-2e7336dc.license-operator-pass"}},
		"with two": {
			[]string{"a.b.license-operator-pass"},
			nil,
			[]string{"a-b-license-operator-pass-6e8276d0.license-operator-pass"},
		},
		"as long as can be": {
			[]string{long},
			nil,
			[]string{strings.Repeat("x", 200) + "-1329e1bd.license-operator-pass"},
		},
		"moved into another tier": {
			[]string{"b", "z"},
			[]calico.Policy{made("b", "z.license-operator-pass")},
			[]string{"b.license-operator-pass", "z.license-operator-pass"},
		},
		"made to come to the same": {
			[]string{"a.b", "a-b-2e7336dc"},
			nil,
			[]string{"a-b-2e7336dc.license-operator-pass", "a-b-2e7336dc.license-operator-pass-2"},
		},
		"made so after the other was": {
			[]string{"a.b", "a-b-2e7336dc"},
			[]calico.Policy{made("a.b", "a-b-2e7336dc.license-operator-pass")},
			[]string{"a-b-2e7336dc.license-operator-pass", "a-b-2e7336dc.license-operator-pass-2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := restriction.Seen{Policies: test.seen}
			for _, name := range test.tiers {
				seen.Tiers = append(seen.Tiers, tier(name))
			}
			var got []string
			for _, p := range restriction.MakePlan(seen, []restriction.Product{product("mesh", defaultTierOnly)},
				open).Tiers {
				got = append(got, p.Pass.Name)
				if len(p.Pass.Name) > 253 || strings.Count(p.Pass.Name, ".") != 1 {
					t.Errorf("%q is not a name for a policy", p.Pass.Name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An object with more than 256 KiB of annotations is refused, and with it the restriction.
func TestAnnotationsOfManyProductsAreBounded(t *testing.T) {
	var products []restriction.Product
	for i := range 1000 {
		p := product(fmt.Sprintf("%s-%03d", strings.Repeat("p", 249), i), defaultTierOnly)
		p.Vendor, p.RenewalURL = strings.Repeat("€", 128), fmt.Sprintf("https://%s/%d", strings.Repeat("u", 1010), i)
		products = append(products, p)
	}
	plan := restriction.MakePlan(restriction.Seen{Tiers: []calico.Tier{tier("security")}}, products, open)
	size := 0
	for key, value := range plan.Tiers[0].Pass.Annotations {
		size += len(key) + len(value)
	}
	if size > 128<<10 {
		t.Errorf("%d bytes", size)
	}
	if description := plan.Tiers[0].Pass.Annotations[calico.DescriptionAnnotation]; !strings.Contains(description,
		", 984 more. ") {
		t.Errorf("the rest is not mentioned: %s", description)
	}
	if owners := plan.Tiers[0].Pass.Owners; len(owners) != 1000 {
		t.Errorf("%d owners", len(owners))
	}
}

func TestOpensAndCloses(t *testing.T) {
	allow, deny, both := global("t", "t.allow"), namespaced("t", "shop", "t.deny"), global("t", "t.both")
	both.Denies = true
	type told struct{ Opens, Closes []calico.PolicyRef }
	for mode, want := range map[api.RestrictionMode]told{
		defaultTierOnly: {Opens: refs(both, deny), Closes: refs(allow, both)},
		readOnly:        {},
	} {
		plan := restriction.MakePlan(restriction.Seen{
			Tiers:    []calico.Tier{tier("t")},
			Policies: []calico.Policy{deny, both, allow},
		}, []restriction.Product{product("mesh", mode)}, open)
		e := plan.Products[0].Affects[0]
		if diff := cmp.Diff(want, told{e.Opens(), e.Closes()}); diff != "" {
			t.Errorf("%s: -want +got:\n%s", mode, diff)
		}
		affected := &api.AffectedPolicies{Total: new(int32(3)), Allowing: new(int32(2)), Denying: new(int32(2))}
		if diff := cmp.Diff(affected, plan.Products[0].Effects().Policies); diff != "" {
			t.Errorf("%s: -want +got:\n%s", mode, diff)
		}
	}
}

// The issue allows 2 kB for each policy that is kept; names and namespaces take 400 bytes at most.
func TestAPolicyIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(calico.Policy{}) + unsafe.Sizeof(float64(0)); size > 96 {
		t.Errorf("%d bytes and the strings", size)
	}
}

func BenchmarkMakePlan(b *testing.B) {
	seen := restriction.Seen{Policies: make([]calico.Policy, 0, 10_050)}
	for i := range 50 {
		name := fmt.Sprintf("tier-%02d", i)
		seen.Tiers = append(seen.Tiers, tier(name))
		seen.Policies = append(seen.Policies, made(name, name+".license-operator-pass"))
		for j := range 200 {
			seen.Policies = append(seen.Policies,
				ordered(namespaced(name, fmt.Sprintf("ns-%03d", (j*37)%200), fmt.Sprintf("%s.policy-%03d", name, j)),
					float64(j)))
		}
	}
	products := []restriction.Product{product("mesh", defaultTierOnly), product("zeta", readOnly)}
	b.ReportAllocs()
	for b.Loop() {
		restriction.MakePlan(seen, products, open)
	}
}
