//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("make undeploy, while a restriction is in force", Ordered, func() {
	const tier = "e2e-security"
	var (
		theirs []client.Object
		before string
	)

	BeforeAll(func(ctx SpecContext) {
		installMonitoringKinds(ctx, "prometheusrules")
		theirs = installTier(ctx, tier)
		before = bytesOf(ctx, theirs)
	})
	// Before their definitions go, and whatever became of the spec.
	AfterEach(func(ctx SpecContext) { _, _ = command(ctx, "make", "undeploy") })

	// restrict installs the operator, and has a product in force, one that is licensed, and a key without a product.
	restrict := func(ctx context.Context) {
		GinkgoHelper()
		run(ctx, "make", "deploy", "IMG="+image)
		orphan := acme.key("nowhere")
		create(ctx, acme.product("restricted", restricting(tier)), acme.product("licensed"), acme.key("licensed"),
			orphan)
		licensed(ctx, "licensed")
		Eventually(passPolicies(ctx)).Should(Equal([]string{tier + ".license-operator-pass"}))
		Eventually(func() string {
			return kubectl(ctx, "get", "prometheusrules", "-n", defaultNamespace, "-o",
				"name")
		}).Should(And(ContainSubstring("restricted"), ContainSubstring("licensed")))
	}
	// undeploy says what it is going to delete, leaves nothing of ours, and everything of others.
	undeploy := func(ctx context.Context) string {
		GinkgoHelper()
		start := time.Now()
		output := run(ctx, "make", "undeploy")
		GinkgoWriter.Printf("it took %s\n", time.Since(start))
		Expect(remains(ctx)).To(BeEmpty())
		Expect(passPolicies(ctx)(Default)).To(BeEmpty())
		Expect(kubectl(ctx, "get", "prometheusrules", "-A", "-o", "name")).To(BeEmpty())
		Expect(bytesOf(ctx, theirs)).To(Equal(before), "same uid, same resourceVersion, same bytes")
		return output
	}

	It("says what it will delete, lifts the restriction, and leaves nothing", func(ctx SpecContext) {
		restrict(ctx)
		held := versions(ctx, licenseKinds, "")
		GinkgoT().Setenv("DRY_RUN", "true")
		plan := run(ctx, "make", "undeploy")
		Expect(plan).To(And(ContainSubstring("restricted (Unlicensed), DefaultTierOnly in force in "+tier),
			ContainSubstring("LicenseKeys: 2"), ContainSubstring("Nothing has been deleted")))
		Expect(versions(ctx, licenseKinds, "")).To(HaveLen(len(held)))
		GinkgoT().Setenv("DRY_RUN", "")

		Expect(undeploy(ctx)).To(And(ContainSubstring("restricted (Unlicensed)"),
			Not(ContainSubstring("deleted by name"))))
		By("doing nothing when there is nothing left")
		start := time.Now()
		undeploy(ctx)
		Expect(time.Since(start)).To(BeNumerically("<", 20*time.Second))
	})

	It("does so too when the operator is down", func(ctx SpecContext) {
		restrict(ctx)
		stopOperator(ctx)
		undeploy(ctx)
	})

	It("does so too when the definitions went first, and the operator is down", func(ctx SpecContext) {
		restrict(ctx)
		stopOperator(ctx)
		removeCRDs(ctx)
		start := time.Now()
		undeploy(ctx)
		Expect(time.Since(start)).To(BeNumerically("<", 45*time.Second), "it does not wait for what does not exist")
	})

	It("says what holds it up, and goes on from there", func(ctx SpecContext) {
		restrict(ctx)
		kubectl(ctx, "patch", "lprod", "licensed", "--type=merge", "-p",
			`{"metadata":{"finalizers":["example.com/audit"]}}`)
		GinkgoT().Setenv("STEP_TIMEOUT", "3")
		output, err := command(ctx, "make", "undeploy")
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("licensed: [example.com/audit]"))
		kubectl(ctx, "patch", "lprod", "licensed", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
		GinkgoT().Setenv("STEP_TIMEOUT", "60")
		undeploy(ctx)
	})
})

func stopOperator(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "scale", "deployment/license-operator-controller-manager", "-n", defaultNamespace, "--replicas=0")
	Eventually(func() int { return len(operatorPods(ctx, defaultNamespace)) }).Should(BeZero())
}
