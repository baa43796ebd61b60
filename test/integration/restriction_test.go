// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

var _ = Describe("A restriction", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) { installCalico(ctx, plane) })

	It("stops the policies of its tiers after the grace period, and a renewal restores them to the byte",
		func(ctx SpecContext) {
			name := unique("acme-mesh")
			labels := map[string]string{"team": name}
			first, second, other := unique("east"), unique("north"), unique("west")
			create(ctx, newTier(first, labels), newTier(second, labels), newTier(other, nil))
			policies := []*unstructured.Unstructured{
				newGlobalPolicy(first, "allow-dns", "Allow"), newNamespacedPolicy(first, "default", "deny", "Deny"),
				newGlobalPolicy(second, "deny", "Deny"), newGlobalPolicy(other, "deny", "Deny"),
			}
			for _, p := range policies {
				create(ctx, p)
			}
			before := bytesOf(ctx, policies)
			product := newRestrictingProduct(name, api.RestrictionDefaultTierOnly, labels)
			expiry := now().Add(10 * days)
			// The key first: by this clock the API server creates a product in the past, and its unlicensed period is
			// over.
			create(ctx, newKey(name+"-1", name, acme.issue(name, now(), 10*days, 5*days)), product)

			By("announcing what will happen")
			Eventually(restrictionStoryOf(ctx, name)).Should(Equal(restrictionStory{
				State: api.RestrictionScheduled, Restricted: "NotDue", Ready: "Complete",
				Preview: restricted("DefaultTierOnly", first, second), Policies: 3, Allowing: 1, Denying: 2,
			}))
			Expect(passPolicies(ctx, NewWithT(GinkgoT()), first, second, other)).To(BeEmpty())

			By("doing nothing of it in the grace period")
			machine.setTo(expiry.Add(4 * days))
			Eventually(productSummary(ctx, name)).Should(Equal(summary{"GracePeriod", "TermsAccepted", name + "-1"}))
			Expect(passPolicies(ctx, NewWithT(GinkgoT()), first, second, other)).To(BeEmpty())

			By("doing it at the end of the grace period")
			machine.setTo(expiry.Add(5 * days))
			Eventually(func(g Gomega) []string { return passPolicies(ctx, g, first, second, other) }).Should(ConsistOf(
				first+".license-operator-pass", second+".license-operator-pass"))
			Eventually(restrictionStoryOf(ctx, name), "40s").Should(Equal(restrictionStory{
				State: api.RestrictionActive, Restricted: "DefaultTierOnly", Ready: "Complete",
				InForce: restricted("DefaultTierOnly", first, second), Policies: 3, Allowing: 1, Denying: 2,
			}))
			pass := getPass(ctx, NewWithT(GinkgoT()), first)
			since := getProduct(ctx, NewWithT(GinkgoT()), name).Status.Restriction.InForce.SinceTime.UTC().
				Format("2006-01-02T15:04:05Z")
			Expect(pass.GetAnnotations()).To(Equal(map[string]string{
				"kubernetes.io/description": "The policies of tier " + first +
					" are not applied to pods while this one is here: no license covers " + name +
					" (Acme). It was put here by license-operator, " +
					"which takes it away on renewal. Renew at https://acme.example/renew",
				"license-operator.io/products": name, "license-operator.io/restricted-since": since,
				"license-operator.io/renewal-urls": "https://acme.example/renew",
			}))
			Expect(pass.GetOwnerReferences()).
				To(Equal([]metav1.OwnerReference{{
					APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct",
					Name: name, UID: product.UID,
				}}))
			Expect(calico.IsNeutral(pass.Object["spec"].(map[string]any), controlplane.OperatorNamespace)).
				To(BeTrue())

			By("restoring everything on renewal")
			create(ctx, newKey(name+"-2", name, acme.issue(name, now(), 10*days, 0)))
			Eventually(func(g Gomega) []string { return passPolicies(ctx, g, first, second, other) }).Should(BeEmpty())
			Eventually(restrictionStoryOf(ctx, name)).Should(Equal(restrictionStory{
				State: api.RestrictionScheduled, Restricted: "NotDue", Ready: "Complete",
				Preview: restricted("DefaultTierOnly", first, second), Policies: 3, Allowing: 1, Denying: 2,
			}))
			Expect(bytesOf(ctx, policies)).To(Equal(before), "same uid, same resourceVersion, same bytes")
			Eventually(eventReasons(ctx, "LicensedProduct", name)).
				Should(ContainElements("Restricted", "RestrictionLifted"), "events are sent in the background")
		})

	// inForce creates tiers with a policy each, and a product that restricts them from its first second.
	inForce := func(ctx context.Context, mode api.RestrictionMode, tiers ...string) (product string) {
		GinkgoHelper()
		product = unique("mesh")
		labels := map[string]string{"of": product}
		for _, tier := range tiers {
			create(ctx, newTier(tier, labels), newGlobalPolicy(tier, "deny", "Deny"))
		}
		create(ctx, restrictedAtOnce(newRestrictingProduct(product, mode, labels)))
		Eventually(func(g Gomega) {
			story := restrictionStoryOf(ctx, product)(g)
			g.Expect(story.InForce).To(Equal(restricted(mode, tiers...)))
			g.Expect(story.Ready).To(Equal("Complete"))
		}, "30s").Should(Succeed(), "the lock takes a moment after a kind has come")
		return product
	}

	It("starts in a product's first second where its terms want that", func(ctx SpecContext) {
		tier := unique("tier")
		product := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), tier)).To(Equal([]string{tier + ".license-operator-pass"}))
		By("ending with the product")
		Expect(k8sClient.Delete(ctx, newProduct(product))).To(Succeed())
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(BeEmpty())
	})

	It("refuses changes in ReadOnly, and passes nothing", func(ctx SpecContext) {
		tier := unique("tier")
		inForce(ctx, api.RestrictionReadOnly, tier)
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), tier)).To(BeEmpty())
		Expect(k8sClient.Create(ctx, newGlobalPolicy(tier, "another", "Allow"))).
			To(MatchError(ContainSubstring("Get a license at https://acme.example/renew")))
	})

	It("holds a tier for as long as any product does", func(ctx SpecContext) {
		tier := unique("tier")
		first := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
		second := unique("gateway")
		create(ctx,
			restrictedAtOnce(newRestrictingProduct(second, api.RestrictionDefaultTierOnly,
				map[string]string{"of": first})))
		owners := func(g Gomega) []string {
			var names []string
			for _, o := range getPass(ctx, g, tier).GetOwnerReferences() {
				names = append(names, o.Name)
			}
			return names
		}
		Eventually(owners).Should(ConsistOf(first, second))
		uid := getPass(ctx, NewWithT(GinkgoT()), tier).GetUID()
		create(ctx, newKey(first, first, acme.issue(first, now(), 10*days, 0)))
		Eventually(owners).Should(ConsistOf(second))
		Expect(getPass(ctx, NewWithT(GinkgoT()), tier).GetUID()).To(Equal(uid), "it was there all the time")
		create(ctx, newKey(second, second, acme.issue(second, now(), 10*days, 0)))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(BeEmpty())
	})

	It("follows tiers that come, are labeled and go", func(ctx SpecContext) {
		first, second := unique("tier"), unique("tier")
		product := inForce(ctx, api.RestrictionDefaultTierOnly, first)
		labels := map[string]string{"of": product}
		create(ctx, newTier(second, labels))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, second) }).Should(HaveLen(1),
			"a tier that comes is restricted")
		Eventually(inForceTiers(ctx, product)).Should(Equal(restricted("DefaultTierOnly", first, second)))

		By("the cluster owner's word")
		label(ctx, newTier(second, nil), `{"license-operator.io/restriction":"never"}`)
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, second) }).Should(BeEmpty())
		Eventually(func(g Gomega) []api.SparedTier {
			return getProduct(ctx, g, product).Status.Restriction.SparedTiers
		}).Should(Equal([]api.SparedTier{{Name: second, Reason: "Never"}}))

		By("a tier that waits for us to go")
		tier := newTier(first, nil)
		Expect(k8sClient.Patch(ctx, tier,
			client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/holds"]}}`)))).
			To(Succeed())
		Expect(k8sClient.Delete(ctx, tier)).To(Succeed())
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, first) }).Should(BeEmpty())
		Eventually(restrictionStoryOf(ctx, product)).Should(And(HaveField("Ready", "Bypassed"),
			HaveField("InForce", restricted("ReadOnly", first))))
		Expect(getProduct(ctx, NewWithT(GinkgoT()), product).Status.Restriction.Bypasses.Policies).
			To(Equal([]api.BypassingPolicy{
				{Kind: "GlobalNetworkPolicy", Name: first + ".deny", Tier: first, Reason: "TierDeleting"},
			}))
		Expect(k8sClient.Patch(ctx, tier,
			client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Eventually(inForceTiers(ctx, product)).Should(BeEmpty())
	})

	DescribeTable("is repaired",
		func(ctx SpecContext, harm func(ctx context.Context, pass *unstructured.Unstructured)) {
			tier := unique("tier")
			product := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
			whole := wholeOf(getPass(ctx, NewWithT(GinkgoT()), tier))
			// As if the lock were not there: those who can change it can do this.
			suspendLock(ctx, tier)
			harm(ctx, getPass(ctx, NewWithT(GinkgoT()), tier))
			Eventually(func(g Gomega) {
				g.Expect(passPolicies(ctx, g, tier)).To(Equal([]string{tier + ".license-operator-pass"}))
				g.Expect(wholeOf(getPass(ctx, g, tier))).To(Equal(whole))
			}).Should(Succeed())
			Expect(restrictionStoryOf(ctx, product)(NewWithT(GinkgoT())).State).To(Equal(api.RestrictionActive))
		},
		Entry("when the pass policy was deleted", func(ctx context.Context, pass *unstructured.Unstructured) {
			Expect(k8sClient.Delete(ctx, pass)).To(Succeed())
		}),
		Entry("when it was made to do something", func(ctx context.Context, pass *unstructured.Unstructured) {
			Expect(unstructured.SetNestedSlice(pass.Object, []any{map[string]any{"action": "Deny"}}, "spec",
				"ingress")).
				To(Succeed())
			Expect(k8sClient.Update(ctx, pass)).To(Succeed())
		}),
		Entry("when a field was added", func(ctx context.Context, pass *unstructured.Unstructured) {
			Expect(unstructured.SetNestedField(pass.Object, "has(x)", "spec", "serviceAccountSelector")).To(Succeed())
			Expect(k8sClient.Update(ctx, pass)).To(Succeed())
		}),
		Entry("when its label and annotations were taken away", func(ctx context.Context,
			pass *unstructured.Unstructured,
		) {
			pass.SetLabels(nil)
			pass.SetAnnotations(nil)
			Expect(k8sClient.Update(ctx, pass)).To(Succeed())
		}),
		Entry("when its owner was taken away", func(ctx context.Context, pass *unstructured.Unstructured) {
			pass.SetOwnerReferences(nil)
			Expect(k8sClient.Update(ctx, pass)).To(Succeed())
		}),
	)

	It("leaves a policy of a user alone that has its name, and takes another", func(ctx SpecContext) {
		tier := unique("tier")
		mine := newGlobalPolicy(tier, "license-operator-pass", "Allow")
		create(ctx, mine)
		before := bytesOf(ctx, []*unstructured.Unstructured{mine})
		product := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), tier)).To(Equal([]string{tier + ".license-operator-pass-2"}))
		create(ctx, newKey(product, product, acme.issue(product, now(), 10*days, 0)))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(BeEmpty())
		Expect(bytesOf(ctx, []*unstructured.Unstructured{mine})).To(Equal(before))
	})

	It("tells of what gets around it", func(ctx SpecContext) {
		tier := unique("tier")
		sneaky := newGlobalPolicy(tier, "a", "Allow")
		Expect(unstructured.SetNestedField(sneaky.Object, calico.PassOrder, "spec", "order")).To(Succeed())
		create(ctx, sneaky)
		product := unique("mesh")
		create(ctx, newTier(tier, map[string]string{"of": product}),
			restrictedAtOnce(newRestrictingProduct(product, api.RestrictionDefaultTierOnly,
				map[string]string{"of": product})))
		Eventually(restrictionStoryOf(ctx, product), "30s").Should(HaveField("Ready", "Bypassed"))
		Expect(getProduct(ctx, NewWithT(GinkgoT()), product).Status.Restriction.Bypasses).
			To(Equal(&api.RestrictionBypasses{
				Total: 1, Policies: []api.BypassingPolicy{{
					Kind: "GlobalNetworkPolicy", Name: tier + ".a", Tier: tier,
					Reason: "SortsFirst",
				}},
			}))
		Expect(k8sClient.Delete(ctx, sneaky)).To(Succeed())
		Eventually(restrictionStoryOf(ctx, product)).Should(HaveField("Ready", "Complete"))
	})

	It("takes tiers of any order, and policies of no tier at all", func(ctx SpecContext) {
		product := unique("mesh")
		labels := map[string]string{"of": product}
		var tiers []string
		for _, order := range []any{nil, int64(100), int64(100), calico.PassOrder, math.MaxFloat64} {
			name := unique("tier")
			tier := newTier(name, labels)
			if order == nil {
				unstructured.RemoveNestedField(tier.Object, "spec", "order")
			} else {
				Expect(unstructured.SetNestedField(tier.Object, order, "spec", "order")).To(Succeed())
			}
			create(ctx, tier)
			tiers = append(tiers, name)
		}
		slices.Sort(tiers)
		builtIn := newTier("default", labels)
		Expect(unstructured.SetNestedField(builtIn.Object, int64(1_000_000), "spec", "order")).To(Succeed())
		create(ctx, newGlobalPolicy("nowhere", "deny", "Deny"), builtIn, newTier("odd.name", labels),
			restrictedAtOnce(newRestrictingProduct(product, api.RestrictionDefaultTierOnly, labels)))
		want := restricted("DefaultTierOnly", append([]string{"odd.name"}, tiers...)...)
		Eventually(inForceTiers(ctx, product)).Should(Equal(want))
		Eventually(func(g Gomega) []string {
			return passPolicies(ctx, g, append(tiers, "odd.name", "default", "nowhere")...)
		}).Should(HaveLen(len(want)))
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), "default", "nowhere")).To(BeEmpty())
		Expect(getProduct(ctx, NewWithT(GinkgoT()), product).Status.Restriction.SparedTiers).
			To(Equal([]api.SparedTier{{Name: "default", Reason: "BuiltIn"}}))
	})

	It("is not to be had by writing a status", func(ctx SpecContext) {
		product, tier := unique("mesh"), unique("tier")
		create(ctx, newTier(tier, map[string]string{"of": product}),
			newKey(product, product, acme.issue(product, now(), 10*days, 0)),
			newRestrictingProduct(product, api.RestrictionDefaultTierOnly, map[string]string{"of": product}))
		Eventually(restrictionStoryOf(ctx, product)).Should(HaveField("Ready", "Complete"))
		before := passWrites()
		tampered := getProduct(ctx, NewWithT(GinkgoT()), product)
		good := tampered.Status.DeepCopy()
		tampered.Status.Restriction.Preview = nil
		tampered.Status.Restriction.InForce = &api.RestrictionInForce{
			Mode: "ReadOnly", SinceTime: new(metav1.NewTime(now())), Tiers: restricted("ReadOnly", "default", tier),
			Message: "Pay.",
		}
		Expect(k8sClient.Status().Update(ctx, tampered)).To(Succeed())
		Eventually(func(g Gomega) *api.RestrictionStatus {
			return getProduct(ctx, g, product).Status.Restriction
		}).Should(Equal(good.Restriction))
		Expect(passWrites()).To(Equal(before))
	})

	It("waits while it is paused, for 14 days at most", func(ctx SpecContext) {
		tier := unique("tier")
		product := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
		since := now().Truncate(time.Second)
		annotate(ctx, product,
			fmt.Sprintf(`{%q:%q,%q:"freeze"}`, api.RestrictionPauseAnnotation,
				restriction.PauseAnnotation(since, since.Add(365*days)), api.RestrictionPauseReasonAnnotation))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(BeEmpty())
		Eventually(restrictionStoryOf(ctx, product)).Should(And(HaveField("State", api.RestrictionPaused),
			HaveField("Restricted", "Paused"), HaveField("Ready", "Complete")))
		pause := getProduct(ctx, NewWithT(GinkgoT()), product).Status.Restriction.Pause
		Expect(pause.UntilTime.Time).To(BeTemporally("==", since.Add(14*days)))
		Expect(pause.Reason).To(Equal("freeze"))
		By("coming back into force by itself")
		machine.setTo(since.Add(14 * days))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(HaveLen(1))
		Eventually(func(g Gomega) *api.RestrictionInForce {
			return getProduct(ctx, g, product).Status.Restriction.InForce
		}).Should(HaveValue(HaveField("SinceTime.Time", BeTemporally("==", since.Add(14*days)))))
		By("a pause that cannot be parsed")
		annotate(ctx, product, fmt.Sprintf(`{%q:"forever"}`, api.RestrictionPauseAnnotation))
		Eventually(func(g Gomega) string {
			return conditionMessage(getProduct(ctx, g, product).Status.Conditions, "Restricted")
		}).Should(ContainSubstring(
			`annotation license-operator.io/restriction-pause is ignored: "forever" is not START/END`))
	})

	It("is ReadOnly while the cluster has a Windows node", func(ctx SpecContext) {
		tier := unique("tier")
		product := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
		// One for which no node counts, in a tier of its own: that nothing else of it changes must not keep it from
		// hearing.
		another, itsTier := unique("gateway"), unique("tier")
		uncounted := restrictedAtOnce(newRestrictingProduct(another, api.RestrictionDefaultTierOnly,
			map[string]string{"of": another}))
		uncounted.Spec.Usage = &api.UsageSpec{
			NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"pool": "none"}},
		}
		create(ctx, newTier(itsTier, map[string]string{"of": another}), uncounted)
		Eventually(restrictionStoryOf(ctx, another)).Should(And(HaveField("Restricted", "DefaultTierOnly"),
			HaveField("Ready", "Complete")))
		windows := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   unique("windows"),
			Labels: map[string]string{"kubernetes.io/os": "windows"},
		}}
		Expect(k8sClient.Create(ctx, windows)).To(Succeed())
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(BeEmpty())
		Eventually(restrictionStoryOf(ctx, product)).Should(And(HaveField("Restricted", "ReadOnly"),
			HaveField("InForce", restricted("ReadOnly", tier))))
		Eventually(restrictionStoryOf(ctx, another)).Should(HaveField("Restricted", "ReadOnly"))
		Expect(k8sClient.Delete(ctx, windows)).To(Succeed())
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(HaveLen(1))
		Eventually(restrictionStoryOf(ctx, another)).Should(And(HaveField("Restricted", "DefaultTierOnly"),
			HaveField("InForce", restricted("DefaultTierOnly", itsTier))))
	})

	It("does not start while the clocks disagree, and goes on if it has", func(ctx SpecContext) {
		running, waiting := unique("tier"), unique("tier")
		inForce(ctx, api.RestrictionDefaultTierOnly, running)
		DeferCleanup(func() { machine.setTo(now()) })
		product := unique("mesh")
		create(ctx, newTier(waiting, map[string]string{"of": product}),
			newKey(product, product, acme.issue(product, now(), days, 0)),
			newRestrictingProduct(product, api.RestrictionDefaultTierOnly, map[string]string{"of": product}))
		Eventually(restrictionStoryOf(ctx, product)).Should(HaveField("Restricted", "NotDue"))
		machine.setLocally(now().Add(2 * days))
		Eventually(restrictionStoryOf(ctx, product)).Should(And(HaveField("State", api.RestrictionScheduled),
			HaveField("Restricted", "ClockDisputed")))
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), waiting)).To(BeEmpty())
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), running)).To(HaveLen(1))
		machine.setTo(now())
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, waiting) }).Should(HaveLen(1))
	})

	It("says what it may not do, and is complete once it may", func(ctx SpecContext) {
		before := reconcileErrors("passpolicy")
		role := &rbacv1.ClusterRole{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "license-operator-manager-role"}, role)).To(Succeed())
		lesser := role.DeepCopy()
		for i := range lesser.Rules {
			if slices.Contains(lesser.Rules[i].Resources, "globalnetworkpolicies") {
				lesser.Rules[i].Verbs = []string{"get", "list", "watch"}
			}
		}
		Expect(k8sClient.Update(ctx, lesser)).To(Succeed())
		withoutPassthrough(ctx)
		restore := func(ctx context.Context) {
			found := &rbacv1.ClusterRole{}
			Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(role), found)).To(Succeed())
			found.Rules = role.Rules
			Expect(k8sClient.Update(ctx, found)).To(Succeed())
		}
		DeferCleanup(restore)
		product, tier := unique("mesh"), unique("tier")
		create(ctx, newTier(tier, map[string]string{"of": product}),
			restrictedAtOnce(newRestrictingProduct(product, api.RestrictionDefaultTierOnly,
				map[string]string{"of": product})))
		Eventually(restrictionStoryOf(ctx, product)).Should(And(HaveField("Restricted", "DefaultTierOnly"),
			HaveField("Ready", "Forbidden")))
		Eventually(func() float64 { return reconcileErrors("passpolicy") }).Should(BeNumerically(">", before))
		restore(ctx)
		Eventually(restrictionStoryOf(ctx, product), "30s").Should(HaveField("Ready", "Complete"),
			"it tries again less and less often")
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), tier)).To(HaveLen(1))

		By("doing all of its work with the rights of its own role")
		operator.stop()
		operator = startOperator(ctx)
		pass := getPass(ctx, NewWithT(GinkgoT()), tier)
		pass.SetAnnotations(nil)
		Expect(k8sClient.Update(ctx, pass)).To(Succeed())
		Eventually(func(g Gomega) map[string]string { return getPass(ctx, g, tier).GetAnnotations() }).
			Should(HaveKeyWithValue("license-operator.io/products", product))
		create(ctx, newKey(product, product, acme.issue(product, now(), 10*days, 0)))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, tier) }).Should(BeEmpty())
	})

	It("is not written again by an operator that starts where all is well, nor while nothing changes",
		func(ctx SpecContext) {
			tier := unique("tier")
			product := inForce(ctx, api.RestrictionDefaultTierOnly, tier)
			before, status := passWrites(), getProduct(ctx, NewWithT(GinkgoT()), product).ResourceVersion
			operator.stop()
			operator = startOperator(ctx)
			another := unique("tier")
			create(ctx, newTier(another, map[string]string{"of": product}))
			Eventually(func(g Gomega) []string { return passPolicies(ctx, g, another) }).Should(HaveLen(1),
				"it works again")
			Eventually(inForceTiers(ctx, product)).Should(HaveLen(2))
			Expect(getProduct(ctx, NewWithT(GinkgoT()), product).ResourceVersion).NotTo(Equal(status))
			Consistently(func() int { return passWrites() - before }, "2s", "500ms").Should(Equal(1))
		})

	It("waits for a webhook that hangs, and nothing else waits with it", func(ctx SpecContext) {
		slow, quick := unique("tier"), unique("tier")
		held, free := inForce(ctx, api.RestrictionDefaultTierOnly, slow),
			inForce(ctx, api.RestrictionDefaultTierOnly, quick)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "hangs"},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: "hangs.example.com", AdmissionReviewVersions: []string{"v1"},
				SideEffects: new(admissionregistrationv1.SideEffectClassNone),
				// Longer than most timeouts of clients, and ignored in the end.
				TimeoutSeconds: new(int32(12)), FailurePolicy: new(admissionregistrationv1.Ignore),
				// Connections are accepted by the kernel, and never answered.
				ClientConfig: admissionregistrationv1.WebhookClientConfig{
					URL: new("https://" + listener.Addr().String()), CABundle: []byte(acme.anchors()),
				},
				MatchConditions: []admissionregistrationv1.MatchCondition{{
					Name:       "one-tier",
					Expression: "oldObject.spec.tier == '" + slow + "'",
				}},
				Rules: []admissionregistrationv1.RuleWithOperations{{
					Operations: []admissionregistrationv1.OperationType{"DELETE"},
					Rule: admissionregistrationv1.Rule{
						APIGroups:   []string{calico.Version.Group},
						APIVersions: []string{"*"}, Resources: []string{"globalnetworkpolicies"},
					},
				}},
			}},
		})
		Eventually(func() error {
			// Longer than a write takes on a busy machine: one that is merely slow must not pass for one that hangs.
			impatient, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			return k8sClient.Delete(impatient, newGlobalPolicy(slow, "deny", "Deny"), client.DryRunAll)
		}).Should(MatchError(context.DeadlineExceeded), "the webhook takes a moment")
		create(ctx, newKey(held, held, acme.issue(held, now(), 10*days, 0)),
			newKey(free, free, acme.issue(free, now(), 10*days, 0)))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, quick) }, "8s").Should(BeEmpty(),
			"sooner than the webhook gives up")
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), slow)).NotTo(BeEmpty())
		Eventually(restrictionStoryOf(ctx, held)).Should(HaveField("Ready", "Applying"), "it says so until it is done")
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, slow) }, "20s").Should(BeEmpty())
		Eventually(restrictionStoryOf(ctx, held)).Should(HaveField("Ready", "Complete"))
	})

	It("knows its policies again when something strips them of all marks", func(ctx SpecContext) {
		tier, product := unique("tier"), unique("mesh")
		for kind, spec := range map[string]map[string]any{
			"MutatingAdmissionPolicy": {
				"reinvocationPolicy": "Never",
				"matchConstraints": map[string]any{"resourceRules": []any{map[string]any{
					"apiGroups": []any{calico.Version.Group}, "apiVersions": []any{"*"},
					"operations": []any{"CREATE"}, "resources": []any{"globalnetworkpolicies"},
				}}},
				"mutations": []any{map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{
					"expression": "['labels', 'annotations', 'ownerReferences'].filter(f, f in " +
						"object.metadata).map(f, JSONPatch{op: 'remove', path: '/metadata/' + f})",
				}}},
			},
			"MutatingAdmissionPolicyBinding": {"policyName": "strips"},
		} {
			o := calicoObject(kind, "", "strips", spec)
			o.SetAPIVersion("admissionregistration.k8s.io/v1")
			create(ctx, o)
		}
		Eventually(func(g Gomega) map[string]string {
			probe := newGlobalPolicy(tier, "probe", "Allow")
			probe.SetLabels(map[string]string{"a": "b"})
			g.Expect(k8sClient.Create(ctx, probe, client.DryRunAll)).To(Succeed())
			return probe.GetLabels()
		}).Should(BeEmpty(), "the policy takes a moment")
		create(ctx, newTier(tier, map[string]string{"of": product}),
			restrictedAtOnce(newRestrictingProduct(product, api.RestrictionDefaultTierOnly,
				map[string]string{"of": product})))
		names := func(g Gomega) []string {
			var names []string
			for _, p := range listOf(ctx, g, "GlobalNetworkPolicy") {
				if strings.HasPrefix(p.GetName(), tier+".") {
					names = append(names, p.GetName())
				}
			}
			return names
		}
		Eventually(names).Should(Equal([]string{tier + ".license-operator-pass"}))
		// Updates are not stripped, so that it is put right by one.
		Eventually(restrictionStoryOf(ctx, product), "30s").Should(HaveField("Ready", "Complete"))
		Expect(names(NewWithT(GinkgoT()))).To(Equal([]string{tier + ".license-operator-pass"}))
		create(ctx, newKey(product, product, acme.issue(product, now(), 10*days, 0)))
		Eventually(names).Should(BeEmpty())
	})

	It("goes with the kinds, and comes back with them", func(ctx SpecContext) {
		product := inForce(ctx, api.RestrictionDefaultTierOnly, unique("tier"))
		definitions, err := controlplane.CalicoDefinitions(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, d := range definitions {
			Expect(k8sClient.Delete(ctx, d)).To(Succeed())
		}
		Eventually(restrictionStoryOf(ctx, product)).Should(And(HaveField("Restricted", "DefaultTierOnly"),
			HaveField("Ready", "APINotInstalled"), HaveField("InForce", BeEmpty())))
		Eventually(func(g Gomega) {
			for _, d := range definitions {
				g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(d), d.DeepCopy())).
					To(MatchError(apierrors.IsNotFound, "not found"))
			}
		}).Should(Succeed(), "the API server removes the objects first")
		installCalico(ctx, plane)
		again := unique("tier")
		create(ctx, newTier(again, map[string]string{"of": product}))
		Eventually(func(g Gomega) []string { return passPolicies(ctx, g, again) }).Should(HaveLen(1))
		Eventually(restrictionStoryOf(ctx, product), "40s").Should(HaveField("Ready", "Complete"),
			"the API server takes up to half a minute to match a kind that is back")
	})
})

// bytesOf is all that the API server says of objects.
func bytesOf(ctx context.Context, objects []*unstructured.Unstructured) string {
	GinkgoHelper()
	var all strings.Builder
	for _, o := range objects {
		found := &unstructured.Unstructured{}
		found.SetGroupVersionKind(o.GroupVersionKind())
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), found)).To(Succeed())
		Expect(json.NewEncoder(&all).Encode(found.Object)).To(Succeed())
	}
	return all.String()
}

// getPass is the only pass policy of a tier.
func getPass(ctx context.Context, g Gomega, tier string) *unstructured.Unstructured {
	names := passPolicies(ctx, g, tier)
	g.Expect(names).To(HaveLen(1))
	pass := &unstructured.Unstructured{}
	pass.SetGroupVersionKind(calico.Version.WithKind("GlobalNetworkPolicy"))
	g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: names[0]}, pass)).To(Succeed())
	return pass
}

// wholeOf is all of a pass policy that the operator decides.
func wholeOf(pass *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"labels": pass.GetLabels(), "annotations": pass.GetAnnotations(),
		"owners": pass.GetOwnerReferences(), "spec": pass.Object["spec"],
	}
}

// restrictedAtOnce has a product restrict from its first second unless it is licensed.
func restrictedAtOnce(product *api.LicensedProduct) *api.LicensedProduct {
	product.Spec.UnlicensedGracePeriodDays = new(int32(0))
	return product
}

func inForceTiers(ctx context.Context, product string) func(Gomega) []api.RestrictedTier {
	return func(g Gomega) []api.RestrictedTier { return restrictionStoryOf(ctx, product)(g).InForce }
}

func label(ctx context.Context, o client.Object, labels string) {
	GinkgoHelper()
	Expect(k8sClient.Patch(ctx, o,
		client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":`+labels+`}}`)))).
		To(Succeed())
}

func annotate(ctx context.Context, product, annotations string) {
	GinkgoHelper()
	Expect(k8sClient.Patch(ctx, newProduct(product),
		client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":`+annotations+`}}`)))).To(Succeed())
}

func conditionMessage(conditions []metav1.Condition, conditionType string) string {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// passWrites are how often the operator has written or deleted any policy, dry runs left aside.
func passWrites() int {
	GinkgoHelper()
	events, err := plane.AuditEvents()
	Expect(err).NotTo(HaveOccurred())
	writes := 0
	for _, e := range events {
		if e.Resource == "globalnetworkpolicies" &&
			slices.Contains([]string{"create", "update", "patch", "delete"}, e.Verb) &&
			e.Stage == controlplane.StageResponseComplete && !strings.Contains(e.Path, "dryRun") {
			writes++
		}
	}
	return writes
}

// withoutPassthrough takes every user's rights on policies away for the rest of the spec, so that the operator has no
// more than those of its own role. It waits until those no longer include creating a policy.
func withoutPassthrough(ctx context.Context) {
	GinkgoHelper()
	passthrough, err := controlplane.CalicoPassthrough()
	Expect(err).NotTo(HaveOccurred())
	for _, object := range passthrough {
		Expect(k8sClient.Delete(ctx, object)).To(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) { Expect(plane.Install(ctx, passthrough...)).To(Succeed()) })
	config, err := plane.OperatorConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	account, err := client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		return account.Create(ctx, newGlobalPolicy("any", "probe", "Deny"), client.DryRunAll)
	}).Should(MatchError(apierrors.IsForbidden, "forbidden"))
}

// suspendLock takes the lock away for the rest of the spec.
func suspendLock(ctx context.Context, tier string) {
	GinkgoHelper()
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "license-operator-lock"}, binding)).To(Succeed())
	Expect(k8sClient.Delete(ctx, binding)).To(Succeed())
	binding.ResourceVersion, binding.UID = "", ""
	DeferCleanup(func(ctx SpecContext) {
		Expect(k8sClient.Create(ctx, binding)).To(Succeed())
		Eventually(firstPolicy(ctx, k8sClient, tier)).Should(HaveOccurred(), "the lock is there again")
	})
	Eventually(firstPolicy(ctx, k8sClient, tier)).Should(Succeed(), "the lock goes a moment later")
}

// firstPolicy asks for a policy that would come before all others in a tier, and stores none.
func firstPolicy(ctx context.Context, as client.Client, tier string) func() error {
	return func() error {
		policy := newGlobalPolicy(tier, "first", "Allow")
		if err := unstructured.SetNestedField(policy.Object, calico.PassOrder, "spec", "order"); err != nil {
			return err
		}
		return as.Create(ctx, policy, client.DryRunAll)
	}
}
