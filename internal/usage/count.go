// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package usage counts what is in use of a product: now, at most in each month, and beyond which limits. It is pure.
package usage

import (
	"iter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

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
	for i := range kinds {
		used[i] = api.Usage{
			Name: kinds[i].Name, Value: new((sums[i] + kinds[i].partsPerUnit - 1) / kinds[i].partsPerUnit),
		}
	}
	return used
}
