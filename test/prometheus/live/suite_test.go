// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package live runs the operator's binary beside a real Prometheus and a real Alertmanager, set up as
// docs/monitoring.md says, on a real API server with the rights that config/rbac and config/prometheus give. Time is
// real.
package live

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	// root is the repository's.
	root = "../../.."
	// assetsVariable names the folder with prometheus, promtool, alertmanager and amtool.
	assetsVariable = "PROMETHEUS_ASSETS"
)

var (
	plane      *controlplane.ControlPlane
	k8sClient  client.Client
	binaries   string
	kubeconfig string
)

func TestLive(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "Live")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	for _, name := range []string{"prometheus", "promtool", "alertmanager", "amtool"} {
		Expect(asset(name)).To(BeAnExistingFile(), "run: export %s=$(hack/prometheus-assets)", assetsVariable)
	}

	var err error
	plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{Audit: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	Expect(plane.InstallOperator(ctx)).To(Succeed())
	k8sClient, err = plane.NewClient()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(plane.Dir(), "admin.kubeconfig")
	Expect(plane.WriteKubeconfig(kubeconfig, plane.Admin())).To(Succeed())

	binaries, err = plane.BuildBinaries(ctx, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
})

func asset(name string) string { return filepath.Join(os.Getenv(assetsVariable), name) }

// definition is one of prometheus-operator's CustomResourceDefinitions.
func definition(ctx context.Context, plural string) *unstructured.Unstructured {
	GinkgoHelper()
	crd, err := controlplane.PrometheusOperatorDefinition(ctx, plural)
	Expect(err).NotTo(HaveOccurred())
	return crd
}

// apply applies objects as kubectl apply --server-side --validate=strict does.
func apply(ctx context.Context, objects ...*unstructured.Unstructured) {
	GinkgoHelper()
	strict := client.WithFieldValidation(k8sClient, "Strict")
	for _, o := range objects {
		Expect(strict.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()),
			client.FieldOwner("administrator"), client.ForceOwnership)).
			To(Succeed(), "%s %s", o.GetKind(), o.GetName())
	}
}

// build is what kustomize builds from config/prometheus, with components of it.
func build(components ...string) []*unstructured.Unstructured {
	GinkgoHelper()
	dir, err := os.MkdirTemp(plane.Dir(), "kustomization-")
	Expect(err).NotTo(HaveOccurred())
	dir, err = filepath.EvalSymlinks(dir)
	Expect(err).NotTo(HaveOccurred())
	configPrometheus, err := filepath.Abs(filepath.Join(root, "config", "prometheus"))
	Expect(err).NotTo(HaveOccurred())
	// With components the kustomization is the folder's own with its last lines no longer comments; they are the same
	// when they are put on top of it, but for names.
	content, err := os.ReadFile(filepath.Join(configPrometheus, "kustomization.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(os.CopyFS(dir, os.DirFS(configPrometheus))).To(Succeed())
	if len(components) > 0 {
		content = append(content, "\ncomponents:\n"...)
		for _, c := range components {
			content = fmt.Appendf(content, "- %s\n", c)
		}
	}
	Expect(os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600)).To(Succeed())
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	Expect(err).NotTo(HaveOccurred())
	var objects []*unstructured.Unstructured
	for _, resource := range built.Resources() {
		content, err := resource.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{}
		Expect(object.UnmarshalJSON(content)).To(Succeed())
		objects = append(objects, object)
	}
	return objects
}

// run runs a program and returns what it wrote.
func run(ctx context.Context, dir, path string, args ...string) string {
	GinkgoHelper()
	output, err := command(ctx, dir, path, args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s %q:\n%s", filepath.Base(path), args, output)
	return string(output)
}

// command is a program for whose commands there are a cluster, and all that the pages speak of.
func command(ctx context.Context, dir, path string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, path, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "USER=someone", "HOME="+plane.Dir(),
		"PATH="+strings.Join([]string{
			filepath.Dir(plane.Kubectl()), binaries, os.Getenv(assetsVariable),
			os.Getenv("PATH"),
		}, ":"))
	return c
}
