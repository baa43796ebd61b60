// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers sets up the operator's controllers, each of which has a package of its own.
package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/controllers/alertrule"
	"github.com/license-operator/license-operator/controllers/definition"
	"github.com/license-operator/license-operator/controllers/licensing"
	"github.com/license-operator/license-operator/controllers/node"
	"github.com/license-operator/license-operator/controllers/restriction"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/metrics"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/token"
)

// clockWatchEvery is how often the clock is compared with the time that has passed.
const clockWatchEvery = time.Second

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
	// MaxRestriction is the strongest mode of any product's restriction. A value that is not a mode restricts nothing.
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
			&corev1.Node{}:   {Transform: node.Counted},
			definition.Metadata(optional.CustomResourceDefinition): {Transform: definition.Existence},
			definition.Metadata(optional.APIService):               {Transform: definition.Existence},
		},
	}
}

// CheckReadable fails if the operator may not read what is in a cache with CacheOptions, which would not sync then. The
// reader has to ask the API server.
func CheckReadable(ctx context.Context, reader client.Reader, namespace string) error {
	crds, apiServices := &metav1.PartialObjectMetadataList{}, &metav1.PartialObjectMetadataList{}
	crds.SetGroupVersionKind(definition.Metadata(optional.CustomResourceDefinition).GroupVersionKind())
	apiServices.SetGroupVersionKind(definition.Metadata(optional.APIService).GroupVersionKind())
	for _, needed := range []struct {
		list            client.ObjectList
		namespace, what string
	}{
		{&corev1.SecretList{}, namespace, "Secrets in the operator's namespace " + namespace +
			", where tokens may be stored (--namespace sets the namespace)"},
		{&corev1.NodeList{}, "", "nodes, which are counted against limits"},
		{crds, "", "CustomResourceDefinitions, which tell whether the cluster has PrometheusRules and network policy " +
			"tiers"},
		{apiServices, "", "APIServices, which tell whether the cluster has network policy tiers"},
	} {
		if err := reader.List(ctx, needed.list, client.InNamespace(needed.namespace), client.Limit(1)); err != nil {
			return fmt.Errorf("reading %s: %w (config/rbac has what the operator needs)", needed.what, err)
		}
	}
	return nil
}

// boundSecret cuts the values of a Secret to one byte more than a token may have: enough to tell that it is too large,
// and the cache stays small whatever else is in the namespace.
func boundSecret(object any) (any, error) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return object, nil
	}
	secret.ManagedFields, secret.Annotations = nil, nil
	for name, value := range secret.Data {
		if len(value) > token.MaxTokenBytes {
			secret.Data[name] = bytes.Clone(value[:token.MaxTokenBytes+1])
		}
	}
	return secret, nil
}

// SetupWithManager adds the reconcilers to mgr, whose cache has CacheOptions.
func SetupWithManager(ctx context.Context, mgr ctrl.Manager, options Options) error {
	products, plans := reconcile.NewTrigger(), reconcile.NewTrigger(reconcile.All)
	assessments := &reconcile.Board[*assess.Assessment]{}
	nodes := node.New(mgr.GetClient(), products, plans)
	rules, err := alertrule.New(mgr, alertrule.Options{Options: options.Alerts, ProductTrigger: products})
	if err != nil {
		return err
	}
	restrictions, err := restriction.New(mgr, restriction.Options{
		Namespace: options.Namespace, MaxMode: options.MaxRestriction,
		ManageAdmissionPolicies: options.ManageAdmissionPolicies, Nodes: nodes.Counter(), Assessments: assessments,
		Trigger: plans, ProductTrigger: products,
	})
	if err != nil {
		return err
	}
	clockChanges := make(chan event.GenericEvent, 1)
	licenses := licensing.New(mgr, licensing.Options{
		Clock: options.Clock, ClockChanges: clockChanges, Namespace: options.Namespace, ClusterUID: options.ClusterUID,
		Usage: nodes.Counter(), Alerts: rules, Restrictions: restrictions, Assessments: assessments, Trigger: products,
		PlanTrigger: plans,
	})
	if err := errors.Join(
		licenses.SetupWithManager(ctx, mgr), nodes.SetupWithManager(ctx, mgr), rules.SetupWithManager(mgr),
		restrictions.SetupWithManager(mgr),
		definition.SetupWithManager(mgr, append(restrictions.Kinds(), rules.Kind())...),
		mgr.Add(metrics.NewCollector(ctrlmetrics.Registry, mgr.GetClient(), options.Clock)),
		mgr.Add(watchClock(mgr, options.Clock, clockChanges)),
	); err != nil {
		return fmt.Errorf("setting up the controllers: %w", err)
	}
	return nil
}

// watchClock requests an assessment of every product when the clock was set, or is confirmed or disputed. One entry in
// the channel is enough.
func watchClock(mgr ctrl.Manager, c *clock.Clock, changes chan<- event.GenericEvent) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		c.Watch(ctx, clockWatchEvery, func() {
			mgr.GetLogger().Info("Clock changed, assessing every product")
			select {
			case changes <- event.GenericEvent{Object: &api.LicensedProduct{}}:
			default:
			}
		})
		return nil
	})
}
