// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/usage"
)

// What users build on: the names of limits, metrics and alerts never change.
func TestKinds(t *testing.T) {
	type kind struct{ Name, Unit, Used, Limit, Available, NearLimit, Exceeded string }
	var got []kind
	for _, k := range usage.Kinds() {
		got = append(got, kind{
			k.Name, k.Unit, k.UsedMetric(), k.LimitMetric(), k.AvailableMetric(), k.NearLimitAlert(), k.ExceededAlert(),
		})
	}
	want := []kind{
		{
			"nodes", "nodes", "license_nodes_used", "license_nodes_limit", "license_nodes_available",
			"LicenseNodesNearLimit", "LicenseNodesExceeded",
		},
		{
			"cores", "CPU cores", "license_cores_used", "license_cores_limit", "license_cores_available",
			"LicenseCoresNearLimit", "LicenseCoresExceeded",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestKindsAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, k := range usage.Kinds() {
		if names[k.Name] || !usage.IsCounted(k.Name) {
			t.Errorf("%q: there are two of that name, or none", k.Name)
		}
		names[k.Name] = true
		// A metric's name allows no more.
		if !regexp.MustCompile(`^[a-z][a-z_]*$`).MatchString(k.Name) {
			t.Errorf("%q is not a name for a metric", k.Name)
		}
		if !regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(k.Title) {
			t.Errorf("%q is not a name for an alert", k.Title)
		}
		if k.Unit == "" || k.Scope == "" {
			t.Errorf("%s has no unit or no scope", k.Name)
		}
	}
	if usage.IsCounted("gateways") {
		t.Error("gateways are counted")
	}
	if diff := cmp.Diff(usage.Names(), namesOf(usage.Count(noNodes, labels.Everything()))); diff != "" {
		t.Errorf("-names +counted:\n%s", diff)
	}
}

func noNodes(func(*usage.Node) bool) {}

func namesOf(used []api.Usage) []string {
	names := make([]string, len(used))
	for i := range used {
		names[i] = used[i].Name
	}
	return names
}

func TestAmounts(t *testing.T) {
	type answers struct{ Exceeded, Near, NearAtAll bool }
	for name, test := range map[string]struct {
		used, limit *int64
		want        answers
	}{
		"nothing known":        {},
		"no limit":             {used: new(int64(7))},
		"no use known":         {limit: new(int64(7))},
		"little of it":         {new(int64(1)), new(int64(10)), answers{NearAtAll: true}},
		"just below":           {new(int64(89)), new(int64(100)), answers{NearAtAll: true}},
		"near":                 {new(int64(90)), new(int64(100)), answers{Near: true, NearAtAll: true}},
		"all of it":            {new(int64(100)), new(int64(100)), answers{Near: true, NearAtAll: true}},
		"more than that":       {new(int64(101)), new(int64(100)), answers{Exceeded: true}},
		"nothing of nothing":   {new(int64(0)), new(int64(0)), answers{}},
		"something of nothing": {new(int64(1)), new(int64(0)), answers{Exceeded: true}},
		"of the largest limit": {new(int64(1) << 62), new(int64(1)<<62 + 1), answers{Near: true, NearAtAll: true}},
	} {
		t.Run(name, func(t *testing.T) {
			status := &api.LicensedProductStatus{
				Usage:  []api.Usage{{Name: "cores", Value: new(int64(3))}, {Name: "nodes", Value: test.used}},
				Limits: []api.Limit{{Name: "gateways", Value: new(int64(3))}, {Name: "nodes", Value: test.limit}},
			}
			amount := usage.AmountOf(status, "nodes")
			if diff := cmp.Diff(usage.Amount{Used: test.used, Limit: test.limit}, amount); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
			got := answers{amount.IsExceeded(), amount.IsNear(90), amount.IsNear(1)}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if amount := usage.AmountOf(&api.LicensedProductStatus{}, "nodes"); amount != (usage.Amount{}) {
		t.Errorf("got %v of an empty status", amount)
	}
}
