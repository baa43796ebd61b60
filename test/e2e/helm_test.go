//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("With Helm", Ordered, func() {
	const (
		tier    = "helm-security"
		release = "licensing"
	)

	It("is installed, upgraded while a restriction holds, and removed", func(ctx SpecContext) {
		installable(ctx)
		installMonitoringKinds(ctx, "prometheusrules", "servicemonitors")
		theirs := installTier(ctx, tier)
		before := bytesOf(ctx, theirs)
		DeferCleanup(func(ctx SpecContext) { // whatever became of it
			_, _ = command(ctx, "helm", "uninstall", release, "--namespace", defaultNamespace, "--wait", "--timeout=2m")
			_, _ = command(ctx, "make", "undeploy")
		})
		next, tag := imageFrom("license-operator-next"), os.Getenv("E2E_TAG")
		run(ctx, "make", "chart", "IMG="+image)
		run(ctx, "helm", "install", release, "dist/chart", "--namespace", defaultNamespace, "--create-namespace",
			"--set", "serviceMonitor.enabled=true", "--wait", "--timeout=2m")
		create(ctx, acme.product("restricted", restricting(tier)), acme.product("licensed"), acme.key("licensed"))
		licensed(ctx, "licensed")
		Eventually(passPolicies(ctx)).Should(Equal([]string{tier + ".license-operator-pass"}))
		Eventually(condition(ctx, "restricted", api.ConditionRestrictionReady), "90s").Should(Equal("True Complete"))
		Eventually(condition(ctx, "licensed", api.ConditionAlertsReady)).Should(Equal("True RuleApplied"))
		Expect(run(ctx, "kubectl", "license", "doctor")).To(MatchRegexp(`ok +Pods +2 pods are ready`))

		unchanged := holding(ctx)
		run(ctx, "helm", "upgrade", release, "dist/chart", "--namespace", defaultNamespace, "--reuse-values", "--set",
			"image.repository="+strings.TrimSuffix(next, ":"+tag), "--set", "image.tag="+tag, "--wait", "--timeout=2m")
		settle(ctx)

		By("make undeploy leaving Helm what is Helm's")
		output, err := command(ctx, "make", "undeploy")
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("helm uninstall " + release))
		unchanged(ctx)

		By("removing it as docs/installation.md says")
		kubectl(ctx, "delete", "licensedproducts.license-operator.io", "--all")
		Eventually(passPolicies(ctx)).Should(BeEmpty())
		removing(ctx, func() {
			run(ctx, "helm", "uninstall", release, "--namespace", defaultNamespace, "--wait", "--timeout=2m")
		})
		kubectl(ctx, "delete", "crd", "licensedproducts.license-operator.io", "licensekeys.license-operator.io")
		kubectl(ctx, "delete", "namespace", defaultNamespace)
		Eventually(func() []string { return remains(ctx) }).Should(BeEmpty())
		Expect(bytesOf(ctx, theirs)).To(Equal(before), "same uid, same resourceVersion, same bytes")
	})
})
