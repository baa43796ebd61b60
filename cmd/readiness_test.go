// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// unfinished are caches that have yet to sync, and know some kinds only.
type unfinished struct {
	client.Reader
	synced         bool
	products, keys bool
	asked          int
}

func (u *unfinished) WaitForCacheSync(context.Context) bool { return u.synced }

func (u *unfinished) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	u.asked++
	_, isProducts := list.(*api.LicensedProductList)
	if isProducts && u.products || !isProducts && u.keys {
		return nil
	}
	return errors.New("not cached")
}

func TestReadiness(t *testing.T) {
	caches := &unfinished{}
	r := &readiness{caches: caches, reader: caches}
	probe := func(want error) {
		t.Helper()
		if err := r.check(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz",
			http.NoBody)); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	probe(errNotSynced)
	caches.products = true
	probe(errNotSynced)
	caches.keys = true
	probe(errNotSynced)
	caches.synced = true
	probe(nil)

	// From then on there is nothing left to find out.
	caches.asked, caches.synced = 0, false
	probe(nil)
	if caches.asked != 0 {
		t.Errorf("it asked again %d times", caches.asked)
	}
}
