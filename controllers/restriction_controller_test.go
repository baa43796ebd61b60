// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// forbidden is what an API server says where a right is missing.
func forbidden(verb, resource string) error {
	return apierrors.NewForbidden(calico.Version.WithResource(resource).GroupResource(), "",
		fmt.Errorf(`User "license-operator" cannot %s resource %q in API group "projectcalico.org" at the `+
			`cluster scope`, verb, resource))
}

// refused is what an API server says where a webhook says no.
func refused() error {
	return apierrors.NewForbidden(calico.GlobalNetworkPolicies.GroupResource(), "",
		errors.New("the webhook says no"))
}

func wrap(tier string, err error) error {
	return fmt.Errorf("writing the pass policy of tier %s: %w", tier, err)
}

func TestReadiness(t *testing.T) {
	const apply = "Grant it what config/rbac does."
	affecting := func(inForce bool, tiers ...string) *restriction.ProductPlan {
		plan := &restriction.ProductPlan{Name: "acme-mesh", Mode: defaultTierOnly, InForce: inForce}
		for _, tier := range tiers {
			plan.Affects = append(plan.Affects, restriction.TierEffect{Tier: tier, Mode: defaultTierOnly})
		}
		return plan
	}
	bypassed := func(count int) *restriction.ProductPlan {
		plan := affecting(true, "east")
		plan.Affects[0].Bypasses = make([]api.BypassingPolicy, count)
		return plan
	}
	unproved := func(attempts int) map[string]lockProof {
		return map[string]lockProof{"east": {err: errors.New("it was accepted"), attempts: attempts}}
	}
	proved := map[string]lockProof{"east": {attempts: 9}}
	owned := map[string]*enforcement.Existing{"west.license-operator-pass": {Tier: "west",
		Owners: ownedBy("LicensedProduct", "acme-mesh")}}

	type told struct{ Reason, Message string }
	for name, test := range map[string]struct {
		plan     *restriction.ProductPlan
		unseen   error
		tierErrs map[string]error
		existing map[string]*enforcement.Existing
		locks    map[string]lockProof
		want     told
	}{
		"nothing in force": {plan: affecting(false, "east"),
			want: told{"Complete", "Nothing is restricted, and nothing is left of any restriction."}},
		"in force": {plan: affecting(true, "east"), locks: proved,
			want: told{"Complete", "Everything is as the restriction wants it."}},
		"in force, and there is no tier to lock": {
			plan: affecting(true), want: told{"Complete", "Everything is as the restriction wants it."},
		},
		"no tiers": {
			plan: affecting(false), unseen: errors.Join(errNotInstalled, errNotInstalled),
			want: told{"APINotInstalled", "The cluster has no network policy tiers (projectcalico.org/v3), or not " +
				"all of that API: there is nothing to restrict. " +
				"Should it come, what is asked for happens within seconds."},
		},
		"tiers that are not served at the moment": {
			plan: affecting(true), unseen: errors.Join(errNotServed, errNotInstalled),
			want: told{"APINotInstalled", "The cluster does not serve its network policy tiers " +
				"(projectcalico.org/v3), or not all of that API. What is in force stays so meanwhile."},
		},
		"no policies, and the tiers are forbidden": {
			plan: affecting(false), unseen: errors.Join(forbidden("list", "tiers"), errNotInstalled),
			want: told{"APINotInstalled", "The cluster has no network policy tiers (projectcalico.org/v3), or not " +
				"all of that API: there is nothing to restrict. " +
				"Should it come, what is asked for happens within seconds."},
		},
		"what is there may not be seen": {
			plan: affecting(true, "east"), unseen: forbidden("list", "tiers"),
			tierErrs: map[string]error{"east": refused()}, locks: unproved(9),
			want: told{"Forbidden",
				`The operator may not see all tiers and policies: tiers.projectcalico.org is forbidden: ` +
					`User "license-operator" cannot list resource "tiers" in API group "projectcalico.org" at the ` +
					`cluster scope. ` + apply},
		},
		"none of what is there may be seen": {
			plan:   affecting(true),
			unseen: errors.Join(forbidden("list", "tiers"), forbidden("list", "globalnetworkpolicies")),
			want: told{"Forbidden",
				`The operator may not see all tiers and policies: tiers.projectcalico.org is forbidden: ` +
					`User "license-operator" cannot list resource "tiers" in API group "projectcalico.org" at the ` +
					`cluster scope; globalnetworkpolicies.projectcalico.org is forbidden: ` +
					`User "license-operator" cannot list resource "globalnetworkpolicies" in API group ` +
					`"projectcalico.org" at the cluster scope. ` + apply},
		},
		"what is there cannot be seen": {
			plan: affecting(true, "east"), unseen: errors.New("the server is starting"),
			want: told{"ApplyFailed", "The operator cannot see all tiers and policies: the server is starting."},
		},
		"a right is missing": {
			plan: affecting(true, "east", "west"),
			tierErrs: map[string]error{"east": wrap("east", forbidden("create", "globalnetworkpolicies")),
				"west": wrap("west", refused())}, locks: unproved(9),
			want: told{"Forbidden",
				`The operator may not keep the pass policies (tiers concerned: 2): writing the pass policy of tier ` +
					`east: globalnetworkpolicies.projectcalico.org is forbidden: ` +
					`User "license-operator" cannot create resource "globalnetworkpolicies" in API group ` +
					`"projectcalico.org" at the cluster scope. ` + apply},
		},
		"a webhook refuses, which no right would help": {
			plan: affecting(true, "east"), tierErrs: map[string]error{"east": wrap("east", refused())},
			locks: unproved(9),
			want: told{"ApplyFailed",
				"Pass policies are not as they have to be (tiers concerned: 1): writing the pass policy of tier " +
					"east: " +
					"globalnetworkpolicies.projectcalico.org is forbidden: the webhook says no. The operator goes on " +
					"trying."},
		},
		"what is lifted does not go": {
			plan: affecting(false), tierErrs: map[string]error{"west": errors.New("a conflict")}, existing: owned,
			want: told{"ApplyFailed", "Pass policies are not as they have to be (tiers concerned: 1): a conflict. " +
				"The operator goes on trying."},
		},
		"a failure in another's tiers": {
			plan: affecting(true, "east"), tierErrs: map[string]error{"north": errors.New("a conflict")},
			existing: owned,
			locks:    proved,
			want:     told{"Complete", "Everything is as the restriction wants it."},
		},
		"the lock has yet to be asked for": {
			plan: affecting(true, "east"), locks: unproved(0), want: told{"Applying", applyingMessage},
		},
		"the lock is found wanting, and asked for again": {
			plan: bypassed(1), locks: unproved(lockPatience - 1), want: told{"Applying", applyingMessage},
		},
		"the lock is found wanting": {
			plan: bypassed(1), locks: unproved(lockPatience),
			want: told{"LockNotInForce", "What the restriction refuses is not refused: it was accepted. Install " +
				"config/admission, or run the operator with --manage-admission-policies. " +
				"Policies go on being applied to pods: status.restriction.bypasses says which, and why."},
		},
		"another's lock is found wanting": {
			plan:  affecting(true, "east"),
			locks: map[string]lockProof{"east": {}, "west": {err: errors.New("it was accepted"), attempts: 9}},
			want:  told{"Complete", "Everything is as the restriction wants it."},
		},
		"bypassed": {
			plan: bypassed(17), locks: proved,
			want: told{"Bypassed",
				"Policies go on being applied to pods: status.restriction.bypasses says which, and why."},
		},
		"what would bypass it, were it in force": {
			plan: func() *restriction.ProductPlan { p := bypassed(1); p.InForce = false; return p }(),
			want: told{"Complete", "Nothing is restricted, and nothing is left of any restriction."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, plan := carryingOut(test.tierErrs, test.existing)
			r.locks.proofs, plan.unseen = test.locks, test.unseen
			var got told
			var proving bool
			got.Reason, got.Message, proving = r.readiness(plan, test.plan)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// In these cases nothing is to be written but what has failed.
			if proving != (got.Reason == api.ReasonApplying) {
				t.Errorf("nothing but the lock has yet to be proved: %t", proving)
			}
		})
	}
}

// carryingOut is a plan for which work in some tiers has failed.
func carryingOut(
	failed map[string]error, existing map[string]*enforcement.Existing,
) (*restrictionReconciler, *restrictionPlan) {
	plan := &restrictionPlan{existing: existing, work: map[string]tierWork{}}
	results := map[string]tierResult{}
	for tier, err := range failed {
		plan.work[tier], results[tier] = tierWork{}, tierResult{err: err, failures: 1}
	}
	return &restrictionReconciler{passes: &passPolicyReconciler{results: results}, locks: &lockReconciler{}}, plan
}

// A deletion that something holds up is not done, and the API server does not say so.
func TestWhatIsHeldIsNotLifted(t *testing.T) {
	const name = "west.license-operator-pass"
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{calico.GlobalNetworkPolicies: "GlobalNetworkPolicyList"})
	existing := map[string]*enforcement.Existing{name: {UID: "1", Tier: "west", Deleting: true,
		Owners: ownedBy("LicensedProduct", "acme-mesh")}}
	r, plan := carryingOut(nil, existing)
	plan.work = workOf(&restriction.Plan{Delete: []string{name}}, existing, nil)
	r.passes = &passPolicyReconciler{
		enforcer: enforcement.New(client, "license-operator-system"), changed: func() {},
		results: map[string]tierResult{},
		workIn:  func(tier string) (tierWork, bool) { work, wanted := plan.work[tier]; return work, wanted },
	}
	if result, err := r.passes.Reconcile(t.Context(), reconcile.Request("west")); err != nil ||
		result.RequeueAfter != firstPassRetry {
		t.Errorf("got %v, %v", result, err)
	}
	if actions := client.Actions(); len(actions) > 0 {
		t.Errorf("it was asked for again: %v", actions)
	}
	reason, message, _ := r.readiness(plan, &restriction.ProductPlan{Name: "acme-mesh"})
	want := "Pass policies are not as they have to be (tiers concerned: 1): deleting the pass policy " +
		"west.license-operator-pass: its finalizers have not completed. The operator goes on trying."
	if reason != api.ReasonApplyFailed || message != want {
		t.Errorf("got %s: %s", reason, message)
	}
}

func ownedBy(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "license-operator.io/v1alpha1", Kind: kind, Name: name, UID: "1"}}
}

// A failure concerns a product in the tiers that it selects, and in those that a pass policy is left in of which it is
// an owner.
func TestProgressOf(t *testing.T) {
	east, north, west := errors.New("in the east"), errors.New("in the north"), errors.New("in the west")
	everywhere := map[string]error{"west": west, "north": north, "east": east}
	existing := func(tier string, owners ...metav1.OwnerReference) *enforcement.Existing {
		return &enforcement.Existing{Tier: tier, Owners: owners}
	}
	for name, test := range map[string]struct {
		affects  []string
		tierErrs map[string]error
		existing map[string]*enforcement.Existing
		count    int
		first    error
	}{
		"none":                      {affects: []string{"east"}},
		"in a tier that it affects": {affects: []string{"east"}, tierErrs: everywhere, count: 1, first: east},
		"in several: the first is told": {affects: []string{"west", "north"}, tierErrs: everywhere, count: 2,
			first: north},
		"in none that it affects": {affects: []string{"south"}, tierErrs: everywhere},
		"in one that it once restricted": {
			existing: map[string]*enforcement.Existing{
				"a": existing("west", ownedBy("LicensedProduct", "acme-mesh")...),
			},
			tierErrs: everywhere, count: 1, first: west},
		"in one that another restricts": {
			existing: map[string]*enforcement.Existing{"a": existing("west", ownedBy("LicensedProduct", "zeta")...)},
			tierErrs: everywhere},
		"in one that both do": {
			existing: map[string]*enforcement.Existing{
				"a": existing("west",
					append(ownedBy("LicensedProduct", "zeta"), ownedBy("LicensedProduct", "acme-mesh")...)...)},
			tierErrs: everywhere, count: 1, first: west},
		"in one of what only has its name": {
			existing: map[string]*enforcement.Existing{"a": existing("west", ownedBy("LicenseKey", "acme-mesh")...)},
			tierErrs: everywhere},
		"in one that it does either way": {affects: []string{"west"},
			existing: map[string]*enforcement.Existing{
				"a": existing("west", ownedBy("LicensedProduct", "acme-mesh")...),
			},
			tierErrs: everywhere, count: 1, first: west},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &restriction.ProductPlan{Name: "acme-mesh"}
			for _, tier := range test.affects {
				plan.Affects = append(plan.Affects, restriction.TierEffect{Tier: tier})
			}
			r, carried := carryingOut(test.tierErrs, test.existing)
			if pending, count, first := r.progressOf(carried, plan); pending || count != test.count ||
				!errors.Is(first, test.first) {
				t.Errorf("got %t, %d, %v; want %d, %v", pending, count, first, test.count, test.first)
			}
			r.passes.results = nil
			if pending, count, first := r.progressOf(carried, plan); pending != (test.count > 0) || count != 0 ||
				first != nil {
				t.Errorf("before anything was tried: got %t, %d, %v", pending, count, first)
			}
		})
	}
}

// A pass policy goes with the last of its products.
func TestOwnersOf(t *testing.T) {
	want := []metav1.OwnerReference{
		{APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct", Name: "mesh", UID: "1"},
		{APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct", Name: "zeta", UID: "3"},
	}
	got := ownersOf(&calico.PassPolicy{Owners: []string{"mesh", "zeta"}},
		map[string]types.UID{"mesh": "1", "quiet": "2", "zeta": "3"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// While something cannot be seen nothing is restricted that was not, what is in force stays, and what no product wants
// any more goes if it is known to be there.
func TestAPlanKeepsToWhatIsSeen(t *testing.T) {
	const east, north, west = "east.license-operator-pass", "north.license-operator-pass", "west.license-operator-pass"
	existing := map[string]*enforcement.Existing{
		east: {Tier: "east", Owners: ownedBy("LicensedProduct", "mesh")},
		north: {Tier: "north",
			Owners: append(ownedBy("LicensedProduct", "mesh"), ownedBy("LicensedProduct", "zeta")...)},
		west: {Tier: "west", Owners: ownedBy("LicensedProduct", "zeta")},
	}
	tiers, all := []restriction.TierPlan{{Name: "east"}}, []string{east, north, west}
	for name, test := range map[string]struct {
		tiersErr, globalErr error
		want                restriction.Plan
	}{
		"everything is seen":       {want: restriction.Plan{Tiers: tiers, Delete: all}},
		"the tiers are gone":       {tiersErr: errNotInstalled, want: restriction.Plan{Tiers: tiers, Delete: all}},
		"the tiers are not served": {tiersErr: errNotServed, want: restriction.Plan{Delete: []string{west}}},
		"the tiers are forbidden": {tiersErr: forbidden("list", "tiers"),
			want: restriction.Plan{Delete: []string{west}}},
		"the policies are forbidden":      {globalErr: forbidden("list", "globalnetworkpolicies")},
		"the policies are gone":           {globalErr: errNotInstalled},
		"neither tiers nor policies seen": {tiersErr: errNotServed, globalErr: errNotServed},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Products = []restriction.ProductPlan{{Name: "mesh", InForce: true}, {Name: "zeta"}}
			plan := &restrictionPlan{existing: existing,
				Plan: restriction.Plan{Products: test.want.Products, Tiers: tiers, Delete: slices.Clone(all)}}
			plan.keepToWhatIsSeen(test.tiersErr, test.globalErr)
			if diff := cmp.Diff(test.want, plan.Plan); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A product whose status is lost goes on restricting what the pass policies that it owns tell of, and no other does.
func TestALostStatusLiftsNothing(t *testing.T) {
	every := labels.Everything()
	seen := restriction.Seen{
		Tiers: []calico.Tier{{Name: "east"}},
		Policies: []calico.Policy{{Kind: calico.GlobalNetworkPolicy, Name: "east.license-operator-pass",
			Tier: "east", Neutral: true, Marked: true}},
	}
	existing := func(owner types.UID) map[string]*enforcement.Existing {
		return map[string]*enforcement.Existing{"east.license-operator-pass": {
			Tier: "east", Annotations: map[string]string{calico.SinceAnnotation: "2026-01-02T00:00:00Z"},
			Owners: []metav1.OwnerReference{{UID: owner}},
		}}
	}
	for name, test := range map[string]struct {
		change func(*restriction.Product)
		owner  types.UID
		want   []string
	}{
		"it is due":                  {func(p *restriction.Product) { p.Due = true }, "1", nil},
		"it is due, clocks disagree": {func(p *restriction.Product) { p.Disputed = true }, "1", nil},
		"it is not due any more":     {func(*restriction.Product) {}, "1", []string{"east.license-operator-pass"}},
		"it is due, not announced": {func(p *restriction.Product) { p.Due = true }, "2",
			[]string{"east.license-operator-pass"}},
		"it was another of that name": {func(p *restriction.Product) { p.Disputed = true }, "2",
			[]string{"east.license-operator-pass"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := namedProduct("mesh", "1")
			p.Mode, p.TierSelector = defaultTierOnly, every
			test.change(&p.Product)
			plan := makeRestrictionPlan(seen, existing(test.owner), []restrictingProduct{p}, uncapped)
			if diff := cmp.Diff(test.want, plan.Delete); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if test.want == nil &&
				plan.Tiers[0].Pass.Annotations[calico.SinceAnnotation] != "2026-01-02T00:00:00Z" {
				t.Errorf("it is restricted since then, not as in %v", plan.Tiers[0].Pass.Annotations)
			}
		})
	}
}

func namedProduct(name, uid string) restrictingProduct {
	p := &api.LicensedProduct{}
	p.Name, p.UID = name, types.UID(uid)
	return restrictingProduct{Product: restriction.Product{Name: name}, object: p}
}

// An outcome counts for the product that it was found for, as it was then.
func TestOutcomeOf(t *testing.T) {
	r := &restrictionReconciler{
		outcomes: map[string]restrictionOutcome{"acme-mesh": {product: "1", generation: 3, reason: api.ReasonComplete}}}
	for name, test := range map[string]struct {
		name, uid  string
		generation int64
		want       bool
	}{
		"the same":                      {"acme-mesh", "1", 3, true},
		"changed since":                 {"acme-mesh", "1", 4, false},
		"another one of that name":      {"acme-mesh", "2", 3, false},
		"one that was not planned with": {"zeta", "1", 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := namedProduct(test.name, test.uid).object
			p.Generation = test.generation
			if got := r.outcomeOf(p); (got != nil) != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLockedTier(t *testing.T) {
	affects := []restriction.TierEffect{{Tier: "east", Mode: readOnly}, {Tier: "west", Mode: defaultTierOnly}}
	for name, test := range map[string]struct {
		plan restriction.ProductPlan
		want string
	}{
		"in force":             {restriction.ProductPlan{InForce: true, Affects: affects}, "east"},
		"in force, in no tier": {restriction.ProductPlan{InForce: true}, ""},
		"not in force":         {restriction.ProductPlan{Affects: affects}, ""},
		"in force, and all spared": {restriction.ProductPlan{InForce: true,
			Spared: []api.SparedTier{{Name: "default", Reason: api.TierSparedBuiltIn}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lockedTier(&test.plan); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Of several products that refuse the same the API server quotes one, whichever that is.
func TestNoticesIn(t *testing.T) {
	products := []restriction.Product{
		{Name: "mesh", Vendor: "Acme", Mode: defaultTierOnly, TierSelector: labels.Everything(), Due: true,
			Since: day(1)},
		{Name: "other", Vendor: "Acme", Mode: readOnly,
			TierSelector: labels.SelectorFromSet(labels.Set{"team": "other"}), Due: true, Since: day(1)},
		{Name: "paused", Vendor: "Acme", Mode: readOnly, TierSelector: labels.Everything(), Due: true, Paused: true,
			Since: day(1)},
		{Name: "zeta", Vendor: "Zeta", Mode: readOnly, TierSelector: labels.Everything(), Due: true, Since: day(2)},
	}
	a := &restrictionPlan{Plan: restriction.MakePlan(restriction.Seen{Tiers: []calico.Tier{{Name: "security"}}},
		products, uncapped)}
	for _, p := range products {
		a.products = append(a.products, restrictingProduct{Product: p})
	}
	want := []string{
		`No license covers LicensedProduct "mesh" (Acme): restricted since 2026-01-02T00:00:00Z. Ask Acme for a ` +
			`license`,
		`No license covers LicensedProduct "zeta" (Zeta): restricted since 2026-01-03T00:00:00Z. Ask Zeta for a ` +
			`license`,
	}
	if diff := cmp.Diff(want, a.noticesIn("security")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Only what a restriction may follow from has all of them planned again: products write their statuses far more often
// than that.
func TestRestrictionChanged(t *testing.T) {
	announcing := func(since int, tiers ...string) func(*api.LicensedProduct) {
		return func(p *api.LicensedProduct) {
			p.Status.Restriction = &api.RestrictionStatus{InForce: &api.RestrictionInForce{SinceTime: on(since),
				Tiers: tiersOf(readOnly, tiers...)}}
		}
	}
	previewing := func(p *api.LicensedProduct) {
		p.Status.Restriction = &api.RestrictionStatus{Preview: &api.RestrictionPreview{Mode: readOnly}}
	}
	deleted := func(p *api.LicensedProduct) { p.DeletionTimestamp = on(40) }
	licensed := func(p *api.LicensedProduct) { p.Status.State = api.LicensedProductValid }
	elsewhere := func(p *api.LicensedProduct) {
		p.Status.Restriction.InForce.SinceTime = new(
			metav1.NewTime(p.Status.Restriction.InForce.SinceTime.In(time.FixedZone("", 3600))))
	}
	for name, test := range map[string]struct {
		before, after *api.LicensedProduct
		want          bool
	}{
		"nothing":              {restricting(readOnly), restricting(readOnly), false},
		"its state":            {restricting(readOnly), restricting(readOnly, licensed), false},
		"its preview":          {restricting(readOnly), restricting(readOnly, previewing), false},
		"it is announced":      {restricting(readOnly, previewing), restricting(readOnly, announcing(40)), true},
		"it is announced anew": {restricting(readOnly, announcing(35)), restricting(readOnly, announcing(40)), true},
		"its tiers": {restricting(readOnly, announcing(35, "east")),
			restricting(readOnly, announcing(35, "west")), false},
		"the same, in another zone": {restricting(readOnly, announcing(35)),
			restricting(readOnly, announcing(35), elsewhere), false},
		"it is not announced any more": {restricting(readOnly, announcing(35)), restricting(readOnly, previewing),
			true},
		"it is being deleted": {restricting(readOnly), restricting(readOnly, deleted), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restrictionChanged.Update(event.UpdateEvent{ObjectOld: test.before,
				ObjectNew: test.after}); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// What was done and undone again before the cache could hear of either is done once more, a little later.
func TestWhatIsUndoneUnseenIsDoneAgain(t *testing.T) {
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{calico.GlobalNetworkPolicies: "GlobalNetworkPolicyList"})
	pass := &calico.PassPolicy{Name: "west.license-operator-pass", Tier: "west",
		Spec: calico.PassSpec("west", "license-operator-system")}
	r := &passPolicyReconciler{
		enforcer: enforcement.New(client, "license-operator-system"), changed: func() {},
		results: map[string]tierResult{},
		workIn:  func(string) (tierWork, bool) { return tierWork{pass: pass}, true },
	}
	look := func() time.Duration {
		result, err := r.Reconcile(t.Context(), reconcile.Request("west"))
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	if again := look(); again != doneTrust {
		t.Errorf("looked at again after %s", again)
	}
	look()
	if creates := len(client.Actions()); creates != 1 {
		t.Errorf("done %d times while the cache may have yet to hear of it", creates)
	}
	if err := client.Resource(calico.GlobalNetworkPolicies).Delete(t.Context(), pass.Name,
		metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	was := r.results["west"]
	was.done = was.done.Add(-doneTrust)
	r.results["west"] = was
	look()
	if _, err := client.Resource(calico.GlobalNetworkPolicies).Get(t.Context(), pass.Name,
		metav1.GetOptions{}); err != nil {
		t.Errorf("it is not there again: %v", err)
	}
}
