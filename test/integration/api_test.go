// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("The API server", func() {
	DescribeTable("refuses a LicenseKey",
		func(ctx SpecContext, change func(*api.LicenseKeySpec), message string) {
			key := newKey(unique("key"), "product", "token")
			change(&key.Spec)
			err := k8sClient.Create(ctx, key)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "got %v", err)
			Expect(err).To(MatchError(ContainSubstring(message)))
		},
		Entry("with two sources of the token", func(s *api.LicenseKeySpec) {
			s.TokenSecretRef = &api.SecretKeyReference{Name: "secret", Key: "token"}
		}, "exactly one of the fields in [token tokenSecretRef] must be set"),
		Entry("with none", func(s *api.LicenseKeySpec) { s.Token = "" },
			"exactly one of the fields in [token tokenSecretRef] must be set"),
		Entry("with an oversized token", func(s *api.LicenseKeySpec) { s.Token = strings.Repeat("x", 16385) },
			"spec.token: Too long"),
		Entry("with an oversized certificate", func(s *api.LicenseKeySpec) {
			s.Certificate = strings.Repeat("x",
				32769)
		}, "spec.certificate: Too long"),
		Entry("without a product", func(s *api.LicenseKeySpec) { s.ProductName = "" },
			"spec.productName: Required value"),
		Entry("with a Secret without a name", func(s *api.LicenseKeySpec) {
			s.Token, s.TokenSecretRef = "", &api.SecretKeyReference{Key: "token"}
		}, "spec.tokenSecretRef.name: Required value"),
		Entry("with a Secret's key that cannot be one", func(s *api.LicenseKeySpec) {
			s.Token, s.TokenSecretRef = "", &api.SecretKeyReference{Name: "secret", Key: "a/b"}
		}, "spec.tokenSecretRef.key: Invalid value"),
	)

	It("refuses an empty inline token", func(ctx SpecContext) {
		key := newKey(unique("key"), "product", "token")
		create(ctx, key)
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"token":""}}`))
		Expect(k8sClient.Patch(ctx, key, patch)).
			To(MatchError(ContainSubstring("spec.token in body should be at least 1 chars long")))
	})

	It("refuses to change productName, and takes another token", func(ctx SpecContext) {
		key := newKey(unique("key"), "product", "token")
		create(ctx, key)
		change := func(change func(*api.LicenseKeySpec)) func() error {
			return func() error {
				Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(key), key)).To(Succeed())
				change(&key.Spec)
				return k8sClient.Update(ctx, key)
			}
		}
		Eventually(change(func(s *api.LicenseKeySpec) { s.Token = "renewed" })).Should(Succeed(),
			"an update that meets the operator's is tried again")
		Eventually(change(func(s *api.LicenseKeySpec) { s.ProductName = "another" })).Should(
			MatchError(ContainSubstring("productName is immutable: create another LicenseKey for another product")))
	})

	DescribeTable("refuses a LicensedProduct",
		func(ctx SpecContext, change func(*api.LicensedProductSpec), message string) {
			product := newProduct(unique("product"))
			change(&product.Spec)
			err := k8sClient.Create(ctx, product)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "got %v", err)
			Expect(err).To(MatchError(ContainSubstring(message)))
		},
		Entry("without a vendor", func(s *api.LicensedProductSpec) { s.Vendor = "" }, "spec.vendor: Required value"),
		Entry("without trust anchors", func(s *api.LicensedProductSpec) { s.TrustAnchors = "" },
			"spec.trustAnchors: Required value"),
		Entry("with something else for trust anchors", func(s *api.LicensedProductSpec) { s.TrustAnchors = "ca.crt" },
			"trustAnchors must hold at least one PEM block of type CERTIFICATE"),
		Entry("with the private key among the trust anchors", func(s *api.LicensedProductSpec) {
			s.TrustAnchors += "-----BEGIN PRIVATE KEY-----\n"
		}, "trustAnchors must never hold a private key: paste ca.crt, not ca.key"),
		Entry("with oversized trust anchors", func(s *api.LicensedProductSpec) {
			s.TrustAnchors += strings.Repeat("\n",
				65536)
		}, "spec.trustAnchors: Too long"),
		Entry("with a renewal URL that is none",
			func(s *api.LicensedProductSpec) { s.RenewalURL = "javascript:alert(1)" },
			"spec.renewalURL: Invalid value"),
		Entry("with a revocation of both kinds", func(s *api.LicensedProductSpec) {
			s.Revocations = []api.Revocation{{LicenseID: "L", CertificateSHA256: strings.Repeat("ab", 32)}}
		}, "exactly one of the fields in [licenseID certificateSHA256] must be set"),
		Entry("with an empty revocation", func(s *api.LicensedProductSpec) { s.Revocations = []api.Revocation{{}} },
			"exactly one of the fields in [licenseID certificateSHA256] must be set"),
		Entry("with a fingerprint that is none", func(s *api.LicensedProductSpec) {
			s.Revocations = []api.Revocation{{CertificateSHA256: strings.Repeat("xy", 32)}}
		}, "spec.revocations[0].certificateSHA256: Invalid value"),
		Entry("with a negative unlicensed period",
			func(s *api.LicensedProductSpec) { s.UnlicensedGracePeriodDays = new(int32(-1)) },
			"spec.unlicensedGracePeriodDays: Invalid value"),
		Entry("with an unlicensed period of 11 years",
			func(s *api.LicensedProductSpec) { s.UnlicensedGracePeriodDays = new(int32(4015)) },
			"spec.unlicensedGracePeriodDays: Invalid value"),
		Entry("with a critical threshold that comes before the warning", func(s *api.LicensedProductSpec) {
			s.Alerts = &api.AlertsSpec{ExpiryWarningDays: 7}
		}, "expiryCriticalDays must be less than expiryWarningDays: the alert warns first and is critical then"),
		Entry("with a critical threshold that is the warning's", func(s *api.LicensedProductSpec) {
			s.Alerts = &api.AlertsSpec{ExpiryWarningDays: 30, ExpiryCriticalDays: 30}
		}, "expiryCriticalDays must be less than expiryWarningDays"),
		Entry("with a negative threshold",
			func(s *api.LicensedProductSpec) { s.Alerts = &api.AlertsSpec{ExpiryCriticalDays: -1} },
			"spec.alerts.expiryCriticalDays: Invalid value"),
		Entry("with a warning at more than all",
			func(s *api.LicensedProductSpec) { s.Alerts = &api.AlertsSpec{UsageWarningPercent: 101} },
			"spec.alerts.usageWarningPercent: Invalid value"),
		Entry("with an operator that selectors do not have", selecting("Like", "a"),
			"the operator of a matchExpression is In, NotIn, Exists or DoesNotExist"),
		Entry("with an expression that lacks values", selecting(metav1.LabelSelectorOpIn),
			"matchExpressions with In or NotIn need values"),
		Entry("with an expression that has values too many", selecting(metav1.LabelSelectorOpExists, "a"),
			"those with Exists or DoesNotExist take none"),
	)

	It("defaults the thresholds of alerts, each for itself", func(ctx SpecContext) {
		without, with := newProduct(unique("product")), newProduct(unique("product"))
		with.Spec.Alerts = &api.AlertsSpec{ExpiryWarningDays: 90}
		create(ctx, without, with)
		Expect(without.Spec.Alerts).
			To(Equal(&api.AlertsSpec{ExpiryWarningDays: 60, ExpiryCriticalDays: 14, UsageWarningPercent: 90}))
		Expect(with.Spec.Alerts).
			To(Equal(&api.AlertsSpec{ExpiryWarningDays: 90, ExpiryCriticalDays: 14, UsageWarningPercent: 90}))
	})

	It("takes fingerprints as openssl prints them, and defaults the unlicensed period", func(ctx SpecContext) {
		product := newProduct(unique("product"))
		product.Spec.Revocations = []api.Revocation{
			{CertificateSHA256: strings.TrimSuffix(strings.Repeat("AB:", 32), ":")},
			{CertificateSHA256: strings.Repeat("ab", 32)},
			{LicenseID: "L"},
		}
		create(ctx, product)
		Expect(product.Spec.UnlicensedGracePeriodDays).
			To(HaveValue(BeEquivalentTo(api.DefaultUnlicensedGracePeriodDays)))
	})

	It("shows that a new object is not reconciled yet", func(ctx SpecContext) {
		product, key := newProduct(unique("product")), newKey(unique("key"), "product", "token")
		create(ctx, product, key)
		Expect(product.Status).To(Equal(api.LicensedProductStatus{ObservedGeneration: -1}))
		Expect(key.Status).To(Equal(api.LicenseKeyStatus{ObservedGeneration: -1}))
	})
})

// selecting has a product count the nodes that one expression selects.
func selecting(operator metav1.LabelSelectorOperator, values ...string) func(*api.LicensedProductSpec) {
	return func(s *api.LicensedProductSpec) {
		s.Usage = &api.UsageSpec{NodeSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "pool", Operator: operator, Values: values}},
		}}
	}
}
