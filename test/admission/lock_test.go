// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// write is a way to have a policy's spec be another.
type write struct {
	name string
	do   func(ctx context.Context, policy *unstructured.Unstructured) error
}

// patchTo patches a policy to have the spec that it has here.
func patchTo(ctx context.Context, policy *unstructured.Unstructured, patchType types.PatchType, patch any) error {
	GinkgoHelper()
	content, err := json.Marshal(patch)
	Expect(err).NotTo(HaveOccurred())
	return engineer.Patch(ctx, policy.DeepCopy(), client.RawPatch(patchType, content))
}

func apply(ctx context.Context, policy *unstructured.Unstructured) error {
	applied := newPolicy(policy.GetKind(), policy.GetName(), "")
	applied.Object["spec"] = policy.Object["spec"]
	return engineer.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("engineer"),
		client.ForceOwnership)
}

var writes = []write{
	{"update", func(ctx context.Context, policy *unstructured.Unstructured) error {
		return engineer.Update(ctx, policy.DeepCopy())
	}},
	{"merge patch", func(ctx context.Context, policy *unstructured.Unstructured) error {
		return patchTo(ctx, policy, types.MergePatchType, map[string]any{"spec": policy.Object["spec"]})
	}},
	{"JSON patch", func(ctx context.Context, policy *unstructured.Unstructured) error {
		return patchTo(ctx, policy, types.JSONPatchType,
			[]any{map[string]any{"op": "replace", "path": "/spec", "value": policy.Object["spec"]}})
	}},
	{"server-side apply", apply},
}

// reread is the policy as the API server has it.
func reread(ctx context.Context, policy *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	got := newPolicy(policy.GetKind(), policy.GetName(), "")
	Expect(engineer.Get(ctx, client.ObjectKeyFromObject(policy), got)).To(Succeed())
	return got
}

// changes has somebody change everything of a policy but its spec, in every way, and delete it.
func changesOtherThingsAndDeletes(ctx context.Context, policy *unstructured.Unstructured) {
	GinkgoHelper()
	spec := reread(ctx, policy).Object["spec"]

	By("labels, annotations, owners and finalizers, by an update")
	changed := reread(ctx, policy)
	changed.SetLabels(map[string]string{"team": "shop"})
	changed.SetAnnotations(map[string]string{"note": "seen"})
	changed.SetFinalizers([]string{"shop.example/audit"})
	Expect(unstructured.SetNestedSlice(changed.Object,
		[]any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "1"}}, "metadata",
		"ownerReferences")).To(Succeed())
	Expect(engineer.Update(ctx, changed)).To(Succeed())
	By("labels, by patches and by server-side apply")
	Expect(patchTo(ctx, policy, types.MergePatchType,
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"team": "cart"}}})).To(Succeed())
	Expect(patchTo(ctx, policy, types.JSONPatchType,
		[]any{map[string]any{"op": "remove", "path": "/metadata/labels/team"}})).To(Succeed())
	labeled := newPolicy(policy.GetKind(), policy.GetName(), "")
	delete(labeled.Object, "spec")
	labeled.SetLabels(map[string]string{"team": "till"})
	Expect(engineer.Apply(ctx, client.ApplyConfigurationFromUnstructured(labeled), client.FieldOwner("labeler"))).
		To(Succeed())
	By("the same spec, as GitOps tools keep sending it")
	for _, w := range writes {
		Expect(w.do(ctx, reread(ctx, policy))).To(Succeed(), w.name)
	}
	Expect(reread(ctx, policy).Object["spec"]).To(Equal(spec))
	Expect(reread(ctx, policy).GetLabels()).To(Equal(map[string]string{"team": "till"}))

	By("deleting it, and taking the finalizer that keeps it away then")
	Expect(engineer.Delete(ctx, policy.DeepCopy())).To(Succeed())
	Expect(reread(ctx, policy).GetDeletionTimestamp()).NotTo(BeNil())
	Expect(patchTo(ctx, policy, types.MergePatchType, map[string]any{"metadata": map[string]any{"finalizers": nil}})).
		To(Succeed())
	Expect(client.IgnoreNotFound(engineer.Get(ctx, client.ObjectKeyFromObject(policy), policy.DeepCopy()))).
		To(Succeed())
}

// forKinds has a table run for each of the kinds.
func forKinds(kinds ...string) []TableEntry {
	var entries []TableEntry
	for _, kind := range kinds {
		entries = append(entries, Entry(kind, kind))
	}
	return entries
}

var _ = Describe("The lock", func() {
	DescribeTable("in mode ReadOnly refuses to create and to change", func(ctx SpecContext, kind string) {
		tier := unique("tier")
		existing, fresh := newPolicy(kind, tier+".existing", tier), newPolicy(kind, tier+".fresh", tier)
		there(ctx, existing)
		product := restricted(ctx, tiers{tier: readOnly})

		Expect(engineer.Create(ctx, fresh.DeepCopy())).To(refused(fresh, frozen(tier, product.Name)))
		Expect(engineer.Create(ctx, fresh.DeepCopy(), client.DryRunAll)).To(refused(fresh, frozen(tier, product.Name)))
		Expect(apply(ctx, fresh)).To(refused(fresh, frozen(tier, product.Name)))
		before := reread(ctx, existing)
		for _, w := range writes {
			Expect(w.do(ctx, with(reread(ctx, existing), fields{"selector": "app == 'cart'"}))).
				To(refused(existing, frozen(tier, product.Name)), w.name)
		}
		Expect(reread(ctx, existing)).To(Equal(before))
		changesOtherThingsAndDeletes(ctx, existing)
	}, forKinds(kinds...))

	DescribeTable("in mode DefaultTierOnly lets everybody create and change", func(ctx SpecContext, kind string) {
		tier := unique("tier")
		existing, fresh, applied := newPolicy(kind, tier+".existing", tier), newPolicy(kind, tier+".fresh", tier),
			newPolicy(kind, tier+".applied", tier)
		there(ctx, existing)
		tidy(fresh)
		tidy(applied)
		restricted(ctx, tiers{tier: defaultTierOnly})

		Expect(engineer.Create(ctx, fresh)).To(Succeed())
		Expect(apply(ctx, applied)).To(Succeed())
		for i, w := range writes {
			changed := with(reread(ctx, existing), fields{"order": int64(i)})
			Expect(w.do(ctx, changed)).To(Succeed(), w.name)
			Expect(reread(ctx, existing).Object["spec"]).To(Equal(changed.Object["spec"]), w.name)
		}
		changesOtherThingsAndDeletes(ctx, existing)
	}, forKinds(kinds...))

	// Whoever writes an expression that costs too much has it count for nothing.
	It("in mode ReadOnly refuses to change the largest of policies", func(ctx SpecContext) {
		tier := unique("tier")
		large := make([]any, 200)
		for i := range large {
			nets := make([]any, 200)
			for j := range nets {
				nets[j] = fmt.Sprintf("10.%d.%d.0/24", i, j)
			}
			large[i] = map[string]any{"action": "Allow", "source": map[string]any{"nets": nets}}
		}
		existing := with(newPolicy(globalPolicy, tier+".existing", tier), fields{"ingress": large})
		there(ctx, existing)
		product := restricted(ctx, tiers{tier: readOnly})
		changed := reread(ctx, existing)
		Expect(unstructured.SetNestedField(
			changed.Object["spec"].(map[string]any)["ingress"].([]any)[199].(map[string]any), "Deny", "action")).
			To(Succeed())
		Expect(engineer.Update(ctx, changed)).To(refused(existing, frozen(tier, product.Name)))
	})

	It("lets everybody read", func(ctx SpecContext) {
		frozenTier, passedTier := unique("tier"), unique("tier")
		there(ctx, newPolicy(globalPolicy, frozenTier+".existing", frozenTier),
			newPolicy(globalPolicy, passedTier+".existing", passedTier))
		restricted(ctx, tiers{frozenTier: readOnly, passedTier: defaultTierOnly})
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(newPolicy(globalPolicy, "", "").GroupVersionKind())
		for _, tier := range []string{frozenTier, passedTier} {
			Expect(engineer.List(ctx, list, client.MatchingFields{"spec.tier": tier})).To(Succeed())
			Expect(list.Items).To(HaveLen(1))
		}
	})

	DescribeTable("lets everybody delete many at once", func(ctx SpecContext, kind string) {
		tier, mark := unique("tier"), map[string]string{"spec": unique("many")}
		policies := []*unstructured.Unstructured{newPolicy(kind, tier+".a", tier), newPolicy(kind, tier+".b", tier)}
		for _, policy := range policies {
			policy.SetLabels(mark)
		}
		there(ctx, policies...)
		restricted(ctx, tiers{tier: readOnly})
		Expect(engineer.DeleteAllOf(ctx, newPolicy(kind, "", tier), client.InNamespace(policies[0].GetNamespace()),
			client.MatchingLabels(mark))).To(Succeed())
		for _, policy := range policies {
			Expect(client.IgnoreNotFound(engineer.Get(ctx, client.ObjectKeyFromObject(policy), policy.DeepCopy()))).
				To(Succeed())
		}
	}, forKinds(kinds...))

	// From Calico 3.32 on a policy's tier is a field like any other.
	DescribeTable("in mode ReadOnly refuses to move a policy", func(ctx SpecContext, kind string) {
		free, one, other := unique("tier"), unique("tier"), unique("tier")
		outside, inside := newPolicy(kind, free+".outside", free), newPolicy(kind, one+".inside", one)
		there(ctx, outside, inside)
		product := restricted(ctx, tiers{one: readOnly, other: readOnly})
		for _, w := range writes {
			Expect(w.do(ctx, with(reread(ctx, outside), fields{"tier": one}))).
				To(refused(outside, frozen(one, product.Name)), "into the tier, by "+w.name)
			Expect(w.do(ctx, with(reread(ctx, inside), fields{"tier": free}))).
				To(refused(inside, frozen(one, product.Name)), "out of it, by "+w.name)
			Expect(w.do(ctx, with(reread(ctx, inside), fields{"tier": other}))).
				To(refused(inside, frozen(other, product.Name)), "from one to another, by "+w.name)
			Expect(w.do(ctx, with(reread(ctx, inside), fields{"tier": "default"}))).
				To(refused(inside, frozen(one, product.Name)), "to the default tier, by "+w.name)
		}
		Expect(patchTo(ctx, inside, types.MergePatchType, map[string]any{"spec": map[string]any{"tier": nil}})).
			To(refused(inside, frozen(one, product.Name)))
	}, forKinds(kinds...))

	DescribeTable("in mode DefaultTierOnly lets everybody move a policy", func(ctx SpecContext, kind string) {
		free, tier := unique("tier"), unique("tier")
		policy := newPolicy(kind, free+".policy", free)
		there(ctx, policy)
		restricted(ctx, tiers{tier: defaultTierOnly})
		for _, w := range writes {
			for _, to := range []string{tier, "default", tier, free} {
				Expect(w.do(ctx, with(reread(ctx, policy), fields{"tier": to}))).To(Succeed(), "by "+w.name)
				Expect(reread(ctx, policy).Object["spec"]).To(HaveKeyWithValue("tier", to))
			}
		}
	}, forKinds(kinds...))

	DescribeTable("in mode DefaultTierOnly refuses what would come before the pass policy", func(ctx SpecContext,
		kind string,
	) {
		free, tier := unique("tier"), unique("tier")
		ordinary, bypass, outside := newPolicy(kind, tier+".ordinary", tier),
			first(newPolicy(kind, tier+".bypass", tier)), first(newPolicy(kind, free+".outside", free))
		there(ctx, ordinary, bypass, outside)
		product := restricted(ctx, tiers{tier: defaultTierOnly})
		// Before and after license-operator-pass: how policies of one order are sorted depends on Calico's release.
		for _, name := range []string{tier + ".allow", tier + ".zone", "aaa", "zzz"} {
			policy := first(newPolicy(kind, name, tier))
			Expect(engineer.Create(ctx, policy.DeepCopy())).To(refused(policy, sortsFirst(tier, product.Name)))
			Expect(apply(ctx, policy)).To(refused(policy, sortsFirst(tier, product.Name)))
		}
		for _, w := range writes {
			Expect(w.do(ctx, first(reread(ctx, ordinary)))).To(refused(ordinary, sortsFirst(tier, product.Name)),
				w.name)
			Expect(w.do(ctx, with(reread(ctx, outside), fields{"tier": tier}))).
				To(refused(outside, sortsFirst(tier, product.Name)), "moved in, by "+w.name)
			Expect(w.do(ctx, with(reread(ctx, bypass), fields{"selector": "all()"}))).
				To(refused(bypass, sortsFirst(tier, product.Name)), "there before, by "+w.name)
		}
		By("every other order")
		for _, order := range []any{
			-1.7976931348623155e308, -1e300, int64(-1 << 63), int64(0), nil,
			calico.PassOrder * -1,
		} {
			Expect(engineer.Create(ctx, with(newPolicy(kind, tier+".fine", tier), fields{"order": order}),
				client.DryRunAll)).To(Succeed(), "order %v", order)
		}
		Expect(engineer.Update(ctx, with(reread(ctx, bypass), fields{"order": int64(1)}))).To(Succeed(),
			"what comes first can be put behind")
		Expect(engineer.Update(ctx, with(reread(ctx, outside), fields{"selector": "all()"}))).To(Succeed(),
			"it is in another tier")
	}, forKinds(globalPolicy, namespacedPolicy))

	It("in mode DefaultTierOnly lets what came before the pass policy already be labeled and deleted",
		func(ctx SpecContext) {
			tier := unique("tier")
			bypass := first(newPolicy(globalPolicy, tier+".bypass", tier))
			there(ctx, bypass)
			restricted(ctx, tiers{tier: defaultTierOnly})
			changesOtherThingsAndDeletes(ctx, bypass)
		})

	DescribeTable("in mode DefaultTierOnly does not mind the order of what is only staged", func(ctx SpecContext,
		kind string,
	) {
		tier := unique("tier")
		restricted(ctx, tiers{tier: defaultTierOnly})
		policy := first(newPolicy(kind, tier+".staged", tier))
		tidy(policy)
		Expect(engineer.Create(ctx, policy)).To(Succeed())
		Expect(engineer.Update(ctx, with(reread(ctx, policy), fields{"selector": "all()"}))).To(Succeed())
	}, forKinds(stagedGlobalPolicy, stagedNamespacedPolicy))

	It("does not mind policies of Kubernetes, nor those of other tiers", func(ctx SpecContext) {
		restricted(ctx, tiers{unique("tier"): readOnly, unique("tier"): defaultTierOnly})
		for _, kind := range kinds {
			policy := first(newPolicy(kind, "elsewhere", unique("tier")))
			Expect(engineer.Create(ctx, policy, client.DryRunAll)).To(Succeed())
		}
	})

	It("lets go when the restriction does, and when its product is deleted", func(ctx SpecContext) {
		tier := unique("tier")
		policy := newPolicy(globalPolicy, tier+".policy", tier)
		product := restricted(ctx, tiers{tier: readOnly})
		Expect(engineer.Create(ctx, policy.DeepCopy(), client.DryRunAll)).
			To(refused(policy, frozen(tier, product.Name)))
		product.Status.Restriction.InForce = nil
		writeStatus(ctx, product)
		settle(ctx)
		Expect(engineer.Create(ctx, policy.DeepCopy(), client.DryRunAll)).To(Succeed())

		product = restricted(ctx, tiers{tier: readOnly})
		Expect(engineer.Create(ctx, policy.DeepCopy(), client.DryRunAll)).
			To(refused(policy, frozen(tier, product.Name)))
		Expect(admin.Delete(ctx, product)).To(Succeed())
		settle(ctx)
		Expect(engineer.Create(ctx, policy.DeepCopy(), client.DryRunAll)).To(Succeed())
	})
})
