// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

var _ = Describe("The lock and what a status says", func() {
	It("has each product count by itself", func(ctx SpecContext) {
		tier, others := unique("tier"), unique("tier")
		policy := newPolicy(globalPolicy, tier+".policy", tier)
		one, other := restricted(ctx, tiers{tier: readOnly}), restricted(ctx, tiers{tier: readOnly})
		third := restricted(ctx, tiers{tier: defaultTierOnly, others: readOnly})
		create := func() error { return engineer.Create(ctx, policy.DeepCopy(), client.DryRunAll) }

		Expect(create()).To(Or(refused(policy, frozen(tier, one.Name)), refused(policy, frozen(tier, other.Name))),
			"the API server names any one of them")
		Expect(admin.Delete(ctx, one)).To(Succeed())
		settle(ctx)
		Expect(create()).To(refused(policy, frozen(tier, other.Name)))
		Expect(engineer.Create(ctx, newPassPolicy(tier+".pass", tier), client.DryRunAll)).To(Succeed())
		Expect(admin.Delete(ctx, other)).To(Succeed())
		settle(ctx)
		Expect(create()).To(Succeed())
		Expect(engineer.Create(ctx, first(policy.DeepCopy()), client.DryRunAll)).
			To(refused(policy, sortsFirst(tier, third.Name)))
		Expect(admin.Delete(ctx, third)).To(Succeed())
		settle(ctx)
		Expect(engineer.Create(ctx, first(policy.DeepCopy()), client.DryRunAll)).To(Succeed())
	})

	DescribeTable("never restricts tiers of Calico's own", func(ctx SpecContext, mode api.RestrictionMode) {
		exempt := append(calico.BuiltInTiers(), calico.SystemTiers()...)
		tampered := tiers{}
		for _, tier := range exempt {
			tampered[tier] = mode
		}
		existing := newPassPolicy("default.existing", "default")
		there(ctx, existing)
		restricted(ctx, tampered)
		for _, kind := range kinds {
			for _, tier := range append(exempt, "") {
				Expect(engineer.Create(ctx, first(newPolicy(kind, "policy", tier)), client.DryRunAll)).To(Succeed(),
					"%s in %q", kind, tier)
			}
			Expect(engineer.Create(ctx, with(first(newPolicy(kind, "policy", "")), fields{"tier": nil}),
				client.DryRunAll)).To(Succeed(), "%s in no tier", kind)
		}
		for _, w := range writes {
			Expect(w.do(ctx,
				with(reread(ctx, existing), fields{"selector": "has(" + strings.ReplaceAll(w.name, " ", "-") + ")"}))).
				To(Succeed(), w.name)
		}
	},
		Entry("nor makes them read-only", readOnly),
		Entry("nor their order matter", defaultTierOnly),
	)

	DescribeTable("restricts nothing where none is in force", func(ctx SpecContext,
		change func(*api.RestrictionStatus, []api.RestrictedTier),
	) {
		tier := unique("tier")
		restricted(ctx, tiers{tier: readOnly}, func(s *api.RestrictionStatus) { change(s, s.InForce.Tiers) })
		for _, kind := range kinds {
			Expect(engineer.Create(ctx, first(newPolicy(kind, "policy", tier)), client.DryRunAll)).To(Succeed(), kind)
		}
	},
		Entry("an empty one", func(s *api.RestrictionStatus, _ []api.RestrictedTier) { *s = api.RestrictionStatus{} }),
		Entry("a preview", func(s *api.RestrictionStatus, restricted []api.RestrictedTier) {
			s.State, s.InForce, s.Preview = api.RestrictionScheduled, nil,
				&api.RestrictionPreview{Mode: readOnly, Tiers: restricted}
		}),
		Entry("a pause", func(s *api.RestrictionStatus, _ []api.RestrictedTier) {
			s.State, s.InForce = api.RestrictionPaused, nil
			s.Pause = &api.RestrictionPause{
				SinceTime: new(metav1.NewTime(since)),
				UntilTime: new(metav1.NewTime(since.AddDate(0, 0, 3))),
			}
		}),
		Entry("in force for no tiers", func(s *api.RestrictionStatus,
			_ []api.RestrictedTier,
		) {
			s.InForce.Tiers = nil
		}),
		Entry("in force for tiers of a mode that touches nothing", func(s *api.RestrictionStatus,
			_ []api.RestrictedTier,
		) {
			s.InForce.Mode, s.InForce.Tiers[0].Mode = observe, observe
		}),
		Entry("tiers that are spared", func(s *api.RestrictionStatus, restricted []api.RestrictedTier) {
			s.InForce.Tiers = nil
			s.SparedTiers = []api.SparedTier{{Name: restricted[0].Name, Reason: api.TierSparedNever}}
		}),
	)

	It("restricts each tier as it says of that, not of the whole", func(ctx SpecContext) {
		deleting := unique("tier")
		product := restricted(ctx, tiers{deleting: readOnly, unique("tier"): defaultTierOnly})
		Expect(product.Status.Restriction.InForce.Mode).To(Equal(defaultTierOnly))
		policy := newPolicy(globalPolicy, deleting+".policy", deleting)
		Expect(engineer.Create(ctx, policy.DeepCopy())).To(refused(policy, frozen(deleting, product.Name)))
	})

	It("restricts a thousand tiers", func(ctx SpecContext) {
		many := tiers{}
		for i := range api.MaxListedTiers {
			many[fmt.Sprintf("%s-%d", strings.Repeat("x", 240), i)] = []api.RestrictionMode{
				readOnly,
				defaultTierOnly,
			}[i%2]
		}
		product := restricted(ctx, many)
		for i, want := range map[int]func(string, string) string{
			0: frozen, 1: sortsFirst,
			api.MaxListedTiers - 2: frozen, api.MaxListedTiers - 1: sortsFirst,
		} {
			tier := product.Status.Restriction.InForce.Tiers[0].Name[:241] + fmt.Sprint(i)
			policy := first(newPolicy(globalPolicy, "policy", tier))
			Expect(engineer.Create(ctx, policy.DeepCopy())).To(refused(policy, want(tier, product.Name)))
		}
	})

	// What the operator writes is one line of a sane length: these are what else a status can hold.
	DescribeTable("says", func(ctx SpecContext, message, want string) {
		tier := unique("tier")
		product := restricted(ctx,
			tiers{tier: readOnly}, func(s *api.RestrictionStatus) { s.InForce.Message = message })
		policy := newPolicy(globalPolicy, tier+".policy", tier)
		Expect(engineer.Create(ctx, policy.DeepCopy())).
			To(refused(policy, strings.NewReplacer("TIER", tier, "PRODUCT", product.Name).Replace(want)))
	},
		Entry("quotes as they are", `No license covers "a" ('b'): \ %s {{x}} ü`,
			`The policies of tier "TIER" can be read and deleted, but not created or changed. No license covers "a" `+
				`('b'): \ %s {{x}} ü`),
		Entry("which product it is where there is no message", "",
			`The policies of tier "TIER" can be read and deleted, but not created or changed. LicensedProduct `+
				`"PRODUCT" restricts this tier.`),
		Entry("the longest of messages", strings.Repeat("m", 2048),
			`The policies of tier "TIER" can be read and deleted, but not created or changed. `+
				strings.Repeat("m", 2048)),
		Entry("something of its own where there are two lines", "a\nb",
			"The policies of this tier can be read and deleted. This is refused, since a LicensedProduct restricts "+
				"the tier."),
		Entry("something of its own instead of more than the API server takes", strings.Repeat("🔒", 2048),
			"The policies of this tier can be read and deleted. This is refused, since a LicensedProduct restricts "+
				"the tier."),
	)
})
