// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package usage tells what is in use of a product: what its nodes add up to now, the most they ever added up to in a
// month, and which limits that exceeds.
package usage

import (
	"iter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Selector selects the nodes that count for a product: all where its terms do not say. It fails where
// spec.usage.nodeSelector is none.
func Selector(product *api.LicensedProduct) (labels.Selector, error) {
	if product.Spec.Usage == nil || product.Spec.Usage.NodeSelector == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(product.Spec.Usage.NodeSelector)
}

// Count is what the nodes that selector selects add up to: how many they are, and the CPU cores they have together,
// rounded up.
func Count(nodes iter.Seq[*Node], selector labels.Selector) []api.Usage {
	var count, millicores int64
	for node := range nodes {
		if selector.Matches(node.labels) {
			count++
			millicores += node.millicores
		}
	}
	cores := (millicores + millicoresPerCore - 1) / millicoresPerCore
	return []api.Usage{{Name: api.UsageNodes, Value: &count}, {Name: api.UsageCores, Value: &cores}}
}

// Excess is a limit that is exceeded.
type Excess struct {
	// Name of the limit.
	Name string
	// Used is how much is in use, and Limit how much the license allows.
	Used, Limit int64
}

// Compare tells how many of the limits are limits of what is counted, and which of these are exceeded.
func Compare(limits []api.Limit, used []api.Usage) (counted int, exceeded []Excess) {
	for _, limit := range limits {
		value, ok := find(used, limit.Name)
		if !ok || limit.Value == nil {
			continue
		}
		counted++
		if value > *limit.Value {
			exceeded = append(exceeded, Excess{limit.Name, value, *limit.Value})
		}
	}
	return counted, exceeded
}

func find(used []api.Usage, name string) (int64, bool) {
	for _, u := range used {
		if u.Name == name && u.Value != nil {
			return *u.Value, true
		}
	}
	return 0, false
}
