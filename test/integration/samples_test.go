// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("The samples", func() {
	It("are real: they verify", func(ctx SpecContext) {
		product, key := &api.LicensedProduct{}, &api.LicenseKey{}
		for file, object := range map[string]client.Object{"licensedproduct": product, "licensekey": key} {
			manifest, err := os.ReadFile("../../config/samples/v1alpha1_" + file + ".yaml")
			Expect(err).NotTo(HaveOccurred())
			Expect(yaml.UnmarshalStrict(manifest, object)).To(Succeed())
			create(ctx, object)
		}
		Eventually(keySummary(ctx, key.Name)).Should(Equal(summary{"Valid", "Verified", "InForce"}))
		Eventually(productSummary(ctx, product.Name)).Should(Equal(summary{"Valid", "TermsAccepted", key.Name}))
	})
})
