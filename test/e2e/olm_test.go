//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// OLM, as its module has it: its operators run on the cluster.
var _ = Describe("With OLM", Ordered, func() {
	const (
		module = "github.com/operator-framework/operator-lifecycle-manager"
		olm    = "olm"
	)
	var release, next string // names of ClusterServiceVersions

	BeforeAll(func(ctx SpecContext) {
		installable(ctx)
		bundles, err := filepath.Glob(filepath.Join(root, "bin", "e2e", "bundles", "*", "metadata"))
		Expect(err).NotTo(HaveOccurred())
		Expect(bundles).To(HaveLen(2))
		release, next = "license-operator."+filepath.Base(filepath.Dir(bundles[0])),
			"license-operator."+filepath.Base(filepath.Dir(bundles[1]))

		rendered := run(ctx, "helm", "template", "olm", filepath.Join(moduleOf(ctx, "olm", module), "deploy", "chart"),
			"--include-crds", "--kube-version", "1.36.0",
			"--set", "namespace="+olm, "--set", "catalog_namespace="+olm, "--set", "operator_namespace=operators",
			"--set", "package.replicaCount=1",
			"--set", "olm.image.ref="+imageFrom("olm"), "--set", "catalog.image.ref="+imageFrom("olm"), "--set",
			"package.image.ref="+imageFrom("olm"),
			"--set", "catalog.opmImageArgs=--opmImage="+imageFrom("opm"), "--set",
			"catalog.commandArgs=--configmapServerImage="+imageFrom("opm"))
		var operators []*unstructured.Unstructured
		for _, o := range objectsIn([]byte(rendered)) {
			switch o.GetKind() {
			case "CustomResourceDefinition":
				install(ctx, o)
			case "CatalogSource":
				// That of all operators of the community: it cannot be pulled here.
			default:
				operators = append(operators, o)
			}
		}
		apply(ctx, operators...)
		for _, name := range []string{"olm-operator", "catalog-operator"} {
			kubectl(ctx, "rollout", "status", "deployment/"+name, "-n", olm, "--timeout=120s")
		}
		Eventually(phase(ctx, olm, "packageserver"), "2m").Should(Equal("Succeeded"))
		DeferCleanup(func(ctx SpecContext) {
			By("removing what OLM has installed of itself")
			kubectl(ctx, "delete", "clusterserviceversions.operators.coreos.com", "packageserver", "-n", olm)
			Eventually(func() string { return kubectl(ctx, "get", "apiservices", "-o", "name") }).
				ShouldNot(ContainSubstring("packages.operators.coreos.com"))
		})
	})

	It("installs the operator from its bundle in a catalog, and upgrades it while a restriction holds",
		func(ctx SpecContext) {
			const tier = "olm-security"
			create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: defaultNamespace}})
			create(ctx,
				operators("v1", "OperatorGroup", "license-operator",
					map[string]any{"targetNamespaces": []any{defaultNamespace}}))
			DeferCleanup(func(ctx SpecContext) { removeFromOLM(ctx) })
			catalog := operators("v1alpha1", "CatalogSource", "license-operator", map[string]any{
				"sourceType": "grpc", "image": imageFrom("license-operator-catalog"), "displayName": "license-operator",
				"grpcPodConfig": map[string]any{
					"securityContextConfig": "restricted",
					"extractContent":        map[string]any{"catalogDir": "/configs"},
				},
			})
			create(ctx, catalog)
			create(ctx, operators("v1alpha1", "Subscription", "license-operator", map[string]any{
				"name": "license-operator", "channel": "stable", "source": "license-operator",
				"sourceNamespace": defaultNamespace,
				"config": map[string]any{
					"env": []any{map[string]any{"name": "LICENSE_OPERATOR_ALERTS_LABELS", "value": "release=e2e"}},
				},
			}))
			Eventually(phase(ctx, defaultNamespace, release), "3m").Should(Equal("Succeeded"))
			noteGrants(ctx)

			installMonitoringKinds(ctx, "prometheusrules")
			theirs := installTier(ctx, tier)
			before := bytesOf(ctx, theirs)
			create(ctx, acme.product("restricted", restricting(tier)), acme.product("licensed"), acme.key("licensed"))
			licensed(ctx, "licensed")
			Eventually(passPolicies(ctx)).Should(Equal([]string{tier + ".license-operator-pass"}))
			Eventually(func() string {
				return kubectl(ctx, "get", "prometheusrules", "-n", defaultNamespace, "-l", "release=e2e", "-o", "name")
			}).Should(ContainSubstring("restricted"), "the setting of the Subscription counts")
			By("the lock, which the operator has applied itself, being in force")
			Eventually(condition(ctx, "restricted", "RestrictionReady"), "90s").Should(Equal("True Complete"))
			Expect(changingThePassPolicy(ctx, tier)).To(ContainSubstring("https://acme.example/renew"))
			Expect(run(ctx, "kubectl", "license", "doctor")).NotTo(MatchRegexp(`(?m)^problem`))

			By("upgrading")
			unchanged := holding(ctx)
			kubectl(ctx, "patch", "catalogsource", "license-operator", "-n", defaultNamespace, "--type=merge", "-p",
				fmt.Sprintf(`{"spec":{"image":%q}}`, imageFrom("license-operator-catalog-next")))
			Eventually(phase(ctx, defaultNamespace, next), "4m").Should(Equal("Succeeded"))
			Eventually(phase(ctx, defaultNamespace, release)).Should(BeEmpty(), "the version before is gone")
			settle(ctx)
			Expect(reportOf(ctx, "restricted").OperatorVersion).To(Equal(strings.TrimPrefix(next, "license-operator.")))

			By("make undeploy leaving OLM what is OLM's")
			output, err := command(ctx, "make", "undeploy")
			Expect(err).To(HaveOccurred())
			Expect(output).To(ContainSubstring("the ClusterServiceVersion " + next))
			unchanged(ctx)

			By("renewing")
			create(ctx, acme.key("restricted"))
			licensed(ctx, "restricted")
			Eventually(passPolicies(ctx)).Should(BeEmpty())
			Expect(bytesOf(ctx, theirs)).To(Equal(before))
		})
})

// operators is an object of OLM's in the operator's namespace.
func operators(version, kind, name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetAPIVersion("operators.coreos.com/" + version)
	o.SetKind(kind)
	o.SetNamespace(defaultNamespace)
	o.SetName(name)
	return o
}

// phase of a ClusterServiceVersion; empty if there is none.
func phase(ctx context.Context, namespace, name string) func(Gomega) string {
	return func(g Gomega) string {
		csv := operators("v1alpha1", "ClusterServiceVersion", name, nil)
		err := k8sClient.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, csv)
		g.Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
		if err != nil {
			return ""
		}
		phase, _, err := unstructured.NestedString(csv.Object, "status", "phase")
		g.Expect(err).NotTo(HaveOccurred())
		return phase
	}
}

// removeFromOLM takes the operator off as docs/installation.md says for users without a clone.
func removeFromOLM(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "delete", "licensedproducts.license-operator.io", "--all")
	csv := kubectl(ctx, "get", "subscriptions.operators.coreos.com", "license-operator", "-n", defaultNamespace, "-o",
		"jsonpath={.status.installedCSV}")
	kubectl(ctx, "delete", "subscriptions.operators.coreos.com,catalogsources.operators.coreos.com", "license-operator",
		"-n", defaultNamespace)
	removing(ctx, func() {
		kubectl(ctx, "delete", "clusterserviceversions.operators.coreos.com", csv, "-n", defaultNamespace)
	})
	kubectl(ctx, "delete", "operatorgroups.operators.coreos.com,installplans.operators.coreos.com", "--all", "-n",
		defaultNamespace)
	kubectl(ctx, "delete", "licensekeys.license-operator.io", "--all")
	kubectl(ctx, "delete", "validatingadmissionpolicybindings,validatingadmissionpolicies", "license-operator-guard",
		"license-operator-lock", "license-operator-notice")
	kubectl(ctx, "delete", "clusterroles,clusterrolebindings", "-l", installedLabel)
	kubectl(ctx, "delete", "namespace", defaultNamespace)
	kubectl(ctx, "delete", "customresourcedefinitions", "licensedproducts.license-operator.io",
		"licensekeys.license-operator.io")
	Eventually(func() []string { return remains(ctx) }).Should(BeEmpty())
}
