// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package usage counts what is in use of a product: now, at most in each month, and beyond which limits. It is pure.
package usage

import (
	"cmp"
	"iter"
	"slices"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// MaxNodeCores is the highest capacity that is accepted from a node. No machine has a million cores: a node that claims
// more, or a negative number, counts as a node without any, so that a faulty one cannot spoil a peak that is kept for
// years.
const MaxNodeCores = 1_000_000

const millicoresPerCore = 1000

// Node is what is counted of a node, ready or not, and the labels that it is selected by. The operator keeps one for
// each node in the cluster; it takes a tenth of the memory of a corev1.Node.
type Node struct {
	name, resourceVersion string
	labels                labelSet
	parts                 parts
}

// NodeOf returns what is counted of node.
func NodeOf(node *corev1.Node) *Node {
	n := &Node{name: node.Name, resourceVersion: node.ResourceVersion, labels: labelsOf(node)}
	for i := range kinds {
		n.parts[i] = kinds[i].of(node)
	}
	return n
}

func millicoresOf(node *corev1.Node) int64 {
	capacity := node.Status.Capacity.Cpu()
	// This comes first: a quantity beyond an int64 of millicores has no value in them.
	if capacity.Sign() < 0 || capacity.CmpInt64(MaxNodeCores) > 0 {
		return 0
	}
	return capacity.MilliValue()
}

// Name of the node.
func (n *Node) Name() string { return n.name }

// Labels of the node, by which it is selected.
func (n *Node) Labels() labels.Labels { return n.labels }

// Millicores is the node's CPU capacity in thousandths of a core; 0 if it has none, or one that no machine has.
func (n *Node) Millicores() int64 { return n.parts[slices.Index(Names(), api.UsageCores)] }

// RunsWindows reports whether the node's kubelet labeled it so.
func (n *Node) RunsWindows() bool {
	return n.labels.Get(corev1.LabelOSStable) == string(corev1.Windows)
}

// CountsAs reports whether two versions of a node are the same for every count.
func (n *Node) CountsAs(other *Node) bool {
	return n.parts == other.parts && slices.Equal(n.labels, other.labels)
}

// GetObjectMeta implements metav1.ObjectMetaAccessor, for caches. It returns a copy with the name and the resource
// version.
func (n *Node) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: n.name, ResourceVersion: n.resourceVersion}
}

// labelSet are the labels of a node, sorted by name.
type labelSet []nodeLabel

type nodeLabel struct{ name, value string }

func labelsOf(node *corev1.Node) labelSet {
	set := make(labelSet, 0, len(node.Labels))
	for name, value := range node.Labels {
		// Nodes share most labels, so one copy is enough for all. The hostname is the node's own.
		if value != node.Name {
			value = unique.Make(value).Value()
		}
		set = append(set, nodeLabel{unique.Make(name).Value(), value})
	}
	slices.SortFunc(set, func(a, b nodeLabel) int { return cmp.Compare(a.name, b.name) })
	return set
}

// Lookup implements labels.Labels.
func (s labelSet) Lookup(name string) (value string, exists bool) {
	i, found := slices.BinarySearchFunc(s, name,
		func(l nodeLabel, name string) int { return cmp.Compare(l.name, name) })
	if !found {
		return "", false
	}
	return s[i].value, true
}

// Has implements labels.Labels.
func (s labelSet) Has(name string) bool {
	_, exists := s.Lookup(name)
	return exists
}

// Get implements labels.Labels.
func (s labelSet) Get(name string) string {
	value, _ := s.Lookup(name)
	return value
}

// Selector selects the nodes that count for a product: all if its terms do not say. It fails if spec.usage.nodeSelector
// is invalid.
func Selector(product *api.LicensedProduct) (labels.Selector, error) {
	if product.Spec.Usage == nil || product.Spec.Usage.NodeSelector == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(product.Spec.Usage.NodeSelector)
}

// Count returns how much of each kind the selected nodes have in all.
func Count(nodes iter.Seq[*Node], selector labels.Selector) []api.Usage {
	var sums parts
	for node := range nodes {
		if selector.Matches(node.labels) {
			for i := range sums {
				sums[i] += node.parts[i]
			}
		}
	}
	used := make([]api.Usage, len(kinds))
	for i, kind := range kinds {
		used[i] = api.Usage{Name: kind.Name, Value: new((sums[i] + kind.partsPerUnit - 1) / kind.partsPerUnit)}
	}
	return used
}
