// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// keyReconciler writes the statuses of LicenseKeys. It judges nothing: each status follows from the latest assessment
// of the key's product. It has a queue of its own, so that a key whose status cannot be written holds up no other.
type keyReconciler struct {
	client      client.Client
	recorder    events.EventRecorder
	assessments *reconcile.Board[*assess.Assessment]
}

// Reconcile writes the status of one key, if it is another than before.
func (r *keyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	key := &api.LicenseKey{}
	if err := r.client.Get(ctx, request.NamespacedName, key); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	found, _ := r.assessments.Get(key.Spec.ProductName)
	if found == nil || !found.IsFor(key) {
		return ctrl.Result{}, nil // the next assessment requests this again
	}
	changed := key.DeepCopy()
	changed.Status = keyStatus(key, found)
	if equality.Semantic.DeepEqual(key.Status, changed.Status) {
		return ctrl.Result{}, nil
	}
	if err := reconcile.WriteStatus(ctx, r.client, changed, key); err != nil {
		return reconcile.AfterFailedWrite(err)
	}
	reconcile.Record(r.recorder, key, keyEvents(&key.Status, &changed.Status, found))
	return ctrl.Result{}, nil
}

func (r *keyReconciler) setup(mgr ctrl.Manager, trigger *reconcile.Trigger) error {
	return reconcile.NewController(mgr, "licensekey", reconcile.Options{}).
		For(&api.LicenseKey{}).
		WatchesRawSource(trigger).
		Complete(r)
}
