// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("kubectl license request", func() {
	It("prints what a vendor needs to know", func(ctx SpecContext) {
		create(ctx, renewedProduct("acme-mesh"), activeKey("acme-mesh"))
		s := newSession(adminKubeconfig)
		s.show(ctx, "request", "acme-mesh")
		s.showThis(ctx, command{args: []string{"request", "acme-mesh"}, width: 60})
		s.show(ctx, "request", "acme-mesh", "-o", "json")
		s.show(ctx, "request", "acme-mesh", "-o", "yaml")
		s.compare("request")

		system := &corev1.Namespace{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "kube-system"}, system)).To(Succeed())
		Expect(s.run(ctx, command{args: []string{"request", "acme-mesh"}}).stdout).
			To(ContainSubstring(string(system.UID)))
	})

	It("prints what there is", func(ctx SpecContext) {
		unlicensed := newProduct("acme-db")
		unlicensed.Spec.RenewalURL = ""
		unlicensed.Status = api.LicensedProductStatus{ObservedGeneration: 1, State: api.LicensedProductUnlicensed}
		wild, key := newProduct("acme-wild"), activeKey("acme-wild")
		wild.Spec.Vendor, wild.Spec.RenewalURL = hostileText, "https://acme.example/\x1b[2J"
		wild.Status.Limits = []api.Limit{limit("seats of \x1b[31mAcme", 7)}
		key.Status.Customer, key.Status.LicenseID = hostileText, "\x1b]0;title\a"
		create(ctx, unlicensed, wild, key, newProduct("acme-keyless"))
		s := newSession(adminKubeconfig)
		s.show(ctx, "request", "acme-db")
		s.note("Nobody may play tricks with a terminal.")
		s.show(ctx, "request", "acme-wild")
		s.note("The active key has just been deleted.")
		s.show(ctx, "request", "acme-keyless")
		s.show(ctx, "request", "acme-none")
		s.compare("request-hostile")
	})

	It("leaves out what may not be read", func(ctx SpecContext) {
		create(ctx, renewedProduct("acme-mesh"), activeKey("acme-mesh"))
		s := newSession(userKubeconfig(ctx, "request-nobody"))
		s.show(ctx, "request", "acme-mesh")
		s.compare("request-forbidden")

		s = newSession(userKubeconfig(ctx, "request-reader", rbacv1.PolicyRule{
			APIGroups: []string{api.GroupVersion.Group}, Resources: []string{"licensedproducts"},
			Verbs: []string{"get"},
		}))
		Eventually(func() int { return s.run(ctx, command{args: []string{"request", "acme-mesh"}}).code }).
			Should(Equal(0))
		s.show(ctx, "request", "acme-mesh")
		s.compare("request-rights")
	})
})

// renewedProduct is a product with a history.
func renewedProduct(name string) *api.LicensedProduct {
	product := newProduct(name)
	product.Status.MonthlyPeaks = []api.MonthlyPeak{
		{Month: "2026-09", Usage: used(60, 240)},
		{Month: "2026-10", Usage: used(80, 320)},
		{Month: "2026-11", Usage: used(73, 292)},
	}
	return product
}

// activeKey is the one that decides the state of a newProduct.
func activeKey(product string) *api.LicenseKey {
	key := newKey(product+"-2027", product, api.LicenseKeyValid)
	key.Status.Customer, key.Status.LicenseID = "Example GmbH", "2026-0042"
	return key
}
