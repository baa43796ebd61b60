// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// Directions of traffic, as both APIs write them.
const ingress, egress = "Ingress", "Egress"

// mirrorPrefix starts the names of Calico's NetworkPolicies that are copies of Kubernetes' own: Calico's API server
// lists them too.
const mirrorPrefix = "knp.default."

// defaultDenial is a policy of the default tier. Traffic of its pods that the rules of the tier do not allow is denied.
type defaultDenial struct {
	// Namespace is empty for a policy of all namespaces.
	Namespace  string   `json:"namespace,omitempty"`
	Directions []string `json:"directions"`
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Name       string   `json:"name"`
	// Pods describes the pods: the selector is not evaluated.
	Pods string `json:"pods"`
}

// defaultDenials returns the policies that make the default tier deny by default, sorted by namespace. They matter for
// policies that close, so those in the exempt namespace do not.
func defaultDenials(c *cluster, sparedNamespace string) []defaultDenial {
	var found []defaultDenial
	add := func(denial defaultDenial) {
		if len(denial.Directions) > 0 && (denial.Namespace == "" || denial.Namespace != sparedNamespace) {
			found = append(found, denial)
		}
	}
	for i := range c.kubernetesPolicies {
		add(denialOfKubernetes(&c.kubernetesPolicies[i]))
	}
	for i := range c.policies {
		if !strings.HasPrefix(c.policies[i].GetName(), mirrorPrefix) {
			add(denialOfCalico(calico.NetworkPolicy, &c.policies[i]))
		}
	}
	for i := range c.globalPolicies {
		add(denialOfCalico(calico.GlobalNetworkPolicy, &c.globalPolicies[i]))
	}
	slices.SortFunc(found, func(a, b defaultDenial) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.APIVersion, b.APIVersion), cmp.Compare(a.Kind, b.Kind))
	})
	return found
}

func denialOfKubernetes(policy *networkingv1.NetworkPolicy) defaultDenial {
	denial := defaultDenial{
		Namespace: policy.Namespace, APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: kindNetworkPolicy,
		Name: policy.Name, Pods: podsOfKubernetes(&policy.Spec.PodSelector),
	}
	types := policy.Spec.PolicyTypes
	if len(types) == 0 {
		types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(policy.Spec.Egress) > 0 {
			types = append(types, networkingv1.PolicyTypeEgress)
		}
	}
	// A rule without conditions allows all traffic.
	opensIngress := slices.ContainsFunc(policy.Spec.Ingress,
		func(r networkingv1.NetworkPolicyIngressRule) bool { return len(r.From) == 0 && len(r.Ports) == 0 })
	opensEgress := slices.ContainsFunc(policy.Spec.Egress,
		func(r networkingv1.NetworkPolicyEgressRule) bool { return len(r.To) == 0 && len(r.Ports) == 0 })
	if slices.Contains(types, networkingv1.PolicyTypeIngress) && !opensIngress {
		denial.Directions = append(denial.Directions, ingress)
	}
	if slices.Contains(types, networkingv1.PolicyTypeEgress) && !opensEgress {
		denial.Directions = append(denial.Directions, egress)
	}
	return denial
}

func podsOfKubernetes(selector *metav1.LabelSelector) string {
	if len(selector.MatchLabels) == 0 && len(selector.MatchExpressions) == 0 {
		return "all pods"
	}
	return "pods with " + metav1.FormatLabelSelector(selector)
}

func denialOfCalico(kind calico.PolicyKind, policy *unstructured.Unstructured) defaultDenial {
	denial := defaultDenial{
		Namespace: policy.GetNamespace(), APIVersion: calico.Version.String(),
		Kind: string(kind), Name: policy.GetName(),
	}
	known := calico.PolicyOf(kind, policy, "")
	if cmp.Or(known.Tier, calico.DefaultTier) != calico.DefaultTier || !known.ForPods {
		return denial
	}
	spec, _ := policy.Object["spec"].(map[string]any)
	denial.Pods = podsOfCalico(spec)
	for _, direction := range []string{ingress, egress} {
		if slices.Contains(calicoTypes(spec), direction) && !decidesAll(spec[strings.ToLower(direction)]) {
			denial.Directions = append(denial.Directions, direction)
		}
	}
	return denial
}

// calicoTypes returns the directions of a policy: spec.types, else those that it has rules for, else Ingress.
func calicoTypes(spec map[string]any) []string {
	types, _, _ := unstructured.NestedStringSlice(spec, "types")
	incoming, _ := spec["ingress"].([]any)
	outgoing, _ := spec["egress"].([]any)
	switch {
	case len(types) > 0:
		return types
	case len(outgoing) == 0:
		return []string{ingress}
	case len(incoming) == 0:
		return []string{egress}
	default:
		return []string{ingress, egress}
	}
}

// decidesAll tells whether a rule allows or passes all traffic, so that none of it is denied by default.
func decidesAll(rules any) bool {
	list, _ := rules.([]any)
	return slices.ContainsFunc(list, func(rule any) bool {
		fields, _ := rule.(map[string]any)
		action := fields["action"]
		if action != "Allow" && action != "Pass" {
			return false
		}
		conditions := maps.Clone(fields)
		delete(conditions, "action")
		delete(conditions, "metadata")
		return isBlank(conditions)
	})
}

// isBlank tells whether a field of a rule is empty, so that it matches all traffic.
func isBlank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(v)), func(field any) bool { return !isBlank(field) })
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	default:
		return false
	}
}

// podsOfCalico quotes the selectors of a policy. A policy without selectors is for all pods.
func podsOfCalico(spec map[string]any) string {
	var selectors []string
	for _, name := range []string{"selector", "namespaceSelector", "serviceAccountSelector"} {
		if text, ok := spec[name].(string); ok && text != "" && (name != "selector" || text != "all()") {
			selectors = append(selectors, fmt.Sprintf("%s %q", name, text))
		}
	}
	if len(selectors) == 0 {
		return "all pods"
	}
	return "pods with " + strings.Join(selectors, " and ")
}
