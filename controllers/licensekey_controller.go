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
)

// licenseKeyReconciler keeps the status of LicenseKeys.
type licenseKeyReconciler struct {
	client   client.Client
	recorder events.EventRecorder
	assessor *assessor
}

// +kubebuilder:rbac:groups=license-operator.io,resources=licensekeys,verbs=list;watch
// +kubebuilder:rbac:groups=license-operator.io,resources=licensekeys/status,verbs=patch
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// Reconcile brings the status of one LicenseKey in line with its token, its product and the time.
func (r *licenseKeyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	key := &api.LicenseKey{}
	if err := r.client.Get(ctx, request.NamespacedName, key); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	found, err := r.assessor.assess(ctx, key.Spec.ProductName)
	if err != nil {
		return ctrl.Result{}, err
	}
	f, ok := found.findings[key.Name]
	if !ok {
		// The cache's index has not caught up with its store yet.
		return ctrl.Result{RequeueAfter: reconcile.CacheDelay}, nil
	}
	changed := key.DeepCopy()
	changed.Status = licenseKeyStatus(key, f, found)
	if !equality.Semantic.DeepEqual(key.Status, changed.Status) {
		if err := reconcile.WriteStatus(ctx, r.client, changed, key); err != nil {
			return reconcile.AfterFailedWrite(err)
		}
		reconcile.Record(r.recorder, key, licenseKeyEvents(&key.Status, &changed.Status, found))
	}
	return reconcile.At(found.time.Clock, found.evaluation.NextBoundaryOf(f.Key)), nil
}

func (r *licenseKeyReconciler) setup(mgr ctrl.Manager, clockChanges <-chan event.GenericEvent) error {
	lookup := lookup{reader: mgr.GetClient()}
	return reconcile.NewController(mgr, "licensekey", reconcile.Options{}).
		For(&api.LicenseKey{}).
		// Which key of a product is active is up to all of them, to the product's terms, and to the Secrets that hold
		// tokens.
		Watches(&api.LicenseKey{}, handler.EnqueueRequestsFromMapFunc(lookup.siblings),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&api.LicensedProduct{}, handler.EnqueueRequestsFromMapFunc(lookup.keysOfProduct),
			builder.WithPredicates(termsOrTimeChanged())).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(lookup.keysOfSecret),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesRawSource(source.Channel(clockChanges, handler.EnqueueRequestsFromMapFunc(lookup.everyKey))).
		Complete(r)
}

// termsOrTimeChanged passes changes of a product that can change what is to be said of its keys: its terms, with the
// trust anchors that stand in for them, and the mark or the request to forget it, but not what its own reconciler
// writes as time goes on.
func termsOrTimeChanged() predicate.Predicate {
	return predicate.Or(
		predicate.GenerationChangedPredicate{},
		predicate.Funcs{
			CreateFunc:  func(event.CreateEvent) bool { return false },
			DeleteFunc:  func(event.DeleteEvent) bool { return false },
			GenericFunc: func(event.GenericEvent) bool { return false },
			UpdateFunc: func(e event.UpdateEvent) bool {
				before, after := e.ObjectOld.(*api.LicensedProduct), e.ObjectNew.(*api.LicensedProduct)
				return before.Annotations[api.ClockResetAnnotation] != after.Annotations[api.ClockResetAnnotation] ||
					before.Status.TrustAnchors != after.Status.TrustAnchors ||
					after.Status.TimeMark.Before(before.Status.TimeMark)
			},
		},
	)
}
