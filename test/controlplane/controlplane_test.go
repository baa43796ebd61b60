// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// diesVariable has the test binary start a control plane, say where, and wait to be killed.
const diesVariable = "CONTROLPLANE_TEST_DIES"

func TestMain(m *testing.M) {
	if os.Getenv(diesVariable) != "" {
		startAndWait()
	}
	os.Exit(m.Run())
}

func startAndWait() {
	c, err := controlplane.Start(context.Background(), controlplane.Options{})
	utilruntime.Must(err)
	fmt.Printf("%s %s\n", c.Dir(), c.Admin().Host)
	select {}
}

func TestControlPlane(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c, err := controlplane.Start(t.Context(), controlplane.Options{Audit: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.OperatorConfig(t.Context()); err == nil {
		t.Error("there was an identity before the operator was installed")
	}
	for range 2 { // again changes nothing
		if err := c.InstallOperator(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	config, err := c.OperatorConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Run("operator has its own rights and no more", func(t *testing.T) { testRights(t, config) })
	t.Run("audit log tells of the operator", func(t *testing.T) { testAudit(t, c, config) })
	t.Run("kubeconfig works", func(t *testing.T) { testKubeconfig(t, c, config) })
	t.Run("process beside it says its last words", func(t *testing.T) { testProcess(t, c) })
	t.Run("stop leaves nothing", func(t *testing.T) {
		openWatch(t, c.Admin())
		beside := startProcess(t, c, "beside", "sleep 600")
		began := time.Now()
		for range 2 {
			if err := c.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if left := leftOf(t, c.Dir(), c.Admin().Host); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		select {
		case <-beside.Done():
		default:
			t.Error("left behind: a process beside it")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

func testProcess(t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	p := startProcess(t, c, "talker", "pwd; echo end >&2; sleep 600")
	NewWithT(t).Eventually(func() string { return p.LogTail(2) }, "10s").Should(Equal(c.Dir() + "\nend"))
	for range 2 {
		p.Kill()
	}
	if _, err := c.StartProcess(controlplane.ProcessOptions{
		Name: "nobody",
		Path: filepath.Join(c.Dir(), "nobody"),
	}); err == nil {
		t.Error("started what is not there")
	}
}

func startProcess(t *testing.T, c *controlplane.ControlPlane, name, script string) *controlplane.Process {
	t.Helper()
	p, err := c.StartProcess(controlplane.ProcessOptions{Name: name, Path: "/bin/sh", Args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// openWatch leaves a watch open, which an API server would like to see ended before it ends itself.
func openWatch(t *testing.T, config *rest.Config) {
	t.Helper()
	c, err := client.NewWithWatch(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := c.Watch(t.Context(), &corev1.NamespaceList{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watcher.Stop)
}

func testRights(t *testing.T, config *rest.Config) {
	t.Helper()
	operator := newClient(t, config)
	if err := operator.List(t.Context(), &api.LicensedProductList{}); err != nil {
		t.Errorf("listing LicensedProducts: %v", err)
	}
	if err := operator.List(t.Context(), &corev1.SecretList{},
		client.InNamespace(controlplane.OperatorNamespace)); err != nil {
		t.Errorf("listing the Secrets of its namespace: %v", err)
	}
	for what, list := range map[string]client.ObjectList{
		"Secrets of all namespaces": &corev1.SecretList{},
		"ClusterRoles":              &rbacv1.ClusterRoleList{},
	} {
		if err := operator.List(t.Context(), list); !apierrors.IsForbidden(err) {
			t.Errorf("listing %s: want forbidden, got %v", what, err)
		}
	}
}

func testAudit(t *testing.T, c *controlplane.ControlPlane, config *rest.Config) {
	t.Helper()
	// It reads from caches, which list and watch.
	if err := newClient(t, config).Get(t.Context(), client.ObjectKey{Name: "audited"},
		&api.LicenseKey{}); !apierrors.IsForbidden(err) {
		t.Fatalf("want forbidden, got %v", err)
	}
	NewWithT(t).Eventually(c.AuditEvents, "10s").Should(ContainElement(And(
		HaveField("Resource", "licensekeys"), HaveField("Name", "audited"), HaveField("Verb", "get"),
		HaveField("Code", 403),
		HaveField("Stage", controlplane.StageResponseComplete),
	)), "the event is written when the request is over, which is a little after its answer")
}

func testKubeconfig(t *testing.T, c *controlplane.ControlPlane, operator *rest.Config) {
	t.Helper()
	for _, config := range []*rest.Config{c.Admin(), operator} {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if err := c.WriteKubeconfig(path, config); err != nil {
			t.Fatal(err)
		}
		read, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := newClient(t, read).List(t.Context(), &api.LicenseKeyList{}); err != nil {
			t.Error(err)
		}
	}
}

func TestStartWithoutBinaries(t *testing.T) {
	for name, dir := range map[string]string{"unset": "", "empty folder": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBEBUILDER_ASSETS", dir)
			_, err := controlplane.Start(t.Context(), controlplane.Options{})
			if err == nil || !strings.Contains(err.Error(), "hack/envtest-assets") {
				t.Errorf("want an error that says how to get the binaries, got %v", err)
			}
		})
	}
}

func TestStartInterrupted(t *testing.T) {
	for _, after := range []time.Duration{0, 300 * time.Millisecond, time.Second, 2 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			c, err := controlplane.Start(ctx, controlplane.Options{})
			if err == nil { // a fast machine
				err = c.Stop()
			} else if errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			if err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestKilledOutright(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), diesVariable+"=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	dir, host, _ := strings.Cut(strings.TrimSpace(line), " ")
	NewWithT(t).Eventually(func() []string { return leftOf(t, dir, host) }, "10s").Should(BeEmpty(),
		"the guardian clears up after a process that could not")
}

// leftOf is what there still is of a control plane.
func leftOf(t *testing.T, dir, host string) []string {
	t.Helper()
	var left []string
	if exists(dir) {
		left = append(left, dir)
	}
	server, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	if connection, err := net.Dial("tcp", server.Host); err == nil {
		_ = connection.Close()
		left = append(left, server.Host)
	}
	return left
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{Scheme: controlplane.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
