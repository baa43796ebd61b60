// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alerting makes the alerts of a product: a PrometheusRule from its name and terms. It is pure. Of metrics it
// knows only the names.
package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Options are what the rules of all products have in common.
type Options struct {
	// Namespace that the rules are in.
	Namespace string
	// Labels of the rules' metadata, by which a Prometheus selects them. They are not labels of the alerts, and they
	// do not replace the operator's own.
	Labels map[string]string
	// RunbookBaseURL is the URL of the folder docs/runbooks, with or without a slash at its end.
	RunbookBaseURL string
	// MaxRestriction is the strongest mode that the cluster owner allows (--max-restriction). As in a plan, a value
	// that is not a mode, the empty string included, counts as Observe: nothing is restricted, and no alert announces
	// it.
	MaxRestriction api.RestrictionMode
}

// The label of everything that the operator creates.
const (
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = "license-operator"

	// Selector selects the operator's rules by that label.
	Selector = managedByLabel + "=" + managedBy
)

// Rule returns the whole PrometheusRule of a product, ready to be applied. It depends on the product's metadata and
// spec (with their defaults) only, not on its status.
func Rule(product *api.LicensedProduct, o Options) *monitoringv1.PrometheusRule {
	return &monitoringv1.PrometheusRule{
		TypeMeta: metav1.TypeMeta{
			APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: monitoringv1.PrometheusRuleKind,
		},
		ObjectMeta: metav1.ObjectMeta{
			Name: RuleName(product.Name), Namespace: o.Namespace, Labels: RuleLabels(o),
			// Without blockOwnerDeletion, which requires a permission for the product's finalizers.
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: api.GroupVersion.String(), Kind: "LicensedProduct", Name: product.Name, UID: product.UID,
				Controller: new(true),
			}},
		},
		Spec: monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{{
			Name:  "license-operator." + product.Name,
			Rules: rules(alertsOf(product, o.MaxRestriction), o.RunbookBaseURL),
		}}},
	}
}

// RuleLabels are the labels that all rules have.
func RuleLabels(o Options) map[string]string {
	return labels.Merge(o.Labels, labels.Set{managedByLabel: managedBy})
}

// maxRuleName is how long the name of a rule may be. The Prometheus operator keeps all rules in ConfigMaps, each under
// a key of at most 253 characters that holds the rule's namespace (63), its name and its uid (36): one that is longer
// would keep it from loading any rule at all.
const maxRuleName = 128

// RuleName is the name of a product's rule: the product's, shortened and made unique again where it is longer than 128
// characters.
func RuleName(productName string) string {
	if len(productName) <= maxRuleName {
		return productName
	}
	hash := sha256.Sum256([]byte(productName))
	suffix := "-" + hex.EncodeToString(hash[:5])
	return strings.TrimRight(productName[:maxRuleName-len(suffix)], "-.") + suffix
}

func rules(alerts []alert, runbookBaseURL string) []monitoringv1.Rule {
	rules := make([]monitoringv1.Rule, 0, len(alerts))
	for _, a := range alerts {
		rules = append(rules, monitoringv1.Rule{
			Alert: a.name, Expr: intstr.FromString(a.expr), For: &a.pending,
			Labels: map[string]string{"severity": a.severity},
			Annotations: map[string]string{
				"summary":     a.summary,
				"description": a.description,
				"runbook_url": verbatim(strings.TrimRight(runbookBaseURL, "/")) + "/" + a.name + ".md",
			},
		})
	}
	return rules
}

// verbatim is a text within an annotation's template that comes out as it is. Outside of its actions a template has no
// other special characters than the braces that begin one, and two texts side by side can make a pair of them.
func verbatim(text string) string { return strings.ReplaceAll(text, "{", `{{ "{" }}`) }
