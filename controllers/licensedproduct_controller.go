// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/license-operator/license-operator/api/v1alpha1"
)

// licensedProductReconciler keeps the status of LicensedProducts.
type licensedProductReconciler struct {
	client   client.Client
	recorder events.EventRecorder
	assessor *assessor
}

// +kubebuilder:rbac:groups=license-operator.io,resources=licensedproducts,verbs=get;list;watch
// +kubebuilder:rbac:groups=license-operator.io,resources=licensedproducts/status,verbs=patch

// Reconcile brings the status of one LicensedProduct in line with its terms, its keys and the time.
func (r *licensedProductReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	found, err := r.assessor.assess(ctx, request.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	product := found.product
	if product == nil {
		return ctrl.Result{}, nil
	}
	changed := product.DeepCopy()
	changed.Status = licensedProductStatus(found)
	if !equality.Semantic.DeepEqual(product.Status, changed.Status) {
		if err := writeStatus(ctx, r.client, changed, product); err != nil {
			return ctrl.Result{}, err
		}
		record(r.recorder, product, licensedProductEvents(&product.Status, &changed.Status, found))
	}
	return wakeAt(found.evaluation.NextBoundary, found.time.Clock), nil
}

func (r *licensedProductReconciler) setup(mgr ctrl.Manager, clockChanges <-chan event.GenericEvent) error {
	lookup := lookup{reader: mgr.GetClient()}
	return ctrl.NewControllerManagedBy(mgr).
		Named("licensedproduct").
		For(&v1alpha1.LicensedProduct{}).
		Watches(&v1alpha1.LicenseKey{}, handler.EnqueueRequestsFromMapFunc(productOfKey), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(lookup.productsOfSecret), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesRawSource(source.Channel(clockChanges, handler.EnqueueRequestsFromMapFunc(lookup.everyProduct))).
		WithOptions(controllerOptions()).
		Complete(r)
}
