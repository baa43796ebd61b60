// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
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
	i.rules = readWith("list prometheusrules.monitoring.coreos.com in all namespaces",
		func() ([]metav1.PartialObjectMetadata, error) {
			selector, err := labels.Parse(alerting.Selector)
			if err != nil {
				return nil, err
			}
			return x.listMetadata(ctx, "PrometheusRule", client.MatchingLabelsSelector{Selector: selector})
		})
	i.monitors = readWith("list servicemonitors.monitoring.coreos.com in namespace "+i.namespace,
		func() ([]metav1.PartialObjectMetadata, error) {
			return x.listMetadata(ctx, "ServiceMonitor", client.InNamespace(i.namespace), operator.PodLabels)
		})
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
	objects, err := listAll[unstructured.Unstructured](ctx, x, list)
	servers := make([]selectingServer, len(objects))
	for n := range objects {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[n].Object, &servers[n]); err != nil {
			return nil, err
		}
		servers[n].Kind = kind.Kind
	}
	return servers, err
}

// listMetadata lists only the metadata of objects of prometheus-operator.
func (x *collector) listMetadata(
	ctx context.Context, kind string, options ...client.ListOption,
) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: monitoring, Version: "v1", Kind: kind + "List"})
	return listAll[metav1.PartialObjectMetadata](ctx, x, list, options...)
}
