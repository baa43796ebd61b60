// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane runs a real etcd and kube-apiserver on loopback, with state of their own, and the operator
// against them: for tests, demo and benchmarks.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// OperatorNamespace is the namespace that config/default installs the operator in.
const OperatorNamespace = "license-operator-system"

const (
	// startTimeout is for one of the two processes: on a loaded machine an API server takes its time.
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// Options of Start.
type Options struct {
	// Audit has the API server log the metadata of every request that the operator's identity makes, for AuditEvents.
	Audit bool
	// Output is where etcd and kube-apiserver log to; nil: nowhere.
	Output io.Writer
}

// ControlPlane is a running etcd and kube-apiserver.
type ControlPlane struct {
	dir      string
	binaries string
	guardian *guardian
	plane    *envtest.ControlPlane
	admin    *rest.Config
	auditLog string

	mu        sync.Mutex
	processes []*Process

	stopOnce sync.Once
	stopErr  error
}

// Start starts a control plane with RBAC authorization. Stop it; should the process die before it could, etcd,
// kube-apiserver and all they wrote go with it.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "license-operator-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for the control plane: %w", err)
	}
	c := &ControlPlane{dir: dir, binaries: binaries, plane: &envtest.ControlPlane{}}
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context, o Options) error {
	var err error
	if c.guardian, err = newGuardian(c.dir); err != nil {
		return err
	}
	if err := c.startEtcd(ctx, o); err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	if err := c.startAPIServer(ctx, o); err != nil {
		return fmt.Errorf("starting kube-apiserver: %w", err)
	}
	// No client-side limit: the load is up to those who use it.
	user, err := c.plane.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, &rest.Config{QPS: -1})
	if err != nil {
		return fmt.Errorf("creating the administrator: %w", err)
	}
	c.admin = user.Config()
	return c.awaitSystemNamespace(ctx)
}

func (c *ControlPlane) startEtcd(ctx context.Context, o Options) error {
	path, err := c.guardian.wrap(filepath.Join(c.binaries, "etcd"))
	if err != nil {
		return err
	}
	data, err := c.mkdir("etcd")
	if err != nil {
		return err
	}
	c.plane.Etcd = &envtest.Etcd{
		Path: path, DataDir: data, StartTimeout: startTimeout, StopTimeout: stopTimeout,
		Out: o.Output, Err: o.Output,
	}
	return c.guardian.startGuarded(ctx, path, c.plane.Etcd.Start)
}

func (c *ControlPlane) startAPIServer(ctx context.Context, o Options) error {
	path, err := c.guardian.wrap(filepath.Join(c.binaries, "kube-apiserver"))
	if err != nil {
		return err
	}
	certificates, err := c.mkdir("kube-apiserver")
	if err != nil {
		return err
	}
	server := &envtest.APIServer{
		Path: path, CertDir: certificates, EtcdURL: c.plane.Etcd.URL,
		StartTimeout: startTimeout, StopTimeout: stopTimeout, Out: o.Output, Err: o.Output,
	}
	server.Configure().Set("authorization-mode", "RBAC")
	if o.Audit {
		if err := c.configureAudit(server); err != nil {
			return err
		}
	}
	c.plane.APIServer = server
	return c.guardian.startGuarded(ctx, path, server.Start)
}

// awaitSystemNamespace waits for kube-system, which the API server creates once it runs and whose uid the operator asks
// for.
func (c *ControlPlane) awaitSystemNamespace(ctx context.Context) error {
	admin, err := client.NewWithWatch(c.admin, client.Options{})
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	exists := func(o client.Object) bool { return o.GetName() == "kube-system" }
	if err := await(ctx, admin, &corev1.NamespaceList{}, exists,
		client.MatchingFields{"metadata.name": "kube-system"}); err != nil {
		return fmt.Errorf("waiting for namespace kube-system: %w", err)
	}
	return nil
}

// Stop kills all processes, then the control plane, and removes everything they wrote. It may be called again, and then
// says the same.
func (c *ControlPlane) Stop() error {
	c.stopOnce.Do(func() { c.stopErr = c.stop() })
	return c.stopErr
}

func (c *ControlPlane) stop() error {
	var problems []error
	for _, p := range c.runningProcesses() {
		p.Kill()
	}
	if server := c.plane.APIServer; server != nil {
		problems = append(problems, c.guardian.stopGuarded(server.Path, server.Stop))
	}
	if etcd := c.plane.Etcd; etcd != nil {
		problems = append(problems, c.guardian.stopGuarded(etcd.Path, etcd.Stop))
	}
	problems = append(problems, releasePorts(c.dir))
	if c.guardian != nil {
		problems = append(problems, c.guardian.dismiss())
	}
	if err := os.RemoveAll(c.dir); err != nil {
		problems = append(problems, fmt.Errorf("removing what the control plane wrote: %w", err))
	}
	return errors.Join(problems...)
}

// Admin returns the configuration of a client that may do everything.
func (c *ControlPlane) Admin() *rest.Config { return rest.CopyConfig(c.admin) }

// Dir is a folder for whatever belongs to this control plane. Stop removes it.
func (c *ControlPlane) Dir() string { return c.dir }

// Kubectl is the path of a kubectl that fits the control plane.
func (c *ControlPlane) Kubectl() string { return filepath.Join(c.binaries, "kubectl") }

func (c *ControlPlane) mkdir(name string) (string, error) {
	dir := filepath.Join(c.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating a folder for %s: %w", name, err)
	}
	return dir, nil
}
