// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/test/controlplane"
)

// startStandby starts the operator as a process of its own that is ready and does not lead, until the end of the test:
// the suite's own operator acts on the same objects, and by a clock of its own.
func startStandby(ctx SpecContext, log io.Writer) *controlplane.Manager {
	GinkgoHelper()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: controlplane.OperatorNamespace, Name: "license-operator.io"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("the suite"), LeaseDurationSeconds: new(int32(24 * 60 * 60)),
			AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro()),
		},
	}
	Expect(k8sClient.Create(ctx, lease)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, lease)).To(Succeed()) })
	manager, err := plane.StartManager(ctx, controlplane.ManagerOptions{
		Binary: filepath.Join(binaries, "cmd"), Log: log,
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(manager.Kill)
	Expect(manager.WaitReady(ctx)).To(Succeed())
	return manager
}
