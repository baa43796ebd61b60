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

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/usage"
)

// licensedProductReconciler keeps the status of LicensedProducts.
type licensedProductReconciler struct {
	client       client.Client
	recorder     events.EventRecorder
	assessor     *assessor
	tally        *tally
	rules        *ruleReconciler
	restrictions *restrictionReconciler
	wake         *reconcile.Trigger
}

// +kubebuilder:rbac:groups=license-operator.io,resources=licensedproducts,verbs=list;watch
// +kubebuilder:rbac:groups=license-operator.io,resources=licensedproducts/status,verbs=patch

// Reconcile brings the status of one LicensedProduct in line with its terms, its keys, its use and the time, and with
// what has come of its alerts and its restriction.
func (r *licensedProductReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.tally.isReady() || !r.rules.kind.isDecided() || !r.restrictions.policies.isDecided() {
		// The operator has just started. A part of the nodes would be a wrong count, and what it does not know yet
		// another write in a moment.
		return ctrl.Result{RequeueAfter: reconcile.CacheDelay}, nil
	}
	found, err := r.assessor.assess(ctx, request.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	product := found.product
	if product == nil {
		return ctrl.Result{}, nil
	}
	observed := observations{
		used:        r.tally.of(product),
		alertsReady: r.rules.alertsReady(product),
		restriction: restrictionViewOf(found, r.restrictions.caps(), r.restrictions.outcomeOf(product)),
	}
	if announced(product).SinceTime != nil && !observed.restriction.isInForce() {
		// To end a restriction waits for nothing, not even for its status to be written.
		r.restrictions.planAgain(0)
	}
	changed := product.DeepCopy()
	changed.Status = licensedProductStatus(found, observed)
	if !equality.Semantic.DeepEqual(product.Status, changed.Status) {
		if err := reconcile.WriteStatus(ctx, r.client, changed, product); err != nil {
			return reconcile.AfterFailedWrite(err)
		}
		reconcile.Record(r.recorder, product, licensedProductEvents(&product.Status, &changed.Status, found))
	}
	return nextLook(found), nil
}

// nextLook is when a product has to be looked at again if nothing happens until then: at the next boundary of its
// licenses, when a pause begins or ends, and when another month's peak begins.
func nextLook(found *assessment) ctrl.Result {
	return reconcile.At(found.time.Clock, found.evaluation.NextBoundary,
		restriction.NextBoundary(found.product, found.time.Now), usage.MonthEnd(found.time.Now))
}

func (r *licensedProductReconciler) setup(mgr ctrl.Manager, clockChanges <-chan event.GenericEvent) error {
	lookup := lookup{reader: mgr.GetClient()}
	return reconcile.NewController(mgr, "licensedproduct", reconcile.Options{}).
		For(&api.LicensedProduct{}).
		Watches(&api.LicenseKey{}, handler.EnqueueRequestsFromMapFunc(productOfKey),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(lookup.productsOfSecret),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesRawSource(source.Channel(clockChanges, handler.EnqueueRequestsFromMapFunc(lookup.everyProduct))).
		WatchesRawSource(r.wake).
		Complete(r)
}
