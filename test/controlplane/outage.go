// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"os"
)

// StopAPIServer takes the API server away from its clients. Everything it stored stays.
func (c *ControlPlane) StopAPIServer() error {
	server := c.plane.APIServer
	if err := c.guardian.stopGuarded(server.Path, server.Stop); err != nil {
		return fmt.Errorf("stopping kube-apiserver: %w", err)
	}
	return os.Remove(pidFile(server.Path))
}

// StartAPIServer brings the API server back after StopAPIServer, at the same address and with the same certificates, so
// that clients find it again.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	server := c.plane.APIServer
	if err := c.guardian.startGuarded(ctx, server.Path, server.Start); err != nil {
		return fmt.Errorf("starting kube-apiserver again: %w", err)
	}
	return nil
}
