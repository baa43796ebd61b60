// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/license-operator/license-operator/internal/text"
)

// PassOrder is the order of a pass policy: the lowest that JSON can carry, so that no policy has a lower one.
const PassOrder = -math.MaxFloat64

// PassPolicyLabel is on every pass policy, with the value PassPolicyLabelValue.
const (
	PassPolicyLabel      = "license-operator.io/pass-policy"
	PassPolicyLabelValue = "true"
)

// The annotations of a pass policy explain it to people who find it. They name at most annotatedProducts products,
// sorted.
const (
	// DescriptionAnnotation is a sentence for people, under the key that Kubernetes has for those.
	DescriptionAnnotation = "kubernetes.io/description"
	// ProductsAnnotation has the names of the products that restrict the tier, separated by commas.
	ProductsAnnotation = "license-operator.io/products"
	// SinceAnnotation is when the restriction of the tier began, in RFC 3339 and UTC: the earliest of its products.
	SinceAnnotation = "license-operator.io/restricted-since"
	// RenewalURLsAnnotation has the URLs for renewals, separated by spaces. It is absent if no product has one.
	RenewalURLsAnnotation = "license-operator.io/renewal-urls"
)

// annotatedProducts bounds the annotations: Kubernetes rejects an object with more than 256 KiB of them, and that must
// not stop a restriction.
const annotatedProducts = 16

// PassPolicy is a GlobalNetworkPolicy that has to exist. First in its tier, it passes all pod traffic on to the next
// tier, so that no other policy of its tier is applied.
type PassPolicy struct {
	Name string
	Tier string
	// Labels and Annotations that it must have. It may have others.
	Labels, Annotations map[string]string
	// Owners are the names of the products that restrict the tier, sorted. Each has to be an owner (without
	// blockOwnerDeletion), and no other product may be one.
	Owners []string
	// Spec is its whole spec, as returned by PassSpec.
	Spec map[string]any
}

// Holder is a product that restricts a tier, as a pass policy names it.
type Holder struct {
	Product, Vendor string
	// RenewalURL may be empty.
	RenewalURL string
	// Since is when the product's restriction began.
	Since time.Time
}

// NewPassPolicy returns the pass policy of that name for a tier, with at least one holder, sorted by product.
func NewPassPolicy(name, tier string, holders []Holder, operatorNamespace string) *PassPolicy {
	p := &PassPolicy{
		Name: name, Tier: tier, Labels: map[string]string{PassPolicyLabel: PassPolicyLabelValue},
		Annotations: annotations(tier, holders), Spec: PassSpec(tier, operatorNamespace),
	}
	for _, holder := range holders {
		p.Owners = append(p.Owners, holder.Product)
	}
	return p
}

// PassSpec returns the spec of a tier's pass policy, as decoded JSON. It exempts the pods of the operator's namespace.
//
// The namespace selector requires a namespace explicitly. A comparison with != alone also matches host endpoints, which
// have none: Calico joins it to the selector, and only its rewriting of all() there would keep host endpoints out
// (globalnetworkpolicyprocessor.go in projectcalico/calico). Calico derives the label from the namespace's name, so
// that it cannot be set on another namespace.
func PassSpec(tier, operatorNamespace string) map[string]any {
	selector := fmt.Sprintf("has(projectcalico.org/name) && projectcalico.org/name != %q", operatorNamespace)
	return map[string]any{
		"tier":              tier,
		"order":             float64(PassOrder),
		"selector":          "all()",
		"namespaceSelector": selector,
		"types":             []any{"Ingress", "Egress"},
		"ingress":           []any{map[string]any{"action": "Pass"}},
		"egress":            []any{map[string]any{"action": "Pass"}},
	}
}

// IsNeutral reports whether a GlobalNetworkPolicy's spec, as decoded JSON, equals that of its tier's pass policy.
// Fields without content (null, false, "", an empty list or object) count as absent, and types as a set: Calico's
// aggregated API server adds such fields and reorders types.
func IsNeutral(spec map[string]any, operatorNamespace string) bool {
	// Hardly any policy of a user has this order: the rest is rarely compared.
	if order, ok := spec["order"].(float64); !ok || order != PassOrder || !areBothTypes(spec["types"]) {
		return false
	}
	tier, ok := spec["tier"].(string)
	got, want := prunedFields(spec), PassSpec(tier, operatorNamespace)
	got["types"] = want["types"]
	return ok && reflect.DeepEqual(got, want)
}

func areBothTypes(types any) bool {
	list, ok := types.([]any)
	return ok && len(list) == 2 && slices.Contains(list, any("Ingress")) && slices.Contains(list, any("Egress"))
}

// prunedFields copies a decoded JSON object without the fields that have no content. pruned does so for any decoded
// JSON.
func prunedFields(object map[string]any) map[string]any {
	fields := make(map[string]any, len(object))
	for name, field := range object {
		if field = pruned(field); !isEmpty(field) {
			fields[name] = field
		}
	}
	return fields
}

func pruned(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return prunedFields(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = pruned(v[i])
		}
		return list
	default:
		return v
	}
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

func annotations(tier string, holders []Holder) map[string]string {
	since := slices.MinFunc(holders, func(a, b Holder) int { return a.Since.Compare(b.Since) }).Since
	named := holders[:min(len(holders), annotatedProducts)]
	var names, told, renewals []string
	for _, holder := range named {
		names = append(names, holder.Product)
		told = append(told, fmt.Sprintf("%s (%s)", holder.Product, holder.Vendor))
		if url := holder.RenewalURL; url != "" && !slices.Contains(renewals, url) {
			renewals = append(renewals, url)
		}
	}
	if more := len(holders) - len(named); more > 0 {
		told = append(told, fmt.Sprintf("%d more", more))
	}
	description := fmt.Sprintf("The policies of tier %s are not applied to pods while this one is here: "+
		"no license covers %s. It was put here by license-operator, which takes it away on renewal.",
		tier, strings.Join(told, ", "))
	values := map[string]string{
		ProductsAnnotation: strings.Join(names, ","), SinceAnnotation: text.Time(since),
	}
	if len(renewals) > 0 {
		values[RenewalURLsAnnotation] = strings.Join(renewals, " ")
		description += " Renew at " + strings.Join(renewals, " or ")
	}
	values[DescriptionAnnotation] = description
	return values
}
