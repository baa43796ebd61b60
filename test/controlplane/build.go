// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildBinaries builds the manager, which is then called cmd, and kubectl-license, and returns the folder that has
// them. What the compiler says goes to output. It builds as make build does, so that its build cache serves.
func (c *ControlPlane) BuildBinaries(ctx context.Context, output io.Writer) (dir string, err error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(c.dir, "bin")
	build := exec.CommandContext(ctx, "go", "build", "-C", root, "-trimpath", "-o", dir+string(os.PathSeparator),
		"./cmd", "./cmd/kubectl-license")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = output, output
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("building the manager and the plugin: %w", err)
	}
	return dir, nil
}
