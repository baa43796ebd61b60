// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/text"
)

// checkMonitoring is the checks of what prometheus-operator makes of alerts and metrics; one alone where the cluster
// does not have it.
func (i *snapshot) checkMonitoring() []check {
	if kubeclient.IsNotServed(i.rules.err) {
		return []check{good("Alerts", "prometheus-operator not found, so there are no PrometheusRules; for alerts "+
			"without it see docs/monitoring.md")}
	}
	return []check{i.checkAlerts(), i.checkRules(), i.checkScraping()}
}

func (i *snapshot) checkAlerts() check {
	const name = "Alerts"
	if c, is := unread(name, &i.products); is {
		return c
	}
	missing := productsBy(i.products.value, api.ConditionAlertsReady)
	says := func(reason string) string {
		return fmt.Sprintf("%s (%s): %s", someNames(missing[reason].names), reason, missing[reason].message)
	}
	switch {
	case missing[api.ReasonForbidden] != nil:
		return problem(name, "Grant it in that namespace what config/rbac grants it in its own: docs/monitoring.md",
			"the operator may not write the PrometheusRule of %s", says(api.ReasonForbidden))
	case missing[api.ReasonApplyFailed] != nil:
		return problem(name, "The operator retries with growing delays. See its log.",
			"the operator could not write the PrometheusRule of %s", says(api.ReasonApplyFailed))
	case len(i.products.value) == 0:
		return good(name, "no products, so no alerts")
	case len(missing) > 0:
		var names []string
		for _, shared := range missing {
			names = append(names, shared.names...)
		}
		slices.Sort(names)
		return warning(name, "The operator writes them within seconds. If it does not, see the lines Pods and Leader.",
			"there are no PrometheusRules yet for %s", someNames(names))
	default:
		return good(name, "each product has its PrometheusRule")
	}
}

func (i *snapshot) checkRules() check {
	const name = "Rules"
	if c, is := unread(name, &i.rules, &i.selectors); is {
		return c
	}
	servers := i.serversOf("Prometheus", "ThanosRuler")
	if len(i.rules.value) == 0 {
		return good(name, "the operator has written no PrometheusRules")
	}
	if c, is := i.unreadNamespace(name, i.rules.value, servers, rulesOf); is {
		return c
	}
	var unselected []string
	for n := range i.rules.value {
		rule := &i.rules.value[n]
		if !i.isSelected(rule, servers, rulesOf) {
			unselected = append(unselected, rule.Namespace+"/"+rule.Name)
		}
	}
	const fix = "Start the operator with --alerts-labels or --alerts-namespace so that one selects them, or change " +
		"what it selects: docs/monitoring.md"
	switch {
	case len(servers) == 0:
		return warning(name, "Load the rules into the Prometheus that evaluates them: docs/monitoring.md",
			"prometheus-operator runs neither a Prometheus nor a ThanosRuler, so nothing is known to evaluate "+
				"the alerts")
	case len(unselected) > 0:
		return warning(name, fix, "no Prometheus selects PrometheusRule %s: %s", someNames(unselected),
			wants(servers, rulesOf))
	default:
		return good(name, "%s selected", text.Count(int64(len(i.rules.value)), "PrometheusRule is",
			"PrometheusRules are"))
	}
}

func (i *snapshot) checkScraping() check {
	const name = "Scraping"
	if kubeclient.IsNotServed(i.monitors.err) {
		return warning(name, "Have it scraped without: docs/monitoring.md", "the cluster has no ServiceMonitors")
	}
	if c, is := unread(name, &i.monitors, &i.selectors); is {
		return c
	}
	servers := i.serversOf("Prometheus", "PrometheusAgent")
	if len(i.monitors.value) == 0 {
		fix := "Apply it: kubectl apply -k config/prometheus"
		if i.installer.release != "" {
			fix = "Have the Helm release bring it: " + i.applyAgain() + " --set serviceMonitor.enabled=true"
		}
		return warning(name, fix, "the operator has no ServiceMonitor in namespace %s: alerts need its metrics",
			i.namespace)
	}
	if c, is := i.unreadNamespace(name, i.monitors.value, servers, monitorsOf); is {
		return c
	}
	if len(servers) == 0 {
		return warning(name, "Let the Prometheus of this cluster scrape it: docs/monitoring.md",
			"prometheus-operator runs neither a Prometheus nor a PrometheusAgent, so nothing is known to scrape the "+
				"operator")
	}
	for n := range i.monitors.value {
		if monitor := &i.monitors.value[n]; i.isSelected(monitor, servers, monitorsOf) {
			return good(name, "ServiceMonitor %s is selected", monitor.Name)
		}
	}
	monitor := &i.monitors.value[0]
	return warning(name, fmt.Sprintf("Label it so that one selects it (kubectl label servicemonitor -n %s %s …), or "+
		"change what it selects: docs/monitoring.md", text.ShellQuote(monitor.Namespace),
		text.ShellQuote(monitor.Name)),
		"no Prometheus selects ServiceMonitor %s/%s: %s", monitor.Namespace, monitor.Name, wants(servers, monitorsOf))
}

// selectionOf is how a server selects objects.
type selectionOf func(server *selectingServer) (objects, namespaces *metav1.LabelSelector)

func rulesOf(server *selectingServer) (objects, namespaces *metav1.LabelSelector) {
	return server.Spec.RuleSelector, server.Spec.RuleNamespaceSelector
}

func monitorsOf(server *selectingServer) (objects, namespaces *metav1.LabelSelector) {
	return server.Spec.ServiceMonitorSelector, server.Spec.ServiceMonitorNamespaceSelector
}

func (i *snapshot) serversOf(kinds ...string) []selectingServer {
	var servers []selectingServer
	for _, server := range i.selectors.value {
		if slices.Contains(kinds, server.Kind) {
			servers = append(servers, server)
		}
	}
	return servers
}

// unreadNamespace is the check that cannot be made since a server goes by the labels of a namespace that could not be
// read.
func (i *snapshot) unreadNamespace(
	name string, objects []metav1.PartialObjectMetadata, servers []selectingServer, by selectionOf,
) (check, bool) {
	byLabels := slices.ContainsFunc(servers, func(server selectingServer) bool {
		_, namespaces := by(&server)
		return namespaces != nil && !isEmpty(namespaces)
	})
	for n := range objects {
		namespace := i.namespaces[objects[n].Namespace]
		if c, is := unread(name, &namespace); is && byLabels {
			return c, true
		}
	}
	return check{}, false
}

func isEmpty(selector *metav1.LabelSelector) bool {
	return len(selector.MatchLabels) == 0 && len(selector.MatchExpressions) == 0
}

// isSelected tells whether some server selects an object. No selector of objects selects none, and none of namespaces
// the server's own.
func (i *snapshot) isSelected(
	object *metav1.PartialObjectMetadata, servers []selectingServer, by selectionOf,
) bool {
	return slices.ContainsFunc(servers, func(server selectingServer) bool {
		objects, namespaces := by(&server)
		if objects == nil || !matches(objects, object.Labels) {
			return false
		}
		if namespaces == nil {
			return server.Namespace == object.Namespace
		}
		return matches(namespaces, i.namespaces[object.Namespace].value)
	})
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}

// wants says what servers select.
func wants(servers []selectingServer, by selectionOf) string {
	var all []string
	for n := range servers {
		objects, namespaces := by(&servers[n])
		what, where := "any", "any namespace"
		switch {
		case objects == nil:
			what = "none"
		case !isEmpty(objects):
			what = "those with " + metav1.FormatLabelSelector(objects)
		}
		switch {
		case namespaces == nil:
			where = "its own namespace"
		case !isEmpty(namespaces):
			where = "namespaces with " + metav1.FormatLabelSelector(namespaces)
		}
		words := fmt.Sprintf("%s %s/%s takes %s in %s", servers[n].Kind, servers[n].Namespace, servers[n].Name, what,
			where)
		if objects == nil {
			words = fmt.Sprintf("%s %s/%s takes none", servers[n].Kind, servers[n].Namespace, servers[n].Name)
		}
		all = append(all, words)
	}
	if excess := len(all) - maxListedNames; excess > 0 {
		all = append(all[:maxListedNames], fmt.Sprintf("and %d more take others", excess))
	}
	return strings.Join(all, "; ")
}
