// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/text"
)

// monitoring is the API group of prometheus-operator.
const monitoring = "monitoring.coreos.com"

// selectingKinds are the kinds of prometheus-operator that select objects. A cluster may have only some of them.
var selectingKinds = []schema.GroupVersionKind{
	{Group: monitoring, Version: "v1", Kind: "Prometheus"},
	{Group: monitoring, Version: "v1", Kind: "ThanosRuler"},
	{Group: monitoring, Version: "v1alpha1", Kind: "PrometheusAgent"},
}

// maxNamespaces limits how many namespaces are read. The operator writes all rules to one, which may have changed once
// or twice.
const maxNamespaces = 10

// selectingServer is an object of prometheus-operator that selects rules or monitors by their labels and by the labels
// of their namespaces.
type selectingServer struct {
	Kind              string `json:"kind"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		RuleSelector                    *metav1.LabelSelector `json:"ruleSelector"`
		RuleNamespaceSelector           *metav1.LabelSelector `json:"ruleNamespaceSelector"`
		ServiceMonitorSelector          *metav1.LabelSelector `json:"serviceMonitorSelector"`
		ServiceMonitorNamespaceSelector *metav1.LabelSelector `json:"serviceMonitorNamespaceSelector"`
	} `json:"spec"`
}

func (x *collector) readMonitoring(ctx context.Context, i *snapshot) {
	i.selectors = readWith("list prometheuses, thanosrulers and prometheusagents of monitoring.coreos.com in all "+
		"namespaces", func() (all []selectingServer, err error) {
		for _, kind := range selectingKinds {
			servers, err := x.listSelecting(ctx, kind)
			if err != nil && !kubeclient.IsNotServed(err) {
				return nil, err
			}
			all = append(all, servers...)
		}
		return all, nil
	})
	managed, err := labels.Parse(alerting.Selector)
	utilruntime.Must(err)
	i.rules = readAll[metav1.PartialObjectMetadata](ctx, x,
		"list prometheusrules.monitoring.coreos.com in all namespaces", metadataList("PrometheusRule"),
		client.MatchingLabelsSelector{Selector: managed})
	i.monitors = readAll[metav1.PartialObjectMetadata](ctx, x,
		"list servicemonitors.monitoring.coreos.com in namespace "+i.namespace, metadataList("ServiceMonitor"),
		client.InNamespace(i.namespace), operator.PodLabels)
	i.namespaces = map[string]reading[map[string]string]{}
	for _, object := range slices.Concat(i.rules.value, i.monitors.value) {
		if _, known := i.namespaces[object.Namespace]; known || len(i.namespaces) == maxNamespaces {
			continue
		}
		i.namespaces[object.Namespace] = readWith("get namespaces", func() (map[string]string, error) {
			var namespace corev1.Namespace
			err := x.client.Get(ctx, types.NamespacedName{Name: object.Namespace}, &namespace)
			return namespace.Labels, err
		})
	}
}

func (x *collector) listSelecting(ctx context.Context, kind schema.GroupVersionKind) ([]selectingServer, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	objects := readAll[unstructured.Unstructured](ctx, x, "", list)
	servers := make([]selectingServer, len(objects.value))
	for n, object := range objects.value {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &servers[n]); err != nil {
			return nil, err
		}
		servers[n].Kind = kind.Kind
	}
	return servers, objects.err
}

// metadataList is an empty list of only the metadata of objects of prometheus-operator.
func metadataList(kind string) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: monitoring, Version: "v1", Kind: kind + "List"})
	return list
}

func (i *snapshot) checkRules() check {
	rules := i.selection(i.rules.value, rulesOf, "Prometheus", "ThanosRuler")
	if len(rules.objects) == 0 {
		return pass("the operator has not written any PrometheusRules")
	}
	if c, is := rules.unread(); is {
		return c
	}
	var unselected []string
	for _, rule := range rules.objects {
		if !rules.has(rule) {
			unselected = append(unselected, rule.Namespace+"/"+rule.Name)
		}
	}
	switch {
	case len(rules.servers) == 0:
		return warn("Load the rules into the Prometheus that evaluates them: docs/monitoring.md",
			"found neither a Prometheus nor a ThanosRuler of prometheus-operator to evaluate the alerts")
	case len(unselected) > 0:
		return warn("Start the operator with --alerts-labels or --alerts-namespace so that one selects them, or "+
			"change what it selects: docs/monitoring.md",
			"no Prometheus selects PrometheusRule %s: %s", someNames(unselected), rules.criteria())
	default:
		return pass("%s selected", text.Count(len(rules.objects), "PrometheusRule is", "PrometheusRules are"))
	}
}

func (i *snapshot) checkScraping() check {
	if kubeclient.IsNotServed(i.monitors.err) {
		return warn("Configure Prometheus to scrape it without one: docs/monitoring.md",
			"the cluster does not have the kind ServiceMonitor")
	}
	if c, is := unread(&i.monitors, &i.selectors); is {
		return c
	}
	monitors := i.selection(i.monitors.value, monitorsOf, "Prometheus", "PrometheusAgent")
	if len(monitors.objects) == 0 {
		fix := "Apply it: kubectl apply -k config/prometheus"
		if i.installer.release != "" {
			fix = "Enable it in the Helm release: " + i.applyAgain() + " --set serviceMonitor.enabled=true"
		}
		return warn(fix, "the operator has no ServiceMonitor in namespace %s: alerts need its metrics", i.namespace)
	}
	if c, is := monitors.unread(); is {
		return c
	}
	monitor := &monitors.objects[0]
	selected := slices.IndexFunc(monitors.objects, monitors.has)
	switch {
	case len(monitors.servers) == 0:
		return warn("Configure the Prometheus of this cluster to scrape it: docs/monitoring.md",
			"found neither a Prometheus nor a PrometheusAgent of prometheus-operator to scrape the operator")
	case selected >= 0:
		return pass("ServiceMonitor %s is selected", monitors.objects[selected].Name)
	default:
		return warn(fmt.Sprintf("Add a label so that one selects it (kubectl label servicemonitor -n %s %s …), "+
			"or change what it selects: docs/monitoring.md", text.ShellQuote(monitor.Namespace),
			text.ShellQuote(monitor.Name)), "no Prometheus selects ServiceMonitor %s/%s: %s", monitor.Namespace,
			monitor.Name, monitors.criteria())
	}
}

// selection is which of the objects some servers select.
type selection struct {
	objects    []metav1.PartialObjectMetadata
	servers    []selectingServer
	by         selectorsOf
	namespaces map[string]reading[map[string]string]
}

// selectorsOf are the selectors of a server for one kind of object.
type selectorsOf func(server *selectingServer) (objects, namespaces *metav1.LabelSelector)

func rulesOf(server *selectingServer) (objects, namespaces *metav1.LabelSelector) {
	return server.Spec.RuleSelector, server.Spec.RuleNamespaceSelector
}

func monitorsOf(server *selectingServer) (objects, namespaces *metav1.LabelSelector) {
	return server.Spec.ServiceMonitorSelector, server.Spec.ServiceMonitorNamespaceSelector
}

func (i *snapshot) selection(objects []metav1.PartialObjectMetadata, by selectorsOf, kinds ...string) *selection {
	s := &selection{objects: objects, by: by, namespaces: i.namespaces}
	for _, server := range i.selectors.value {
		if slices.Contains(kinds, server.Kind) {
			s.servers = append(s.servers, server)
		}
	}
	return s
}

// unread returns true if a server selects by the labels of a namespace that could not be read.
func (s *selection) unread() (check, bool) {
	byLabels := slices.ContainsFunc(s.servers, func(server selectingServer) bool {
		_, namespaces := s.by(&server)
		return namespaces != nil && !isEmpty(namespaces)
	})
	for n := range s.objects {
		namespace := s.namespaces[s.objects[n].Namespace]
		if c, is := unread(&namespace); is && byLabels {
			return c, true
		}
	}
	return check{}, false
}

func isEmpty(selector *metav1.LabelSelector) bool {
	return len(selector.MatchLabels) == 0 && len(selector.MatchExpressions) == 0
}

// has returns true if a server selects the object. A nil selector for objects selects none, and a nil selector for
// namespaces selects the server's own.
func (s *selection) has(object metav1.PartialObjectMetadata) bool {
	return slices.ContainsFunc(s.servers, func(server selectingServer) bool {
		objects, namespaces := s.by(&server)
		if namespaces == nil {
			return matches(objects, object.Labels) && server.Namespace == object.Namespace
		}
		return matches(objects, object.Labels) && matches(namespaces, s.namespaces[object.Namespace].value)
	})
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}

// criteria says what the servers select.
func (s *selection) criteria() string {
	var all []string
	for n := range s.servers {
		server := &s.servers[n]
		objects, namespaces := s.by(server)
		what, where := "any", " in any namespace"
		if objects != nil && !isEmpty(objects) {
			what = "those with " + metav1.FormatLabelSelector(objects)
		}
		switch {
		case objects == nil:
			what, where = "none", ""
		case namespaces == nil:
			where = " in its own namespace"
		case !isEmpty(namespaces):
			where = " in namespaces with " + metav1.FormatLabelSelector(namespaces)
		}
		all = append(all, fmt.Sprintf("%s %s/%s selects %s%s", server.Kind, server.Namespace, server.Name, what, where))
	}
	if excess := len(all) - maxListedNames; excess > 0 {
		all = append(all[:maxListedNames], fmt.Sprintf("and %d more select others", excess))
	}
	return strings.Join(all, "; ")
}
