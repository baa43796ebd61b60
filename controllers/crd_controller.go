// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// crdReconciler tells optional kinds whether the cluster has them.
type crdReconciler struct {
	reader client.Reader
	// kinds by the name of their CustomResourceDefinition.
	kinds map[string]*optionalKind
	// lifetime is the manager's: a kind is followed for longer than a reconcile takes.
	lifetime context.Context
}

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=list;watch

// Reconcile looks whether one CustomResourceDefinition is there.
func (r *crdReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	kind, crd := r.kinds[request.Name], crdMetadata()
	switch err := r.reader.Get(ctx, request.NamespacedName, crd); {
	case client.IgnoreNotFound(err) != nil:
		return ctrl.Result{}, err
	case err != nil, !crd.DeletionTimestamp.IsZero():
		kind.disappeared(ctx)
	default:
		kind.appeared(r.lifetime)
	}
	return ctrl.Result{}, nil
}

func (r *crdReconciler) setup(mgr ctrl.Manager) error {
	ours := predicate.NewPredicateFuncs(func(o client.Object) bool { return r.kinds[o.GetName()] != nil })
	return ctrl.NewControllerManagedBy(mgr).
		Named("customresourcedefinition").
		For(crdMetadata(), builder.OnlyMetadata, builder.WithPredicates(ours)).
		// Of those that are not there, nothing else would tell.
		WatchesRawSource(&wakeQueue{first: slices.Collect(maps.Keys(r.kinds))}).
		WithOptions(controllerOptions()).
		Complete(r)
}

func crdMetadata() *metav1.PartialObjectMetadata {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	return crd
}

// existence keeps of a CustomResourceDefinition that it is there.
func existence(object any) (any, error) {
	o, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	return &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion, DeletionTimestamp: o.DeletionTimestamp,
	}}, nil
}
