//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("A cluster that is not as it should be", Ordered, func() {
	const tier = "hard-security"

	BeforeAll(func(ctx SpecContext) {
		installable(ctx)
		installTier(ctx, tier)
		undeployAfterwards()
	})

	It("may have older definitions, and keeps what is stored under them", func(ctx SpecContext) {
		for _, kind := range []string{"licensedproducts", "licensekeys"} {
			older := objectsIn(read(root, "config/crd/bases/license-operator.io_"+kind+".yaml"))[0]
			version := older.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
			for _, field := range []string{"restriction", "usage", "alerts"} {
				unstructured.RemoveNestedField(version, "schema", "openAPIV3Schema", "properties", "spec", "properties",
					field)
				unstructured.RemoveNestedField(version, "schema", "openAPIV3Schema", "properties", "status",
					"properties", field)
			}
			version["additionalPrinterColumns"] = []any{}
			// As an installation before would have applied them.
			Expect(k8sClient.Apply(ctx, client.ApplyConfigurationFromUnstructured(older),
				client.FieldOwner("kubectl"))).
				To(Succeed())
		}
		create(ctx, acme.product("older", restricting(tier)))
		stored := &api.LicensedProduct{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "older"}, stored)).To(Succeed())
		Expect(stored.Spec.Restriction).To(BeNil(), "these definitions do not know it")
		create(ctx, acme.key("older"))

		deploy(ctx)
		licensed(ctx, "older")
		Expect(kubectl(ctx, "get", "lprod")).To(MatchRegexp(`older +Valid +older`))
		patch, err := json.Marshal(
			map[string]any{
				"spec": map[string]any{"restriction": acme.product("older", restricting(tier)).Spec.Restriction},
			})
		Expect(err).NotTo(HaveOccurred())
		kubectl(ctx, "patch", "lprod", "older", "--type=merge", "-p", string(patch))
		Eventually(condition(ctx, "older", api.ConditionRestricted)).Should(Equal("False NotDue"))
	})

	It("may lose the definitions while the operator runs, and get them back", func(ctx SpecContext) {
		removeCRDs(ctx)
		pods := names(operatorPods(ctx, defaultNamespace))
		Consistently(func(g Gomega) {
			for _, pod := range operatorPods(ctx, defaultNamespace) {
				g.Expect(pod.Status.ContainerStatuses).To(HaveEach(HaveField("RestartCount", BeZero())))
			}
		}, "15s", "1s").Should(Succeed())
		deploy(ctx)
		Expect(names(operatorPods(ctx, defaultNamespace))).To(Equal(pods))
		create(ctx, acme.product("again"), acme.key("again"))
		licensed(ctx, "again")
	})

	It("may have an API server whose clock is an hour off: what holds goes on holding, and nothing begins",
		func(ctx SpecContext) {
			create(ctx, acme.product("holds", restricting(tier)))
			Eventually(passPolicies(ctx)).Should(Equal([]string{tier + ".license-operator-pass"}))
			held := versions(ctx, "globalnetworkpolicies.projectcalico.org", "")

			By("putting a proxy before the API server that moves its clock")
			create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: defaultNamespace, Name: "skew"},
				Data: map[string]string{"kubeconfig": `apiVersion: v1
kind: Config
clusters: [{name: skewed, cluster: {server: "http://127.0.0.1:8001"}}]
contexts: [{name: skewed, context: {cluster: skewed}}]
current-context: skewed
`},
			})
			skewed, err := json.Marshal(
				map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
					"volumes": []any{map[string]any{"name": "skew", "configMap": map[string]any{"name": "skew"}}},
					"initContainers": []any{map[string]any{
						"name": "skew", "image": imageFrom("license-operator-skew"), "args": []any{"1h"},
						"restartPolicy": "Always",
						"securityContext": map[string]any{
							"allowPrivilegeEscalation": false,
							"capabilities":             map[string]any{"drop": []any{"ALL"}},
						},
					}},
					"containers": []any{map[string]any{
						"name":         "manager",
						"env":          []any{map[string]any{"name": "KUBECONFIG", "value": "/etc/skew/kubeconfig"}},
						"volumeMounts": []any{map[string]any{"name": "skew", "mountPath": "/etc/skew"}},
					}},
				}}}})
			Expect(err).NotTo(HaveOccurred())
			kubectl(ctx, "patch", "deployment", "license-operator-controller-manager", "-n", defaultNamespace,
				"--type=strategic", "-p", string(skewed))
			kubectl(ctx, "rollout", "status", "deployment/license-operator-controller-manager", "-n", defaultNamespace,
				"--timeout=120s")
			settle(ctx)

			create(ctx, acme.product("begins", restricting(tier)), acme.product("works"), acme.key("works"))
			licensed(ctx, "works")
			Eventually(condition(ctx, "begins", api.ConditionClockSkewed)).Should(Equal("True NodeClock"))
			Eventually(condition(ctx, "begins", api.ConditionRestricted)).Should(Equal("False ClockDisputed"))
			Expect(versions(ctx, "globalnetworkpolicies.projectcalico.org", "")).To(Equal(held))
			output, err := command(ctx, "kubectl", "license", "doctor")
			Expect(err).To(HaveOccurred(), output)
			Expect(output).To(MatchRegexp(`problem +OperatorClock`))

			By("correcting the clock")
			kubectl(ctx, "rollout", "undo", "deployment/license-operator-controller-manager", "-n", defaultNamespace)
			kubectl(ctx, "rollout", "status", "deployment/license-operator-controller-manager", "-n", defaultNamespace,
				"--timeout=120s")
			Eventually(condition(ctx, "begins", api.ConditionRestricted)).Should(Equal("True DefaultTierOnly"))
			renew(ctx, "holds", "begins")
			Eventually(passPolicies(ctx)).Should(BeEmpty())
		})
})

var _ = Describe("An upgrade", Ordered, func() {
	const tier = "upgrade-security"

	It("keeps every state and every restriction, without a gap", func(ctx SpecContext) {
		installable(ctx)
		installMonitoringKinds(ctx, "prometheusrules")
		installTier(ctx, tier)
		undeployAfterwards()
		deploy(ctx)
		create(ctx, acme.product("restricted", restricting(tier)), acme.product("licensed"), acme.key("licensed"))
		licensed(ctx, "licensed")
		Eventually(passPolicies(ctx)).Should(Equal([]string{tier + ".license-operator-pass"}))
		Eventually(condition(ctx, "restricted", api.ConditionRestrictionReady), "90s").Should(Equal("True Complete"))
		Eventually(condition(ctx, "restricted", api.ConditionAlertsReady)).Should(Equal("True RuleApplied"))

		unchanged := holding(ctx)
		first := reportOf(ctx, "licensed").OperatorVersion
		run(ctx, "make", "deploy", "IMG="+imageFrom("license-operator-next"))
		settle(ctx)
		Expect(reportOf(ctx, "licensed").OperatorVersion).NotTo(Equal(first))
		unchanged(ctx)
		renew(ctx, "restricted")
		Eventually(passPolicies(ctx)).Should(BeEmpty())
	})
})

// renew gives products keys, and waits until they count.
func renew(ctx context.Context, products ...string) {
	GinkgoHelper()
	for _, product := range products {
		create(ctx, acme.key(product))
	}
	licensed(ctx, products...)
}
