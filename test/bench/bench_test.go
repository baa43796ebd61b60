// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/test/controlplane"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for percent, want := range map[int]time.Duration{0: 1, 50: 51, 99: 100, 100: 100} {
		if got := percentile(hundred, percent); got != want {
			t.Errorf("percentile %d: got %d, want %d", percent, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMonthsBefore(t *testing.T) {
	whole := []string{
		"2025-11", "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06", "2026-07",
		"2026-08", "2026-09", "2026-10",
	}
	for _, now := range []time.Time{
		time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 22, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC),
		time.Date(2026, 12, 1, 1, 0, 0, 0, time.FixedZone("ahead", 2*60*60)),
	} {
		if diff := cmp.Diff(whole, monthsBefore(now)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", now, diff)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := table(&out, "Title", []string{"", "n"}, []string{"long", "1"}); err != nil {
		t.Fatal(err)
	}
	want := "\n### Title\n\n|      | n   |\n| ---  | --- |\n| long | 1   |\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestCompared(t *testing.T) {
	row := func(cells ...measured) []string {
		return compared(cells, "label", "target", func(cell measured) measured { return cell })
	}
	second := func(n int) measured { return measure(time.Duration(n)*time.Second, seconds) }
	for _, c := range []struct {
		got, want []string
	}{
		{row(second(2)), []string{"label", "2.00 s", "target"}},
		{row(second(2), second(1)), []string{"label", "2.00 s", "1.00 s", "0.5", "target"}},
		{row(second(3), second(1)), []string{"label", "3.00 s", "1.00 s", "0.33", "target"}},
		{row(second(1), second(12)), []string{"label", "1.00 s", "12.00 s", "12", "target"}},
		{row(second(4).atLeastIf(true), second(1)), []string{"label", "> 4.00 s", "1.00 s", "< 0.25", "target"}},
		{row(second(1), second(3).atLeastIf(true)), []string{"label", "1.00 s", "> 3.00 s", "> 3", "target"}},
		{
			row(second(1).atLeastIf(true), second(3).atLeastIf(true)),
			[]string{"label", "> 1.00 s", "> 3.00 s", "", "target"},
		},
		{row(second(0), second(3)), []string{"label", "0.00 s", "3.00 s", "", "target"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestPopulation makes sure that every boundary falls within the window, in whole seconds, and that a product is as
// good as the best of its keys.
func TestPopulation(t *testing.T) {
	opens := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := &population{keys: 100, products: 10}
	p.plan(opens)
	if len(p.life) != 110 {
		t.Fatalf("got %d objects, want 110", len(p.life))
	}
	for i := range p.keys {
		key, product := p.life[keyNamed(i)], p.life[p.productOf(i)]
		for _, boundary := range []time.Time{key.expiry, key.graceEnd} {
			if boundary.Before(opens) || !boundary.Before(p.closes) || boundary.Nanosecond() != 0 {
				t.Errorf("key %d has its boundary at %s", i, boundary)
			}
		}
		if !key.expiry.Before(key.graceEnd) || product.expiry.Before(key.expiry) ||
			product.graceEnd.Before(key.graceEnd) {
			t.Errorf("key %d: %v, its product: %v", i, key, product)
		}
	}
}

func TestRequests(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(seconds int, e controlplane.AuditEvent) controlplane.AuditEvent {
		e.Time = start.Add(time.Duration(seconds) * time.Second)
		e.Received = e.Time
		return e
	}
	patch := func(name string, code int) controlplane.AuditEvent {
		return controlplane.AuditEvent{
			Stage: controlplane.StageResponseComplete, Verb: "patch", Resource: keyResource,
			Subresource: "status", Name: name, Code: code,
		}
	}
	watch := func(stage string) controlplane.AuditEvent {
		return controlplane.AuditEvent{Stage: stage, Verb: "watch", Resource: keyResource}
	}
	events := []controlplane.AuditEvent{
		at(0, patch("a", 200)), at(1, patch("a", 200)), at(1, patch("b", 200)), at(2, patch("a", 200)),
		at(2, patch("a", 409)), at(3, patch("b", 403)),
		at(1, watch(controlplane.StageResponseStarted)), at(2, watch(controlplane.StageResponseComplete)),
		at(2, controlplane.AuditEvent{
			Stage: controlplane.StageResponseComplete, Verb: "update", Resource: "leases",
			Code: 200,
		}),
		at(9, patch("a", 200)),
	}
	during := span{start.Add(time.Second), start.Add(9 * time.Second)}
	got := statusWrites(events, during, keyResource)
	if got.total != 3 || got.conflicts != 1 || got.failures != 1 || got.most() != 2 {
		t.Errorf("status writes: got %+v", got)
	}
	idle := requestsDuring(events, during)
	if idle.leases != 1 || idle.watches != 1 || len(idle.others) != 5 {
		t.Errorf("requests: got %+v", idle)
	}
}

// TestNode makes sure that nodes are as large as real ones, and amount to what they should.
func TestNode(t *testing.T) {
	got := map[string]use{}
	for i := range 100 {
		node := newNode(i, metav1.Now())
		content, err := json.Marshal(node)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) < 8_000 || len(content) > 10_000 || len(node.Labels) != 15 {
			t.Fatalf("node %d has %d bytes and %d labels", i, len(content), len(node.Labels))
		}
		for _, product := range []string{everyNode, everyNodeLimited, licensedNodes} {
			if product != licensedNodes || node.Labels[poolLabel] == licensedPool {
				got[product] = use{got[product].nodes + 1, got[product].cores + node.Status.Capacity.Cpu().Value()}
			}
		}
	}
	if diff := cmp.Diff(useOf(100), got, cmp.AllowUnexported(use{})); diff != "" {
		t.Errorf("what 100 nodes amount to (-want +got):\n%s", diff)
	}
	if got[licensedNodes].nodes != 20 {
		t.Errorf("%d nodes are licensed, want 20", got[licensedNodes].nodes)
	}
}

func TestScraped(t *testing.T) {
	before := &scraped{body: `# HELP license_nodes_used Nodes.
license_nodes_used{product="every-node"} 3
license_nodes_used{product="every-node-limited"} 4
license_nodes_used_x{product="other"} 5
license_cores_used{product="every-node"} 1.2e+01
controller_runtime_reconcile_total{controller="nodes",result="error"} 0
controller_runtime_reconcile_total{controller="nodes",result="success"} 7
`}
	if got := before.series("license_"); got != 4 {
		t.Errorf("got %d series, want 4", got)
	}
	want := map[string]use{everyNode: {nodes: 3, cores: 12}}
	if diff := cmp.Diff(want, useScraped(before), cmp.AllowUnexported(use{})); diff != "" {
		t.Errorf("in use (-want +got):\n%s", diff)
	}
	after := &scraped{body: `controller_runtime_reconcile_total{controller="nodes",result="error"} 0
controller_runtime_reconcile_total{controller="nodes",result="success"} 9
controller_runtime_reconcile_total{controller="keys",result="success"} 1
`}
	grown := map[string]float64{`controller="nodes",result="success"`: 2, `controller="keys",result="success"`: 1}
	if diff := cmp.Diff(grown, reconcilesBetween(before, after)); diff != "" {
		t.Errorf("reconciles (-want +got):\n%s", diff)
	}
}
