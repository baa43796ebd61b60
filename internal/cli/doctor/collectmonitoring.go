// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/paging"
)

// monitoring is the group of prometheus-operator.
const monitoring = "monitoring.coreos.com"

// selectingKinds are those of prometheus-operator that select; not every cluster has all of them.
var selectingKinds = []schema.GroupVersionKind{
	{Group: monitoring, Version: "v1", Kind: "Prometheus"},
	{Group: monitoring, Version: "v1", Kind: "ThanosRuler"},
	{Group: monitoring, Version: "v1alpha1", Kind: "PrometheusAgent"},
}

// maxNamespaces is how many namespaces are looked at: the operator writes all rules to one, and may have moved them
// once or twice.
const maxNamespaces = 10

// selectingServer is an object of prometheus-operator that selects rules or monitors by their labels, and by those of
// their namespaces.
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
		"namespaces", func() ([]selectingServer, error) {
		var all []selectingServer
		for _, kind := range selectingKinds {
			servers, err := x.listSelecting(ctx, kind)
			if err != nil && !kubeclient.IsNotServed(err) {
				return nil, err
			}
			all = append(all, servers...)
		}
		return all, nil
	})
	i.rules = readWith("list prometheusrules.monitoring.coreos.com in all namespaces",
		func() ([]metav1.PartialObjectMetadata, error) {
			selector, err := metav1.ParseToLabelSelector(alerting.Selector)
			if err != nil {
				return nil, err
			}
			return x.listMetadata(ctx, "PrometheusRule", client.MatchingLabels(selector.MatchLabels))
		})
	i.monitors = readWith("list servicemonitors.monitoring.coreos.com in namespace "+i.namespace,
		func() ([]metav1.PartialObjectMetadata, error) {
			return x.listMetadata(ctx, "ServiceMonitor", client.InNamespace(i.namespace), operator.PodLabels)
		})
	i.namespaces = map[string]reading[map[string]string]{}
	for _, objects := range [][]metav1.PartialObjectMetadata{i.rules.value, i.monitors.value} {
		for n := range objects {
			name := objects[n].Namespace
			if _, known := i.namespaces[name]; known || len(i.namespaces) == maxNamespaces {
				continue
			}
			i.namespaces[name] = readWith("get namespaces", func() (map[string]string, error) {
				var namespace corev1.Namespace
				err := x.client.Get(ctx, types.NamespacedName{Name: name}, &namespace)
				return namespace.Labels, err
			})
		}
	}
}

func (x *collector) listSelecting(ctx context.Context, kind schema.GroupVersionKind) ([]selectingServer, error) {
	var all []selectingServer
	var unreadable error
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := paging.Each(ctx, x.client, list, func(object *unstructured.Unstructured) {
		server := selectingServer{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &server); err != nil {
			unreadable = err
		}
		server.Kind = kind.Kind
		all = append(all, server)
	})
	return all, cmp.Or(err, unreadable)
}

// listMetadata lists no more than the metadata of objects of prometheus-operator.
func (x *collector) listMetadata(
	ctx context.Context, kind string, options ...client.ListOption,
) ([]metav1.PartialObjectMetadata, error) {
	var all []metav1.PartialObjectMetadata
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: monitoring, Version: "v1", Kind: kind + "List"})
	add := func(object *metav1.PartialObjectMetadata) { all = append(all, *object) }
	err := paging.Each(ctx, x.client, list, add, options...)
	return all, err
}
