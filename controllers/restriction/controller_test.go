// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// forbidden is what an API server says where a right is missing.
func forbidden(verb, resource string) error {
	return apierror.OfRead(apierrors.NewForbidden(calico.Version.WithResource(resource).GroupResource(), "",
		fmt.Errorf(`User "license-operator" cannot %s resource %q in API group "projectcalico.org" at the `+
			`cluster scope`, verb, resource)))
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
	owned := map[string]*enforcement.Existing{"west.license-operator-pass": {
		Tier:   "west",
		Owners: ownedBy("LicensedProduct", "acme-mesh"),
	}}

	type told struct{ Reason, Message string }
	noAPI := told{"APINotInstalled", "The cluster does not have all of projectcalico.org/v3: there are no tiers to " +
		"restrict. They are restricted as soon as it has."}
	cannot := func(verb, resource string) string {
		return resource + `.projectcalico.org is forbidden: User "license-operator" cannot ` + verb + ` resource "` +
			resource + `" in API group "projectcalico.org" at the cluster scope`
	}
	for name, test := range map[string]struct {
		plan     *restriction.ProductPlan
		unseen   error
		tierErrs map[string]error
		existing map[string]*enforcement.Existing
		locks    map[string]lockProof
		want     told
	}{
		"nothing in force": {plan: affecting(false, "east"), want: told{"Complete", "No restriction in force."}},
		"in force": {
			plan: affecting(true, "east"), locks: proved,
			want: told{"Complete", "Restriction fully applied."},
		},
		"in force, and there is no tier to lock": {
			plan: affecting(true), want: told{"Complete", "Restriction fully applied."},
		},
		"no tiers": {
			plan: affecting(false), unseen: errors.Join(optional.ErrNotInstalled, optional.ErrNotInstalled),
			want: noAPI,
		},
		"tiers that are not served at the moment": {
			plan: affecting(true), unseen: errors.Join(optional.ErrNotServed, optional.ErrNotInstalled),
			want: told{
				"APINotInstalled",
				"The API server does not serve all of projectcalico.org/v3. Restrictions in " +
					"force stay in force until it does.",
			},
		},
		"no policies, and the tiers are forbidden": {
			plan: affecting(false), unseen: errors.Join(forbidden("list", "tiers"), optional.ErrNotInstalled),
			want: noAPI,
		},
		"reading is forbidden": {
			plan: affecting(true, "east"), unseen: forbidden("list", "tiers"),
			tierErrs: map[string]error{"east": refused()}, locks: unproved(9),
			want: told{"Forbidden", "Missing permission to read tiers and policies: " + cannot("list", "tiers") +
				". Grant the permissions in config/rbac."},
		},
		"reading anything is forbidden": {
			plan:   affecting(true),
			unseen: errors.Join(forbidden("list", "tiers"), forbidden("list", "globalnetworkpolicies")),
			want: told{"Forbidden", "Missing permission to read tiers and policies: " + cannot("list", "tiers") + "; " +
				cannot("list", "globalnetworkpolicies") + ". Grant the permissions in config/rbac."},
		},
		"reading fails": {
			plan: affecting(true, "east"), unseen: errors.New("the server is starting"),
			want: told{"ApplyFailed", "Failed to read tiers and policies: the server is starting."},
		},
		"a permission is missing": {
			plan: affecting(true, "east", "west"),
			tierErrs: map[string]error{
				"east": wrap("east", forbidden("create", "globalnetworkpolicies")),
				"west": wrap("west", refused()),
			}, locks: unproved(9),
			want: told{
				"Forbidden",
				"Missing permission to write pass policies: writing the pass policy of tier east: " +
					cannot("create", "globalnetworkpolicies") +
					". Tiers affected: 2. Grant the permissions in config/rbac.",
			},
		},
		"a webhook rejects, which no permission would help": {
			plan: affecting(true, "east"), tierErrs: map[string]error{"east": wrap("east", refused())},
			locks: unproved(9),
			want: told{"ApplyFailed", "Failed to write pass policies: writing the pass policy of tier east: " +
				"globalnetworkpolicies.projectcalico.org is forbidden: the webhook says no. Tiers affected: 1. " +
				"The operator retries."},
		},
		"a deletion fails": {
			plan: affecting(false), tierErrs: map[string]error{"west": errors.New("a conflict")}, existing: owned,
			want: told{
				"ApplyFailed",
				"Failed to write pass policies: a conflict. Tiers affected: 1. The operator retries.",
			},
		},
		"a failure in the tiers of another product": {
			plan: affecting(true, "east"), tierErrs: map[string]error{"north": errors.New("a conflict")},
			existing: owned,
			locks:    proved, want: told{"Complete", "Restriction fully applied."},
		},
		"the lock has yet to be asked for": {
			plan: affecting(true, "east"), locks: unproved(0), want: told{"Applying", restriction.ApplyingMessage},
		},
		"the lock is missing, and asked for again": {
			plan: bypassed(1), locks: unproved(lockPatience - 1), want: told{"Applying", restriction.ApplyingMessage},
		},
		"the lock is missing": {
			plan: bypassed(1), locks: unproved(lockPatience),
			want: told{"LockNotInForce", "Admission policies are not enforced: it was accepted. Install " +
				"config/admission, or set --manage-admission-policies. " + bypassedMessage},
		},
		"the lock of another tier is missing": {
			plan:  affecting(true, "east"),
			locks: map[string]lockProof{"east": {}, "west": {err: errors.New("it was accepted"), attempts: 9}},
			want:  told{"Complete", "Restriction fully applied."},
		},
		"bypassed": {
			plan: bypassed(17), locks: proved,
			want: told{"Bypassed", "Some policies are still applied to pods: see status.restriction.bypasses."},
		},
		"what would bypass it, were it in force": {
			plan: func() *restriction.ProductPlan { p := bypassed(1); p.InForce = false; return p }(),
			want: told{"Complete", "No restriction in force."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, plan := carryingOut(test.tierErrs, test.existing)
			plan.unseen = test.unseen
			for tier, proof := range test.locks {
				r.state.proofs.Set(tier, proof)
			}
			got := r.readiness(plan, test.plan)
			// In these cases nothing is to be written but what has failed.
			want := restriction.Readiness{
				Reason: test.want.Reason, Message: test.want.Message,
				IsProving: test.want.Reason == api.ReasonApplying,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// carryingOut is a plan for which actions in some tiers have failed.
func carryingOut(
	failed map[string]error, existing map[string]*enforcement.Existing,
) (*Reconciler, *plan) {
	p := &plan{existing: existing, actions: map[string]tierAction{}}
	r := &Reconciler{state: &state{}}
	r.locks = &lockReconciler{state: r.state}
	for tier, err := range failed {
		p.actions[tier] = tierAction{}
		r.state.results.Set(tier, tierResult{err: err})
	}
	return r, p
}

// A deletion that finalizers delay is not done, and the API server does not say so.
func TestADelayedDeletionIsNotDone(t *testing.T) {
	const name = "west.license-operator-pass"
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{calico.GlobalNetworkPolicies: "GlobalNetworkPolicyList"})
	existing := map[string]*enforcement.Existing{name: {
		UID: "1", Tier: "west", Deleting: true,
		Owners: ownedBy("LicensedProduct", "acme-mesh"),
	}}
	r, p := carryingOut(nil, existing)
	p.actions = actionsOf(&restriction.Plan{Delete: []string{name}}, existing, nil)
	r.state.plans.Set(reconcile.All, p)
	passes := passesWith(client, r.state)
	const want = "deleting the pass policy west.license-operator-pass: its finalizers have not completed"
	if _, err := passes.Reconcile(t.Context(), reconcile.Request("west")); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if actions := client.Actions(); len(actions) > 0 {
		t.Errorf("it was requested again: %v", actions)
	}
	wantReady := restriction.Readiness{
		Reason:  api.ReasonApplyFailed,
		Message: "Failed to write pass policies: " + want + ". Tiers affected: 1. The operator retries.",
	}
	if diff := cmp.Diff(wantReady, r.readiness(p, &restriction.ProductPlan{Name: "acme-mesh"})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func passesWith(client dynamic.Interface, s *state) *passPolicyReconciler {
	return &passPolicyReconciler{
		enforcer: enforcement.New(client, "license-operator-system"), reviewer: apierror.NewReviewer(client), state: s,
		trigger: reconcile.NewTrigger(), planTrigger: reconcile.NewTrigger(),
	}
}

func ownedBy(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "license-operator.io/v1alpha1", Kind: kind, Name: name, UID: "1"}}
}

// A failure concerns a product in the tiers that it selects, and in those that a pass policy is left in of which it is
// an owner.
func TestProgress(t *testing.T) {
	east, north, west := errors.New("in the east"), errors.New("in the north"), errors.New("in the west")
	everywhere := map[string]error{"west": west, "north": north, "east": east}
	existingIn := func(tier string, owners ...metav1.OwnerReference) *enforcement.Existing {
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
		"in several: the first is told": {
			affects: []string{"west", "north"}, tierErrs: everywhere, count: 2,
			first: north,
		},
		"in none that it affects": {affects: []string{"south"}, tierErrs: everywhere},
		"in one that it once restricted": {
			existing: map[string]*enforcement.Existing{
				"a": existingIn("west", ownedBy("LicensedProduct", "acme-mesh")...),
			},
			tierErrs: everywhere, count: 1, first: west,
		},
		"in one that another restricts": {
			existing: map[string]*enforcement.Existing{"a": existingIn("west", ownedBy("LicensedProduct", "zeta")...)},
			tierErrs: everywhere,
		},
		"in one that both do": {
			existing: map[string]*enforcement.Existing{
				"a": existingIn("west",
					append(ownedBy("LicensedProduct", "zeta"), ownedBy("LicensedProduct", "acme-mesh")...)...),
			},
			tierErrs: everywhere, count: 1, first: west,
		},
		"in one of what only has its name": {
			existing: map[string]*enforcement.Existing{"a": existingIn("west", ownedBy("LicenseKey", "acme-mesh")...)},
			tierErrs: everywhere,
		},
		"in one that it does either way": {
			affects: []string{"west"},
			existing: map[string]*enforcement.Existing{
				"a": existingIn("west", ownedBy("LicensedProduct", "acme-mesh")...),
			},
			tierErrs: everywhere, count: 1, first: west,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &restriction.ProductPlan{Name: "acme-mesh"}
			for _, tier := range test.affects {
				plan.Affects = append(plan.Affects, restriction.TierEffect{Tier: tier})
			}
			r, carried := carryingOut(test.tierErrs, test.existing)
			check := func(wantReason, wantMessage string) {
				t.Helper()
				why, isDone := r.progress(carried, plan)
				if isDone != (test.count == 0) || why.Reason != wantReason ||
					!strings.HasPrefix(why.Message, wantMessage) {
					t.Errorf("got %+v, done: %t", why, isDone)
				}
			}
			if test.count == 0 {
				check("", "")
				return
			}
			check(api.ReasonApplyFailed, fmt.Sprintf("Failed to write pass policies: %v. Tiers affected: %d.",
				test.first, test.count))
			r.state.results.DeleteFunc(func(string, tierResult) bool { return true })
			check(api.ReasonApplying, restriction.ApplyingMessage)
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
		north: {
			Tier:   "north",
			Owners: append(ownedBy("LicensedProduct", "mesh"), ownedBy("LicensedProduct", "zeta")...),
		},
		west: {Tier: "west", Owners: ownedBy("LicensedProduct", "zeta")},
	}
	tiers, all := []restriction.TierPlan{{Name: "east"}}, []string{east, north, west}
	for name, test := range map[string]struct {
		tiersErr, globalErr error
		want                restriction.Plan
	}{
		"everything is seen": {want: restriction.Plan{Tiers: tiers, Delete: all}},
		"the tiers are gone": {
			tiersErr: optional.ErrNotInstalled,
			want:     restriction.Plan{Tiers: tiers, Delete: all},
		},
		"the tiers are not served": {tiersErr: optional.ErrNotServed, want: restriction.Plan{Delete: []string{west}}},
		"the tiers are forbidden": {
			tiersErr: forbidden("list", "tiers"),
			want:     restriction.Plan{Delete: []string{west}},
		},
		"the policies are forbidden":      {globalErr: forbidden("list", "globalnetworkpolicies")},
		"the policies are gone":           {globalErr: optional.ErrNotInstalled},
		"neither tiers nor policies seen": {tiersErr: optional.ErrNotServed, globalErr: optional.ErrNotServed},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Products = []restriction.ProductPlan{{Name: "mesh", InForce: true}, {Name: "zeta"}}
			p := &plan{
				existing: existing,
				Plan:     restriction.Plan{Products: test.want.Products, Tiers: tiers, Delete: slices.Clone(all)},
			}
			p.limitToObserved(observation{tiersErr: test.tiersErr, globalErr: test.globalErr})
			if diff := cmp.Diff(test.want, p.Plan); diff != "" {
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
		Policies: []calico.Policy{{
			Kind: calico.GlobalNetworkPolicy, Name: "east.license-operator-pass",
			Tier: "east", Neutral: true, Marked: true,
		}},
	}
	owned := func(owner types.UID) map[string]*enforcement.Existing {
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
		"it is due, not announced": {
			func(p *restriction.Product) { p.Due = true }, "2",
			[]string{"east.license-operator-pass"},
		},
		"it was another of that name": {
			func(p *restriction.Product) { p.Disputed = true }, "2",
			[]string{"east.license-operator-pass"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := namedProduct("mesh", "1")
			p.Mode, p.TierSelector = defaultTierOnly, every
			test.change(&p.Product)
			plan := makePlan(observation{Seen: seen, existing: owned(test.owner)}, []product{p}, uncapped)
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

func namedProduct(name, uid string) product {
	p := &api.LicensedProduct{}
	p.Name, p.UID = name, types.UID(uid)
	return product{Product: restriction.Product{Name: name}, object: p}
}

// An outcome counts for the product that it was found for, as it was then.
func TestOutcome(t *testing.T) {
	r := &Reconciler{state: &state{}}
	r.state.outcomes.Set("acme-mesh", &restriction.Outcome{UID: "1", Generation: 3})
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
			if got := r.Outcome(p); (got != nil) != test.want {
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
		"in force, and all spared": {restriction.ProductPlan{
			InForce: true,
			Spared:  []api.SparedTier{{Name: "default", Reason: api.TierSparedBuiltIn}},
		}, ""},
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
		{
			Name: "mesh", Vendor: "Acme", Mode: defaultTierOnly, TierSelector: labels.Everything(), Due: true,
			Since: day(1),
		},
		{
			Name: "other", Vendor: "Acme", Mode: readOnly,
			TierSelector: labels.SelectorFromSet(labels.Set{"team": "other"}), Due: true, Since: day(1),
		},
		{
			Name: "paused", Vendor: "Acme", Mode: readOnly, TierSelector: labels.Everything(), Due: true, Paused: true,
			Since: day(1),
		},
		{Name: "zeta", Vendor: "Zeta", Mode: readOnly, TierSelector: labels.Everything(), Due: true, Since: day(2)},
	}
	a := &plan{Plan: restriction.MakePlan(restriction.Seen{Tiers: []calico.Tier{{Name: "security"}}},
		products, uncapped)}
	for _, p := range products {
		a.products = append(a.products, product{Product: p})
	}
	want := []string{
		`No license covers LicensedProduct "mesh" (Acme): restricted since 2026-01-02T00:00:00Z. Get a license ` +
			"from Acme",
		`No license covers LicensedProduct "zeta" (Zeta): restricted since 2026-01-03T00:00:00Z. Get a license ` +
			"from Zeta",
	}
	if diff := cmp.Diff(want, a.noticesIn("security")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Only what a restriction may follow from has all of them planned again: products write their statuses far more often
// than that.
func TestAnnouncementChanged(t *testing.T) {
	announcing := func(since int, tiers ...string) func(*api.LicensedProduct) {
		return func(p *api.LicensedProduct) {
			p.Status.Restriction = &api.RestrictionStatus{InForce: &api.RestrictionInForce{
				SinceTime: on(since),
				Tiers:     tiersOf(readOnly, tiers...),
			}}
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
		"its tiers": {
			restricting(readOnly, announcing(35, "east")),
			restricting(readOnly, announcing(35, "west")), false,
		},
		"the same, in another zone": {
			restricting(readOnly, announcing(35)),
			restricting(readOnly, announcing(35), elsewhere), false,
		},
		"it is not announced any more": {
			restricting(readOnly, announcing(35)), restricting(readOnly, previewing),
			true,
		},
		"it is being deleted": {restricting(readOnly), restricting(readOnly, deleted), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := announcementChanged.Update(event.UpdateEvent{
				ObjectOld: test.before,
				ObjectNew: test.after,
			}); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// What was done and undone before the cache showed either is done once more, a little later.
func TestWhatIsUndoneUnseenIsDoneAgain(t *testing.T) {
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{calico.GlobalNetworkPolicies: "GlobalNetworkPolicyList"})
	pass := &calico.PassPolicy{
		Name: "west.license-operator-pass", Tier: "west",
		Spec: calico.PassSpec("west", "license-operator-system"),
	}
	s := &state{}
	s.plans.Set(reconcile.All, &plan{actions: map[string]tierAction{"west": {pass: pass}}})
	r := passesWith(client, s)
	look := func() time.Duration {
		result, err := r.Reconcile(t.Context(), reconcile.Request("west"))
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	if again := look(); again != doneTrust {
		t.Errorf("requested again after %s", again)
	}
	look()
	if creates := len(client.Actions()); creates != 1 {
		t.Errorf("done %d times while the cache may not show it yet", creates)
	}
	if err := client.Resource(calico.GlobalNetworkPolicies).Delete(t.Context(), pass.Name,
		metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	before, _ := s.results.Get("west")
	before.done = before.done.Add(-doneTrust)
	s.results.Set("west", before)
	look()
	if _, err := client.Resource(calico.GlobalNetworkPolicies).Get(t.Context(), pass.Name,
		metav1.GetOptions{}); err != nil {
		t.Errorf("it is not there again: %v", err)
	}
}

// A product is planned by the terms that were assessed and the announcement that its status has now. One that is new is
// left out until it is assessed; before all have been assessed once there is no plan.
func TestProducts(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mesh, zeta := restricting(readOnly), restricting(defaultTierOnly)
	mesh.Name, mesh.UID, zeta.Name, zeta.UID = "mesh", "1", "zeta", "2"
	reader := fakeclient.NewClientBuilder().WithScheme(scheme).WithObjects(mesh, zeta).Build()
	r := &Reconciler{reader: reader, Options: Options{Assessments: &reconcile.Board[*assess.Assessment]{}}}
	names := func() []string {
		t.Helper()
		products, err := r.products(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, p := range products {
			all = append(all, p.Name+" "+string(p.Mode))
		}
		return all
	}
	expect := func(what string, primed bool, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, names()); diff != "" || r.primed != primed {
			t.Errorf("%s: primed %t, -want +got:\n%s", what, r.primed, diff)
		}
	}
	expect("nothing assessed", false)
	r.Assessments.Set("zeta", &assess.Assessment{Product: zeta})
	expect("one assessed", false, "zeta DefaultTierOnly")
	earlier := mesh.DeepCopy()
	earlier.UID = "0"
	r.Assessments.Set("mesh", &assess.Assessment{Product: earlier})
	expect("an earlier product of that name assessed", true, "zeta DefaultTierOnly")
	r.Assessments.Set("mesh", &assess.Assessment{Product: mesh, Evaluation: license.Evaluation{}})
	expect("all assessed", true, "mesh ReadOnly", "zeta DefaultTierOnly")
	r.Assessments.Delete("zeta")
	expect("a new one", true, "mesh ReadOnly")
}

const (
	readOnly        = api.RestrictionReadOnly
	defaultTierOnly = api.RestrictionDefaultTierOnly
)

var uncapped = restriction.Caps{MaxMode: defaultTierOnly, OperatorNamespace: "license-operator-system"}

func day(d int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d) }

func on(d int) *metav1.Time { return new(metav1.NewTime(day(d))) }

func tiersOf(mode api.RestrictionMode, names ...string) []api.RestrictedTier {
	var tiers []api.RestrictedTier
	for _, name := range names {
		tiers = append(tiers, api.RestrictedTier{Name: name, Mode: mode})
	}
	return tiers
}

// restricting is a product whose terms have a restriction.
func restricting(mode api.RestrictionMode, changes ...func(*api.LicensedProduct)) *api.LicensedProduct {
	product := &api.LicensedProduct{Spec: api.LicensedProductSpec{
		Vendor:      "Acme",
		Restriction: &api.RestrictionSpec{Mode: mode, TierSelector: &metav1.LabelSelector{}},
	}}
	for _, change := range changes {
		change(product)
	}
	return product
}
