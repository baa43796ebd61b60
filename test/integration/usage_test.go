// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/test/controlplane"
)

// use is what a product's status says of its use.
type use struct {
	Nodes, Cores int64
	WithinLimits string
}

func newNode(pool, cpu string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: unique("node"), Labels: map[string]string{"pool": pool}}}
	if cpu != "" {
		n.Status.Capacity = corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse(cpu),
			corev1.ResourceMemory: resource.MustParse("16Gi"),
		}
	}
	return n
}

func useOf(ctx context.Context, name string) func(Gomega) use {
	return func(g Gomega) use {
		product := getProduct(ctx, g, name)
		found := use{WithinLimits: reason(product.Status.Conditions, "WithinLimits")}
		for _, u := range product.Status.Usage {
			switch u.Name {
			case "nodes":
				found.Nodes = *u.Value
			case "cores":
				found.Cores = *u.Value
			}
		}
		return found
	}
}

// statusWrites are how often the operator has written the status of a product.
func statusWrites(name string) int {
	GinkgoHelper()
	events, err := plane.AuditEvents()
	Expect(err).NotTo(HaveOccurred())
	writes := 0
	for _, e := range events {
		if e.Resource == "licensedproducts" && e.Name == name && e.Subresource == "status" &&
			e.Stage == controlplane.StageResponseComplete && e.Code == http.StatusOK {
			writes++
		}
	}
	return writes
}

var _ = Describe("What is in use", func() {
	// productOf counts the nodes of a pool.
	productOf := func(pool string) *api.LicensedProduct {
		p := newProduct(unique("used"))
		p.Spec.Usage = &api.UsageSpec{NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"pool": pool}}}
		return p
	}
	limit := func(limits map[string]int64) func(*license.Claims) {
		return func(c *license.Claims) { c.Limits = limits }
	}

	It("is counted as nodes come, change and go, and a limit blocks none of them", func(ctx SpecContext) {
		pool := unique("pool")
		product := productOf(pool)
		create(ctx, product,
			newKey(product.Name, product.Name,
				acme.issue(product.Name, now(), 10*days, 0,
					limit(map[string]int64{"nodes": 2, "cores": 16, "seats": 1}))))
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{0, 0, "WithinLimits"}),
			"a selector that selects nothing counts nothing")

		first, second := newNode(pool, "4"), newNode(pool, "3500m")
		create(ctx, first, second, newNode("another", "64"))
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{2, 8, "WithinLimits"}))

		By("a node too many: it joins, and is visible")
		third := newNode(pool, "")
		create(ctx, third)
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{3, 8, "LimitExceeded"}))
		Eventually(eventReasons(ctx, "LicensedProduct", product.Name)).Should(ContainElement("LimitExceeded"))
		Expect(productSummary(ctx, product.Name)(NewWithT(GinkgoT())).State).To(Equal("Valid"),
			"nothing else depends on it")

		By("a node that grows, and one that leaves the pool")
		patch := client.RawPatch("application/strategic-merge-patch+json",
			[]byte(`{"status":{"capacity":{"cpu":"32"}}}`))
		Expect(k8sClient.Status().Patch(ctx, first, patch)).To(Succeed())
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{3, 36, "LimitExceeded"}))
		Expect(k8sClient.Patch(ctx, first,
			client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"pool":"another"}}}`)))).
			To(Succeed())
		Expect(k8sClient.Delete(ctx, third)).To(Succeed())
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{1, 4, "WithinLimits"}))
		Eventually(eventReasons(ctx, "LicensedProduct", product.Name)).Should(ContainElement("WithinLimits"))

		By("keeping the peak of the month")
		Expect(getProduct(ctx, NewWithT(GinkgoT()), product.Name).Status.MonthlyPeaks).To(Equal([]api.MonthlyPeak{{
			Month: now().Format("2006-01"),
			Usage: []api.Usage{{Name: "nodes", Value: new(int64(3))}, {Name: "cores", Value: new(int64(36))}},
		}}))

		By("counting a new month from where it is")
		machine.setTo(time.Date(now().Year(), now().Month()+1, 1, 0, 0, 0, 0, time.UTC))
		Eventually(func(g Gomega) []api.MonthlyPeak { return getProduct(ctx, g, product.Name).Status.MonthlyPeaks }).
			Should(HaveLen(2))
		Expect(getProduct(ctx, NewWithT(GinkgoT()), product.Name).Status.MonthlyPeaks[1]).To(Equal(api.MonthlyPeak{
			Month: now().Format("2006-01"),
			Usage: []api.Usage{{Name: "nodes", Value: new(int64(1))}, {Name: "cores", Value: new(int64(4))}},
		}))
	})

	It("is counted by another selector as soon as the product has one", func(ctx SpecContext) {
		pool := unique("pool")
		product := productOf(pool)
		create(ctx, newNode(pool, "4"), newNode(pool+"-b", "8"), product)
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{1, 4, "NoLimits"}))
		change := func(patch string) {
			GinkgoHelper()
			Expect(k8sClient.Patch(ctx, product, client.RawPatch("application/merge-patch+json", []byte(patch)))).
				To(Succeed())
		}
		change(fmt.Sprintf(
			`{"spec":{"usage":{"nodeSelector":{"matchLabels":null,"matchExpressions":[{"key":"pool","operator":"In",`+
				`"values":[%q,%q]}]}}}}`, pool, pool+"-b"))
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{2, 12, "NoLimits"}))

		By("a selector that the API server takes and that is none")
		change(`{"spec":{"usage":{"nodeSelector":{"matchExpressions":[{"key":"no such/label/key",` +
			`"operator":"Exists"}]}}}}`)
		Eventually(productSummary(ctx, product.Name)).Should(Equal(summary{"Unlicensed", "NodeSelectorInvalid", ""}))
		Expect(useOf(ctx, product.Name)(NewWithT(GinkgoT()))).To(Equal(use{0, 0, "NodeSelectorInvalid"}))
		Expect(getProduct(ctx, NewWithT(GinkgoT()), product.Name).Status.MonthlyPeaks).To(HaveLen(1),
			"what has been counted stands")

		By("fixing it")
		change(`{"spec":{"usage":{"nodeSelector":{"matchExpressions":null,"matchLabels":{"pool":"nobodys"}}}}}`)
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{0, 0, "NoLimits"}))
	})

	It("is left alone by heartbeats and by a crowd, and not upset by nonsense", func(ctx SpecContext) {
		pool := unique("pool")
		product := productOf(pool)
		create(ctx, product,
			newKey(product.Name, product.Name,
				acme.issue(product.Name, now(), 10*days, 0, limit(map[string]int64{"nodes": 0}))))
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{0, 0, "WithinLimits"}),
			"nothing is within a limit of nothing")

		before := statusWrites(product.Name)
		var nodes []client.Object
		for range 25 {
			nodes = append(nodes, newNode(pool, "2"))
		}
		nodes = append(nodes, newNode(pool, "99999999999999999999E9"), newNode(pool, "0"))
		began := time.Now()
		create(ctx, nodes...)
		Eventually(useOf(ctx, product.Name)).Should(Equal(use{27, 50, "LimitExceeded"}))
		// There is one a second at most, and on a busy machine the crowd takes longer to come.
		counts := int(time.Since(began)/time.Second) + 1
		Expect(statusWrites(product.Name)-before).To(BeNumerically("<=", counts+1), "a crowd is counted together")

		before = statusWrites(product.Name)
		for i, n := range nodes {
			beat := client.RawPatch("application/strategic-merge-patch+json", []byte(fmt.Sprintf(
				`{"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":%q}],`+
					`"capacity":{"memory":"%dGi"}}}`, now().Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)))
			Expect(k8sClient.Status().Patch(ctx, n, beat)).To(Succeed())
		}
		Consistently(func() int { return statusWrites(product.Name) }, "1500ms", "300ms").Should(Equal(before),
			"longer than a recount waits")
	})
})
