// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/usage"
)

func node(cpu string, nodeLabels ...string) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{}}}
	for _, l := range nodeLabels {
		n.Labels[l] = ""
	}
	if cpu != "" {
		n.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
	return n
}

func used(nodes, cores int64) []api.Usage {
	return []api.Usage{{Name: "nodes", Value: &nodes}, {Name: "cores", Value: &cores}}
}

func TestCount(t *testing.T) {
	notReady := node("4")
	notReady.Spec.Unschedulable = true
	notReady.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
	for name, test := range map[string]struct {
		nodes    []corev1.Node
		selector string
		want     []api.Usage
	}{
		"no nodes":                         {nil, "", used(0, 0)},
		"every node":                       {[]corev1.Node{node("4"), node("8", "gpu")}, "", used(2, 12)},
		"the selected":                     {[]corev1.Node{node("4"), node("8", "gpu")}, "gpu", used(1, 8)},
		"all but some":                     {[]corev1.Node{node("4"), node("8", "gpu")}, "!gpu", used(1, 4)},
		"a selector that selects nothing":  {[]corev1.Node{node("4"), node("8")}, "gpu", used(0, 0)},
		"ready or not":                     {[]corev1.Node{notReady}, "", used(1, 4)},
		"rounded up, of the sum":           {[]corev1.Node{node("1500m"), node("1600m")}, "", used(2, 4)},
		"a sum that needs no rounding":     {[]corev1.Node{node("1500m"), node("2500m")}, "", used(2, 4)},
		"less than a millicore rounds up":  {[]corev1.Node{node("1u")}, "", used(1, 1)},
		"no capacity":                      {[]corev1.Node{node("")}, "", used(1, 0)},
		"a capacity of nothing":            {[]corev1.Node{node("0")}, "", used(1, 0)},
		"a negative capacity":              {[]corev1.Node{node("-8"), node("2")}, "", used(2, 2)},
		"as many as a machine may have":    {[]corev1.Node{node("1000000"), node("2")}, "", used(2, 1_000_002)},
		"more than any machine has":        {[]corev1.Node{node("1000001"), node("2")}, "", used(2, 2)},
		"a little more than that":          {[]corev1.Node{node("1000000.5"), node("2")}, "", used(2, 2)},
		"more than an int64 of millicores": {[]corev1.Node{node("9223372036854775807"), node("2")}, "", used(2, 2)},
		"more than an int64": {
			[]corev1.Node{node("99999999999999999999999E9"), node("2")},
			"",
			used(2, 2),
		},
	} {
		t.Run(name, func(t *testing.T) {
			selector, err := labels.Parse(test.selector)
			if err != nil {
				t.Fatal(err)
			}
			nodes := func(yield func(*usage.Node) bool) {
				for i := range test.nodes {
					if !yield(usage.NodeOf(&test.nodes[i])) {
						return
					}
				}
			}
			if diff := cmp.Diff(test.want, usage.Count(nodes, selector)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCountsAs(t *testing.T) {
	named := func(name string, n corev1.Node) *usage.Node {
		n.Name = name
		return usage.NodeOf(&n)
	}
	beaten := node("4", "gpu")
	beaten.ResourceVersion = "2"
	beaten.Status.Conditions = []corev1.NodeCondition{{
		Type:              corev1.NodeReady,
		LastHeartbeatTime: metav1.NewTime(time.Unix(1, 0)),
	}}
	beaten.Status.Capacity[corev1.ResourceMemory] = resource.MustParse("1Gi")
	beaten.Annotations = map[string]string{"a": "b"}
	relabeled := node("4", "gpu")
	relabeled.Labels["gpu"] = "a100"
	for name, test := range map[string]struct {
		other corev1.Node
		want  bool
	}{
		"the same":            {node("4", "gpu"), true},
		"a heartbeat":         {beaten, true},
		"other notation":      {node("4000m", "gpu"), true},
		"another capacity":    {node("5", "gpu"), false},
		"a label more":        {node("4", "gpu", "spot"), false},
		"a label less":        {node("4"), false},
		"another label":       {node("4", "spot"), false},
		"another value of it": {relabeled, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := named("a", node("4", "gpu")).CountsAs(named("a", test.other)); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// A cache knows a node by what Kubernetes' own tools find out about it.
func TestNodeInACache(t *testing.T) {
	n := node("4", "gpu")
	n.Name, n.ResourceVersion = "node-1", "7"
	n.Labels["kubernetes.io/hostname"] = "node-1"
	counted := usage.NodeOf(&n)
	key, err := cache.MetaNamespaceKeyFunc(counted)
	if err != nil || key != "node-1" || counted.Name() != "node-1" {
		t.Errorf("got key %q, name %q, error %v", key, counted.Name(), err)
	}
	accessor, err := meta.Accessor(counted)
	if err != nil || accessor.GetResourceVersion() != "7" {
		t.Errorf("got accessor %v, error %v", accessor, err)
	}
	selector := labels.SelectorFromSet(labels.Set{"kubernetes.io/hostname": "node-1", "gpu": ""})
	if got := usage.Count(slices.Values([]*usage.Node{counted}), selector); cmp.Diff(used(1, 4), got) != "" {
		t.Errorf("its labels are not what they were: %v", got)
	}
}

func TestCompare(t *testing.T) {
	limits := func(pairs ...any) []api.Limit {
		var all []api.Limit
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, api.Limit{Name: pairs[i].(string), Value: new(int64(pairs[i+1].(int)))})
		}
		return all
	}
	for name, test := range map[string]struct {
		limits   []api.Limit
		used     []api.Usage
		counted  int
		exceeded []usage.Excess
	}{
		"no limits":               {nil, used(5, 20), 0, nil},
		"limits of other things":  {limits("seats", 1), used(5, 20), 0, nil},
		"below":                   {limits("nodes", 6, "cores", 21), used(5, 20), 2, nil},
		"reached is not exceeded": {limits("nodes", 5), used(5, 20), 1, nil},
		"exceeded": {
			limits("cores", 19, "nodes", 6), used(5, 20), 2,
			[]usage.Excess{{Name: "cores", Used: 20, Limit: 19}},
		},
		"both exceeded": {
			limits("cores", 19, "nodes", 4), used(5, 20), 2,
			[]usage.Excess{{Name: "cores", Used: 20, Limit: 19}, {Name: "nodes", Used: 5, Limit: 4}},
		},
		"a limit of 0": {
			limits("nodes", 0), used(1, 4), 1,
			[]usage.Excess{{Name: "nodes", Used: 1, Limit: 0}},
		},
		"a limit of 0, and none used": {limits("nodes", 0), used(0, 0), 1, nil},
		"nothing could be counted":    {limits("nodes", 0), nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			counted, exceeded := usage.Compare(test.limits, test.used)
			if counted != test.counted {
				t.Errorf("counted %d limits, want %d", counted, test.counted)
			}
			if diff := cmp.Diff(test.exceeded, exceeded); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func peak(month string, nodes, cores int64) api.MonthlyPeak {
	return api.MonthlyPeak{Month: month, Usage: used(nodes, cores)}
}

func TestRaise(t *testing.T) {
	march := time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC)
	var year []api.MonthlyPeak
	for i := range api.MaxMonthlyPeaks {
		year = append(year, peak(march.AddDate(0, 0, -27).AddDate(0, i-api.MaxMonthlyPeaks, 0).Format("2006-01"), 1, 1))
	}
	if year[0].Month != "2026-02" || year[12].Month != "2027-02" {
		t.Fatalf("the test's own months are wrong: %v", year)
	}
	for name, test := range map[string]struct {
		peaks []api.MonthlyPeak
		at    time.Time
		used  []api.Usage
		want  []api.MonthlyPeak
	}{
		"the first": {nil, march, used(2, 8), []api.MonthlyPeak{peak("2027-03", 2, 8)}},
		"nothing counted": {
			[]api.MonthlyPeak{peak("2027-02", 2, 8)},
			march, nil,
			[]api.MonthlyPeak{peak("2027-02", 2, 8)},
		},
		"none in use is a count too": {nil, march, used(0, 0), []api.MonthlyPeak{peak("2027-03", 0, 0)}},
		"raised": {
			[]api.MonthlyPeak{peak("2027-03", 2, 8)},
			march, used(3, 12),
			[]api.MonthlyPeak{peak("2027-03", 3, 12)},
		},
		"each for itself": {
			[]api.MonthlyPeak{peak("2027-03", 2, 8)},
			march, used(1, 12),
			[]api.MonthlyPeak{peak("2027-03", 2, 12)},
		},
		"never lowered": {
			[]api.MonthlyPeak{peak("2027-03", 2, 8)},
			march, used(1, 4),
			[]api.MonthlyPeak{peak("2027-03", 2, 8)},
		},
		"a new month": {
			[]api.MonthlyPeak{peak("2027-03", 2, 8)},
			march.Add(time.Second), used(1, 4),
			[]api.MonthlyPeak{peak("2027-03", 2, 8), peak("2027-04", 1, 4)},
		},
		"months are in UTC": {
			nil, time.Date(2027, 4, 1, 1, 0, 0, 0, time.FixedZone("", 2*60*60)), used(1, 4),
			[]api.MonthlyPeak{peak("2027-03", 1, 4)},
		},
		"the last 13 are kept": {year, march, used(1, 4), append(year[1:13:13], peak("2027-03", 1, 4))},
		"a month before all": {
			[]api.MonthlyPeak{peak("2027-05", 2, 8)},
			march, used(1, 4),
			[]api.MonthlyPeak{peak("2027-03", 1, 4), peak("2027-05", 2, 8)},
		},
		"a month to come does not push out": {
			append(year[1:13:13], peak("2099-01", 2, 8)), march, used(1, 4),
			append(year[1:13:13], peak("2027-03", 1, 4)),
		},
		"a count that the peak did not know": {
			[]api.MonthlyPeak{{Month: "2027-03", Usage: used(2, 8)[:1]}},
			march,
			used(1, 4),
			[]api.MonthlyPeak{peak("2027-03", 2, 4)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, usage.Raise(test.peaks, test.at, test.used)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRaiseWithGarbage(t *testing.T) {
	var garbage []api.Usage
	for i := range 64 {
		garbage = append(garbage, api.Usage{Name: fmt.Sprint("garbage-", i), Value: new(int64(i))})
	}
	april := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	got := usage.Raise([]api.MonthlyPeak{{Month: "2027-04", Usage: garbage}}, april, used(1, 4))
	if diff := cmp.Diff([]api.MonthlyPeak{peak("2027-04", 1, 4)}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRaiseLast(t *testing.T) {
	for name, test := range map[string]struct {
		peaks []api.MonthlyPeak
		used  []api.Usage
		want  []api.MonthlyPeak
	}{
		"no month has begun": {nil, used(5, 5), nil},
		"the latest, and no other": {
			[]api.MonthlyPeak{peak("2027-01", 1, 1), peak("2027-02", 3, 9)},
			used(5, 5),
			[]api.MonthlyPeak{peak("2027-01", 1, 1), peak("2027-02", 5, 9)},
		},
		"nothing counted": {[]api.MonthlyPeak{peak("2027-01", 1, 1)}, nil, []api.MonthlyPeak{peak("2027-01", 1, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, usage.RaiseLast(test.peaks, test.used)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// However the count goes up and down and time goes on, each month of the last 13 has its maximum.
func TestPeaksAreMaxima(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		var peaks []api.MonthlyPeak
		want := map[string]int64{}
		for i := range rapid.IntRange(1, 60).Draw(t, "counts") {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, fmt.Sprint("passes ", i))))
			nodes := rapid.Int64Range(0, 1000).Draw(t, fmt.Sprint("nodes ", i))
			before := cmp.Diff(nil, peaks)
			raised := usage.Raise(peaks, at, used(nodes, nodes))
			if cmp.Diff(nil, peaks) != before {
				t.Fatal("the peaks that were given have changed")
			}
			peaks = raised
			want[at.Format("2006-01")] = max(want[at.Format("2006-01")], nodes)
		}
		if len(peaks) > api.MaxMonthlyPeaks || len(peaks) != min(len(want), api.MaxMonthlyPeaks) {
			t.Fatalf("%d months kept, of %d", len(peaks), len(want))
		}
		for i, p := range peaks {
			if i > 0 && p.Month <= peaks[i-1].Month {
				t.Fatalf("month %s after %s", p.Month, peaks[i-1].Month)
			}
			if diff := cmp.Diff(used(want[p.Month], want[p.Month]), p.Usage); diff != "" {
				t.Fatalf("%s: %s", p.Month, diff)
			}
		}
	})
}

func TestMonthEnd(t *testing.T) {
	for at, want := range map[string]string{
		"2027-03-01T00:00:00Z":      "2027-04-01T00:00:00Z",
		"2027-03-31T23:59:59Z":      "2027-04-01T00:00:00Z",
		"2027-12-15T12:00:00Z":      "2028-01-01T00:00:00Z",
		"2028-01-31T12:00:00Z":      "2028-02-01T00:00:00Z",
		"2027-04-01T01:00:00+02:00": "2027-04-01T00:00:00Z",
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := usage.MonthEnd(instant).Format(time.RFC3339); got != want {
			t.Errorf("MonthEnd(%s) = %s, want %s", at, got, want)
		}
	}
}
