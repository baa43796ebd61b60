// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// The resources that the guard asks for.
const (
	plain  = "globalnetworkpolicies"
	tiered = "tier.globalnetworkpolicies"
)

// mayWriteNamed is the right to do everything with resources of Calico's that have a name.
func mayWriteNamed(name string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{calicoGroup}, Verbs: everything, Resources: resources,
		ResourceNames: []string{name},
	}
}

// may is the right to use some verbs on a resource of Calico's.
func may(resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{calicoGroup}, Verbs: verbs, Resources: []string{resource}}
}

// all is the right to everything in API groups.
func all(group string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Verbs: []string{"*"}, Resources: []string{"*"}}
}

// ways are all requests that put a restriction into a product's spec.
var ways = map[string]func(context.Context, *user, *api.RestrictionSpec) error{
	"a create": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		product := newProduct(unique("product"))
		product.Spec.Restriction = restriction
		return u.Create(ctx, product, client.DryRunAll)
	},
	"a create with a generated name": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		product := newProduct("")
		product.GenerateName = "product-"
		product.Spec.Restriction = restriction
		return u.Create(ctx, product, client.DryRunAll)
	},
	"a server-side apply that creates": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		product := newProduct(unique("product"))
		product.Spec.Restriction = restriction
		return u.Apply(ctx, manifestOf(product), client.FieldOwner("gitops"), client.DryRunAll)
	},
	"an update": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		product := makeProduct(ctx, nil)
		product.Spec.Restriction = restriction
		return u.Update(ctx, product, client.DryRunAll)
	},
	"a server-side apply that changes": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		product := newProduct(makeProduct(ctx, nil).Name)
		product.Spec.Restriction = restriction
		return u.Apply(ctx, manifestOf(product), client.FieldOwner("gitops"), client.ForceOwnership, client.DryRunAll)
	},
	"a merge patch": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		return u.Patch(ctx, makeProduct(ctx, nil), client.RawPatch(types.MergePatchType,
			[]byte(`{"spec":{"restriction":`+asJSON(restriction)+`}}`)), client.DryRunAll)
	},
	"a JSON patch": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		return u.Patch(ctx, makeProduct(ctx, nil), client.RawPatch(types.JSONPatchType,
			[]byte(`[{"op":"add","path":"/spec/restriction","value":`+asJSON(restriction)+`}]`)), client.DryRunAll)
	},
	"a JSON patch of the mode": func(ctx context.Context, u *user, restriction *api.RestrictionSpec) error {
		observed := *restriction
		observed.Mode = observe
		return u.Patch(ctx, makeProduct(ctx, &observed), client.RawPatch(types.JSONPatchType,
			[]byte(`[{"op":"replace","path":"/spec/restriction/mode","value":"`+string(restriction.Mode)+`"}]`)),
			client.DryRunAll)
	},
}

func asJSON(restriction *api.RestrictionSpec) string {
	GinkgoHelper()
	content, err := json.Marshal(restriction)
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// expectOutcome holds what becomes of a user's attempts to restrict, in all ways.
func expectOutcome(ctx context.Context, u *user, name string, refused bool) {
	GinkgoHelper()
	outcome := Succeed()
	if refused {
		outcome = And(Satisfy(apierrors.IsForbidden), MatchError(HaveSuffix(denialOf(name))))
	}
	for way, attempt := range ways {
		for _, mode := range []api.RestrictionMode{readOnly, defaultTierOnly} {
			Expect(attempt(ctx, u, terms(mode, "licensed"))).To(outcome, "%s by %s", way, name)
		}
	}
}

var _ = Describe("A user who would restrict", func() {
	const refused, accepted = true, false

	tries := func(ctx SpecContext, refused bool, rules ...rbacv1.PolicyRule) {
		name := unique("user")
		expectOutcome(ctx, newUser(ctx, name, append(rules, products())...), name, refused)
	}

	// Every user has the rights on plain policies here, as the Tigera operator grants them.
	DescribeTable("needs the rights on the policies of all tiers", tries,
		Entry("has none", refused),
		Entry("has those on plain policies twice", refused, mayWrite(plain)),
		Entry("has those of one tier", refused, mayWriteNamed("mine.*", tiered)),
		Entry("has those of one policy", refused, mayWriteNamed("mine.one", plain, tiered)),
		Entry("has those on tiers alone", refused, may("tiers", everything...)),
		Entry("has those on namespaced policies", refused, mayWrite("networkpolicies", "tier.networkpolicies")),
		Entry("may create alone", refused, may(tiered, "create")),
		Entry("may not create", refused, may(tiered, "update", "delete")),
		Entry("may not update", refused, may(tiered, "create", "patch", "delete")),
		Entry("may not delete", refused, may(tiered, "create", "update", "deletecollection")),
		Entry("has those of all tiers", accepted, mayWrite(tiered)),
		Entry("has those of one tier and of all", accepted, mayWriteNamed("mine.*", tiered), mayWrite(tiered)),
		Entry("has all on Calico's resources", accepted, all(calicoGroup)),
		Entry("has all, as cluster-admin", accepted, all("*")),
	)

	It("gets nothing into the spec by a write to the status", func(ctx SpecContext) {
		reporter := newUser(ctx, unique("user"), rbacv1.PolicyRule{
			APIGroups: []string{api.GroupVersion.Group},
			Verbs:     everything, Resources: []string{"licensedproducts/status"},
		})
		product := makeProduct(ctx, nil)
		product.Spec.Restriction = terms(defaultTierOnly)
		Expect(reporter.Status().Update(ctx, product.DeepCopy())).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(product), product)).To(Succeed())
		Expect(product.Spec.Restriction).To(BeNil())
	})

	Context("where the Tigera operator did not install Calico", Ordered, func() {
		passthrough, err := controlplane.CalicoPassthrough()

		BeforeAll(func(ctx SpecContext) {
			Expect(err).NotTo(HaveOccurred())
			for _, object := range passthrough {
				Expect(admin.Delete(ctx, object)).To(Succeed())
			}
			Eventually(func() error {
				return vendor.Create(ctx, newPolicy(globalPolicy, "probe", "tier"), client.DryRunAll)
			}).Should(Satisfy(apierrors.IsForbidden), "every user's rights are gone")
		})
		AfterAll(func(ctx SpecContext) {
			Expect(plane.Install(ctx, passthrough...)).To(Succeed())
			awaitPolicies(ctx)
		})

		DescribeTable("needs the rights on plain policies too", tries,
			Entry("has none", refused),
			Entry("has those of one tier", refused, mayWrite(plain), mayWriteNamed("mine.*", tiered)),
			Entry("has those of all tiers alone", refused, mayWrite(tiered)),
			Entry("may not create plain ones", refused, mayWrite(tiered), may(plain, "update", "delete")),
			Entry("may not update plain ones", refused, mayWrite(tiered), may(plain, "create", "patch", "delete")),
			Entry("may not delete plain ones", refused, mayWrite(tiered), may(plain, "create", "update")),
			Entry("has both", accepted, mayWrite(plain, tiered)),
			Entry("has all, as cluster-admin", accepted, all("*")),
		)

		It("has both by the role of the documentation", func(ctx SpecContext) {
			expectOutcome(ctx, owner, "owner", accepted)
		})
	})
})
