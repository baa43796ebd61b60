// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/license-operator/license-operator/test/controlplane"
)

// The kind comes and goes: it is a cluster's own affair.
var _ = Describe("The alerts of a product", Ordered, func() {
	var definition *unstructured.Unstructured
	const name = "alerted"

	alertsReady := func(ctx context.Context, name string) func(Gomega) string {
		return func(g Gomega) string { return reason(getProduct(ctx, g, name).Status.Conditions, "AlertsReady") }
	}
	newRule := func(name string) *unstructured.Unstructured {
		rule := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "monitoring.coreos.com/v1",
			"kind":       "PrometheusRule",
		}}
		rule.SetNamespace(controlplane.OperatorNamespace)
		rule.SetName(name)
		return rule
	}
	getRule := func(ctx context.Context, g Gomega, name string) *unstructured.Unstructured {
		rule := newRule(name)
		g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(rule), rule)).To(Succeed())
		return rule
	}
	// content is all of a rule that the operator decides.
	content := func(rule *unstructured.Unstructured) map[string]any {
		return map[string]any{
			"spec": rule.Object["spec"], "labels": rule.GetLabels(),
			"owners": rule.GetOwnerReferences(),
		}
	}

	BeforeAll(func(ctx SpecContext) {
		var err error
		definition, err = controlplane.PrometheusOperatorDefinition(ctx, "prometheusrules")
		Expect(err).NotTo(HaveOccurred())
		create(ctx, newProduct(name))
	})
	AfterAll(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, definition.DeepCopy()))).To(Succeed())
	})

	It("are not ready where the cluster has no such kind", func(ctx SpecContext) {
		Eventually(alertsReady(ctx, name)).Should(Equal("APINotInstalled"))
		Expect(eventReasons(ctx, "LicensedProduct", name)(NewWithT(GinkgoT()))).NotTo(ContainElement("AlertsNotReady"),
			"many clusters have none, and no use for the news")
	})

	It("appear within seconds of the kind", func(ctx SpecContext) {
		Expect(plane.Install(ctx, definition.DeepCopy())).To(Succeed())
		Eventually(alertsReady(ctx, name), "8s").Should(Equal("RuleApplied"))
		rule := getRule(ctx, NewWithT(GinkgoT()), name)
		product := getProduct(ctx, NewWithT(GinkgoT()), name)
		Expect(rule.GetLabels()).
			To(Equal(map[string]string{"app.kubernetes.io/managed-by": "license-operator", "release": "prometheus"}))
		Expect(rule.GetOwnerReferences()).To(Equal([]metav1.OwnerReference{{
			APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct", Name: name, UID: product.UID,
			Controller: new(true),
		}}))
		Expect(product.Status.ObservedGeneration).To(Equal(product.Generation))
	})

	DescribeTable("are repaired",
		func(ctx SpecContext, harm func(ctx context.Context, rule *unstructured.Unstructured)) {
			var whole map[string]any
			Eventually(func(g Gomega) { whole = content(getRule(ctx, g, name)) }).Should(Succeed())
			harm(ctx, getRule(ctx, NewWithT(GinkgoT()), name))
			Eventually(func(g Gomega) map[string]any { return content(getRule(ctx, g, name)) }).Should(Equal(whole))
			Expect(alertsReady(ctx, name)(NewWithT(GinkgoT()))).To(Equal("RuleApplied"))
		},
		Entry("when the rule was deleted", func(ctx context.Context, rule *unstructured.Unstructured) {
			Expect(k8sClient.Delete(ctx, rule)).To(Succeed())
		}),
		Entry("when an alert was taken out", func(ctx context.Context, rule *unstructured.Unstructured) {
			groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
			Expect(err).NotTo(HaveOccurred())
			group := groups[0].(map[string]any)
			group["rules"] = group["rules"].([]any)[1:]
			Expect(unstructured.SetNestedSlice(rule.Object, groups, "spec", "groups")).To(Succeed())
			Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		}),
		Entry("when a group was added", func(ctx context.Context, rule *unstructured.Unstructured) {
			groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
			Expect(err).NotTo(HaveOccurred())
			added := map[string]any{
				"name":  "added",
				"rules": []any{map[string]any{"record": "license_state", "expr": "1"}},
			}
			Expect(unstructured.SetNestedSlice(rule.Object, append(groups, added), "spec", "groups")).To(Succeed())
			Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		}),
		Entry("when the label was taken away that a Prometheus selects it by", func(ctx context.Context,
			rule *unstructured.Unstructured,
		) {
			rule.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "license-operator"})
			Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		}),
		Entry("when the label was taken away that the operator knows it by", func(ctx context.Context,
			rule *unstructured.Unstructured,
		) {
			rule.SetLabels(map[string]string{"release": "prometheus"})
			Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		}),
		Entry("when the owner was taken away", func(ctx context.Context, rule *unstructured.Unstructured) {
			rule.SetOwnerReferences(nil)
			Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		}),
	)

	It("leave alone what others have labeled the rule with", func(ctx SpecContext) {
		rule := getRule(ctx, NewWithT(GinkgoT()), name)
		labels := rule.GetLabels()
		labels["team"] = "platform"
		rule.SetLabels(labels)
		before := rulePatches(name)
		Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(getRule(ctx, g, name).GetLabels()).To(HaveKeyWithValue("team", "platform"))
			g.Expect(rulePatches(name)).To(Equal(before))
		}, "1500ms", "300ms").Should(Succeed(), "longer than a repair waits")
		By("leaving it in place when it repairs the rest")
		labels["release"] = "another"
		rule.SetLabels(labels)
		Expect(k8sClient.Update(ctx, rule)).To(Succeed())
		Eventually(func(g Gomega) map[string]string { return getRule(ctx, g, name).GetLabels() }).Should(And(
			HaveKeyWithValue("team", "platform"), HaveKeyWithValue("release", "prometheus")))
	})

	It("follow the thresholds, with one write of the rule", func(ctx SpecContext) {
		before := rulePatches(name)
		product := getProduct(ctx, NewWithT(GinkgoT()), name)
		Expect(k8sClient.Patch(ctx, product,
			client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"alerts":{"expiryWarningDays":77}}}`)))).
			To(Succeed())
		Eventually(func(g Gomega) string { return fmt.Sprint(getRule(ctx, g, name).Object["spec"]) }).
			Should(ContainSubstring("77"))
		Consistently(func() int { return rulePatches(name) - before }, "1500ms", "300ms").Should(Equal(1),
			"longer than a repair waits")
	})

	It("say so where the name is somebody else's, and leave that alone", func(ctx SpecContext) {
		theirs := newRule("taken")
		theirs.Object["spec"] = map[string]any{"groups": []any{}}
		create(ctx, theirs)
		create(ctx, newProduct("taken"))
		Eventually(alertsReady(ctx, "taken")).Should(Equal("ApplyFailed"))
		Eventually(eventReasons(ctx, "LicensedProduct", "taken")).Should(ContainElement("AlertsNotReady"))
		Expect(content(getRule(ctx, NewWithT(GinkgoT()), "taken"))).To(Equal(content(theirs)))
		By("taking it once it is free")
		Expect(k8sClient.Delete(ctx, theirs)).To(Succeed())
		Eventually(alertsReady(ctx, "taken")).Should(Equal("RuleApplied"))
	})

	It("have names that fit, however long the product's is", func(ctx SpecContext) {
		long := "a-product-with-a-name" + fmt.Sprintf("-%0230d", 1)
		create(ctx, newProduct(long))
		Eventually(alertsReady(ctx, long)).Should(Equal("RuleApplied"))
	})

	It("say so where the operator may not write, and come once it may", func(ctx SpecContext) {
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{
			Namespace: controlplane.OperatorNamespace,
			Name:      "license-operator-manager-role",
		}}
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
		whole := role.DeepCopy()
		without := slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Resources,
				"prometheusrules")
		})
		Expect(without).To(HaveLen(len(whole.Rules) - 1))
		role.Rules = without
		Expect(k8sClient.Update(ctx, role)).To(Succeed())
		grant := func(ctx context.Context) {
			GinkgoHelper()
			Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
			role.Rules = whole.Rules
			Expect(k8sClient.Update(ctx, role)).To(Succeed())
		}
		DeferCleanup(func(ctx SpecContext) { grant(ctx) })

		create(ctx, newProduct("forbidden"))
		Eventually(alertsReady(ctx, "forbidden")).Should(Equal("Forbidden"), "it may not create")
		Expect(productSummary(ctx, "forbidden")(NewWithT(GinkgoT()))).
			To(Equal(summary{"Unlicensed", "TermsAccepted", ""}), "nothing else waits for it")

		By("a kind that it may not even read")
		Expect(k8sClient.Delete(ctx, definition.DeepCopy())).To(Succeed())
		Eventually(alertsReady(ctx, name)).Should(Equal("APINotInstalled"))
		Eventually(func() error {
			return k8sClient.Get(ctx, client.ObjectKeyFromObject(definition),
				definition.DeepCopy())
		}).Should(
			Satisfy(apierrors.IsNotFound), "the definition takes a moment to go")
		Expect(plane.Install(ctx, definition.DeepCopy())).To(Succeed())
		Eventually(alertsReady(ctx, name)).Should(Equal("Forbidden"))

		By("being granted it")
		grant(ctx)
		Eventually(alertsReady(ctx, name), "30s").Should(Equal("RuleApplied"), "it asks again every 5 seconds")
		Eventually(alertsReady(ctx, "forbidden")).Should(Equal("RuleApplied"))
	})

	It("say so where a quota refuses them, and come once it does not", func(ctx SpecContext) {
		before := reconcileErrors("prometheusrule")
		quota := &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: controlplane.OperatorNamespace, Name: "no-rules"},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
				"count/prometheusrules.monitoring.coreos.com": resource.MustParse("0"),
			}},
		}
		create(ctx, quota)
		// As the quota controller does, which does not run here.
		quota.Status.Hard = quota.Spec.Hard
		quota.Status.Used = corev1.ResourceList{"count/prometheusrules.monitoring.coreos.com": resource.MustParse("0")}
		Expect(k8sClient.Status().Update(ctx, quota)).To(Succeed())
		Eventually(func(g Gomega) {
			probe := newRule(unique("probe"))
			probe.Object["spec"] = map[string]any{"groups": []any{}}
			g.Expect(k8sClient.Create(ctx, probe, client.DryRunAll)).To(Satisfy(apierrors.IsForbidden))
		}).Should(Succeed(), "the quota takes a moment")
		create(ctx, newProduct("over-quota"))
		Eventually(alertsReady(ctx, "over-quota")).Should(Equal("ApplyFailed"), "no permission would help")
		Eventually(func() float64 { return reconcileErrors("prometheusrule") }).Should(BeNumerically(">", before))
		Expect(k8sClient.Delete(ctx, quota)).To(Succeed())
		Eventually(alertsReady(ctx, "over-quota"), "30s").Should(Equal("RuleApplied"),
			"it retries with growing delays")
	})

	It("wait while the kind is there and not served, and come back with it", func(ctx SpecContext) {
		serve := func(served bool) {
			GinkgoHelper()
			patch := client.RawPatch(types.JSONPatchType,
				[]byte(fmt.Sprintf(`[{"op": "replace", "path": "/spec/versions/0/served", "value": %t}]`, served)))
			Expect(k8sClient.Patch(ctx, definition.DeepCopy(), patch)).To(Succeed())
		}
		serve(false)
		Eventually(alertsReady(ctx, name)).Should(Equal("APINotInstalled"))
		serve(true)
		Eventually(alertsReady(ctx, name), "30s").Should(Equal("RuleApplied"),
			"it asks less and less often, but every 5 seconds")
	})

	It("are not written again by an operator that starts where all is well", func(ctx SpecContext) {
		before := ruleWrites()
		operator.stop()
		operator = startOperator(ctx)
		create(ctx, newProduct("afterwards"))
		Eventually(alertsReady(ctx, "afterwards")).Should(Equal("RuleApplied"), "it works again")
		Consistently(func() int { return ruleWrites() - before }, "1500ms", "300ms").Should(Equal(1))
	})

	It("are refused at length, and no state waits for that", func(ctx SpecContext) {
		refusal := &admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "no-rules"},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				MatchConstraints: &admissionregistrationv1.MatchResources{
					ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
						RuleWithOperations: admissionregistrationv1.RuleWithOperations{
							Operations: []admissionregistrationv1.OperationType{"*"},
							Rule: admissionregistrationv1.Rule{
								APIGroups:   []string{"monitoring.coreos.com"},
								APIVersions: []string{"*"}, Resources: []string{"prometheusrules"},
							},
						},
					}},
				},
				// The API server quotes the name, and a message of its own for as long as it likes.
				Validations: []admissionregistrationv1.Validation{{
					Expression:        "false",
					MessageExpression: "'no rules here: ' + object.spec.groups[0].rules.map(r, r.expr).join(' ')",
				}},
			},
		}
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "no-rules"},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        "no-rules",
				ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			},
		}
		create(ctx, refusal, binding)
		Eventually(func(g Gomega) {
			probe := newRule(unique("probe"))
			probe.Object["spec"] = map[string]any{
				"groups": []any{map[string]any{
					"name":  "g",
					"rules": []any{map[string]any{"record": "r", "expr": "1"}},
				}},
			}
			g.Expect(k8sClient.Create(ctx, probe, client.DryRunAll)).To(MatchError(ContainSubstring("no rules here")))
		}).Should(Succeed(), "the policy takes a moment")
		create(ctx, newProduct("refused"), newKey("refused", "refused", acme.issue("refused", now(), 10*days, 0)))
		Eventually(alertsReady(ctx, "refused")).Should(Equal("ApplyFailed"))
		Eventually(productSummary(ctx, "refused")).Should(Equal(summary{"Valid", "TermsAccepted", "refused"}))
	})

	It("go with the kind, and nothing else does", func(ctx SpecContext) {
		create(ctx, newKey(name, name, acme.issue(name, now(), 10*days, 0)))
		Expect(k8sClient.Delete(ctx, definition.DeepCopy())).To(Succeed())
		Eventually(alertsReady(ctx, name)).Should(Equal("APINotInstalled"))
		Eventually(productSummary(ctx, name)).Should(Equal(summary{"Valid", "TermsAccepted", name}))
	})
})

// reconcileErrors are how many reconciles of a controller the metrics count as failed.
func reconcileErrors(controller string) (count float64) {
	GinkgoHelper()
	families, err := ctrlmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "controller_runtime_reconcile_errors_total" &&
				metric.GetLabel()[0].GetValue() == controller {
				count += metric.GetCounter().GetValue()
			}
		}
	}
	return count
}

// ruleWrites are how often the operator has written any rule.
func ruleWrites() int {
	GinkgoHelper()
	events, err := plane.AuditEvents()
	Expect(err).NotTo(HaveOccurred())
	writes := 0
	for _, e := range events {
		if e.Resource == "prometheusrules" && (e.Verb == "patch" || e.Verb == "create") &&
			e.Stage == controlplane.StageResponseComplete {
			writes++
		}
	}
	return writes
}

// rulePatches are how often the operator has patched a rule.
func rulePatches(name string) int {
	GinkgoHelper()
	events, err := plane.AuditEvents()
	Expect(err).NotTo(HaveOccurred())
	patches := 0
	for _, e := range events {
		if e.Resource == "prometheusrules" && e.Name == name && e.Verb == "patch" &&
			e.Stage == controlplane.StageResponseComplete {
			patches++
		}
	}
	return patches
}
