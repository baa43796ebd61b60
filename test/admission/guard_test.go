// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

const observe = api.RestrictionObserve

// terms are a restriction; those of no mode are none.
func terms(mode api.RestrictionMode, labels ...string) *api.RestrictionSpec {
	if mode == "" {
		return nil
	}
	spec := &api.RestrictionSpec{Mode: mode, TierSelector: &metav1.LabelSelector{}}
	for _, label := range labels {
		spec.TierSelector.MatchExpressions = append(spec.TierSelector.MatchExpressions,
			metav1.LabelSelectorRequirement{Key: label, Operator: metav1.LabelSelectorOpExists})
	}
	return spec
}

// refusedToVendor is the guard's error, the whole of it.
func refusedToVendor(product string) gomegatypes.GomegaMatcher {
	return And(Satisfy(apierrors.IsForbidden), MatchError(
		fmt.Sprintf("licensedproducts.license-operator.io %q is forbidden: %s", product, denialOf("vendor"))))
}

// denialOf is what the guard says to a user who lacks rights.
func denialOf(user string) string {
	return "ValidatingAdmissionPolicy 'license-operator-guard' with binding 'license-operator-guard' denied request: " +
		`User "system:serviceaccount:default:` + user + `" may not add or tighten spec.restriction: that needs the ` +
		"rights to create, update and delete globalnetworkpolicies and tier.globalnetworkpolicies in API group " +
		"projectcalico.org, for all tiers (without resourceNames). Ask a cluster administrator to grant them or to " +
		"make this change, or use mode Observe, which needs none."
}

// manifestOf is a product as a GitOps tool applies it.
func manifestOf(product *api.LicensedProduct) runtime.ApplyConfiguration {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(product)
	Expect(err).NotTo(HaveOccurred())
	delete(content, "status")
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(api.GroupVersion.WithKind("LicensedProduct"))
	object.SetManagedFields(nil)
	return client.ApplyConfigurationFromUnstructured(object)
}

// makeProduct has the administrator make a product with that restriction, and deletes it after the spec.
func makeProduct(ctx context.Context, restriction *api.RestrictionSpec) *api.LicensedProduct {
	GinkgoHelper()
	product := newProduct(unique("product"))
	product.Spec.Restriction = restriction
	Expect(admin.Create(ctx, product)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, product))).To(Succeed()) })
	return product
}

var _ = Describe("The guard", func() {
	const asks, free = true, false

	DescribeTable("checks the user who creates a product", func(ctx SpecContext,
		restriction *api.RestrictionSpec, asked bool,
	) {
		product := newProduct(unique("product"))
		product.Spec.Restriction = restriction
		outcome := Succeed()
		if asked {
			outcome = refusedToVendor(product.Name)
		}
		Expect(vendor.Create(ctx, product.DeepCopy(), client.DryRunAll)).To(outcome)
		Expect(owner.Create(ctx, product.DeepCopy(), client.DryRunAll)).To(Succeed())
	},
		Entry("without a restriction: nothing", nil, free),
		Entry("with Observe: nothing", terms(observe), free),
		Entry("with Observe and no selector: nothing", &api.RestrictionSpec{Mode: observe}, free),
		Entry("with ReadOnly", terms(readOnly), asks),
		Entry("with ReadOnly for few tiers", terms(readOnly, "licensed"), asks),
		Entry("with DefaultTierOnly", terms(defaultTierOnly), asks),
	)

	DescribeTable("checks the user who changes the restriction", func(ctx SpecContext, from, to *api.RestrictionSpec,
		asked bool,
	) {
		product := makeProduct(ctx, from)
		product.Spec.Restriction = to
		update := func(u *user) error { return u.Update(ctx, product.DeepCopy(), client.DryRunAll) }
		patch := func(u *user) error {
			before := product.DeepCopy()
			before.Spec.Restriction = from
			return u.Patch(ctx, product.DeepCopy(), client.MergeFrom(before), client.DryRunAll)
		}
		for _, change := range []func(*user) error{update, patch} {
			outcome := Succeed()
			if asked {
				outcome = refusedToVendor(product.Name)
			}
			Expect(change(vendor)).To(outcome)
			Expect(change(owner)).To(Succeed())
		}
	},
		Entry("from none to none: nothing", nil, nil, free),
		Entry("from none to Observe: nothing", nil, terms(observe), free),
		Entry("from none to ReadOnly", nil, terms(readOnly), asks),
		Entry("from none to DefaultTierOnly", nil, terms(defaultTierOnly), asks),
		Entry("from Observe to ReadOnly", terms(observe), terms(readOnly), asks),
		Entry("from Observe to DefaultTierOnly", terms(observe), terms(defaultTierOnly), asks),
		Entry("from Observe without a selector to ReadOnly", &api.RestrictionSpec{Mode: observe}, terms(readOnly),
			asks),
		Entry("from ReadOnly to DefaultTierOnly", terms(readOnly), terms(defaultTierOnly), asks),
		Entry("from DefaultTierOnly to ReadOnly: nothing", terms(defaultTierOnly), terms(readOnly), free),
		Entry("from DefaultTierOnly to Observe: nothing", terms(defaultTierOnly), terms(observe), free),
		Entry("from ReadOnly to Observe: nothing", terms(readOnly), terms(observe), free),
		Entry("from DefaultTierOnly to none: nothing", terms(defaultTierOnly), nil, free),
		Entry("from ReadOnly to none: nothing", terms(readOnly), nil, free),
		Entry("from Observe to none: nothing", terms(observe), nil, free),
		Entry("from ReadOnly to ReadOnly: nothing", terms(readOnly, "a"), terms(readOnly, "a"), free),
		Entry("from DefaultTierOnly to DefaultTierOnly: nothing", terms(defaultTierOnly, "a"),
			terms(defaultTierOnly, "a"), free),
		Entry("to other tiers with ReadOnly", terms(readOnly, "a"), terms(readOnly, "b"), asks),
		Entry("to other tiers with DefaultTierOnly", terms(defaultTierOnly, "a"), terms(defaultTierOnly, "b"), asks),
		Entry("to more tiers", terms(readOnly, "a"), terms(readOnly), asks),
		Entry("to fewer tiers", terms(readOnly), terms(readOnly, "a"), asks),
		Entry("to other tiers with a weaker mode", terms(defaultTierOnly, "a"), terms(readOnly, "b"), asks),
		Entry("to other tiers with Observe: nothing", terms(observe, "a"), terms(observe, "b"), free),
		Entry("to other tiers with Observe instead of DefaultTierOnly: nothing", terms(defaultTierOnly, "a"),
			terms(observe, "b"), free),
	)

	It("does not check a user who changes other fields, or deletes the product", func(ctx SpecContext) {
		product := makeProduct(ctx, terms(defaultTierOnly))
		product.Spec.RenewalURL = "https://acme.example/elsewhere"
		product.Spec.UnlicensedGracePeriodDays = new(int32(1))
		product.Spec.Revocations = []api.Revocation{{LicenseID: "L-1"}}
		product.Labels = map[string]string{"team": "shop"}
		product.Annotations = map[string]string{
			api.RestrictionPauseAnnotation: "2027-03-01T08:00:00Z/2027-03-04T08:00:00Z",
		}
		product.Finalizers = []string{"shop.example/audit"}
		Expect(vendor.Update(ctx, product)).To(Succeed())
		Expect(vendor.Delete(ctx, product)).To(Succeed())
		product.Finalizers = nil
		Eventually(func() error {
			return vendor.Patch(ctx, newProduct(product.Name),
				client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
		}).Should(Succeed())
		Expect(vendor.Get(ctx, client.ObjectKeyFromObject(product), product)).To(Satisfy(apierrors.IsNotFound))
	})

	It("asks nothing of a GitOps tool that applies what is there, and asks it of one that would tighten it",
		func(ctx SpecContext) {
			product := makeProduct(ctx, terms(defaultTierOnly, "licensed"))
			applies := func(restriction *api.RestrictionSpec) error {
				desired := newProduct(product.Name)
				desired.Spec.Restriction = restriction
				return vendor.Apply(ctx, manifestOf(desired), client.FieldOwner("gitops"), client.ForceOwnership)
			}
			for range 2 {
				Expect(applies(terms(defaultTierOnly, "licensed"))).To(Succeed())
			}
			Expect(applies(terms(defaultTierOnly))).To(refusedToVendor(product.Name))
			Expect(applies(terms(readOnly, "licensed"))).To(Succeed(), "it is weaker")
			Expect(applies(terms(defaultTierOnly, "licensed"))).To(refusedToVendor(product.Name))
		})

	It("asks the operator nothing, who writes no more than the status", func(ctx SpecContext) {
		config, err := plane.OperatorConfig(ctx)
		Expect(err).NotTo(HaveOccurred())
		operator := userOf(config)
		product := makeProduct(ctx, terms(defaultTierOnly))
		before := product.DeepCopy()
		product.Status.Restriction = inForce(product.Name, nil)
		Expect(operator.Status().Patch(ctx, product, client.MergeFrom(before))).To(Succeed())
		Expect(product.Status.Restriction.InForce.Message).To(Equal(noticeOf(product.Name)))
	})
})
