// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

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
