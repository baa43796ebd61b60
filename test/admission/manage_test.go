// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/test/controlplane"
)

// As with --manage-admission-policies, where no installer brings the policies.
var _ = Describe("An operator that applies the admission policies itself", Ordered, func() {
	var operator *user

	applies := func(ctx context.Context, object *unstructured.Unstructured) error {
		return operator.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()),
			client.FieldOwner("license-operator"), client.ForceOwnership)
	}

	BeforeAll(func(ctx SpecContext) {
		config, err := plane.OperatorConfig(ctx)
		Expect(err).NotTo(HaveOccurred())
		operator = userOf(config)
		for _, object := range admission.Objects() {
			Expect(admin.Delete(ctx, object)).To(Succeed())
		}
	})
	AfterAll(func(ctx SpecContext) {
		Expect(plane.InstallOperator(ctx)).To(Succeed())
		awaitPolicies(ctx)
	})

	It("has no right to, as it is installed", func(ctx SpecContext) {
		for _, object := range admission.Objects() {
			Expect(applies(ctx, object)).To(Satisfy(apierrors.IsForbidden), object.GetName())
		}
	})

	It("does with the role that is there for that", func(ctx SpecContext) {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "admission-manager"},
			RoleRef: rbacv1.RoleRef{
				APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
				Name: "license-operator-admission-manager-role",
			},
			Subjects: []rbacv1.Subject{{
				Kind: rbacv1.ServiceAccountKind, Namespace: controlplane.OperatorNamespace,
				Name: "license-operator-controller-manager",
			}},
		}
		Expect(admin.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, binding)).To(Succeed()) })
		for _, object := range admission.Objects() {
			Eventually(func() error { return applies(ctx, object) }).Should(Succeed(),
				"the API server learns of the right to apply %s", object.GetName())
			By("storing " + object.GetName() + " as it is, so that a comparison finds no difference")
			stored := object.DeepCopy()
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), stored)).To(Succeed())
			Expect(stored.Object["spec"]).To(Equal(object.Object["spec"]))
			Expect(stored.GetLabels()).To(Equal(object.GetLabels()))
			version := stored.GetResourceVersion()
			Expect(applies(ctx, object)).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), stored)).To(Succeed())
			Expect(stored.GetResourceVersion()).To(Equal(version))
		}
		awaitPolicies(ctx)

		By("and nothing else")
		Expect(operator.Get(ctx, client.ObjectKeyFromObject(admission.Objects()[0]), admission.Objects()[0])).
			To(Satisfy(apierrors.IsForbidden), "it applies them without a look at what is there")
		other := admission.Objects()[0]
		other.SetName("other")
		Expect(applies(ctx, other)).To(Satisfy(apierrors.IsForbidden))
		Expect(operator.Delete(ctx, admission.Objects()[0])).To(Satisfy(apierrors.IsForbidden))
	})
})
