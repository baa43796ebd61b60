// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plugin runs kubectl license as its users do: the built binary, found by kubectl, against a real API server,
// on terminals and in pipes.
package plugin

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

var (
	plane     *controlplane.ControlPlane
	k8sClient client.WithWatch
	// binaries has cmd, the manager, and kubectl-license.
	binaries string
	// adminKubeconfig is that of who may do everything.
	adminKubeconfig string
)

func TestPlugin(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Plugin")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))

	var err error
	plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	Expect(plane.InstallOperator(ctx)).To(Succeed())
	k8sClient, err = plane.NewClient()
	Expect(err).NotTo(HaveOccurred())
	binaries, err = plane.BuildBinaries(ctx, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	adminKubeconfig = filepath.Join(plane.Dir(), "admin.kubeconfig")
	Expect(plane.WriteKubeconfig(adminKubeconfig, plane.Admin())).To(Succeed())
})

// create creates objects with their status, and has them deleted after the spec or, in a BeforeAll, after all of them.
func create(ctx SpecContext, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		wanted, ok := object.DeepCopyObject().(client.Object)
		Expect(ok).To(BeTrue())
		Expect(k8sClient.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, object))).
				To(Succeed())
		})
		switch wanted.(type) {
		case *api.LicensedProduct, *api.LicenseKey:
			wanted.SetResourceVersion(object.GetResourceVersion())
			Expect(k8sClient.Status().Update(ctx, wanted)).To(Succeed())
		}
	}
}
