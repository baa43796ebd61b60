// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

var _ = Describe("A license", Ordered, func() {
	const product, first, renewal = "life", "life-2027", "life-2028"
	var start time.Time

	BeforeAll(func(ctx SpecContext) {
		start = now()
		create(ctx, newProduct(product),
			newKey(first, product,
				acme.issue(product, start.Add(1*days), 10*days,
					5*days, func(c *license.Claims) { c.IssuedTime = start })))
	})

	It("is NotYetValid before it begins, and the product Unlicensed", func(ctx SpecContext) {
		Eventually(keySummary(ctx, first)).Should(Equal(summary{"NotYetValid", "Verified", "NotYetValid"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Unlicensed", "TermsAccepted", ""}))
	})

	It("is Valid from its begin", func(ctx SpecContext) {
		machine.setTo(start.Add(1 * days))
		Eventually(keySummary(ctx, first)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", first}))

		status := getKey(ctx, Default, first).Status
		Expect(status.Customer).To(Equal("Initech"))
		Expect(status.Features).To(Equal([]string{"mesh"}))
		Expect(status.Limits).To(Equal([]api.Limit{{Name: "nodes", Value: new(int64(100))}}))
		productStatus := getProduct(ctx, Default, product).Status
		Expect(productStatus.Features).To(Equal([]string{"mesh"}))
		Expect(productStatus.Limits).To(Equal([]api.Limit{{Name: "nodes", Value: new(int64(100))}}))
		Expect(productStatus.Restriction.EffectiveTime.Time).To(BeTemporally("==", start.Add(16*days)))
		Expect(productStatus.TimeMark.Time).To(BeTemporally("==", start.Add(1*days)))
	})

	It("is in its GracePeriod from its expiry, and everything still works", func(ctx SpecContext) {
		machine.setTo(start.Add(11 * days))
		Eventually(keySummary(ctx, first)).Should(Equal(summary{"GracePeriod", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"GracePeriod", "TermsAccepted", first}))
		Expect(getProduct(ctx, Default, product).Status.Features).To(Equal([]string{"mesh"}))
	})

	It("is Expired from the end of its grace period, and grants nothing", func(ctx SpecContext) {
		machine.setTo(start.Add(16 * days))
		Eventually(keySummary(ctx, first)).Should(Equal(summary{"Expired", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Expired", "TermsAccepted", first}))
		status := getProduct(ctx, Default, product).Status
		Expect(status.Features).To(BeEmpty())
		Expect(status.Limits).To(BeEmpty())
		Expect(reason(status.Conditions, "Licensed")).To(Equal("Expired"))
	})

	It("is renewed by another key, at once", func(ctx SpecContext) {
		Expect(k8sClient.Create(ctx, newKey(renewal, product, acme.issue(product, now(), 10*days, 5*days)))).
			To(Succeed())
		Eventually(keySummary(ctx, renewal)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", renewal}))
		Eventually(keySummary(ctx, first)).Should(Equal(summary{"Expired", "Verified", "Expired"}))
	})

	It("is renewed in place by another token", func(ctx SpecContext) {
		Eventually(func(g Gomega) {
			key := getKey(ctx, g, first)
			key.Spec.Token = acme.issue(product, now(), 20*days, 0, func(c *license.Claims) { c.ID = "Z" })
			g.Expect(k8sClient.Update(ctx, key)).To(Succeed())
		}).Should(Succeed(), "an update that meets the operator's is tried again")
		Eventually(keySummary(ctx, first)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(keySummary(ctx, renewal)).Should(Equal(summary{"Valid", "Verified", "Standby"}))
	})

	It("has told of each transition once", func(ctx SpecContext) {
		Eventually(eventReasons(ctx, "LicensedProduct", product)).Should(ConsistOf(
			"TermsAccepted", "Unlicensed", "Valid", "GracePeriod", "Expired", "Valid", "ActiveLicenseKeyChanged"))
		Eventually(eventReasons(ctx, "LicenseKey", first)).Should(ConsistOf("NotYetValid", "Valid", "GracePeriod",
			"Expired", "Valid"))
		Eventually(eventReasons(ctx, "LicenseKey", renewal)).Should(ConsistOf("Valid"))
	})

	It("leaves the product Unlicensed when all keys are gone", func(ctx SpecContext) {
		Expect(k8sClient.Delete(ctx, newKey(first, product, ""))).To(Succeed())
		Expect(k8sClient.Delete(ctx, newKey(renewal, product, ""))).To(Succeed())
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Unlicensed", "TermsAccepted", ""}))
		Expect(getProduct(ctx, Default, product).Status.Restriction.Basis).To(Equal(api.RestrictionBasisLicenseLost))
	})
})

var _ = Describe("What a key needs", func() {
	It("may arrive later", func(ctx SpecContext) {
		product, secret, key := unique("later"), unique("secret"), unique("key")
		create(ctx, newSecretKey(key, product, secret))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "ProductNotFound", "NotVerified"}))
		create(ctx, newProduct(product))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "SecretNotFound", "NotVerified"}))
		other := newSecret(secret, "")
		other.StringData = map[string]string{"other": "entry"}
		create(ctx, other)
		Consistently(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "SecretNotFound", "NotVerified"}))
		other.StringData = map[string]string{"token": acme.issue(product, now(), 10*days, 0) + "\n"}
		Expect(k8sClient.Update(ctx, other)).To(Succeed())
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", key}))
	})

	It("may be renewed in the Secret, and be lost with it", func(ctx SpecContext) {
		product, secret, key, standby := unique("secret"), unique("secret"), unique("key"), unique("standby")
		s := newSecret(secret, acme.issue(product, now(), 10*days, 0))
		create(ctx, newProduct(product), s, newSecretKey(key, product, secret),
			newKey(standby, product, acme.issue(product, now().Add(-days), 5*days, 0)))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(keySummary(ctx, standby)).Should(Equal(summary{"Valid", "Verified", "Standby"}))
		end := now().Add(99 * days).Truncate(time.Second)
		s.StringData = map[string]string{"token": acme.issue(product, now(), 99*days, 0)}
		Expect(k8sClient.Update(ctx, s)).To(Succeed())
		Eventually(func(g Gomega) *metav1.Time { return getProduct(ctx, g, product).Status.ExpiryTime }).
			Should(HaveValue(HaveField("Time", BeTemporally("==", end))))
		Expect(k8sClient.Delete(ctx, s)).To(Succeed())
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "SecretNotFound", "NotVerified"}))
		Eventually(keySummary(ctx, standby)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
	})

	It("is not looked for in other namespaces", func(ctx SpecContext) {
		product, secret, key := unique("elsewhere"), unique("secret"), unique("key")
		elsewhere := newSecret(secret, acme.issue(product, now(), 10*days, 0))
		elsewhere.Namespace = corev1.NamespaceDefault
		create(ctx, newProduct(product), elsewhere, newSecretKey(key, product, secret))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "SecretNotFound", "NotVerified"}))
		Consistently(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "SecretNotFound", "NotVerified"}))
	})
})

var _ = Describe("A bad key", func() {
	It("has its reason, and affects no other key", func(ctx SpecContext) {
		product := unique("poisoned")
		other := newVendor("Other", now().AddDate(0, -1, 0))
		p := newProduct(product)
		p.Spec.Revocations = []api.Revocation{{LicenseID: "REVOKED"}}
		good := unique("good")
		create(ctx, p, newKey(good, product, acme.issue(product, now(), 10*days, 0)))
		fine := acme.issue(product, now(), 10*days, 0)
		huge := newSecret(unique("huge"), strings.Repeat("x", 1000000))
		create(ctx, huge)
		reasons := map[string]string{}
		bad := func(why, jws string) {
			name := unique("bad")
			reasons[name] = why
			create(ctx, newKey(name, product, jws))
		}
		bad("TokenMalformed", "garbage")
		bad("TokenMalformed", fine[:len(fine)/3])
		bad("SignatureInvalid", fine[:len(fine)-10]+strings.Repeat("A", 10))
		bad("UntrustedCertificate", other.issue(product, now(), 10*days, 0))
		bad("AudienceMismatch", acme.issue("another", now(), 10*days, 0))
		bad("ClusterMismatch",
			acme.issue(product, now(), 10*days, 0, func(c *license.Claims) { c.ClusterUIDs = []string{"another"} }))
		bad("LicenseRevoked", acme.issue(product, now(), 10*days, 0, func(c *license.Claims) { c.ID = "REVOKED" }))
		inSecret := newSecretKey(unique("bad"), product, huge.Name)
		reasons[inSecret.Name] = "TokenMalformed"
		create(ctx, inSecret)
		for name, why := range reasons {
			Eventually(keySummary(ctx, name)).Should(Equal(summary{"Invalid", why, "NotVerified"}))
		}
		bound := unique("bound")
		create(ctx,
			newKey(bound, product,
				acme.issue(product, now().Add(-hour), 10*days,
					0, func(c *license.Claims) { c.ClusterUIDs = []string{"another", clusterUID} })))
		Eventually(keySummary(ctx, bound)).Should(Equal(summary{"Valid", "Verified", "Standby"}))
		Eventually(keySummary(ctx, good)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
	})

	It("holds no part of the token in its status or events", func(ctx SpecContext) {
		product, key := unique("quiet"), unique("key")
		jws := acme.issue(product, now(), 10*days, 0)
		parts := strings.Split(jws, ".")
		create(ctx, newProduct(product), newKey(key, product, jws[:len(jws)-20]+strings.Repeat("A", 20)))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "SignatureInvalid", "NotVerified"}))
		var said []string
		for _, c := range getKey(ctx, Default, key).Status.Conditions {
			said = append(said, c.Message)
		}
		Eventually(eventReasons(ctx, "LicenseKey", key)).Should(ContainElement("SignatureInvalid"))
		for _, e := range eventsAbout(ctx, Default, "LicenseKey", key) {
			said = append(said, e.Note)
		}
		for _, part := range parts {
			Expect(said).NotTo(ContainElement(ContainSubstring(part[:16])))
		}
	})

	It("that was issued ahead of time verifies once time has caught up", func(ctx SpecContext) {
		product, key := unique("ahead"), unique("key")
		begin := now().Add(hour)
		create(ctx, newProduct(product), newKey(key, product, acme.issue(product, begin, 10*days, 0)))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "ClaimsInvalid", "NotVerified"}))
		machine.setTo(begin.Add(-5 * time.Minute))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"NotYetValid", "Verified", "NotYetValid"}))
	})
})

var _ = Describe("Trust anchors that cannot be used", func() {
	setAnchors := func(ctx context.Context, product, pem string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			p := getProduct(ctx, g, product)
			p.Spec.TrustAnchors = pem
			g.Expect(k8sClient.Update(ctx, p)).To(Succeed())
		}).Should(Succeed(), "an update that meets the operator's is tried again")
	}
	garbled := func() string { return strings.Replace(acme.anchors(), "M", "#", 1) }

	It("take no license away, not after a restart either, and let a renewal in", func(ctx SpecContext) {
		product, key := unique("anchors"), unique("key")
		create(ctx, newProduct(product), newKey(key, product, acme.issue(product, now(), 10*days, 5*days)))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", key}))
		before := getProduct(ctx, Default, product).Status
		setAnchors(ctx, product, garbled())
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TrustAnchorsInvalid", key}))
		operator.stop()
		operator = startOperator(ctx)

		By("time passing meanwhile")
		machine.setTo(before.ExpiryTime.Time)
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"GracePeriod", "TrustAnchorsInvalid", key}))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"GracePeriod", "Verified", "InForce"}))

		By("a renewal, and a key that is replaced by garbage")
		newer := unique("newer")
		create(ctx, newKey(newer, product, acme.issue(product, now(), 99*days, 0)))
		Eventually(keySummary(ctx, newer)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TrustAnchorsInvalid", newer}))
		Eventually(func(g Gomega) {
			k := getKey(ctx, g, key)
			k.Spec.Token = "garbage"
			g.Expect(k8sClient.Update(ctx, k)).To(Succeed())
		}).Should(Succeed(), "an update that meets the operator's is tried again")
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "TokenMalformed", "NotVerified"}))

		By("fixing them")
		setAnchors(ctx, product, acme.anchors())
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", newer}))
	})

	It("that were never valid trust no key", func(ctx SpecContext) {
		product, key := unique("anchors"), unique("key")
		p := newProduct(product)
		p.Spec.TrustAnchors = garbled()
		create(ctx, p, newKey(key, product, acme.issue(product, now(), 10*days, 5*days)))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Unlicensed", "TrustAnchorsInvalid", ""}))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "UntrustedCertificate", "NotVerified"}))
		setAnchors(ctx, product, acme.anchors())
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
	})

	It("do not trust keys of former valid anchors that were replaced", func(ctx SpecContext) {
		product, key := unique("anchors"), unique("key")
		other := newVendor("Other", now().AddDate(0, -1, 0))
		create(ctx, newProduct(product), newKey(key, product, acme.issue(product, now(), 10*days, 5*days)))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		setAnchors(ctx, product, other.anchors())
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "UntrustedCertificate", "NotVerified"}))
		Eventually(func(g Gomega) string { return getProduct(ctx, g, product).Status.TrustAnchors }).
			Should(Equal(other.anchors()))
		setAnchors(ctx, product, garbled())
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Unlicensed", "TrustAnchorsInvalid", ""}))
		Consistently(keySummary(ctx, key)).Should(Equal(summary{"Invalid", "UntrustedCertificate", "NotVerified"}))
	})
})

var _ = Describe("A status that somebody else wrote", func() {
	It("is put right", func(ctx SpecContext) {
		product, key := unique("tampered"), unique("key")
		create(ctx, newProduct(product), newKey(key, product, acme.issue(product, now(), 10*days, 0)))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", key}))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		patch := client.RawPatch("application/merge-patch+json",
			[]byte(`{"status":{"state":"Expired","features":["everything"]}}`))
		Expect(k8sClient.Status().Patch(ctx, getKey(ctx, Default, key), patch)).To(Succeed())
		Expect(k8sClient.Status().Patch(ctx, getProduct(ctx, Default, product), patch)).To(Succeed())
		Eventually(func(g Gomega) []string { return getKey(ctx, g, key).Status.Features }).
			Should(Equal([]string{"mesh"}))
		Eventually(keySummary(ctx, key)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product)).Should(Equal(summary{"Valid", "TermsAccepted", key}))
		Eventually(func(g Gomega) []string { return getProduct(ctx, g, product).Status.Features }).
			Should(Equal([]string{"mesh"}))
	})
})
