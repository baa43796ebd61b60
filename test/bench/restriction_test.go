// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

// TestRestriction measures with a few tiers and policies, and looks at what has to be so on any machine.
func TestRestriction(t *testing.T) {
	b := &restrictionBench{
		settings:          settings{tiers: 3, policies: 24, idle: 3 * time.Second},
		restrictionResult: &restrictionResult{title: "24 policies in 3 tiers"},
	}
	log.SetLogger(logr.Discard()) // as the benchmarks do
	manager := buildManager(t)
	err := withControlPlane(t.Context(), b.title, func(plane *controlplane.ControlPlane) error {
		b.plane = plane
		return b.measure(t.Context(), manager)
	})
	if err != nil {
		t.Fatal(err)
	}
	type told struct {
		Created, Deleted, Seen, Others, Changed int
		Reason                                  string
	}
	of := func(turn *turn) told {
		did := restrictionRequestsDuring(b.audit, turn.during)
		return told{did.created, did.deleted, len(turn.passes), len(did.others), turn.changed, turn.reason}
	}
	want := map[string]told{
		"start": {Created: 3, Seen: 3, Reason: "Complete"},
		"end":   {Deleted: 3, Seen: 3, Reason: "Complete"},
	}
	if diff := cmp.Diff(want, map[string]told{"start": of(&b.start), "end": of(&b.end)}); diff != "" {
		t.Errorf("the start and the end of the restriction (-want +got):\n%s", diff)
	}
	did := restrictionRequestsDuring(b.audit, b.quiet.span)
	did.events = 0 // they are sent when there is time
	if diff := cmp.Diff(restrictionRequests{}, did, cmp.AllowUnexported(restrictionRequests{})); diff != "" {
		t.Errorf("requests while nothing changed (-want +got):\n%s", diff)
	}
	if b.edits != 5 {
		t.Errorf("%d policies were changed one after the other, want 5", b.edits)
	}
	for name, memory := range map[string]heldMemory{"empty": b.empty, "grown": b.grown, "started": b.started} {
		if memory.live < 1_000_000 || memory.live > memory.anonymous || memory.anonymous > memory.all {
			t.Errorf("memory, %s: %+v", name, memory)
		}
	}
	var out strings.Builder
	if err := b.print(&out); err != nil {
		t.Fatal(err)
	}
	if tables := strings.Count(out.String(), "\n### 24 policies in 3 tiers"); tables != 6 {
		t.Errorf("got %d tables, want 6:\n%s", tables, out.String())
	}
}

// buildManager builds as make build does, so that its build cache serves.
func buildManager(t *testing.T) string {
	t.Helper()
	manager := filepath.Join(t.TempDir(), "manager")
	build := exec.Command("go", "build", "-trimpath", "-o", manager, "../../cmd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the manager: %v\n%s", err, output)
	}
	return manager
}

// TestPolicies makes sure that policies are as large as real ones, of either kind by halves in each tier, and that each
// has rules of both kinds.
func TestPolicies(t *testing.T) {
	type counts struct{ Global, Namespaced, Allowing, Denying int }
	got, names := map[string]counts{}, map[string]bool{}
	for i := range 100 {
		policy := newPolicy(i, 5)
		content, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) < 1_500 || len(content) > 2_500 {
			t.Fatalf("policy %d has %d bytes", i, len(content))
		}
		seen := calico.PolicyOf(calico.PolicyKind(policy.GetKind()), policy, controlplane.OperatorNamespace)
		of := got[seen.Tier]
		if seen.Kind == calico.GlobalNetworkPolicy {
			of.Global++
		} else {
			of.Namespaced++
		}
		if seen.Allows {
			of.Allowing++
		}
		if seen.Denies {
			of.Denying++
		}
		got[seen.Tier] = of
		names[seen.Namespace+"/"+seen.Name] = true
		if !strings.HasPrefix(seen.Name, seen.Tier+".") ||
			(seen.Namespace == "") != (seen.Kind == calico.GlobalNetworkPolicy) {
			t.Errorf("policy %d is %+v", i, seen)
		}
	}
	want := counts{Global: 10, Namespaced: 10, Allowing: 20, Denying: 20}
	if diff := cmp.Diff(map[string]counts{
		"team-00": want, "team-01": want, "team-02": want, "team-03": want,
		"team-04": want,
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(names) != 100 {
		t.Errorf("100 policies have %d names", len(names))
	}
}

func TestRestrictionRequests(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	event := func(verb, group, resource, subresource, path string, code int) controlplane.AuditEvent {
		return controlplane.AuditEvent{
			Stage: controlplane.StageResponseComplete, Verb: verb, Group: group, Resource: resource,
			Subresource: subresource, Path: path, Code: code,
			Received: start, Time: start,
		}
	}
	const calico, own, policies = "projectcalico.org", "license-operator.io", "globalnetworkpolicies"
	refused, foreign := event("create", calico, policies, "", "/refused", 403),
		event("get", calico, policies, "", "/read", 200)
	got := restrictionRequestsDuring([]controlplane.AuditEvent{
		event("create", calico, policies, "", "/", 201),
		event("create", calico, policies, "", "/?dryRun=All", 201),
		event("create", calico, policies, "", "/?dryRun=All", 422),
		event("delete", calico, policies, "", "/", 200),
		event("delete", calico, policies, "", "/", 200),
		event("patch", own, productResource, "status", "/", 200),
		event("patch", own, keyResource, "status", "/", 200),
		event("patch", own, keyResource, "status", "/", 409),
		event("create", "events.k8s.io", "events", "", "/", 201),
		event("update", "coordination.k8s.io", "leases", "", "/", 200),
		refused, foreign,
	}, span{start, start.Add(time.Second)})
	want := restrictionRequests{
		created: 1, deleted: 2, statuses: 2, conflicts: 1, events: 1, probes: 2,
		others: []controlplane.AuditEvent{refused, foreign},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(restrictionRequests{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestChangedPolicies(t *testing.T) {
	before := map[string]string{"same": "1 7", "changed": "2 8", "gone": "3 9"}
	after := map[string]string{"same": "1 7", "changed": "2 10", "new": "4 11"}
	if got := changedPolicies(before, after); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
	if got := changedPolicies(before, before); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

func TestScrapedValue(t *testing.T) {
	s := &scraped{body: "# TYPE go_gc_heap_live_bytes gauge\ngo_gc_heap_live_bytes " +
		"9.5e+06\ngo_gc_heap_live_bytes_total{a=\"b\"} 3\n"}
	if value, isThere := s.value(liveHeapMetric); value != 9_500_000 || !isThere {
		t.Errorf("got %f, %t", value, isThere)
	}
	if _, isThere := s.value("go_gc_heap_live"); isThere {
		t.Error("got a metric that is not there")
	}
}
