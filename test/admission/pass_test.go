// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"maps"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

func rules(list ...map[string]any) []any {
	all := make([]any, len(list))
	for i := range list {
		all[i] = list[i]
	}
	return all
}

// sparing is the namespace selector of a pass policy that exempts a namespace.
func sparing(namespace string) string {
	selector, _ := calico.PassSpec("", namespace)["namespaceSelector"].(string)
	return selector
}

var _ = Describe("The lock and pass policies", func() {
	// A policy of this order is refused unless it is neutral: so the lock tells what it takes for neutral.
	DescribeTable("agree with the plan on what is neutral", func(ctx SpecContext, changed fields, neutral bool) {
		tier := unique("tier")
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		policy := with(newPassPolicy(tier+".policy", tier), changed)
		spec := maps.Clone(policy.Object["spec"].(map[string]any))
		outcome := Succeed()
		if !neutral {
			outcome = refused(policy, sortsFirst(tier, product.Name))
		}
		Expect(engineer.Create(ctx, policy, client.DryRunAll)).To(outcome)
		Expect(calico.IsNeutral(spec, controlplane.OperatorNamespace)).To(Equal(neutral))
	},
		Entry("as it is", fields{}, true),
		Entry("types the other way round", fields{"types": []any{"Egress", "Ingress"}}, true),
		Entry("fields that hold nothing",
			fields{
				"doNotTrack": false, "preDNAT": false, "applyOnForward": false, "serviceAccountSelector": "",
				"performanceHints": []any{},
			}, true),
		Entry("rules as an older API writes them",
			fields{"ingress": rules(map[string]any{
				"action": "Pass", "source": map[string]any{},
				"destination": map[string]any{},
			})}, true),
		Entry("of another selector", fields{"selector": "has(app)"}, false),
		Entry("of a selector with a space", fields{"selector": "all() "}, false),
		Entry("of an empty selector", fields{"selector": ""}, false),
		Entry("without a selector", fields{"selector": nil}, false),
		Entry("exempting no namespace", fields{"namespaceSelector": nil}, false),
		Entry("exempting no namespace, by all()", fields{"namespaceSelector": "all()"}, false),
		Entry("sparing a namespace of no name", fields{"namespaceSelector": sparing("")}, false),
		Entry("sparing what is no namespace", fields{"namespaceSelector": sparing("Shop")}, false),
		Entry("sparing what is too long for a namespace", fields{"namespaceSelector": sparing(strings.Repeat("x", 64))},
			false),
		Entry("sparing several namespaces",
			fields{"namespaceSelector": sparing("a") + ` && projectcalico.org/name != "b"`}, false),
		Entry("sparing several namespaces, otherwise",
			fields{"namespaceSelector": `projectcalico.org/name != "b" && ` + sparing("a")}, false),
		Entry("sparing namespaces by their names' ends",
			fields{"namespaceSelector": sparing(`a" && projectcalico.org/name != "b`)}, false),
		Entry("sparing all but one",
			fields{"namespaceSelector": `has(projectcalico.org/name) && projectcalico.org/name == "shop"`}, false),
		Entry("sparing by another label",
			fields{"namespaceSelector": `has(projectcalico.org/name) && projectcalico-org/name != "shop"`}, false),
		Entry("on two lines", fields{"namespaceSelector": sparing("a") + "\n"}, false),
		Entry("of one type", fields{"types": []any{"Ingress"}}, false),
		Entry("of no types", fields{"types": nil}, false),
		Entry("allowing", fields{"ingress": rules(map[string]any{"action": "Allow"})}, false),
		Entry("logging", fields{"ingress": rules(map[string]any{"action": "Log"})}, false),
		Entry("passing some", fields{"egress": rules(map[string]any{"action": "Pass", "protocol": "TCP"})}, false),
		Entry("passing some by where they come from",
			fields{"ingress": rules(map[string]any{
				"action": "Pass",
				"source": map[string]any{"selector": "has(app)"},
			})}, false),
		Entry("with a rule before",
			fields{"egress": rules(map[string]any{"action": "Deny", "protocol": "TCP"},
				map[string]any{"action": "Pass"})}, false),
		Entry("with a rule after",
			fields{"egress": rules(map[string]any{"action": "Pass"}, map[string]any{"action": "Deny"})}, false),
		Entry("with no rules one way", fields{"egress": []any{}}, false),
		Entry("one way only", fields{"ingress": nil}, false),
		Entry("not tracked", fields{"doNotTrack": true, "applyOnForward": true}, false),
		Entry("applied to what is forwarded", fields{"applyOnForward": true}, false),
		Entry("for some service accounts", fields{"serviceAccountSelector": "has(name)"}, false),
		Entry("with hints", fields{"performanceHints": []any{"AssumeNeededOnEveryNode"}}, false),
	)

	It("agree that a namespaced policy is never neutral", func(ctx SpecContext) {
		tier := unique("tier")
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		policy := newPolicy(namespacedPolicy, tier+".policy", tier)
		policy.Object["spec"] = newPassPolicy("", tier).Object["spec"]
		delete(policy.Object["spec"].(map[string]any), "namespaceSelector")
		Expect(engineer.Create(ctx, policy.DeepCopy())).To(refused(policy, sortsFirst(tier, product.Name)))
	})

	DescribeTable("every user may write one, whichever namespace it exempts", func(ctx SpecContext, namespace string) {
		frozenTier, passedTier := unique("tier"), unique("tier")
		edited := newPolicy(globalPolicy, frozenTier+".edited", frozenTier)
		there(ctx, edited)
		restricted(ctx, tiers{frozenTier: readOnly, passedTier: defaultTierOnly})
		for _, tier := range []string{frozenTier, passedTier} {
			created, applied := newPassPolicy(tier+".license-operator-pass", tier),
				newPassPolicy(tier+".license-operator-pass-2", tier)
			for _, policy := range []*unstructured.Unstructured{created, applied} {
				with(policy, fields{"namespaceSelector": sparing(namespace)})
				tidy(policy)
			}
			Expect(engineer.Create(ctx, created)).To(Succeed())
			Expect(apply(ctx, applied)).To(Succeed())
		}
		repaired := reread(ctx, edited)
		repaired.Object["spec"] = with(newPassPolicy("", frozenTier),
			fields{"namespaceSelector": sparing(namespace)}).Object["spec"]
		Expect(engineer.Update(ctx, repaired)).To(Succeed())
	},
		Entry("the operator's", controlplane.OperatorNamespace),
		Entry("of one letter", "a"),
		Entry("of the longest name", strings.Repeat("x", 63)),
	)

	It("reject changes to one that is in force", func(ctx SpecContext) {
		tier := unique("tier")
		pass := newPassPolicy(tier+".license-operator-pass", tier)
		there(ctx, pass)
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		for _, w := range writes {
			for _, changed := range []fields{
				{"order": int64(1)},
				{"selector": "has(app)"},
				{"tier": "default", "order": int64(1)},
			} {
				Expect(w.do(ctx, with(reread(ctx, pass), changed))).To(refused(pass, passes(tier, product.Name)),
					"%s: %v", w.name, changed)
			}
		}
		for _, changed := range []fields{{"order": nil}, {"types": []any{"Ingress"}}, {"namespaceSelector": nil}} {
			Expect(engineer.Update(ctx, with(reread(ctx, pass), changed))).To(refused(pass, passes(tier, product.Name)),
				"%v", changed)
		}
		By("but in its form")
		Expect(engineer.Update(ctx,
			with(reread(ctx, pass), fields{"types": []any{"Egress", "Ingress"}, "doNotTrack": false}))).To(Succeed())
		By("and as a deletion would, move it to where it does the same")
		Expect(engineer.Update(ctx, with(reread(ctx, pass), fields{"tier": unique("tier")}), client.DryRunAll)).
			To(Succeed())
		changesOtherThingsAndDeletes(ctx, pass)
	})

	It("reject changes to one in a read-only tier", func(ctx SpecContext) {
		tier := unique("tier")
		pass := newPassPolicy(tier+".license-operator-pass", tier)
		there(ctx, pass)
		product := restricted(ctx, tiers{tier: readOnly})
		for _, w := range writes {
			Expect(w.do(ctx, with(reread(ctx, pass), fields{"selector": "has(app)"}))).
				To(refused(pass, frozen(tier, product.Name)), w.name)
		}
		changesOtherThingsAndDeletes(ctx, pass)
	})

	It("let everybody change one in a tier that is not restricted", func(ctx SpecContext) {
		tier := unique("tier")
		pass := newPassPolicy(tier+".license-operator-pass", tier)
		there(ctx, pass)
		restricted(ctx, tiers{unique("tier"): defaultTierOnly})
		for i, w := range writes {
			Expect(w.do(ctx, with(reread(ctx, pass), fields{"order": int64(i)}))).To(Succeed(), w.name)
		}
	})

	It("let the operator take one away", func(ctx SpecContext) {
		tier := unique("tier")
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		pass := newPassPolicy(tier+".license-operator-pass", tier)
		pass.SetLabels(map[string]string{calico.PassPolicyLabel: calico.PassPolicyLabelValue})
		pass.SetOwnerReferences([]metav1.OwnerReference{{
			APIVersion: "license-operator.io/v1alpha1",
			Kind:       "LicensedProduct", Name: product.Name, UID: product.UID,
		}})
		Expect(admin.Create(ctx, pass)).To(Succeed())
		Expect(admin.Delete(ctx, pass)).To(Succeed())
	})
})
