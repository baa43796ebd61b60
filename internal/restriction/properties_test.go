// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// names are few and alike, so that they are taken, odd, and of tiers that do not exist.
var (
	drawnTiers = []string{
		"a", "a-b", "a.b", "a-b-2e7336dc", "license-operator-pass", "default", "kube-admin",
		"calico-system", "allow-tigera",
	}
	drawnNames = []string{
		"a.license-operator-pass", "a.license-operator-pass-2", "a.license-operator-pass-3",
		"a-b.license-operator-pass", "a-b-2e7336dc.license-operator-pass",
		"a-b-2e7336dc.license-operator-pass-2", "license-operator-pass.license-operator-pass",
		"default.license-operator-pass", "a.x", "0.x", "x",
	}
	drawnNamespaces = []string{"apps", "zoo", operatorNamespace}
	drawnModes      = []api.RestrictionMode{"", "Everything", observe, readOnly, defaultTierOnly, defaultTierOnly}
	drawnSelectors  = []labels.Selector{
		nil, labels.Everything(), labels.Everything(), labels.Nothing(),
		labels.SelectorFromSet(labels.Set{"team": "net"}),
	}
)

func drawWorld(t *rapid.T) world {
	flip := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	w := world{caps: restriction.Caps{
		MaxMode: rapid.SampledFrom(drawnModes).Draw(t, "max mode"), WindowsNode: flip("windows"),
		OperatorNamespace: operatorNamespace,
	}}
	for _, name := range drawnTiers {
		if flip("no tier") {
			continue
		}
		drawn := calico.Tier{Name: name, Deleting: flip("deleting"), Labels: labels.Set{}}
		if flip("team") {
			drawn.Labels["team"] = "net"
		}
		if flip("never") {
			drawn.Labels[calico.NeverLabel] = calico.NeverValue
		}
		if flip("system") {
			drawn.Labels[calico.SystemTierLabel] = calico.SystemTierValue
		}
		w.tiers = append(w.tiers, drawn)
	}
	seen := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "policies") {
		p := calico.Policy{
			Kind:   calico.GlobalNetworkPolicy,
			Name:   rapid.SampledFrom(drawnNames).Draw(t, "name"),
			Tier:   rapid.SampledFrom(append(drawnTiers, "", "nowhere")).Draw(t, "tier"),
			Allows: flip("allows"), Denies: flip("denies"), ForPods: !flip("host only"), Marked: flip("marked"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "order") {
		case 0:
			p.Order = new(-math.MaxFloat64)
		case 1:
			p.Order = new(float64(0))
		}
		if flip("namespaced") {
			p.Kind, p.Namespace = calico.NetworkPolicy, rapid.SampledFrom(drawnNamespaces).Draw(t, "namespace")
		} else if flip("neutral") {
			p.Neutral, p.ForPods, p.Order = true, true, new(calico.PassOrder)
		}
		if key := p.Namespace + "/" + p.Name; !seen[key] {
			seen[key] = true
			w.policies = append(w.policies, p)
		}
	}
	for _, name := range []string{"mesh", "quiet", "zeta"} {
		p := product(name, rapid.SampledFrom(drawnModes).Draw(t, "mode"))
		p.TierSelector = rapid.SampledFrom(drawnSelectors).Draw(t, "selector")
		p.Due, p.Paused = !flip("not due"), flip("paused")
		p.Since = epoch.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "since")) * time.Hour)
		w.products = append(w.products, p)
	}
	return w
}

func (w world) plan() restriction.Plan {
	return restriction.MakePlan(restriction.Seen{Tiers: w.tiers, Policies: w.policies}, w.products, w.caps)
}

// done is the world once a plan has been carried out.
func (w world) done(plan restriction.Plan) world {
	var policies []calico.Policy
	replaced := slices.Clone(plan.Delete)
	for _, p := range plan.Tiers {
		if p.Pass != nil {
			replaced = append(replaced, p.Pass.Name)
			policies = append(policies, made(p.Pass.Tier, p.Pass.Name))
		}
	}
	for _, p := range w.policies {
		if p.Kind != calico.GlobalNetworkPolicy || !slices.Contains(replaced, p.Name) {
			policies = append(policies, p)
		}
	}
	w.policies = policies
	return w
}

// users are the policies that are not the operator's: those that it did not mark, or that neither are nor are named
// like its own.
func (w world) users() []calico.Policy {
	var list []calico.Policy
	for _, p := range w.policies {
		isNamed := p.Name != "a.x" && p.Name != "0.x" && p.Name != "x"
		// Two of three: our mark, our spec, our name.
		if p.Kind != calico.GlobalNetworkPolicy || p.Marked && !p.Neutral && !isNamed ||
			!p.Marked && (!p.Neutral || !isNamed) {
			list = append(list, p)
		}
	}
	return list
}

var byName = func(a, b calico.Policy) int {
	if a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name {
		return -1
	}
	return 1
}

func TestPlanDoesNotDependOnTheOrderThatThingsAreSeenIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		shuffled := w
		shuffled.tiers = rapid.Permutation(w.tiers).Draw(t, "tiers")
		shuffled.policies = rapid.Permutation(w.policies).Draw(t, "policies")
		shuffled.products = rapid.Permutation(w.products).Draw(t, "products")
		if diff := cmp.Diff(w.plan(), shuffled.plan()); diff != "" {
			t.Fatalf("-as drawn +shuffled:\n%s", diff)
		}
	})
}

// A plan that has been carried out leaves nothing to do, and no plan ever touches a policy of a user.
func TestPlanSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		plan := w.plan()
		after := w.done(plan)
		again := after.plan()
		if len(again.Delete) > 0 {
			t.Errorf("there is still something to delete: %v", again.Delete)
		}
		if diff := cmp.Diff(plan.Tiers, again.Tiers); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
		// What is not in force may change its preview: the name that its pass policy would have can have been set free.
		inForce := cmpopts.IgnoreSliceElements(func(p restriction.ProductPlan) bool { return !p.InForce })
		if diff := cmp.Diff(plan.Products, again.Products, inForce); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
		before, now := w.users(), after.users()
		slices.SortFunc(before, byName)
		slices.SortFunc(now, byName)
		if diff := cmp.Diff(before, now); diff != "" {
			t.Errorf("users' policies: -before +after:\n%s", diff)
		}
	})
}

// Once nothing is in force, nothing of the operator's is left.
func TestLiftingLeavesNothingBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		after := w.done(w.plan())
		for i := range after.products {
			after.products[i].Due = false
		}
		lifted := after.plan()
		if len(lifted.Tiers) > 0 {
			t.Errorf("restricted: %v", lifted.Tiers)
		}
		left, users := after.done(lifted).policies, w.users()
		slices.SortFunc(left, byName)
		slices.SortFunc(users, byName)
		if diff := cmp.Diff(users, left); diff != "" {
			t.Errorf("-users' policies +what is left:\n%s", diff)
		}
	})
}

// Whatever is asked for, no plan goes beyond the caps.
func TestPlanKeepsToTheCaps(t *testing.T) {
	rank := map[api.RestrictionMode]int{readOnly: 1, defaultTierOnly: 2}
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		most := rank[w.caps.MaxMode]
		if w.caps.WindowsNode {
			most = min(most, 1)
		}
		plan := w.plan()
		for _, p := range plan.Tiers {
			at := slices.IndexFunc(w.tiers, func(t calico.Tier) bool { return t.Name == p.Name })
			if at < 0 || w.tiers[at].Exemption() != "" {
				t.Errorf("%s is restricted", p.Name)
			}
			if rank[p.Mode] == 0 || rank[p.Mode] > most {
				t.Errorf("%s is restricted by %s", p.Name, p.Mode)
			}
			if (p.Pass != nil) != (p.Mode == defaultTierOnly) || p.Pass != nil && w.tiers[at].Deleting {
				t.Errorf("%s, %s has the pass policy %v", p.Name, p.Mode, p.Pass)
			}
		}
		for i, p := range plan.Products {
			if want := w.products[i].Due && !w.products[i].Paused && rank[p.Mode] > 0; p.InForce != want {
				t.Errorf("%s is in force: %t", p.Name, p.InForce)
			}
			for _, e := range p.Affects {
				if at := slices.IndexFunc(w.tiers, func(t calico.Tier) bool {
					return t.Name == e.Tier
				}); w.tiers[at].Exemption() != "" {
					t.Errorf("%s affects %s", p.Name, e.Tier)
				}
			}
		}
	})
}

// bearsOurMark reads that off the object, in words of its own.
func bearsOurMark(policy *unstructured.Unstructured) bool {
	if value, _, _ := unstructured.NestedString(policy.Object, "metadata", "labels",
		"license-operator.io/pass-policy"); value == "true" {
		return true
	}
	owners, _, _ := unstructured.NestedSlice(policy.Object, "metadata", "ownerReferences")
	return slices.ContainsFunc(owners, func(owner any) bool {
		fields, _ := owner.(map[string]any)
		version, _ := fields["apiVersion"].(string)
		return fields["kind"] == "LicensedProduct" && strings.HasPrefix(version, "license-operator.io/")
	})
}

// looksLikeOurs tells whether a policy that was stripped of all that was written on it is known by its name and spec.
func looksLikeOurs(policy *unstructured.Unstructured) bool {
	spec, _ := policy.Object["spec"].(map[string]any)
	return strings.Contains(policy.GetName(), ".license-operator-pass") &&
		calico.IsNeutral(spec, operatorNamespace)
}

// leavesAlone fails the test where a plan deletes a GlobalNetworkPolicy, or writes to one, that does not bear our mark
// or look just like ours.
func leavesAlone(t rapid.TB, global []*unstructured.Unstructured, plan restriction.Plan) {
	t.Helper()
	touched := slices.Clone(plan.Delete)
	for _, p := range plan.Tiers {
		if p.Pass != nil {
			touched = append(touched, p.Pass.Name)
		}
	}
	for _, policy := range global {
		if slices.Contains(touched, policy.GetName()) && !bearsOurMark(policy) && !looksLikeOurs(policy) {
			t.Errorf("%s would be changed or deleted: %v", policy.GetName(), policy.Object)
		}
	}
	for _, name := range plan.Delete {
		if !slices.ContainsFunc(global, func(policy *unstructured.Unstructured) bool {
			return policy.GetName() ==
				name
		}) {
			t.Errorf("%s would be deleted, and is not there", name)
		}
	}
}

// drawObject is a policy as users write them: some with our name, our spec, our label or an owner, and seldom all of
// that.
func drawObject(t *rapid.T, name string) *unstructured.Unstructured {
	pick := func(label string, from ...any) any { return rapid.SampledFrom(from).Draw(t, label) }
	spec := map[string]any{}
	if rapid.IntRange(0, 2).Draw(t, "our spec") == 0 {
		spec = calico.PassSpec(rapid.SampledFrom(drawnTiers).Draw(t, "tier"),
			rapid.SampledFrom(drawnNamespaces).Draw(t, "spared"))
	}
	rule := func(label string) any {
		return pick(label, nil, "Deny", []any{}, map[string]any{}, map[string]any{"action": "Allow"},
			map[string]any{"action": "Deny"}, map[string]any{"action": "Pass"})
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		field := rapid.SampledFrom([]string{
			"tier", "order", "selector", "types", "ingress", "egress", "doNotTrack",
			"preDNAT", "applyOnForward",
		}).Draw(t, "field")
		switch field {
		case "tier":
			spec[field] = pick("tier", nil, 7, "nowhere", "a", "a-b", "a.b", "default", "kube-admin")
		case "order":
			spec[field] = pick("order", nil, "first", int64(0), 1e3, -math.MaxFloat64, math.MaxFloat64)
		case "selector":
			spec[field] = pick("selector", nil, "", "all()", "has(app)")
		case "types":
			spec[field] = pick("types", nil, "Ingress", []any{"Ingress"}, []any{"Egress", "Ingress"},
				[]any{map[string]any{}})
		case "ingress", "egress":
			spec[field] = pick("rules", nil, "Deny", []any{}, []any{rule("rule")},
				[]any{rule("first rule"), rule("second rule")})
		default:
			spec[field] = pick("flag", nil, true, false, "true", map[string]any{})
		}
	}
	metadata := map[string]any{"name": name}
	if label := pick("label", nil, nil, nil, "true", "false", ""); label != nil {
		metadata["labels"] = map[string]any{calico.PassPolicyLabel: label}
	}
	if version := pick("owner", nil, nil, nil, "license-operator.io/v1alpha1", "license-operator.io/v2",
		"example.com/v1", "v1", "a/b/c"); version != nil {
		metadata["ownerReferences"] = []any{map[string]any{
			"apiVersion": version,
			"kind":       pick("owner kind", "LicensedProduct", "LicenseKey"), "name": "mesh", "uid": "1",
		}}
	}
	return &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": spec}}
}

// Whatever users write, a plan deletes nothing and writes to nothing that does not bear our mark or look just like
// ours, nor a policy that has a namespace.
func TestPlanLeavesAloneWhatIsNotMarked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.policies = nil
		var global []*unstructured.Unstructured
		for _, name := range drawnNames {
			switch rapid.IntRange(0, 2).Draw(t, "policy") {
			case 0:
				policy := drawObject(t, name)
				global = append(global, policy)
				w.policies = append(w.policies,
					calico.PolicyOf(calico.GlobalNetworkPolicy, policy, operatorNamespace))
			case 1:
				policy := drawObject(t, name)
				policy.SetNamespace(rapid.SampledFrom(drawnNamespaces).Draw(t, "namespace"))
				w.policies = append(w.policies,
					calico.PolicyOf(calico.NetworkPolicy, policy, operatorNamespace))
			}
		}
		leavesAlone(t, global, w.plan())
	})
}

func drawHours(t *rapid.T, label string, from, to int) time.Duration {
	return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Hour
}

// drawPause is the annotations of a pause, as a cluster owner might write them, and when it then is; nothing and zero
// for none.
func drawPause(t *rapid.T, from, to time.Time) (annotations map[string]string, since, until time.Time) {
	instant := func(label string) time.Time {
		return from.Add(drawHours(t, label, 0, int(to.Sub(from)/time.Hour)))
	}
	written := func(at time.Time) string {
		fraction := rapid.SampledFrom([]string{"", ".000", ".7", ".999999999"}).Draw(t, "fraction")
		zone := time.FixedZone("", rapid.IntRange(-14, 14).Draw(t, "zone")*3600)
		return strings.Replace(at.In(zone).Format(time.RFC3339), ":00:00", ":00:00"+fraction, 1)
	}
	switch rapid.IntRange(0, 4).Draw(t, "pause") {
	case 0, 1:
		return nil, since, until
	case 2:
		return map[string]string{
			api.RestrictionPauseAnnotation: rapid.SampledFrom([]string{"", "72h", "/", "2026-11-01/2026-12-01"}).Draw(t,
				"no pause"),
		}, since, until
	default:
		since, until = instant("since"), instant("until")
		annotations = map[string]string{api.RestrictionPauseAnnotation: written(since) + "/" + written(until)}
		if !since.Before(until) {
			return annotations, time.Time{}, time.Time{}
		}
		if longest := since.AddDate(0, 0, 14); longest.Before(until) {
			until = longest
		}
		return annotations, since, until
	}
}

// A pause begins and ends when it says, and lasts no longer than 14 days, and waking at NextBoundary is enough.
func TestPausesLast14DaysAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := epoch.AddDate(0, 0, 60)
		p := terms(defaultTierOnly)
		var since, until time.Time
		p.Annotations, since, until = drawPause(t, epoch, end)
		// Often the very instant of a boundary, or next to it.
		nearby := rapid.SampledFrom([]time.Duration{-1, 0, 0, 1, time.Second}).Draw(t, "nearby")
		now := rapid.SampledFrom([]time.Time{since, until, epoch.Add(drawHours(t, "now", 0, 60*24))}).Draw(t,
			"boundary").Add(nearby)
		isPaused := func(now time.Time) bool {
			e := license.Evaluate(license.ResolveTime(license.ClockReading{Now: now, Agreement: license.ClocksAgree},
				p), p,
				nil)
			return restriction.ProductOf(p, &e).Paused
		}
		paused := isPaused(now)
		if want := !now.Before(since) && now.Before(until); paused != want {
			t.Fatalf("%v at %s: %t", p.Annotations, now, paused)
		}
		if paused && isPaused(now.AddDate(0, 0, 14)) {
			t.Fatalf("%v at %s, and 14 days later", p.Annotations, now)
		}
		boundary := restriction.NextBoundary(p, now)
		if boundary.IsZero() {
			boundary = end
		}
		if later := now.Add(time.Duration(rapid.Int64Range(0, max(int64(boundary.Sub(now)), 1)-1).Draw(t,
			"later"))); isPaused(later) != paused {
			t.Fatalf("%v: from %s to %s, before %s", p.Annotations, now, later, boundary)
		}
	})
}

// A restriction starts, stays and ends as the design says, whatever happens to keys, terms, clocks and annotations: its
// status is fed back as a controller does.
func TestRestrictionsStartAndEndAsDesigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := terms(rapid.SampledFrom(drawnModes).Draw(t, "mode"), func(p *api.LicensedProduct) {
			p.Spec.UnlicensedGracePeriodDays = new(rapid.Int32Range(0, 3).Draw(t, "unlicensed period"))
		})
		caps := restriction.Caps{
			MaxMode:     rapid.SampledFrom(drawnModes).Draw(t, "max mode"),
			WindowsNode: rapid.Bool().Draw(t, "windows"),
		}
		now := epoch
		paused := func(time.Time) bool { return false }
		for range 8 {
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0:
				p.Spec.Restriction.Mode = rapid.SampledFrom(drawnModes).Draw(t, "mode")
			case 1:
				caps.MaxMode = rapid.SampledFrom(drawnModes).Draw(t, "max mode")
			case 2, 3:
				var since, until time.Time
				p.Annotations, since, until = drawPause(t, epoch, epoch.AddDate(0, 0, 40))
				paused = func(now time.Time) bool { return !now.Before(since) && now.Before(until) }
			case 4:
				p.DeletionTimestamp = stamp(now)
			}
			// The clock may be set back. Even if that is not noticed, the mark stands.
			now = now.Add(drawHours(t, "passed", -24, 120))
			clock := license.ClockReading{
				Now: now,
				Agreement: rapid.SampledFrom([]license.ClockAgreement{
					license.ClocksAgree, license.ClocksAgree,
					license.ClocksDisagree,
				}).Draw(t, "clocks"),
			}
			var keys []license.Key
			if rapid.IntRange(0, 2).Draw(t, "key") == 0 {
				begin := float64(rapid.IntRange(0, 30).Draw(t, "begin"))
				keys = append(keys, keyOf("k", begin, begin+float64(rapid.IntRange(0, 10).Draw(t, "term"))))
			}

			before := p.Status.Restriction
			e := license.Evaluate(license.ResolveTime(clock, p), p, keys)
			known := restriction.ProductOf(p, &e)
			got, _ := known.StateUnder(caps)

			mode, _ := restriction.EffectiveMode(p.Spec.Restriction.Mode, caps)
			wasInForce := before != nil && before.InForce != nil
			disagree := clock.Agreement == license.ClocksDisagree
			want := api.RestrictionActive
			switch {
			case p.DeletionTimestamp != nil, mode == "", mode == observe:
				want = api.RestrictionNone
			case paused(e.Time.Now):
				want = api.RestrictionPaused
			case wasInForce && !license.Usable(e.State):
				// Whatever else happens, it stays.
			case license.Usable(e.State), e.Time.Now.Before(e.EffectiveTime), disagree:
				want = api.RestrictionScheduled
			}
			if got != want {
				t.Fatalf("at %s, %s, effective %s, keys %s, in force before: %t, clocks %v, annotations %v: %s, "+
					"want %s",
					now, mode, e.EffectiveTime, e.State, wasInForce, clock.Agreement, p.Annotations, got, want)
			}

			p.Status = api.LicensedProductStatus{
				State: e.State, ActiveLicenseKeyName: e.ActiveKeyName, TimeMark: stampOrNone(e.Time.HighWaterMark),
				Restriction: &api.RestrictionStatus{
					State: got, EffectiveTime: stampOrNone(e.EffectiveTime), Basis: e.Basis,
					UsableUntilTime: stampOrNone(e.UsableUntil),
				},
			}
			if got != api.RestrictionActive {
				continue
			}
			since := e.Time.Now
			if wasInForce {
				since = before.InForce.SinceTime.Time
				if !known.Since.Equal(since) {
					t.Fatalf("in force since %s, and by now since %s", since, known.Since)
				}
			}
			p.Status.Restriction.InForce = &api.RestrictionInForce{Mode: mode, SinceTime: stamp(since)}
		}
	})
}

func stampOrNone(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
