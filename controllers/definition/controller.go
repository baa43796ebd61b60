// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package definition watches the definitions that bring kinds to a cluster, and tells optional kinds of theirs.
package definition

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

// automanagedLabel is on the APIServices that the cluster's own API server creates for what it serves itself. They
// bring nothing that a CustomResourceDefinition does not.
const automanagedLabel = "kube-aggregator.kubernetes.io/automanaged"

// Reconciler tells optional kinds whether definitions of one kind bring them.
type Reconciler struct {
	reader     client.Reader
	definition optional.Definition
	// kinds by the name of the definition that brings them.
	kinds map[string][]*optional.Kind
}

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=list;watch
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,verbs=list;watch

// New returns the reconciler of one kind of definition.
func New(reader client.Reader, definition optional.Definition, kinds ...*optional.Kind) *Reconciler {
	r := &Reconciler{reader: reader, definition: definition, kinds: map[string][]*optional.Kind{}}
	for _, kind := range kinds {
		if name := kind.DefinitionName(definition); name != "" {
			r.kinds[name] = append(r.kinds[name], kind)
		}
	}
	return r
}

// SetupWithManager adds optional kinds to the manager, and the reconcilers of both kinds of definition.
func SetupWithManager(mgr ctrl.Manager, kinds ...*optional.Kind) error {
	for _, kind := range kinds {
		if err := mgr.Add(kind); err != nil {
			return fmt.Errorf("adding the optional kind %s: %w", kind.Name(), err)
		}
	}
	for _, definition := range []optional.Definition{optional.CustomResourceDefinition, optional.APIService} {
		if err := New(mgr.GetClient(), definition, kinds...).SetupWithManager(mgr); err != nil {
			return fmt.Errorf("setting up the %s controller: %w", definition, err)
		}
	}
	return nil
}

// SetupWithManager adds the reconciler to the manager, whose cache transforms definitions with Existence.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	isOurs := predicate.NewPredicateFuncs(func(o client.Object) bool { return r.kinds[o.GetName()] != nil })
	return reconcile.NewController(mgr, strings.ToLower(string(r.definition)), reconcile.Options{}).
		For(Metadata(r.definition), builder.OnlyMetadata, builder.WithPredicates(isOurs)).
		// No event says that a definition does not exist.
		WatchesRawSource(reconcile.NewTrigger(slices.Collect(maps.Keys(r.kinds))...)).Complete(r)
}

// Reconcile tells the kinds of one definition whether it exists.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	definition := Metadata(r.definition)
	err := r.reader.Get(ctx, request.NamespacedName, definition)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("reading %s %s: %w", r.definition, request.Name, err)
	}
	isDefined := err == nil && definition.DeletionTimestamp.IsZero() && definition.Labels[automanagedLabel] == ""
	for _, kind := range r.kinds[request.Name] {
		kind.SetDefined(r.definition, isDefined)
	}
	return ctrl.Result{}, nil
}

// Metadata is the metadata of a definition of that kind.
func Metadata(kind optional.Definition) *metav1.PartialObjectMetadata {
	group := "apiextensions.k8s.io"
	if kind == optional.APIService {
		group = "apiregistration.k8s.io"
	}
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: string(kind)})
	return definition
}

// Existence is a transformer of the cache that keeps of a definition that it exists, and who manages it.
func Existence(object any) (any, error) {
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
