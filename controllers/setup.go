// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers has one reconciler per kind. Each reads, evaluates, applies the status once, and then tells of
// transitions in events.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/metrics"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/token"
)

const (
	// eventReporter is the reporting controller of the operator's events.
	eventReporter = "license-operator.io/license-operator"

	clockWatchEvery = time.Second
)

// Options of SetupWithManager.
type Options struct {
	// Clock is the operator's clock.
	Clock *clock.Clock
	// Namespace is the operator's own, the only one in which it reads Secrets.
	Namespace string
	// ClusterUID is the uid of the namespace kube-system, by which a key can be bound to a cluster.
	ClusterUID string
	// Alerts says where PrometheusRules are written, and how.
	Alerts alerting.Options
	// MaxRestriction is the strongest mode of any product's restriction. What is no mode restricts nothing.
	MaxRestriction api.RestrictionMode
	// ManageAdmissionPolicies has the operator apply the policies of config/admission itself.
	ManageAdmissionPolicies bool
}

// CacheOptions are those the reconcilers need: Secrets of namespace alone, and of those no more than a token can be; of
// nodes what is counted; of CustomResourceDefinitions and APIServices that they are there.
func CacheOptions(namespace string) cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{namespace: {}}, Transform: boundSecret},
			&corev1.Node{}:   {Transform: countedNode},
			definitionMetadata(customResourceDefinition): {Transform: existence},
			definitionMetadata(apiService):               {Transform: existence},
		},
	}
}

// CheckReadable says at once what would otherwise show as a cache with CacheOptions that does not sync: its error names
// what the operator may not read. The reader is one that asks the API server.
func CheckReadable(ctx context.Context, reader client.Reader, namespace string) error {
	crds, apiServices := &metav1.PartialObjectMetadataList{}, &metav1.PartialObjectMetadataList{}
	crds.SetGroupVersionKind(definitionMetadata(customResourceDefinition).GroupVersionKind())
	apiServices.SetGroupVersionKind(definitionMetadata(apiService).GroupVersionKind())
	for _, needed := range []struct {
		list    client.ObjectList
		options []client.ListOption
		what    string
	}{
		{&corev1.SecretList{}, []client.ListOption{client.InNamespace(namespace)},
			"Secrets in the operator's namespace " + namespace +
				", where tokens may be kept (--namespace says which namespace it is)"},
		{&corev1.NodeList{}, nil, "nodes, which are counted against limits"},
		{crds, nil, "CustomResourceDefinitions, by which the operator knows whether the cluster has PrometheusRules " +
			"and network policy tiers"},
		{apiServices, nil, "APIServices, by which the operator knows whether the cluster has network policy tiers"},
	} {
		if err := reader.List(ctx, needed.list, append(needed.options, client.Limit(1))...); err != nil {
			return fmt.Errorf("reading %s: %w (config/rbac has what the operator needs)", needed.what, err)
		}
	}
	return nil
}

// boundSecret cuts what a Secret holds to one byte more than a token may have: enough to tell that it is too large, and
// the cache stays small whatever else lies in the namespace.
func boundSecret(object any) (any, error) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return object, nil
	}
	secret.ManagedFields, secret.Annotations = nil, nil
	for name, value := range secret.Data {
		if len(value) > token.MaxTokenBytes {
			secret.Data[name] = append([]byte(nil), value[:token.MaxTokenBytes+1]...)
		}
	}
	return secret, nil
}

// SetupWithManager adds the reconcilers to mgr, whose cache has CacheOptions.
func SetupWithManager(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := indexKeys(ctx, mgr.GetFieldIndexer()); meta.IsNoMatchError(err) {
		return fmt.Errorf("the cluster does not know the kinds of license-operator: install the CRDs (make "+
			"install): %w", err)
	} else if err != nil {
		return fmt.Errorf("indexing LicenseKeys: %w", err)
	}
	shared := &assessor{
		reader:     mgr.GetClient(),
		clock:      options.Clock,
		verifier:   token.NewVerifier(),
		namespace:  options.Namespace,
		clusterUID: options.ClusterUID,
	}
	// Each controller hears of the clock on a channel of its own; one entry is enough, since it means: look at
	// everything.
	keyChanges, productChanges := make(chan event.GenericEvent, 1), make(chan event.GenericEvent, 1)
	keys := &licenseKeyReconciler{client: mgr.GetClient(), recorder: mgr.GetEventRecorder(eventReporter),
		assessor: shared}
	if err := keys.setup(mgr, keyChanges); err != nil {
		return fmt.Errorf("setting up the LicenseKey controller: %w", err)
	}
	wake := reconcile.NewTrigger()
	nodes := newNodeReconciler(mgr.GetClient(), wake)
	if err := nodes.setup(ctx, mgr); err != nil {
		return fmt.Errorf("setting up the Node controller: %w", err)
	}
	rules, err := newRuleReconciler(mgr, options.Alerts, wake)
	if err != nil {
		return fmt.Errorf("creating clients for PrometheusRules: %w", err)
	}
	if err := rules.setup(mgr); err != nil {
		return fmt.Errorf("setting up the PrometheusRule controller: %w", err)
	}
	restrictions, err := newRestrictionReconciler(mgr, options, shared, nodes.tally, wake)
	if err != nil {
		return fmt.Errorf("creating clients for network policies: %w", err)
	}
	if options.ManageAdmissionPolicies {
		restrictions.locks.policies = &admissionPolicies{client: mgr.GetClient()}
		if err := mgr.Add(restrictions.locks.policies); err != nil {
			return fmt.Errorf("adding the admission policies: %w", err)
		}
	}
	nodes.windowsChanged = func() { restrictions.planAgain(0) }
	if err := errors.Join(restrictions.setup(mgr), restrictions.passes.setup(mgr),
		restrictions.locks.setup(mgr)); err != nil {
		return fmt.Errorf("setting up the controllers of restrictions: %w", err)
	}
	products := &licensedProductReconciler{
		client: mgr.GetClient(), recorder: mgr.GetEventRecorder(eventReporter), assessor: shared, tally: nodes.tally,
		rules: rules, restrictions: restrictions, wake: wake,
	}
	if err := products.setup(mgr, productChanges); err != nil {
		return fmt.Errorf("setting up the LicensedProduct controller: %w", err)
	}
	if err := setupDefinitions(ctx, mgr, append(restrictions.policies.kinds(), rules.kind)...); err != nil {
		return err
	}
	if err := mgr.Add(metrics.NewCollector(ctrlmetrics.Registry, mgr.GetClient(), options.Clock)); err != nil {
		return fmt.Errorf("adding the metrics: %w", err)
	}
	reports, err := report.NewHandler(report.Options{
		Log: mgr.GetLogger().WithName("report"), Cache: mgr.GetClient(), API: mgr.GetAPIReader(),
		Config: mgr.GetConfig(), HTTPClient: mgr.GetHTTPClient(),
		Clock: options.Clock, ClusterUID: options.ClusterUID,
	})
	if err != nil {
		return err
	}
	if err := mgr.AddMetricsServerExtraHandler(report.Path, reports); err != nil {
		return fmt.Errorf("adding the license report: %w", err)
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		options.Clock.Watch(ctx, clockWatchEvery, func() {
			mgr.GetLogger().Info("Clock changed, evaluating everything again")
			for _, changes := range []chan event.GenericEvent{keyChanges, productChanges} {
				select {
				case changes <- event.GenericEvent{Object: &api.LicensedProduct{}}:
				default:
				}
			}
		})
		return nil
	}))
}
