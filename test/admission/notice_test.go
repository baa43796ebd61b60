// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// stored is the notice for a tier that the product restricts, the whole of it.
func stored(tier, product string) string {
	return fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy 'license-operator-notice' with binding "+
		"'license-operator-notice': "+
		"This policy of tier %q is stored, and not applied to pods until the license is renewed. %s", tier,
		noticeOf(product))
}

// toldOf are the warnings that the engineer hears by doing something that succeeds.
func toldOf(do func() error) []string {
	GinkgoHelper()
	engineer.forget()
	Expect(do()).To(Succeed())
	return engineer.warnings()
}

var _ = Describe("The notice", func() {
	DescribeTable("warns the author of a policy that it is stored and not applied", func(ctx SpecContext,
		kind string,
	) {
		free, tier := unique("tier"), unique("tier")
		existing, outside := newPolicy(kind, tier+".existing", tier), newPolicy(kind, free+".outside", free)
		there(ctx, existing, outside)
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		told := []string{stored(tier, product.Name)}

		Expect(toldOf(func() error {
			return engineer.Create(ctx, newPolicy(kind, tier+".fresh", tier),
				client.DryRunAll)
		})).To(Equal(told))
		for i, w := range writes {
			changed := with(reread(ctx, existing), fields{"order": int64(i)})
			Expect(toldOf(func() error { return w.do(ctx, changed) })).To(Equal(told), w.name)
			moved := with(reread(ctx, outside), fields{"tier": tier})
			Expect(toldOf(func() error { return w.do(ctx, moved) })).To(Equal(told), "into the tier, by "+w.name)
			back := with(reread(ctx, outside), fields{"tier": free})
			Expect(toldOf(func() error { return w.do(ctx, back) })).To(BeEmpty(), "out of it, by "+w.name)
		}
		By("and nothing otherwise")
		Expect(toldOf(func() error {
			changesOtherThingsAndDeletes(ctx, existing)
			return nil
		})).To(BeEmpty())
	}, forKinds(globalPolicy, namespacedPolicy))

	DescribeTable("says nothing", func(ctx SpecContext, policyIn func(tier string) *unstructured.Unstructured) {
		tier := unique("tier")
		restricted(ctx, tiers{tier: defaultTierOnly})
		Expect(toldOf(func() error { return engineer.Create(ctx, policyIn(tier), client.DryRunAll) })).To(BeEmpty())
	},
		Entry("of a pass policy", func(tier string) *unstructured.Unstructured {
			return newPassPolicy(tier+".pass",
				tier)
		}),
		Entry("of a staged policy", func(tier string) *unstructured.Unstructured {
			return newPolicy(stagedNamespacedPolicy, tier+".staged", tier)
		}),
		Entry("of a staged global policy", func(tier string) *unstructured.Unstructured {
			return newPolicy(stagedGlobalPolicy, tier+".staged", tier)
		}),
		Entry("of an untracked policy of host endpoints", func(tier string) *unstructured.Unstructured {
			return with(newPolicy(globalPolicy, tier+".host", tier), fields{"doNotTrack": true, "applyOnForward": true})
		}),
		Entry("of a policy of host endpoints before DNAT", func(tier string) *unstructured.Unstructured {
			return with(newPolicy(globalPolicy, tier+".host", tier), fields{"preDNAT": true, "applyOnForward": true})
		}),
		Entry("of a policy in the operator's namespace", func(tier string) *unstructured.Unstructured {
			policy := newPolicy(namespacedPolicy, tier+".operator", tier)
			policy.SetNamespace(controlplane.OperatorNamespace)
			return policy
		}),
		Entry("of a policy in the default tier",
			func(string) *unstructured.Unstructured { return newPolicy(globalPolicy, "policy", "default") }),
		Entry("of a policy in another tier", func(string) *unstructured.Unstructured {
			return newPolicy(globalPolicy,
				"policy", unique("tier"))
		}),
	)

	It("tells of host endpoints' policies that are for pods as well", func(ctx SpecContext) {
		tier := unique("tier")
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		policy := with(newPolicy(globalPolicy, tier+".both", tier),
			fields{"doNotTrack": false, "preDNAT": false, "applyOnForward": true})
		Expect(toldOf(func() error { return engineer.Create(ctx, policy, client.DryRunAll) })).
			To(Equal([]string{stored(tier, product.Name)}))
	})

	It("tells everybody where the status names no namespace of the operator", func(ctx SpecContext) {
		tier := unique("tier")
		product := restricted(ctx,
			tiers{tier: defaultTierOnly}, func(s *api.RestrictionStatus) { s.SparedNamespace = "" })
		policy := newPolicy(namespacedPolicy, tier+".operator", tier)
		policy.SetNamespace(controlplane.OperatorNamespace)
		Expect(toldOf(func() error { return engineer.Create(ctx, policy, client.DryRunAll) })).
			To(Equal([]string{stored(tier, product.Name)}))
	})

	It("leaves to the lock what that refuses", func(ctx SpecContext) {
		passedTier, frozenTier := unique("tier"), unique("tier")
		pass, inside := newPassPolicy(passedTier+".pass", passedTier),
			newPolicy(globalPolicy, frozenTier+".inside", frozenTier)
		there(ctx, pass, inside)
		product := restricted(ctx, tiers{passedTier: defaultTierOnly, frozenTier: readOnly})
		engineer.forget()
		policy := first(newPolicy(globalPolicy, passedTier+".policy", passedTier))
		Expect(engineer.Create(ctx, policy.DeepCopy())).To(refused(policy, sortsFirst(passedTier, product.Name)))
		Expect(engineer.Update(ctx, with(reread(ctx, pass), fields{"order": int64(1)}))).
			To(refused(pass, passes(passedTier, product.Name)))
		Expect(engineer.Update(ctx, with(reread(ctx, inside), fields{"tier": passedTier}))).
			To(refused(inside, frozen(frozenTier, product.Name)))
		Expect(engineer.Create(ctx, newPolicy(globalPolicy, frozenTier+".policy", frozenTier))).NotTo(Succeed())
		Expect(engineer.warnings()).To(BeEmpty())
	})

	It("tells of each product", func(ctx SpecContext) {
		tier := unique("tier")
		one, other := restricted(ctx, tiers{tier: defaultTierOnly}), restricted(ctx, tiers{tier: defaultTierOnly})
		Expect(toldOf(func() error {
			return engineer.Create(ctx, newPolicy(globalPolicy, "policy", tier),
				client.DryRunAll)
		})).To(
			ConsistOf(stored(tier, one.Name), stored(tier, other.Name)))
	})
})

// The requests that Kubernetes' own controllers make, which do not run here, with the rights that they have.
var _ = Describe("Kubernetes' own controllers", func() {
	bothModes := func(ctx context.Context, namespace string) (policies []*unstructured.Unstructured) {
		GinkgoHelper()
		restriction := tiers{}
		for _, mode := range []api.RestrictionMode{readOnly, defaultTierOnly} {
			tier := unique("tier")
			restriction[tier] = mode
			for _, kind := range []string{namespacedPolicy, stagedNamespacedPolicy} {
				policy := newPolicy(kind, tier+".policy", tier)
				policy.SetNamespace(namespace)
				there(ctx, policy)
				policies = append(policies, policy)
			}
		}
		restricted(ctx, restriction)
		return policies
	}

	It("delete a namespace with its policies", func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unique("namespace")}}
		Expect(admin.Create(ctx, namespace)).To(Succeed())
		policies := bothModes(ctx, namespace.Name)
		Expect(admin.Delete(ctx, namespace)).To(Succeed())
		controller := controllerOf("namespace-controller")
		for _, kind := range []string{namespacedPolicy, stagedNamespacedPolicy} {
			Expect(controller.DeleteAllOf(ctx, newPolicy(kind, "", ""), client.InNamespace(namespace.Name))).
				To(Succeed())
		}
		for _, policy := range policies {
			Expect(client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(policy), policy.DeepCopy()))).
				To(Succeed())
		}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		namespace.Spec.Finalizers = nil
		Expect(controller.SubResource("finalize").Update(ctx, namespace)).To(Succeed())
	})

	It("collect policies whose owners are gone", func(ctx SpecContext) {
		collector := controllerOf("generic-garbage-collector")
		for _, policy := range bothModes(ctx, metav1.NamespaceDefault) {
			owner := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "1"}
			Expect(patchTo(ctx, policy, "application/merge-patch+json",
				map[string]any{"metadata": map[string]any{"ownerReferences": []any{owner}}})).To(Succeed())
			By("leaving one of " + policy.GetKind() + " without its owner")
			orphaned := client.RawPatch("application/merge-patch+json",
				fmt.Appendf(nil, `{"metadata":{"uid":%q,"ownerReferences":null}}`, policy.GetUID()))
			Expect(collector.Patch(ctx, policy.DeepCopy(), orphaned)).To(Succeed())
			By("deleting one in the foreground")
			Expect(collector.Delete(ctx, policy.DeepCopy(),
				client.PropagationPolicy(metav1.DeletePropagationForeground),
				client.Preconditions{UID: new(policy.GetUID())})).To(Succeed())
			Expect(reread(ctx, policy).GetFinalizers()).To(Equal([]string{metav1.FinalizerDeleteDependents}))
			finished := client.RawPatch("application/merge-patch+json",
				fmt.Appendf(nil, `{"metadata":{"uid":%q,"finalizers":[]}}`, policy.GetUID()))
			Expect(collector.Patch(ctx, policy.DeepCopy(), finished)).To(Succeed())
			Expect(client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(policy), policy.DeepCopy()))).
				To(Succeed())
		}
	})
})
