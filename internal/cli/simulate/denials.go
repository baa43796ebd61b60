// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// Directions of traffic, in the words of policies of either API.
const (
	ingress = "Ingress"
	egress  = "Egress"
)

// mirrorPrefix is what the names of Calico's NetworkPolicies begin with that stand for Kubernetes' own: Calico's API
// server lists those too.
const mirrorPrefix = "knp.default."

// defaultDenial is a policy of the default tier that denies, of the pods that it selects, whatever no rule of that tier
// allows.
type defaultDenial struct {
	// Namespace is empty for a policy of all namespaces.
	Namespace  string   `json:"namespace,omitempty"`
	Directions []string `json:"directions"`
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Name       string   `json:"name"`
	// Pods says which in words: no selector is evaluated.
	Pods string `json:"pods"`
}

// defaultDenials are the policies of the default tier by which it denies by default, by namespace. They matter where
// something closes, which it does not in the spared namespace.
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
	// A rule that asks for nothing allows everything.
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

// calicoTypes are the directions of a policy: where it names none, those that it has rules for, and Ingress where it
// has none.
func calicoTypes(spec map[string]any) []string {
	named, _ := spec["types"].([]any)
	var types []string
	for _, t := range named {
		if name, ok := t.(string); ok {
			types = append(types, name)
		}
	}
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

// decidesAll tells whether a rule lets through whatever gets to it, so that nothing is left to be denied by default.
func decidesAll(rules any) bool {
	list, _ := rules.([]any)
	return slices.ContainsFunc(list, func(rule any) bool {
		fields, _ := rule.(map[string]any)
		action := fields["action"]
		if action != "Allow" && action != "Pass" {
			return false
		}
		for name, value := range fields {
			if name != "action" && name != "metadata" && !isBlank(value) {
				return false
			}
		}
		return true
	})
}

// isBlank tells of a field that it asks for nothing.
func isBlank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, field := range v {
			if !isBlank(field) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	default:
		return false
	}
}

// podsOfCalico quotes a policy's selectors; without any it is for all pods.
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
