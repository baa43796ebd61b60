// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/tiers"
)

var (
	clusters = flag.Uint64("tiers.clusters", defaultClusters, "how many random clusters to restrict")
	seed     = flag.Uint64("tiers.seed", 4, "which random clusters")
)

// flowsOfCluster times the clusters is how many cases there are: at least 100,000.
const flowsOfCluster = 4

// caseCounts counts what the cases covered, so that none can pass without a case.
type caseCounts struct {
	restricted, changed, opened, closed, bypassed, defeated, exempt, hosts, deleting, renamed atomic.Int64
}

// What a restriction does to flows is what DESIGN.md says, on random clusters: pods are treated as if the policies that
// the plan tells of were not there, nor the default actions of their tiers; the operator's namespace and host endpoints
// as before; and once it is lifted, all of them as before.
func TestRestrictionOfRandomClusters(t *testing.T) {
	const shards = 8
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a third faster, for some megabytes
	var sum caseCounts
	t.Run("shards", func(t *testing.T) {
		for shard := range uint64(shards) {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for number := shard; number < *clusters; number += shards {
					w := newSource(*seed, number).world(flowsOfCluster)
					if err := w.check(&sum); err != nil {
						w, err = shrunk(w, err)
						text, _ := json.MarshalIndent(w, "", " ")
						t.Fatalf("cluster %d of -tiers.seed=%d: %v\n%s", number, *seed, err, text)
					}
				}
			})
		}
	})
	counts := map[string]int64{
		"restricted tiers": sum.restricted.Load(), "verdicts that changed": sum.changed.Load(),
		"opened": sum.opened.Load(), "closed": sum.closed.Load(),
		"tiers with a bypass": sum.bypassed.Load(), "verdicts that a bypass decided": sum.defeated.Load(),
		"flows of the operator's namespace": sum.exempt.Load(),
		"flows of host endpoints":           sum.hosts.Load(), "tiers being deleted": sum.deleting.Load(),
		"names taken": sum.renamed.Load(),
	}
	t.Logf("of %d clusters with %d flows each: %v", *clusters, flowsOfCluster, counts)
	for what, count := range counts {
		if count < int64(*clusters)/1000 {
			t.Errorf("%s: %d in %d clusters, which shows nothing", what, count, *clusters)
		}
	}
}

func (w *world) check(sum *caseCounts) error {
	users, err := w.users()
	if err != nil {
		return err
	}
	plan := w.plan(users, true)
	if err := w.checkTiers(plan); err != nil {
		return err
	}
	present, err := carriedOut(plan, users)
	if err != nil {
		return err
	}
	if !slices.Equal(users, present[:min(len(users), len(present))]) {
		return fmt.Errorf("a user's policy is not what it was, or gone: %s", asJSON(w.with(present).Policies))
	}
	if again := w.plan(present, true); len(again.Delete) > 0 || !reflect.DeepEqual(plan.Tiers, again.Tiers) {
		return fmt.Errorf("it wants something else once it has what it wanted: -first +then:\n%s",
			cmp.Diff(plan, again))
	}
	lifted, err := carriedOut(w.plan(present, false), present)
	if err != nil {
		return err
	}
	if !slices.Equal(users, lifted) {
		return fmt.Errorf("lifted, the policies are not what they were: %s", asJSON(w.with(lifted).Policies))
	}
	return w.checkFlows(plan, users, present, lifted, sum)
}

func (w *world) checkFlows(plan restriction.Plan, users, present, lifted []*held, sum *caseCounts) error {
	away, stays, err := w.takenAway(plan, w.with(present), sum)
	if err != nil {
		return err
	}
	var evaluators [4]*tiers.Evaluator
	for i, cluster := range []tiers.Cluster{w.with(users), w.with(present), w.with(lifted), away} {
		if evaluators[i], err = tiers.New(cluster, w.Dialect); err != nil {
			return err
		}
	}
	before, restricted, after, without := evaluators[0], evaluators[1], evaluators[2], evaluators[3]
	for _, flow := range w.Flows {
		was, got := before.Verdict(flow), restricted.Verdict(flow)
		want := was
		switch flow.Endpoint.Namespace {
		case "":
			sum.hosts.Add(1)
		case operatorNamespace:
			sum.exempt.Add(1)
		default:
			want = without.Verdict(flow)
		}
		if got != want {
			return fmt.Errorf("restricted: %s, not %s; before: %s; the flow is %s", got, want, was, asJSON(flow))
		}
		if is := after.Verdict(flow); is != was {
			return fmt.Errorf("lifted: %s; before: %s; the flow is %s", is, was, asJSON(flow))
		}
		sum.count(was, got)
	}
	if stays {
		return w.countDefeated(plan, restricted, sum)
	}
	return nil
}

// checkTiers works out anew which tiers are restricted, and by what.
func (w *world) checkTiers(plan restriction.Plan) error {
	want := map[string]api.RestrictionMode{}
	protected := []string{
		"default", "kube-admin", "kube-baseline", "adminnetworkpolicy", "baselineadminnetworkpolicy",
		"calico-system", "allow-tigera",
	}
	for name, meta := range w.TierMeta {
		if slices.Contains(protected, name) || meta.Labels["projectcalico.org/system-tier"] == "true" ||
			meta.Labels["license-operator.io/restriction"] == "never" {
			continue
		}
		for _, p := range w.Products {
			if !p.Due || p.Paused || p.Mode == "Observe" || w.Caps.MaxMode == "Observe" ||
				p.Team != "" && meta.Labels["team"] != p.Team {
				continue
			}
			full := p.Mode == "DefaultTierOnly" && w.Caps.MaxMode == "DefaultTierOnly" && !w.Caps.WindowsNode &&
				!meta.Deleting
			if full || want[name] == "DefaultTierOnly" {
				want[name] = "DefaultTierOnly"
			} else {
				want[name] = "ReadOnly"
			}
		}
	}
	got := map[string]api.RestrictionMode{}
	for _, t := range plan.Tiers {
		got[t.Name] = t.Mode
		if (t.Pass != nil) != (t.Mode == "DefaultTierOnly") {
			return fmt.Errorf("tier %s, %s, has the pass policy %v", t.Name, t.Mode, t.Pass)
		}
	}
	if !maps.Equal(want, got) {
		return fmt.Errorf("restricted tiers: -want +got:\n%s", cmp.Diff(want, got))
	}
	return nil
}

// takenAway is the cluster as the plan says that pods are treated while it is restricted: without the policies that it
// says stop, and without the default actions of their tiers. What it reports as bypasses stays where, by the oracle's
// order, it is before the pass policy; and what is before must have been reported. It tells whether any is left.
func (w *world) takenAway(plan restriction.Plan, restricted tiers.Cluster, sum *caseCounts) (
	tiers.Cluster, bool, error,
) {
	away, left := w.Cluster, false
	away.Tiers, away.Policies = slices.Clone(away.Tiers), slices.Clone(away.Policies)
	for _, t := range plan.Tiers {
		if t.Mode != api.RestrictionDefaultTierOnly {
			if w.TierMeta[t.Name].Deleting {
				sum.deleting.Add(1)
			}
			continue
		}
		sum.restricted.Add(1)
		if t.Pass.Name != t.Name+".license-operator-pass" && t.Name != "a.b" && t.Name != "a-b-2e7336dc" {
			sum.renamed.Add(1)
		}
		gone, stays, err := w.settled(t, stopping(plan, t.Name), restricted)
		if err != nil {
			return away, false, err
		}
		if len(t.Bypasses) > 0 {
			sum.bypassed.Add(1)
		}
		left = left || stays
		for i := range away.Tiers {
			if away.Tiers[i].Name == t.Name {
				away.Tiers[i].DefaultAction = tiers.Pass
			}
		}
		away.Policies = slices.DeleteFunc(away.Policies, func(p tiers.Policy) bool {
			return p.Spec.Tier == t.Name &&
				gone[keyOf(&p)]
		})
	}
	return away, left, nil
}

type key struct{ kind, namespace, name string }

func keyOf(p *tiers.Policy) key { return key{p.Kind, p.Namespace, p.Name} }

func keyOfRef(p calico.PolicyRef) key { return key{string(p.Kind), p.Namespace, p.Name} }

// stopping are the policies of a tier that the plan says stop being applied.
func stopping(plan restriction.Plan, tier string) map[key]bool {
	found := map[key]bool{}
	for _, p := range plan.Products {
		for _, e := range p.Affects {
			if p.InForce && e.Tier == tier && e.Mode == api.RestrictionDefaultTierOnly {
				for _, ref := range e.Policies {
					found[keyOfRef(ref)] = true
				}
			}
		}
	}
	return found
}

// settled compares what a plan says of the policies of a restricted tier with the oracle's order. A plan does not know
// the dialect, and has to report as bypasses what is before the pass policy in either; what is not in this world's is
// gone as well. It tells which policies are gone, and whether any bypass stays.
func (w *world) settled(
	t restriction.TierPlan, stops map[key]bool, restricted tiers.Cluster,
) (gone map[key]bool, stays bool, err error) {
	want, got, first := map[key]bool{}, map[key]bool{}, map[key]bool{}
	for _, dialect := range []tiers.Dialect{{}, {NamespaceBreaksTies: true}} {
		sorted := tiers.SortPolicies(restricted.Policies, t.Name, dialect)
		at := slices.IndexFunc(sorted, func(p *tiers.Policy) bool { return p.Kind == gnp && p.Name == t.Pass.Name })
		if at < 0 {
			return nil, false, fmt.Errorf("tier %s has no pass policy", t.Name)
		}
		for _, p := range sorted[:at] {
			// What acts on host endpoints, or in the operator's namespace, or just as the pass policy does, bypasses
			// nothing.
			if !p.Spec.DoNotTrack && !p.Spec.PreDNAT && p.Namespace != operatorNamespace &&
				!reflect.DeepEqual(p.Spec, sorted[at].Spec) {
				want[keyOf(p)] = true
			}
			if dialect.NamespaceBreaksTies == w.Dialect.NamespaceBreaksTies {
				first[keyOf(p)] = true
			}
		}
	}
	for _, b := range t.Bypasses {
		got[key{b.Kind, b.Namespace, b.Name}] = true
	}
	if !maps.Equal(want, got) {
		return nil, false, fmt.Errorf("bypasses of tier %s, whose pass policy is %s, are %v, and %v are reported",
			t.Name, t.Pass.Name, want, got)
	}
	gone = maps.Clone(stops)
	for k := range got {
		switch {
		case stops[k]:
			return nil, false, fmt.Errorf("%v of tier %s is said to stop, and to bypass", k, t.Name)
		case first[k]:
			stays = true
		default:
			gone[k] = true
		}
	}
	return gone, stays, nil
}

// countDefeated counts the flows of pods that bypasses decide: they would fare otherwise if no tier with a pass policy
// had any policy.
func (w *world) countDefeated(plan restriction.Plan, restricted *tiers.Evaluator, sum *caseCounts) error {
	empty := w.Cluster
	empty.Policies = slices.DeleteFunc(slices.Clone(empty.Policies), func(p tiers.Policy) bool {
		return slices.ContainsFunc(plan.Tiers, func(t restriction.TierPlan) bool {
			return t.Pass != nil &&
				t.Name == p.Spec.Tier
		})
	})
	evaluator, err := tiers.New(empty, w.Dialect)
	if err != nil {
		return err
	}
	for _, flow := range w.Flows {
		if ns := flow.Endpoint.Namespace; ns != "" && ns != operatorNamespace &&
			evaluator.Verdict(flow) != restricted.Verdict(flow) {
			sum.defeated.Add(1)
		}
	}
	return nil
}

func (sum *caseCounts) count(was, is tiers.Action) {
	if was == is {
		return
	}
	sum.changed.Add(1)
	if is == tiers.Allow {
		sum.opened.Add(1)
	} else {
		sum.closed.Add(1)
	}
}

// shrunk leaves out of a failing world whatever it fails without.
func shrunk(w *world, failure error) (*world, error) {
	try := func(change func(*world)) bool {
		smaller := *w
		smaller.TierMeta = maps.Clone(w.TierMeta)
		change(&smaller)
		err := smaller.check(&caseCounts{})
		if err != nil {
			w, failure = &smaller, err
		}
		return err != nil
	}
	for again := true; again; {
		again = false
		for i := len(w.Cluster.Policies) - 1; i >= 0; i-- {
			again = try(func(s *world) {
				s.Cluster.Policies = slices.Delete(slices.Clone(s.Cluster.Policies), i,
					i+1)
			}) || again
		}
		for i := len(w.Cluster.Tiers) - 1; i >= 0; i-- {
			again = try(func(s *world) {
				delete(s.TierMeta, s.Cluster.Tiers[i].Name)
				s.Cluster.Tiers = slices.Delete(slices.Clone(s.Cluster.Tiers), i, i+1)
			}) || again
		}
		for i := len(w.Products) - 1; i >= 0; i-- {
			again = try(func(s *world) { s.Products = slices.Delete(slices.Clone(s.Products), i, i+1) }) || again
		}
		for i := len(w.Flows) - 1; i >= 0; i-- {
			again = try(func(s *world) { s.Flows = slices.Delete(slices.Clone(s.Flows), i, i+1) }) || again
		}
	}
	return w, failure
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
