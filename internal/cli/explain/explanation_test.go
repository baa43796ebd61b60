// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/usage"
)

func nodeWith(name, cpu string, labels map[string]string) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if cpu != "" {
		node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
	return node
}

func withRule(selector *metav1.LabelSelector) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"},
		Spec:       api.LicensedProductSpec{Usage: &api.UsageSpec{NodeSelector: selector}},
	}
}

func explained(t interface{ Fatal(args ...any) }, product *api.LicensedProduct, nodes ...*corev1.Node) *explanation {
	selector, err := usage.Selector(product)
	if err != nil {
		t.Fatal(err)
	}
	e, err := explain(product, selector, func(visit func(*corev1.Node)) error {
		for _, node := range nodes {
			visit(node)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func amounts(nodes, cores int64) []api.Usage {
	return []api.Usage{{Name: api.UsageNodes, Value: &nodes}, {Name: api.UsageCores, Value: &cores}}
}

func TestExplainNode(t *testing.T) {
	expression := func(key string, operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}},
		}
	}
	edge := map[string]string{"pool": "edge", "zone": "a"}
	for name, test := range map[string]struct {
		rule *metav1.LabelSelector
		node *corev1.Node
		want explainedNode
	}{
		"no rule": {
			nil, nodeWith("n", "4", nil),
			explainedNode{Name: "n", Counted: true, Millicores: 4000, Capacity: "4"},
		},
		"an empty rule": {
			&metav1.LabelSelector{}, nodeWith("n", "1500m", nil),
			explainedNode{Name: "n", Counted: true, Millicores: 1500, Capacity: "1500m"},
		},
		"met": {
			expression("pool", "In", "gpu", "edge"), nodeWith("n", "4", edge),
			explainedNode{Name: "n", Counted: true, Millicores: 4000, Capacity: "4", labels: "pool=edge"},
		},
		"another value": {
			&metav1.LabelSelector{MatchLabels: map[string]string{"pool": "gpu"}},
			nodeWith("n", "4", edge),
			explainedNode{Name: "n", Capacity: "4", Reason: "pool=edge, wanted gpu", labels: "pool=edge"},
		},
		"no such label": {
			&metav1.LabelSelector{MatchLabels: map[string]string{"pool": "gpu"}}, nodeWith("n", "4", nil),
			explainedNode{Name: "n", Capacity: "4", Reason: "has no label pool, wanted gpu"},
		},
		"an empty value": {
			expression("pool", "In", ""), nodeWith("n", "4", edge),
			explainedNode{Name: "n", Capacity: "4", Reason: `pool=edge, wanted ""`, labels: "pool=edge"},
		},
		"one of several": {
			expression("pool", "In", "gpu", "cpu"), nodeWith("n", "4", edge),
			explainedNode{Name: "n", Capacity: "4", Reason: "pool=edge, wanted one of cpu, gpu", labels: "pool=edge"},
		},
		"one of many": {
			expression("pool", "In", "a", "b", "c", "d", "e", "f", "g"), nodeWith("n", "4", edge),
			explainedNode{
				Name: "n", Capacity: "4", Reason: "pool=edge, wanted one of a, b, c, d, e and 2 more",
				labels: "pool=edge",
			},
		},
		"excluded": {
			expression("pool", "NotIn", "edge", "far"), nodeWith("n", "4", edge),
			explainedNode{Name: "n", Capacity: "4", Reason: "pool=edge, wanted any other", labels: "pool=edge"},
		},
		"a label must exist": {
			expression("gpu", "Exists"), nodeWith("n", "4", edge),
			explainedNode{Name: "n", Capacity: "4", Reason: "has no label gpu"},
		},
		"a label must not exist": {
			expression("pool", "DoesNotExist"), nodeWith("n", "4", edge),
			explainedNode{Name: "n", Capacity: "4", Reason: "pool=edge, wanted no such label", labels: "pool=edge"},
		},
		"several not met": {
			&metav1.LabelSelector{MatchLabels: map[string]string{"pool": "gpu", "zone": "b"}},
			nodeWith("n", "4", edge),
			explainedNode{
				Name: "n", Capacity: "4", Reason: "pool=edge, wanted gpu; zone=a, wanted b",
				labels: "pool=edge,zone=a",
			},
		},
		"no capacity": {
			nil, nodeWith("n", "", nil),
			explainedNode{Name: "n", Counted: true, Reason: "states no CPU capacity: counts without cores"},
		},
		"a capacity of 0": {
			nil, nodeWith("n", "0", nil),
			explainedNode{
				Name: "n", Counted: true, Capacity: "0",
				Reason: "has a CPU capacity of 0: counts without cores",
			},
		},
		"an impossible capacity": {
			nil, nodeWith("n", "9M", nil),
			explainedNode{
				Name: "n", Counted: true, Capacity: "9M",
				Reason: "no machine has a CPU capacity of 9M: counts without cores",
			},
		},
		"a negative capacity": {
			nil, nodeWith("n", "-8", nil),
			explainedNode{
				Name: "n", Counted: true, Capacity: "-8",
				Reason: "no machine has a CPU capacity of -8: counts without cores",
			},
		},
		"a capacity beyond int64": {
			nil, nodeWith("n", "99999999999999999999999E9", nil),
			explainedNode{
				Name: "n", Counted: true, Capacity: "99999999999999999999999e9",
				Reason: "no machine has a CPU capacity of 99999999999999999999999e9: counts without cores",
			},
		},
		"less than a core": {
			nil, nodeWith("n", "1u", nil),
			explainedNode{Name: "n", Counted: true, Millicores: 1, Capacity: "1u"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := explained(t, withRule(test.rule), test.node).Nodes
			if diff := cmp.Diff([]explainedNode{test.want}, got, cmp.AllowUnexported(explainedNode{}),
				cmpopts.IgnoreFields(explainedNode{}, "unmet")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// In short, a node that is not counted shows what it has instead of what is wanted, and what it does not have.
func TestExplainNodeInShort(t *testing.T) {
	rule := &metav1.LabelSelector{
		MatchLabels: map[string]string{"pool": "gpu", "tier": "a", "zone": "b"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "pool", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"edge"}},
			{Key: "spare", Operator: metav1.LabelSelectorOpDoesNotExist},
		},
	}
	for name, test := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"one is missing, another wrong": {map[string]string{"pool": "gpu", "tier": "b"}, "tier=b, no label zone"},
		"two requirements for one label": {
			map[string]string{"pool": "edge", "tier": "a", "zone": "b", "spare": ""},
			"pool=edge, spare=",
		},
		"all are missing": {nil, "no label pool, no label tier, no label zone"},
		"it is counted":   {map[string]string{"pool": "gpu", "tier": "a", "zone": "b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := explained(t, withRule(rule), nodeWith("n", "4", test.labels)).Nodes[0].unmet; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestExplainSums(t *testing.T) {
	gpu := withRule(&metav1.LabelSelector{MatchLabels: map[string]string{"pool": "gpu"}})
	licensed := func(state api.LicensedProductState, used []api.Usage, limits ...api.Limit) *api.LicensedProduct {
		product := gpu.DeepCopy()
		product.Status = api.LicensedProductStatus{
			State: state, ActiveLicenseKeyName: "acme-mesh-2027", Usage: used,
			Limits: limits,
		}
		return product
	}
	limit := func(name string, value int64) api.Limit { return api.Limit{Name: name, Value: &value} }
	nodes := []*corev1.Node{
		nodeWith("a", "1500m", map[string]string{"pool": "gpu"}),
		nodeWith("b", "1600m", map[string]string{"pool": "gpu"}), nodeWith("c", "8", nil),
	}
	for name, test := range map[string]struct {
		product *api.LicensedProduct
		nodes   []*corev1.Node
		want    string
	}{
		"not reconciled": {gpu, nodes, `Counted now:    2 nodes and 4 cores (3.1, rounded up); 1 node not counted
In its status:  nothing yet: the operator has not counted
Licensed:       not known yet: the operator has not reconciled the product
`},
		"within the limits": {
			licensed("Valid", amounts(2, 4), limit("nodes", 100), limit("cores", 400), limit("seats", 5)), nodes,
			`Counted now:    2 nodes and 4 cores (3.1, rounded up); 1 node not counted
In its status:  the same
Licensed:       100 nodes and 400 cores, by LicenseKey acme-mesh-2027
`,
		},
		"exceeded, and counted a while ago": {
			licensed("GracePeriod", amounts(1, 2), limit("nodes", 1)), nodes,
			`Counted now:    2 nodes and 4 cores (3.1, rounded up); 1 node not counted
In its status:  1 node and 2 cores; that may be some seconds old
Licensed:       1 node, by LicenseKey acme-mesh-2027; exceeded by 1 node
`,
		},
		"no limits, one node": {
			licensed("Valid", amounts(1, 2)), nodes[:1],
			`Counted now:    1 node and 2 cores (1.5, rounded up)
In its status:  the same
Licensed:       any number, by LicenseKey acme-mesh-2027
`,
		},
		"expired, no nodes": {
			licensed("Expired", amounts(0, 0), limit("nodes", 1)), nil,
			`Counted now:    0 nodes and 0 cores
In its status:  the same
Licensed:       nothing: the product is Expired
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			e := explained(t, test.product, test.nodes...)
			if err := e.sums().Write(&text); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What explain says of the nodes adds up to what the operator counts.
func TestExplainAddsUp(t *testing.T) {
	keys, values := []string{"pool", "zone", "gpu"}, []string{"", "a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		product := withRule(drawSelector(t, keys, values))
		nodes := make([]*corev1.Node, rapid.IntRange(0, 30).Draw(t, "nodes"))
		counts := make([]*usage.Node, len(nodes))
		for i := range nodes {
			cpu := rapid.SampledFrom([]string{
				"", "0", "-2", "1u", "1500m", "4", "96", "1000000", "1000001",
				"9223372036854775807",
			}).Draw(t, "cpu")
			labels := rapid.MapOfN(rapid.SampledFrom(keys), rapid.SampledFrom(values), 0, len(keys)).Draw(t, "labels")
			nodes[i] = nodeWith(fmt.Sprintf("node-%d", i), cpu, maps.Clone(labels))
			counts[i] = usage.NodeOf(nodes[i])
		}
		selector, err := usage.Selector(product)
		if err != nil {
			t.Skip("no selector")
		}
		want := usage.Count(func(yield func(*usage.Node) bool) {
			for _, n := range counts {
				if !yield(n) {
					return
				}
			}
		}, selector)

		got := explained(t, product, nodes...)
		var counted, millicores int64
		for i, node := range got.Nodes {
			if node.Counted != selector.Matches(counts[i].Labels()) {
				t.Fatalf("%s with %v: counted %t by %v", node.Name, nodes[i].Labels, node.Counted, selector)
			}
			if !node.Counted && (node.Reason == "" || node.Millicores != 0) {
				t.Fatalf("%s is not counted: %+v", node.Name, node)
			}
			if node.Counted {
				counted++
			}
			millicores += node.Millicores
		}
		if diff := cmp.Diff(want, got.Usage); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want, amounts(counted, (millicores+999)/1000)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func drawSelector(t *rapid.T, keys, values []string) *metav1.LabelSelector {
	if rapid.Bool().Draw(t, "every node") {
		return nil
	}
	selector := &metav1.LabelSelector{
		MatchLabels: rapid.MapOfN(rapid.SampledFrom(keys), rapid.SampledFrom(values), 0, 2).Draw(t, "match labels"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "expressions") {
		requirement := metav1.LabelSelectorRequirement{
			Key: rapid.SampledFrom(keys).Draw(t, "key"),
			Operator: rapid.SampledFrom([]metav1.LabelSelectorOperator{
				metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists,
				metav1.LabelSelectorOpDoesNotExist,
			}).Draw(t, "operator"),
		}
		if requirement.Operator == metav1.LabelSelectorOpIn || requirement.Operator == metav1.LabelSelectorOpNotIn {
			requirement.Values = rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 3, rapid.ID).Draw(t, "values")
		}
		selector.MatchExpressions = append(selector.MatchExpressions, requirement)
	}
	return selector
}

func TestExplanationOnScreens(t *testing.T) {
	product := withRule(&metav1.LabelSelector{MatchLabels: map[string]string{"pool": "gpu"}})
	product.Status = api.LicensedProductStatus{
		State: api.LicensedProductValid, ActiveLicenseKeyName: "acme-mesh-2027", Usage: amounts(2, 4),
		Limits: []api.Limit{{Name: "nodes", Value: new(int64(100))}},
	}
	evil := nodeWith("evil", "4", map[string]string{"pool": "\x1b[2J"})
	e := explained(t, product, nodeWith("a", "4", map[string]string{"pool": "gpu"}),
		nodeWith("lost", "9M", map[string]string{"pool": "gpu"}), evil)
	for name, test := range map[string]struct {
		screen term.Screen
		format string
		want   string
	}{
		"a narrow terminal": {
			term.Screen{Width: 50, Colored: true}, "", `For acme-mesh the nodes with pool=gpu count, ready
  or not (spec.usage.nodeSelector).

NODE   COUNTED   CORES   WHY
a      yes       4
lost   yes       0       ` + "\x1b[33m" + `no credible capacity` + "\x1b[0m" + `
evil   no        -       pool=\x1b[2J

Counted now:    2 nodes and 4 cores; 1 node not
                counted
In its status:  the same
Licensed:       100 nodes, by LicenseKey
                acme-mesh-2027
`,
		},
		"a very narrow one": {term.Screen{Width: 34}, "", `For acme-mesh the nodes with
  pool=gpu count, ready or not
  (spec.usage.nodeSelector).

NODE   COUNTED   CORES   WHY
a      yes       4
lost   yes       0       no credible capacity
evil   no        -       pool=\x1b[2J

Counted now:    2 nodes and 4
                cores; 1 node not
                counted
In its status:  the same
Licensed:       100 nodes, by
                LicenseKey
                acme-mesh-2027
`},
		"wide": {
			term.Screen{},
			output.Wide,
			`For acme-mesh the nodes with pool=gpu count, ready or not (spec.usage.nodeSelector).

NODE   COUNTED   CORES   READY   CAPACITY   LABELS         WHY
a      yes       4       no      4          pool=gpu
lost   yes       0       no      9M         pool=gpu       no machine has a CPU capacity of 9M: counts without cores
evil   no        -       no      4          pool=\x1b[2J   pool=\x1b[2J, wanted gpu

Counted now:    2 nodes and 4 cores; 1 node not counted
In its status:  the same
Licensed:       100 nodes, by LicenseKey acme-mesh-2027
`,
		},
		"names": {term.Screen{}, output.Name, "node/a\nnode/lost\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			test.screen.Writer = &text
			if err := e.print(test.screen, test.format); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
