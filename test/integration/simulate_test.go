// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

// simulated is what kubectl license simulate -o json says.
type simulated struct {
	Time     time.Time
	Products []struct {
		Name        string
		Restriction struct {
			State       api.RestrictionState
			Reason      string
			SinceTime   time.Time
			SparedTiers []api.SparedTier
			Tiers       []struct {
				api.RestrictedTier
				Policies []simulatedPolicy
				Bypasses []api.BypassingPolicy
			}
		}
	}
}

type simulatedPolicy struct {
	Kind, Namespace, Name string
	Opens, Closes         bool
}

var _ = Describe("What simulate says", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { installCalico(ctx, plane) })

	It("is what then happens", func(ctx SpecContext) {
		name := unique("acme-mesh")
		labels := map[string]string{"team": name}
		first, second, never := unique("east"), unique("north"), unique("never")
		exempt := newTier(never, map[string]string{"team": name, calico.NeverLabel: calico.NeverValue})
		first1st := newGlobalPolicy(first, "a", "Allow")
		Expect(unstructured.SetNestedField(first1st.Object, calico.PassOrder, "spec", "order")).To(Succeed())
		host := newGlobalPolicy(second, "host", "Deny")
		Expect(unstructured.SetNestedMap(host.Object, map[string]any{
			"tier": second, "selector": "all()", "types": []any{"Ingress"},
			"ingress": []any{map[string]any{"action": "Deny"}}, "preDNAT": true, "applyOnForward": true,
		}, "spec")).To(Succeed())
		create(ctx, newTier(first, labels), newTier(second, labels), exempt, first1st, host,
			newGlobalPolicy(first, "dns", "Allow"), newNamespacedPolicy(first, "default", "deny", "Deny"),
			newNamespacedPolicy(first, controlplane.OperatorNamespace, "own", "Deny"),
			newGlobalPolicy(second, "deny", "Deny"), newGlobalPolicy(never, "deny", "Deny"))
		graceEnd := now().Add(15 * days).Truncate(time.Second)
		create(ctx, newKey(name, name, acme.issue(name, now(), 10*days, 5*days)),
			newRestrictingProduct(name, api.RestrictionDefaultTierOnly, labels))
		Eventually(restrictionStoryOf(ctx, name), "30s").Should(HaveField("Policies", int32(3)),
			"policies are counted some seconds after a change")

		session := kubectlLicense(ctx, "simulate", name, "-o", "json")
		Eventually(session, "30s").Should(gexec.Exit(0))
		var told simulated
		Expect(json.Unmarshal(session.Out.Contents(), &told)).To(Succeed())
		Expect(told.Time).To(BeTemporally("==", graceEnd))
		Expect(told.Products).To(HaveLen(1))
		predicted := told.Products[0].Restriction
		var tiers []api.RestrictedTier
		var bypasses []api.BypassingPolicy
		policies := map[string][]simulatedPolicy{}
		counts := restrictionStory{}
		for _, tier := range predicted.Tiers {
			tiers, bypasses = append(tiers, tier.RestrictedTier), append(bypasses, tier.Bypasses...)
			policies[tier.Name] = tier.Policies
			for _, p := range tier.Policies {
				counts.Policies++
				if p.Closes {
					counts.Allowing++
				}
				if p.Opens {
					counts.Denying++
				}
			}
		}
		Expect(policies).To(Equal(map[string][]simulatedPolicy{
			first: {
				{Kind: "GlobalNetworkPolicy", Name: first + ".dns", Closes: true},
				{Kind: "NetworkPolicy", Namespace: "default", Name: first + ".deny", Opens: true},
			},
			second: {{Kind: "GlobalNetworkPolicy", Name: second + ".deny", Opens: true}},
		}))

		machine.setTo(told.Time)
		Eventually(restrictionStoryOf(ctx, name), "40s").Should(Equal(restrictionStory{
			State: predicted.State, Restricted: predicted.Reason, Ready: "Bypassed", InForce: tiers,
			Policies: counts.Policies, Allowing: counts.Allowing, Denying: counts.Denying,
		}))
		status := getProduct(ctx, NewWithT(GinkgoT()), name).Status.Restriction
		Expect(status.SparedTiers).To(Equal(predicted.SparedTiers))
		Expect(status.Bypasses.Policies).To(Equal(bypasses))
		Expect(status.InForce.SinceTime.Time).To(BeTemporally("==", predicted.SinceTime))
		Expect(passPolicies(ctx, NewWithT(GinkgoT()), first, second, never)).
			To(Equal([]string{first + ".license-operator-pass", second + ".license-operator-pass"}))
	})
})
