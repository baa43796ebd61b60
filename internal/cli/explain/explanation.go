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

// explain counts the nodes that each visits with the operator's code, and says for each why it is counted or not.
func explain(
	product *api.LicensedProduct, selector labels.Selector, each func(visit func(*corev1.Node)) error,
) (*explanation, error) {
	e := &explanation{
		ProductName: product.Name, Nodes: []explainedNode{}, StatusUsage: product.Status.Usage,
		State: product.Status.State, ActiveLicenseKeyName: product.Status.ActiveLicenseKeyName,
		Limits: product.Status.Limits,
	}
	if !selector.Empty() {
		e.NodeSelector = product.Spec.Usage.NodeSelector
	}
	requirements, _ := selector.Requirements()
	var counted []*usage.Node
	err := each(func(node *corev1.Node) {
		counted = append(counted, usage.NodeOf(node))
		e.Nodes = append(e.Nodes, explainNode(node, counted[len(counted)-1], requirements))
	})
	e.Usage = usage.Count(slices.Values(counted), selector)
	return e, err
}

func explainNode(node *corev1.Node, counted *usage.Node, requirements labels.Requirements) explainedNode {
	explained := explainedNode{Name: node.Name, Ready: slices.ContainsFunc(node.Status.Conditions, isReady)}
	if capacity, exists := node.Status.Capacity[corev1.ResourceCPU]; exists {
		explained.Capacity = capacity.String()
	}
	var reasons, unmet, used []string
	for i := range requirements {
		name := requirements[i].Key()
		value, exists := counted.Labels().Lookup(name)
		label := "no label " + name
		if exists {
			label = name + "=" + value
			used = append(used, label)
		}
		if !requirements[i].Matches(counted.Labels()) {
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
	explained.Counted, explained.Millicores = true, counted.Millicores()
	switch {
	case explained.Millicores > 0:
	case explained.Capacity == "":
		explained.Reason = "states no CPU capacity: counts without cores"
	case explained.Capacity == "0":
		explained.Reason = "has a CPU capacity of 0: counts without cores"
	default:
		explained.Reason = fmt.Sprintf("no machine has a CPU capacity of %s: counts without cores", explained.Capacity)
	}
	return explained
}

func isReady(c corev1.NodeCondition) bool {
	return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
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
