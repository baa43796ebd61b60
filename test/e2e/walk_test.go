//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// What the README has its readers do, on a cluster that gets Calico's tiers later.
var _ = Describe("A walk through the README", Ordered, func() {
	const (
		product = "acme-mesh"
		tier    = "walk-security"
		pass    = tier + ".license-operator-pass"
	)
	var (
		dir    string
		theirs []client.Object
		before string
	)

	BeforeAll(func(ctx SpecContext) {
		installable(ctx)
		dir = GinkgoT().TempDir()
		deploy(ctx)
		undeployAfterwards()
	})

	// issue has the vendor issue a key with these flags, and the customer apply it.
	issue := func(ctx context.Context, name string, flags ...string) {
		GinkgoHelper()
		manifest := filepath.Join(dir, name+".yaml")
		run(ctx, "bash", "-c", fmt.Sprintf("kubectl license issue --signer %s/acme-ca --product %s --customer "+
			"Initech --nodes 100 --name %s %s > %s", dir, product, name, strings.Join(flags, " "), manifest))
		kubectl(ctx, "license", "apply", manifest, "--yes")
	}

	It("takes terms and a key, where there are neither Calico, prometheus-operator nor cert-manager",
		func(ctx SpecContext) {
			kubectl(ctx, "license", "ca", "create", "--dir", filepath.Join(dir, "acme-ca"), "--vendor", "Acme")
			manifest := `apiVersion: license-operator.io/v1alpha1
kind: LicensedProduct
metadata:
  name: ` + product + `
spec:
  vendor: Acme
  renewalURL: https://acme.example/renew
  restriction:
    mode: DefaultTierOnly
    tierSelector:
      matchLabels:
        of: ` + tier + `
  trustAnchors: |
    ` + strings.ReplaceAll(strings.TrimSpace(string(read(dir, "acme-ca/ca.crt"))), "\n", "\n    ") + "\n"
			Expect(os.WriteFile(filepath.Join(dir, "product.yaml"), []byte(manifest), 0o600)).To(Succeed())
			kubectl(ctx, "apply", "-f", filepath.Join(dir, "product.yaml"))
			issue(ctx, "acme-mesh-1", "--valid-for", "45s", "--grace", "15s")
			Expect(kubectl(ctx, "get", "lk")).To(MatchRegexp(`acme-mesh-1 +acme-mesh +Valid +Initech`))
			Expect(kubectl(ctx, "get", "lprod")).To(MatchRegexp(`acme-mesh +Valid +acme-mesh-1`))
			Eventually(condition(ctx, product, api.ConditionAlertsReady)).Should(Equal("False APINotInstalled"))
			Eventually(condition(ctx, product, api.ConditionRestrictionReady)).Should(Equal("False APINotInstalled"))
			Expect(kubectl(ctx, "license", "status")).To(MatchRegexp(`acme-mesh +Valid +acme-mesh-1`))
		})

	Context("once there are tiers", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			theirs = installTier(ctx, tier)
			before = bytesOf(ctx, theirs)
		})

		It("says which policies will stop being applied", func(ctx SpecContext) {
			Eventually(condition(ctx, product, api.ConditionRestrictionReady)).Should(Equal("True Complete"))
			Expect(kubectl(ctx, "license", "simulate", product)).To(ContainSubstring(tier + ".deny"))
		})

		It("goes into grace, and after that restricts the tier", func(ctx SpecContext) {
			Eventually(condition(ctx, product, api.ConditionLicensed), "50s").Should(Equal("True GracePeriod"))
			Expect(passPolicies(ctx)(Default)).To(BeEmpty())
			Eventually(condition(ctx, product, api.ConditionLicensed), "20s").Should(Equal("False Expired"))
			Eventually(passPolicies(ctx)).Should(Equal([]string{pass}))
			Eventually(condition(ctx, product, api.ConditionRestrictionReady), "90s").Should(Equal("True Complete"))
			Expect(kubectl(ctx, "get", "globalnetworkpolicies.projectcalico.org")).To(MatchRegexp(pass + ` +` + tier))
			Expect(changingThePassPolicy(ctx, tier)).To(ContainSubstring("https://acme.example/renew"))
			output, err := command(ctx, "kubectl", "license", "status")
			Expect(err).To(HaveOccurred(), "scripts see that it is not licensed")
			Expect(output).To(And(MatchRegexp(`acme-mesh +Expired`), ContainSubstring("https://acme.example/renew")))
		})

		It("puts the pass policy right that somebody has changed or deleted", func(ctx SpecContext) {
			uid := func() string {
				output, _ := command(ctx, "kubectl", "get", "globalnetworkpolicies.projectcalico.org", pass, "-o",
					"jsonpath={.metadata.uid} {.metadata.ownerReferences[*].name}")
				return output
			}
			made := uid()
			Expect(made).To(HaveSuffix(" " + product))
			kubectl(ctx, "patch", "globalnetworkpolicies.projectcalico.org", pass, "--type=merge", "-p",
				`{"metadata":{"ownerReferences":null}}`)
			Eventually(uid).Should(Equal(made), "it is the same, with its owner again")
			kubectl(ctx, "delete", "globalnetworkpolicies.projectcalico.org", pass)
			Eventually(uid).Should(And(HaveSuffix(" "+product), Not(Equal(made))))
		})

		It("tells a scraper in the cluster, and a report, that it has expired", func(ctx SpecContext) {
			scraper := accountIn(ctx, defaultNamespace, "license-operator-metrics-reader")
			var replicas []string
			for _, pod := range operatorPods(ctx, defaultNamespace) {
				replicas = append(replicas, fmt.Sprintf("https://%s:8443/metrics", pod.Status.PodIP))
			}
			Expect(strings.Count(scrape(ctx, scraper, replicas...),
				`license_state{product="acme-mesh",state="Expired"} 1`)).To(Equal(1))
			Expect(reportOf(ctx, product).Products).To(HaveExactElements(HaveField("State", "Expired")))
		})

		It("is as before when it is renewed, also a second time", func(ctx SpecContext) {
			issue(ctx, "acme-mesh-2", "--valid-for", "365d")
			Eventually(passPolicies(ctx)).Should(BeEmpty())
			Expect(bytesOf(ctx, theirs)).To(Equal(before), "same uid, same resourceVersion, same bytes")
			Expect(kubectl(ctx, "license", "status")).To(MatchRegexp(`acme-mesh +Valid +acme-mesh-2`))
			By("losing the key, and getting it again: the same event comes a second time")
			kubectl(ctx, "delete", "lk", "acme-mesh-2")
			Eventually(condition(ctx, product, api.ConditionLicensed)).Should(Equal("False Expired"))
			kubectl(ctx, "license", "apply", filepath.Join(dir, "acme-mesh-2.yaml"), "--yes")
			Eventually(condition(ctx, product, api.ConditionLicensed)).Should(Equal("True Valid"))
		})
	})
})
