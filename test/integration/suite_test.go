// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration runs the reconcilers against a real API server, with the rights that config/rbac gives the
// operator and no more.
package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/controllers"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/test/controlplane"
)

// clusterUID is what the operator of the suite takes for the uid of its cluster.
const clusterUID = "11111111-2222-3333-4444-555555555555"

var (
	plane     *controlplane.ControlPlane
	k8sClient client.Client
	machine   = &fakeMachine{sample: clock.Sample{Wall: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)}}
	operator  *runningOperator
	acme      *vendor
	binaries  string
)

func TestIntegration(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Integration")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))

	var err error
	plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{Audit: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	Expect(plane.InstallOperator(ctx)).To(Succeed())
	k8sClient, err = plane.NewClient()
	Expect(err).NotTo(HaveOccurred())

	binaries, err = plane.BuildBinaries(ctx, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())

	acme = newVendor("Acme", machine.look().Wall.AddDate(0, -1, 0))
	operator = startOperator(ctx)
	DeferCleanup(func() { operator.stop() })
})

// fakeMachine is the machine that the operator runs on: its clocks are moved by hand, and the API server's with them.
type fakeMachine struct {
	mu     sync.Mutex
	sample clock.Sample
	// clock is what hears the API server's time, once there is an operator.
	clock *clock.Clock
}

func (m *fakeMachine) look() clock.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sample
}

// setTo lets time pass at once until t, on this machine and the API server's. Timers do not see it; the operator's
// watch of its clock does.
func (m *fakeMachine) setTo(t time.Time) {
	m.setLocally(t)
	m.clock.ObserveServer(t)
}

// setLocally sets the clock of this machine alone.
func (m *fakeMachine) setLocally(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sample.Wall = t
}

// runningOperator is the operator, within this process and with a clock of the tests.
type runningOperator struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startOperator(ctx context.Context) *runningOperator {
	GinkgoHelper()
	restConfig, err := plane.OperatorConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	restConfig.QPS = -1
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:     controlplane.Scheme,
		Cache:      controllers.CacheOptions(controlplane.OperatorNamespace),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	operatorClock := clock.New(machine.look)
	operatorClock.ObserveServer(machine.look().Wall)
	machine.clock = operatorClock
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	Expect(controllers.SetupWithManager(running, mgr, controllers.Options{
		Clock: operatorClock, Namespace: controlplane.OperatorNamespace, ClusterUID: clusterUID,
		MaxRestriction: api.RestrictionDefaultTierOnly,
		Alerts: alerting.Options{
			MaxRestriction: api.RestrictionDefaultTierOnly,
			Namespace:      controlplane.OperatorNamespace, Labels: map[string]string{"release": "prometheus"},
			RunbookBaseURL: "https://wiki.example/runbooks",
		},
	})).To(Succeed())
	o := &runningOperator{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer GinkgoRecover()
		defer close(o.done)
		Expect(mgr.Start(running)).To(Succeed())
	}()
	return o
}

func (o *runningOperator) stop() {
	o.cancel()
	<-o.done
}
