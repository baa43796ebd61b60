// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/usage"
)

// maxListedValues is how many values of a requirement are listed: a selector can have thousands.
const maxListedValues = 5

// seenNode is what the explanation needs of a node.
type seenNode struct {
	counted  *usage.Node
	ready    bool
	capacity string
}

func newSeenNode(node *corev1.Node) seenNode {
	seen := seenNode{counted: usage.NodeOf(node)}
	if capacity, stated := node.Status.Capacity[corev1.ResourceCPU]; stated {
		seen.capacity = capacity.String()
	}
	for _, condition := range node.Status.Conditions {
		seen.ready = seen.ready || condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
	}
	return seen
}

// explanation is which nodes are counted for a product, and why. Its JSON form is an interface, which --help describes.
type explanation struct {
	ProductName          string                   `json:"productName"`
	NodeSelector         *metav1.LabelSelector    `json:"nodeSelector,omitempty"`
	Nodes                []explainedNode          `json:"nodes"`
	Usage                []api.Usage              `json:"usage"`
	StatusUsage          []api.Usage              `json:"statusUsage,omitempty"`
	State                api.LicensedProductState `json:"state,omitempty"`
	ActiveLicenseKeyName string                   `json:"activeLicenseKeyName,omitempty"`
	Limits               []api.Limit              `json:"limits,omitempty"`
}

// explainedNode is one node, and whether it is counted.
type explainedNode struct {
	Name    string `json:"name"`
	Counted bool   `json:"counted"`
	Ready   bool   `json:"ready"`
	// Millicores is what counts of the capacity; 0 if the node is not counted.
	Millicores int64  `json:"millicores"`
	Capacity   string `json:"capacity,omitempty"`
	Reason     string `json:"reason,omitempty"`

	// labels are the node's labels that the rule uses, and unmet those because of which it is not counted.
	labels, unmet string
}

// explain counts nodes with the operator's code, and says for each why it is counted or not.
func explain(product *api.LicensedProduct, selector labels.Selector, nodes []seenNode) *explanation {
	e := &explanation{
		ProductName: product.Name, Nodes: make([]explainedNode, len(nodes)), StatusUsage: product.Status.Usage,
		State: product.Status.State, ActiveLicenseKeyName: product.Status.ActiveLicenseKeyName,
		Limits: product.Status.Limits,
	}
	if !selector.Empty() {
		e.NodeSelector = product.Spec.Usage.NodeSelector
	}
	requirements, _ := selector.Requirements()
	counted := make([]*usage.Node, len(nodes))
	for i, node := range nodes {
		e.Nodes[i], counted[i] = explainNode(node, requirements), node.counted
	}
	e.Usage = usage.Count(slices.Values(counted), selector)
	return e
}

func explainNode(node seenNode, requirements labels.Requirements) explainedNode {
	explained := explainedNode{Name: node.counted.Name(), Ready: node.ready, Capacity: node.capacity}
	var reasons, unmet, used []string
	for i := range requirements {
		name := requirements[i].Key()
		value, exists := node.counted.Labels().Lookup(name)
		label := "no label " + name
		if exists {
			label = name + "=" + value
			used = append(used, label)
		}
		if !requirements[i].Matches(node.counted.Labels()) {
			reasons, unmet = append(reasons, unmetText(&requirements[i], label, exists)), append(unmet, label)
		}
	}
	// Requirements are sorted by the name of the label.
	explained.labels = strings.Join(slices.Compact(used), ",")
	explained.unmet = strings.Join(slices.Compact(unmet), ", ")
	if len(unmet) > 0 {
		explained.Reason = strings.Join(reasons, "; ")
		return explained
	}
	explained.Counted, explained.Millicores = true, node.counted.Millicores()
	switch {
	case explained.Millicores > 0:
	case node.capacity == "":
		explained.Reason = "states no CPU capacity: counts without cores"
	case node.capacity == "0":
		explained.Reason = "has a CPU capacity of 0: counts without cores"
	default:
		explained.Reason = fmt.Sprintf("no machine has a CPU capacity of %s: counts without cores", node.capacity)
	}
	return explained
}

// unmetText is the label of a node and what a requirement wants instead.
func unmetText(requirement *labels.Requirement, label string, exists bool) string {
	if !exists {
		label = "has " + label
	}
	switch requirement.Operator() {
	case selection.Exists:
		return label
	case selection.DoesNotExist:
		return label + ", wanted no such label"
	case selection.NotIn, selection.NotEquals:
		return label + ", wanted any other"
	default:
		return label + ", wanted " + wantedText(requirement)
	}
}

func wantedText(requirement *labels.Requirement) string {
	values := requirement.ValuesUnsorted()
	slices.Sort(values)
	for i, value := range values {
		values[i] = cmp.Or(value, `""`)
	}
	if len(values) == 1 {
		return values[0]
	}
	return "one of " + text.List(values, maxListedValues)
}
