// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// Here the operator is the binary that people run, in a process of its own, on a control plane of its own, and time is
// real.
var _ = Describe("The operator's process", Ordered, func() {
	var (
		own    *controlplane.ControlPlane
		admin  client.Client
		real   *vendor
		states map[string]string
	)

	BeforeAll(func(ctx SpecContext) {
		var err error
		own, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{Audit: true})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(own.Stop()).To(Succeed()) })
		Expect(own.InstallOperator(ctx)).To(Succeed())
		admin, err = own.NewClient()
		Expect(err).NotTo(HaveOccurred())
		start := time.Now()
		real = newVendor("Acme", start.AddDate(0, -2, 0))
		objects := []client.Object{newKey("garbage", "product-0", "garbage"), newKey("orphan", "nowhere", "token")}
		states = map[string]string{"garbage": "Invalid", "orphan": "Invalid"}
		for i := range 5 {
			name := fmt.Sprintf("product-%d", i)
			p := newProduct(name)
			p.Spec.TrustAnchors = real.anchors()
			objects = append(objects, p,
				newKey(name+"-valid", name, real.issue(name, start.Add(-hour), 10*days, 0)),
				newKey(name+"-grace", name, real.issue(name, start.Add(-10*days), 9*days, 9*days)),
				newKey(name+"-expired", name, real.issue(name, start.Add(-10*days), 9*days, 0)))
			states[name], states[name+"-valid"], states[name+"-grace"], states[name+"-expired"] = "Valid", "Valid",
				"GracePeriod", "Expired"
		}
		for _, o := range objects {
			Expect(admin.Create(ctx, o)).To(Succeed())
		}
	})

	startManager := func(ctx context.Context, args ...string) *controlplane.Manager {
		GinkgoHelper()
		manager, err := own.StartManager(ctx,
			controlplane.ManagerOptions{Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter, Args: args})
		Expect(err).NotTo(HaveOccurred())
		return manager
	}
	statesNow := func(ctx context.Context) func(Gomega) map[string]string {
		return func(g Gomega) map[string]string {
			found := map[string]string{}
			var keys api.LicenseKeyList
			var products api.LicensedProductList
			g.Expect(admin.List(ctx, &keys)).To(Succeed())
			g.Expect(admin.List(ctx, &products)).To(Succeed())
			for _, k := range keys.Items {
				found[k.Name] = string(k.Status.State)
			}
			for _, p := range products.Items {
				found[p.Name] = string(p.Status.State)
			}
			return found
		}
	}

	It("comes to the same states however often it is killed", func(ctx SpecContext) {
		for _, after := range []string{
			"100ms", "200ms", "250ms", "300ms", "350ms", "400ms", "450ms", "500ms", "600ms",
			"800ms", "1s",
		} {
			manager := startManager(ctx, "--leader-elect=false") // so that each has work to be killed at
			Consistently(manager.Done(), after).ShouldNot(BeClosed(), "it does not die by itself")
			manager.Kill()
		}
		manager := startManager(ctx)
		Eventually(statesNow(ctx), "60s").Should(Equal(states))
		Eventually(func() (int, error) {
			response, err := http.Get(manager.HealthURL() + "readyz")
			if err != nil {
				return 0, err
			}
			return response.StatusCode, response.Body.Close()
		}).Should(Equal(http.StatusOK))
		By("being idle once all is said: leases and watches, nothing else")
		settled := time.Now().Add(5 * time.Second)
		Eventually(time.Now, "10s", "100ms").Should(BeTemporally(">", settled), "events are sent in the background")
		Eventually(time.Now, "20s", "100ms").Should(BeTemporally(">", settled.Add(10*time.Second)),
			"ten seconds to look at")
		events, err := own.AuditEvents()
		Expect(err).NotTo(HaveOccurred())
		for _, e := range events {
			if e.Received.After(settled) {
				Expect(e.Resource+" "+e.Verb).To(Or(Equal("leases update"), Equal("leases get"), HaveSuffix(" watch")),
					"%+v", e)
			}
		}

		By("a boundary passing while it is dead")
		expiry := time.Now().Add(10 * time.Second).Truncate(time.Second)
		short := newKey("short", "product-2",
			real.issue("product-2", expiry.Add(-10*time.Second), 10*time.Second, 10*days))
		Expect(admin.Create(ctx, short)).To(Succeed())
		state := func(g Gomega) string {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(short), short)).To(Succeed())
			return string(short.Status.State)
		}
		Eventually(state, "8s").Should(Equal("Valid"))
		manager.Kill()
		Eventually(time.Now, "15s", "100ms").Should(BeTemporally(">", expiry.Add(time.Second)))
		Expect(state(NewWithT(GinkgoT()))).To(Equal("Valid"), "no operator runs that could change it")
		manager = startManager(ctx, "--leader-elect=false")
		Eventually(state).Should(Equal("GracePeriod"))
		Expect(manager.Signal(syscall.SIGTERM)).To(Succeed())
		Eventually(manager.Done(), "10s").Should(BeClosed())

		By("ending when it is told to, and handing the lease on")
		manager = startManager(ctx)
		Eventually(func(g Gomega) {
			var lease coordinationv1.Lease
			g.Expect(admin.Get(ctx,
				client.ObjectKey{Namespace: controlplane.OperatorNamespace, Name: "license-operator.io"}, &lease)).
				To(Succeed())
			g.Expect(lease.Spec.HolderIdentity).To(HaveValue(Not(BeEmpty())))
			g.Expect(lease.Spec.RenewTime.Time).To(BeTemporally(">", time.Now().Add(-2*time.Second)))
		}, "40s").Should(Succeed(), "the lease of the one that was killed has to run out")
		Expect(manager.Signal(syscall.SIGTERM)).To(Succeed())
		Eventually(manager.Done(), "10s").Should(BeClosed())
		next := startManager(ctx)
		key := newKey("after", "product-1", real.issue("product-1", time.Now(), 10*days, 0))
		Expect(admin.Create(ctx, key)).To(Succeed())
		Eventually(func(g Gomega) string {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(key), key)).To(Succeed())
			return string(key.Status.State)
		}, "12s").Should(Equal("Valid"), "without waiting for the lease to run out, which takes 15 seconds")
		next.Kill()
	})

	It("was refused nothing: config/rbac grants all that it asked for", func() {
		events, err := own.AuditEvents()
		Expect(err).NotTo(HaveOccurred())
		Expect(events).NotTo(BeEmpty())
		for _, e := range events {
			Expect(e.Code).NotTo(Equal(http.StatusForbidden), "%+v", e)
		}
	})

	It("wrote no status twice, however often it was killed", func() {
		events, err := own.AuditEvents()
		Expect(err).NotTo(HaveOccurred())
		writes := map[string]int{}
		for _, e := range events {
			if e.Subresource == "status" && e.Stage == controlplane.StageResponseComplete && e.Code == http.StatusOK {
				writes[e.Resource+"/"+e.Name]++
			}
		}
		for _, e := range []string{
			"licensekeys/garbage", "licensekeys/orphan", "licensekeys/product-0-valid",
			"licensekeys/product-3-grace", "licensekeys/product-4-expired", "licensedproducts/product-4",
		} {
			// Not exactly one: of a request whose sender was killed before the answer the log may tell otherwise.
			Expect(writes[e]).To(BeNumerically("<=", 1), e)
		}
		Expect(writes).To(HaveKeyWithValue("licensekeys/after", 1))
	})
})
