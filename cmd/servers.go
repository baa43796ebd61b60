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

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/access"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/server"
)

// addServers listens for what the settings have the operator serve, and has the manager serve it on every replica.
// Callers that come before the manager starts wait until it does.
func addServers(ctx context.Context, mgr ctrl.Manager, s settings, c *clock.Clock, clusterUID string) error {
	log := mgr.GetLogger().WithName("server")
	if isServed(s.metricsBindAddress) {
		filter, err := access.Filter(mgr.GetConfig(), mgr.GetHTTPClient())
		if err != nil {
			return err
		}
		reports, err := report.NewHandler(report.Options{
			Log: mgr.GetLogger().WithName("report"), Cache: mgr.GetClient(), API: mgr.GetAPIReader(),
			Config: mgr.GetConfig(), HTTPClient: mgr.GetHTTPClient(), Clock: c, ClusterUID: clusterUID,
		})
		if err != nil {
			return err
		}
		handlers := map[string]http.Handler{server.MetricsPath: server.Metrics(), report.Path: reports}
		secure, err := server.Secure(ctx, log, s.metricsBindAddress, filter, handlers)
		if err != nil {
			return err
		}
		if err := mgr.Add(secure); err != nil {
			return fmt.Errorf("adding metrics and the license report: %w", err)
		}
	}
	if isServed(s.healthProbeBindAddress) {
		ready := &readiness{caches: mgr.GetCache(), reader: mgr.GetClient()}
		probes, err := server.Probes(ctx, log, s.healthProbeBindAddress, healthz.Ping, ready.check)
		if err != nil {
			return err
		}
		if err := mgr.Add(probes); err != nil {
			return fmt.Errorf("adding the probes: %w", err)
		}
	}
	return nil
}

// isServed tells whether there is anything at a bind address.
func isServed(address string) bool { return address != "" && address != "0" }

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
