// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// syncPatience is how long a probe waits for the caches. A kubelet waits for a second, and asks again.
const syncPatience = 500 * time.Millisecond

// readiness reports whether this replica, leader or not, has read everything, so that it could take over at once and
// make reports. It listens before it answers the first probe: that needs no check. Once ready it stays ready, since an
// API server that is away makes no other replica a better one.
type readiness struct {
	// caches are the manager's, and reader reads from them; it fails for kinds that are not in them yet.
	caches  interface{ WaitForCacheSync(context.Context) bool }
	reader  client.Reader
	reached atomic.Bool
}

var errNotSynced = errors.New("not everything has been read from the API server yet")

// check is a healthz.Checker.
func (r *readiness) check(request *http.Request) error {
	if r.reached.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(request.Context(), syncPatience)
	defer cancel()
	// The kinds that reports are made of come into the caches only once these have been started.
	for _, list := range []client.ObjectList{&api.LicensedProductList{}, &api.LicenseKeyList{}} {
		if err := r.reader.List(ctx, list, client.Limit(1)); err != nil {
			return fmt.Errorf("%w: %w", errNotSynced, err)
		}
	}
	if !r.caches.WaitForCacheSync(ctx) {
		return errNotSynced
	}
	r.reached.Store(true)
	return nil
}
