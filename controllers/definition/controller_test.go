// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package definition

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// cache has one definition, or none, or fails.
type cache struct {
	client.Reader
	definition *metav1.PartialObjectMetadata
	err        error
}

func (c cache) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch {
	case c.err != nil:
		return c.err
	case c.definition == nil:
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	c.definition.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

func kindOf(definitions ...optional.Definition) *optional.Kind {
	return optional.New(optional.Options{
		Resource:  schema.GroupVersionResource{Group: "projectcalico.org", Version: "v3", Resource: "tiers"},
		DefinedBy: definitions, KindChanged: func() {},
	})
}

func TestKindsAreToldOfTheirDefinition(t *testing.T) {
	named := func(change func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
		definition := Metadata(optional.APIService)
		change(definition)
		return definition
	}
	const notInstalled, unknown = "not installed", "unknown"
	for name, test := range map[string]struct {
		cache cache
		want  string
	}{
		"none":   {cache{}, notInstalled},
		"exists": {cache{definition: named(func(*metav1.PartialObjectMetadata) {})}, unknown},
		"is being deleted": {cache{definition: named(func(d *metav1.PartialObjectMetadata) {
			d.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		})}, notInstalled},
		"is the API server's own": {cache{definition: named(func(d *metav1.PartialObjectMetadata) {
			d.Labels = map[string]string{automanagedLabel: "onstart"}
		})}, notInstalled},
	} {
		t.Run(name, func(t *testing.T) {
			kind, another := kindOf(optional.APIService), kindOf(optional.CustomResourceDefinition)
			r := New(test.cache, optional.APIService, kind, another)
			if _, err := r.Reconcile(t.Context(), reconcile.Request("v3.projectcalico.org")); err != nil {
				t.Fatal(err)
			}
			got := unknown
			if _, err := kind.List(); errors.Is(err, optional.ErrNotInstalled) {
				got = notInstalled
			}
			if got != test.want || !kind.IsDecided() {
				t.Errorf("it is %s, decided %t", got, kind.IsDecided())
			}
			if another.IsDecided() {
				t.Error("a kind that such definitions do not bring was told")
			}
		})
	}
}

func TestAFailedReadTellsNothing(t *testing.T) {
	kind := kindOf(optional.APIService)
	broken := errors.New("broken")
	r := New(cache{err: broken}, optional.APIService, kind)
	_, err := r.Reconcile(t.Context(), reconcile.Request("v3.projectcalico.org"))
	if !errors.Is(err, broken) || kind.IsDecided() {
		t.Errorf("%v, decided %t", err, kind.IsDecided())
	}
}

func TestMetadata(t *testing.T) {
	got := []string{
		Metadata(optional.CustomResourceDefinition).GroupVersionKind().String(),
		Metadata(optional.APIService).GroupVersionKind().String(),
	}
	want := []string{
		"apiextensions.k8s.io/v1, Kind=CustomResourceDefinition", "apiregistration.k8s.io/v1, Kind=APIService",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExistence(t *testing.T) {
	definition := Metadata(optional.APIService)
	definition.ObjectMeta = metav1.ObjectMeta{
		Name: "v3.projectcalico.org", UID: "1", ResourceVersion: "2", Annotations: map[string]string{"a": "b"},
		Labels:            map[string]string{automanagedLabel: "onstart", "c": "d"},
		DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)},
		Finalizers:        []string{"e"}, ManagedFields: []metav1.ManagedFieldsEntry{{}},
	}
	want := Metadata(optional.APIService)
	want.ObjectMeta = metav1.ObjectMeta{
		Name: "v3.projectcalico.org", UID: "1", ResourceVersion: "2", DeletionTimestamp: definition.DeletionTimestamp,
		Labels: map[string]string{automanagedLabel: "onstart"},
	}
	got, err := Existence(definition)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if got, err := Existence("a tombstone"); got != "a tombstone" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
