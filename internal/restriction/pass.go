// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PassOrder is the order of a pass policy: the least that JSON can carry, so that no policy's order is less.
const PassOrder = -math.MaxFloat64

// PassPolicyLabel is on every pass policy, with the value PassPolicyLabelValue.
const (
	PassPolicyLabel      = "license-operator.io/pass-policy"
	PassPolicyLabelValue = "true"
)

// The annotations of a pass policy tell whoever finds it what it is about. Products are sorted by name, and at most
// annotatedProducts of them are named.
const (
	// DescriptionAnnotation is a sentence for people, under the key that Kubernetes has for those.
	DescriptionAnnotation = "kubernetes.io/description"
	// ProductsAnnotation holds the names of the products that restrict the tier, separated by commas.
	ProductsAnnotation = "license-operator.io/products"
	// SinceAnnotation holds the instant since which the tier is restricted, in RFC 3339 and UTC: the earliest of its
	// products.
	SinceAnnotation = "license-operator.io/restricted-since"
	// RenewalURLsAnnotation holds where to renew, separated by spaces. It is absent where no product says.
	RenewalURLsAnnotation = "license-operator.io/renewal-urls"
)

// annotatedProducts bounds what annotations hold: Kubernetes refuses an object with more than 256 KiB of them, and a
// restriction must not fail by that.
const annotatedProducts = 16

const (
	passName = "license-operator-pass"
	// maxTierInName is how many bytes of a tier's name go into a policy's: the API server takes 253 for the whole.
	maxTierInName = 200
)

// PassPolicy is a GlobalNetworkPolicy that has to exist: first in its tier, it passes all pod traffic on to the next
// one, so that nothing else in it is applied.
type PassPolicy struct {
	Name string
	Tier string
	// Labels and Annotations are the ones that it has to have besides any others.
	Labels, Annotations map[string]string
	// Owners are the names of the products that it is there for, sorted. Each is to be an owner (without
	// blockOwnerDeletion), and no other product is.
	Owners []string
	// Spec is its whole spec, as PassSpec has it.
	Spec map[string]any
}

// PassSpec is the spec of the pass policy of a tier, as decoded JSON: what makes it neutral. It spares the pods of the
// operator's namespace.
//
// The namespace selector says outright that a namespace has to be there. A mere comparison with != also holds for host
// endpoints, which have none: Calico joins it to the selector, and only the way it rewrites all() in the latter would
// keep host endpoints out (globalnetworkpolicyprocessor.go in projectcalico/calico). The label is the one that Calico
// itself derives from a namespace's name, so that nobody can give it to another namespace.
func PassSpec(tier, operatorNamespace string) map[string]any {
	return map[string]any{
		"tier":     tier,
		"order":    float64(PassOrder),
		"selector": "all()",
		"namespaceSelector": fmt.Sprintf("has(projectcalico.org/name) && projectcalico.org/name != %q",
			operatorNamespace),
		"types":   []any{"Ingress", "Egress"},
		"ingress": []any{map[string]any{"action": "Pass"}},
		"egress":  []any{map[string]any{"action": "Pass"}},
	}
}

// IsNeutral tells whether a GlobalNetworkPolicy's spec, as decoded JSON, is that of the pass policy of the tier that it
// names, and nothing but that. Fields that hold nothing (null, false, "", an empty list or object) count as absent, and
// types as a set: Calico's aggregated API server writes and orders them as it likes.
func IsNeutral(spec map[string]any, operatorNamespace string) bool {
	// Hardly any policy of a user has this order: the rest is rarely looked at.
	if order, ok := spec["order"].(float64); !ok || order != PassOrder || !areBothTypes(spec["types"]) {
		return false
	}
	tier, ok := spec["tier"].(string)
	if !ok {
		return false
	}
	got, want := prunedFields(spec), PassSpec(tier, operatorNamespace)
	got["types"] = want["types"]
	return reflect.DeepEqual(got, want)
}

func areBothTypes(types any) bool {
	list, ok := types.([]any)
	return ok && len(list) == 2 && slices.Contains(list, any("Ingress")) && slices.Contains(list, any("Egress"))
}

// prunedFields is a copy of a decoded JSON object without the fields that hold nothing, and pruned the same of any
// decoded JSON.
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

// NamePrefix is what the names of policies that the operator makes in a tier begin with. It is the tier's name, the
// form that every version of Calico takes, but for names that would make a second dot or too long a whole. Tiers of
// such names are only possible where a policy's name need not begin with its tier.
func NamePrefix(tier string) string {
	if !strings.Contains(tier, ".") && len(tier) <= maxTierInName {
		return tier
	}
	sum := sha256.Sum256([]byte(tier))
	plain := strings.ReplaceAll(tier[:min(len(tier), maxTierInName)], ".", "-")
	return plain + "-" + hex.EncodeToString(sum[:4])
}

// passPolicyName is the nth name, from 1 on, that a tier's pass policy may have.
func passPolicyName(tier string, n int) string {
	name := NamePrefix(tier) + "." + passName
	if n > 1 {
		name += "-" + strconv.Itoa(n)
	}
	return name
}

// passNumber is the number that a policy's name has among the names of pass policies, of whatever tier; 0: it is none
// of them.
func passNumber(name string) int {
	_, last, ok := strings.Cut(name, ".")
	if !ok {
		return 0
	}
	suffix, ok := strings.CutPrefix(last, passName)
	switch {
	case !ok:
		return 0
	case suffix == "":
		return 1
	}
	n, err := strconv.Atoi(strings.TrimPrefix(suffix, "-"))
	if err != nil || n < 2 || suffix != "-"+strconv.Itoa(n) {
		return 0
	}
	return n
}

// IsOurs tells whether the operator made a policy: it has two of our mark, a neutral spec, and a name as only ours are.
// So one that was edited is still known, or moved to another tier, or stripped of all that was written on it. A user's
// policy that merely has our name is not ours, nor is one that merely does the same.
func (p *Policy) IsOurs() bool {
	isNamed := passNumber(p.Name) > 0
	return p.Kind == GlobalNetworkPolicy && (p.Marked && (p.Neutral || isNamed) || p.Neutral && isNamed)
}

// passPolicy is the pass policy of a tier that these products, sorted by name, restrict.
func passPolicy(name string, tier *Tier, products []*Product, operatorNamespace string) *PassPolicy {
	p := &PassPolicy{
		Name:        name,
		Tier:        tier.Name,
		Labels:      map[string]string{PassPolicyLabel: PassPolicyLabelValue},
		Annotations: annotations(tier, products),
		Owners:      make([]string, 0, len(products)),
		Spec:        PassSpec(tier.Name, operatorNamespace),
	}
	for _, product := range products {
		p.Owners = append(p.Owners, product.Name)
	}
	return p
}

func annotations(tier *Tier, products []*Product) map[string]string {
	since := products[0].since()
	for _, product := range products[1:] {
		if s := product.since(); s.Before(since) {
			since = s
		}
	}
	named := products[:min(len(products), annotatedProducts)]
	var names, told, renewals []string
	for _, product := range named {
		names = append(names, product.Name)
		told = append(told, fmt.Sprintf("%s (%s)", product.Name, product.Vendor))
		if url := product.RenewalURL; url != "" && !slices.Contains(renewals, url) {
			renewals = append(renewals, url)
		}
	}
	if more := len(products) - len(named); more > 0 {
		told = append(told, fmt.Sprintf("%d more", more))
	}
	description := fmt.Sprintf("The policies of tier %s are not applied to pods while this one is here: no license "+
		"covers %s. "+
		"It was put here by license-operator, which takes it away on renewal.", tier.Name, strings.Join(told, ", "))
	values := map[string]string{
		ProductsAnnotation: strings.Join(names, ","),
		SinceAnnotation:    since.UTC().Format(time.RFC3339),
	}
	if len(renewals) > 0 {
		values[RenewalURLsAnnotation] = strings.Join(renewals, " ")
		description += " Renew at " + strings.Join(renewals, " or ")
	}
	values[DescriptionAnnotation] = description
	return values
}

func (p *Product) since() time.Time {
	if p.Since.IsZero() {
		return p.EffectiveTime
	}
	return p.Since
}
