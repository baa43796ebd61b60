// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/usage"
)

// maxListedValues is how many of the values that a requirement takes are listed: a selector may have thousands.
const maxListedValues = 5

// seenNode is what is kept of a node.
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

// explanation is which nodes are counted for a product, and by which rule. Its JSON form is an interface, which --help
// describes.
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
	// Millicores is what counts of the capacity, where the node is counted.
	Millicores int64  `json:"millicores"`
	Capacity   string `json:"capacity,omitempty"`
	Reason     string `json:"reason,omitempty"`

	// labels are those that the rule is about, and unmet those for which the node is not counted, as far as it has
	// them.
	labels, unmet string
}

// explain counts nodes with the operator's code, and says of each why it is counted or not.
func explain(product *api.LicensedProduct, selector labels.Selector, nodes []seenNode) *explanation {
	e := &explanation{
		ProductName: product.Name, Nodes: make([]explainedNode, len(nodes)),
		Usage:       usage.Count(countedNodes(nodes), selector),
		StatusUsage: product.Status.Usage, State: product.Status.State,
		ActiveLicenseKeyName: product.Status.ActiveLicenseKeyName, Limits: product.Status.Limits,
	}
	if !selector.Empty() {
		e.NodeSelector = product.Spec.Usage.NodeSelector
	}
	requirements, _ := selector.Requirements()
	for i, node := range nodes {
		e.Nodes[i] = explainNode(node, requirements)
	}
	return e
}

func countedNodes(nodes []seenNode) iter.Seq[*usage.Node] {
	return func(yield func(*usage.Node) bool) {
		for _, node := range nodes {
			if !yield(node.counted) {
				return
			}
		}
	}
}

func explainNode(node seenNode, requirements labels.Requirements) explainedNode {
	explained := explainedNode{
		Name: node.counted.Name(), Ready: node.ready, Capacity: node.capacity,
		labels: labelsText(node.counted.Labels(), requirements),
	}
	var reasons, unmet []string
	for i := range requirements {
		if requirements[i].Matches(node.counted.Labels()) {
			continue
		}
		reasons = append(reasons, unmetText(&requirements[i], node.counted.Labels()))
		if label := labelText(requirements[i].Key(), node.counted.Labels()); !slices.Contains(unmet, label) {
			unmet = append(unmet, label)
		}
	}
	if len(unmet) > 0 {
		explained.Reason, explained.unmet = strings.Join(reasons, "; "), strings.Join(unmet, ", ")
		return explained
	}
	explained.Counted = true
	explained.Millicores = node.counted.Millicores()
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

// unmetText says what a requirement wants, and what there is instead.
func unmetText(requirement *labels.Requirement, of labels.Labels) string {
	name := requirement.Key()
	value, there := of.Lookup(name)
	if !there {
		if requirement.Operator() == selection.Exists {
			return "has no label " + name
		}
		return "has no label " + name + ", wanted " + wantedText(requirement)
	}
	switch requirement.Operator() {
	case selection.DoesNotExist:
		return name + "=" + value + ", wanted no such label"
	case selection.NotIn, selection.NotEquals:
		return name + "=" + value + ", wanted any other"
	default:
		return name + "=" + value + ", wanted " + wantedText(requirement)
	}
}

func wantedText(requirement *labels.Requirement) string {
	values := requirement.ValuesUnsorted()
	slices.Sort(values)
	more := ""
	if excess := len(values) - maxListedValues; excess > 0 {
		values, more = values[:maxListedValues], fmt.Sprintf(" and %d more", excess)
	}
	quotedEmpty := make([]string, len(values))
	for i, value := range values {
		quotedEmpty[i] = value
		if value == "" {
			quotedEmpty[i] = `""`
		}
	}
	if len(values) == 1 {
		return quotedEmpty[0]
	}
	return "one of " + strings.Join(quotedEmpty, ", ") + more
}

// labelText is a label as a node has it, or that it does not.
func labelText(name string, of labels.Labels) string {
	if value, there := of.Lookup(name); there {
		return name + "=" + value
	}
	return "no label " + name
}

// labelsText is those of a node's labels that the requirements are about.
func labelsText(of labels.Labels, requirements labels.Requirements) string {
	var pairs []string
	for i := range requirements {
		name := requirements[i].Key()
		value, there := of.Lookup(name)
		if pair := name + "=" + value; there && !slices.Contains(pairs, pair) {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, ",")
}
