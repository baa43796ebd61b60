// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/license-operator/license-operator/internal/report"
)

const probeEvery = 50 * time.Millisecond

// ManagerOptions are those of StartManager.
type ManagerOptions struct {
	// Binary is the path of the manager.
	Binary string
	// Log is where it logs to; nil: nowhere but LogTail.
	Log io.Writer
	// Args are added to those that fit the control plane, and win over them.
	Args []string
	// Env is added to its environment.
	Env []string
}

// Manager is the operator, running as a process of its own with its own identity.
type Manager struct {
	*Process
	health, metrics string
}

var managersStarted atomic.Int64

// StartManager starts the operator's binary with the identity of its ServiceAccount, and returns as soon as the process
// runs. The control plane's Stop kills it if it is still there.
func (c *ControlPlane) StartManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	config, err := c.OperatorConfig(ctx)
	if err != nil {
		return nil, err
	}
	health, errHealth := freeAddress()
	metrics, errMetrics := freeAddress()
	if err := errors.Join(errHealth, errMetrics); err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	name := fmt.Sprintf("manager-%d", managersStarted.Add(1))
	kubeconfig := filepath.Join(c.dir, name+".kubeconfig")
	if err := c.WriteKubeconfig(kubeconfig, config); err != nil {
		return nil, err
	}
	process, err := c.StartProcess(ProcessOptions{
		Name: name,
		Path: o.Binary,
		Args: append([]string{
			"--namespace=" + OperatorNamespace,
			"--metrics-bind-address=" + metrics,
			"--health-probe-bind-address=" + health,
		}, o.Args...),
		Env: append(append(cleanEnvironment(), "KUBECONFIG="+kubeconfig), o.Env...),
		Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Manager{Process: process, health: health, metrics: metrics}, nil
}

// cleanEnvironment is ours without what would change how the operator behaves.
func cleanEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "LICENSE_OPERATOR_") || strings.HasPrefix(variable, "KUBECONFIG=")
	})
}

// HealthURL is where the probes are served: append healthz or readyz.
func (m *Manager) HealthURL() string { return "http://" + m.health + "/" }

// MetricsURL is where the metrics are served, unless Args say otherwise: over TLS, to callers that the API server
// allows (see ScraperToken).
func (m *Manager) MetricsURL() string { return "https://" + m.metrics + "/metrics" }

// ReportURL is where the manager serves the license report.
func (m *Manager) ReportURL() string { return "https://" + m.metrics + report.Path }

// WaitReady waits until the process says that it is ready.
func (m *Manager) WaitReady(ctx context.Context) error {
	// Nothing else tells, from outside a process, that it listens.
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for !answersOK(ctx, m.HealthURL()+"readyz") {
		select {
		case <-ticker.C:
		case <-m.done:
			return fmt.Errorf("the manager ended before it was ready: %w; its last words:\n%s", m.waitErr,
				m.LogTail(10))
		case <-ctx.Done():
			return fmt.Errorf("waiting for the manager to be ready: %w; its last words:\n%s", ctx.Err(), m.LogTail(10))
		}
	}
	return nil
}

func answersOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	return response.StatusCode == http.StatusOK
}

// freeAddress is a loopback address that is not in use at the moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
