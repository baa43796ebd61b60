// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// automanagedLabel is on the APIServices that the cluster's own API server makes of what it serves itself: they bring
// nothing that a CustomResourceDefinition does not.
const automanagedLabel = "kube-aggregator.kubernetes.io/automanaged"

// definitionReconciler tells optional kinds whether the cluster has them, by one kind of definition.
type definitionReconciler struct {
	reader client.Reader
	// definition is CustomResourceDefinition or APIService.
	definition optional.Definition
	// kinds by the name of the definition that brings them.
	kinds map[string][]*optional.Kind
}

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=list;watch
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,verbs=list;watch

// setupDefinitions adds the reconcilers that tell these kinds whether the cluster has them.
func setupDefinitions(mgr ctrl.Manager, kinds ...*optional.Kind) error {
	byDefinition := map[optional.Definition]map[string][]*optional.Kind{optional.CustomResourceDefinition: {}, optional.APIService: {}}
	for _, kind := range kinds {
		if err := mgr.Add(kind); err != nil {
			return err
		}
		for definition, kinds := range byDefinition {
			if name := kind.DefinitionName(definition); name != "" {
				kinds[name] = append(kinds[name], kind)
			}
		}
	}
	for definition, kinds := range byDefinition {
		r := &definitionReconciler{reader: mgr.GetClient(), definition: definition, kinds: kinds}
		if err := r.setup(mgr); err != nil {
			return fmt.Errorf("setting up the %s controller: %w", definition, err)
		}
	}
	return nil
}

// Reconcile looks whether one definition is there.
func (r *definitionReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	definition := definitionMetadata(r.definition)
	err := r.reader.Get(ctx, request.NamespacedName, definition)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	isThere := err == nil && definition.DeletionTimestamp.IsZero() && definition.Labels[automanagedLabel] == ""
	for _, kind := range r.kinds[request.Name] {
		kind.SetDefined(r.definition, isThere)
	}
	return ctrl.Result{}, nil
}

func (r *definitionReconciler) setup(mgr ctrl.Manager) error {
	ours := predicate.NewPredicateFuncs(func(o client.Object) bool { return r.kinds[o.GetName()] != nil })
	return reconcile.NewController(mgr, strings.ToLower(string(r.definition)), reconcile.Options{}).
		For(definitionMetadata(r.definition), builder.OnlyMetadata, builder.WithPredicates(ours)).
		// Of those that are not there, nothing else would tell.
		WatchesRawSource(reconcile.NewTrigger(slices.Collect(maps.Keys(r.kinds))...)).
		Complete(r)
}

// definitionMetadata is the metadata of a definition of that kind.
func definitionMetadata(kind optional.Definition) *metav1.PartialObjectMetadata {
	group := "apiextensions.k8s.io"
	if kind == optional.APIService {
		group = "apiregistration.k8s.io"
	}
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: string(kind)})
	return definition
}

// existence keeps of a definition that it is there, and whose.
func existence(object any) (any, error) {
	o, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	kept := &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion, DeletionTimestamp: o.DeletionTimestamp,
	}}
	if value := o.Labels[automanagedLabel]; value != "" {
		kept.Labels = map[string]string{automanagedLabel: value}
	}
	return kept, nil
}
