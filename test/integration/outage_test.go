// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

// The operator's own process, a control plane of its own that fails at the worst moment, and real time.
var _ = Describe("A restriction that is interrupted half-way", Ordered, func() {
	const tiers = 20
	var (
		own     *controlplane.ControlPlane
		admin   client.Client
		refusal *admissionregistrationv1.ValidatingAdmissionPolicyBinding
	)

	BeforeAll(func(ctx SpecContext) {
		var err error
		own, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(own.Stop()).To(Succeed()) })
		Expect(own.InstallOperator(ctx)).To(Succeed())
		installCalico(ctx, own)
		admin, err = own.NewClient()
		Expect(err).NotTo(HaveOccurred())
		By("leaving the admission policies to the operator, as OLM has to")
		for _, o := range admission.Objects() {
			Expect(admin.Delete(ctx, o)).To(Succeed())
		}
		Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "manages-admission-policies"},
			RoleRef: rbacv1.RoleRef{
				APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
				Name: "license-operator-admission-manager-role",
			},
			Subjects: []rbacv1.Subject{{
				Kind: rbacv1.ServiceAccountKind, Namespace: controlplane.OperatorNamespace,
				Name: "license-operator-controller-manager",
			}},
		})).To(Succeed())
		for i := range tiers {
			tier := fmt.Sprintf("tier-%d", i)
			Expect(admin.Create(ctx, newTier(tier, nil))).To(Succeed())
			Expect(admin.Create(ctx, newGlobalPolicy(tier, "deny", "Deny"))).To(Succeed())
		}
		var policy *admissionregistrationv1.ValidatingAdmissionPolicy
		policy, refusal = refusePassPolicies(`[2468]$`)
		Expect(admin.Create(ctx, policy)).To(Succeed())
		Expect(admin.Create(ctx, refusal)).To(Succeed())
		refused := newGlobalPolicy("tier-2", "license-operator-pass", "Pass")
		refused.SetLabels(map[string]string{calico.PassPolicyLabel: calico.PassPolicyLabelValue})
		Eventually(func() error { return admin.Create(ctx, refused.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("not today")), "the refusal takes a moment")
	})

	passed := func(ctx context.Context) func(Gomega) int {
		return func(g Gomega) int {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(calico.Version.WithKind("GlobalNetworkPolicyList"))
			g.Expect(admin.List(ctx, list,
				client.MatchingLabels{calico.PassPolicyLabel: calico.PassPolicyLabelValue})).To(Succeed())
			return len(list.Items)
		}
	}
	ready := func(ctx context.Context, name string) func(Gomega) string {
		return func(g Gomega) string {
			product := &api.LicensedProduct{}
			g.Expect(admin.Get(ctx, client.ObjectKey{Name: name}, product)).To(Succeed())
			return reason(product.Status.Conditions, "RestrictionReady")
		}
	}

	It("says so until it is complete, through the deaths of the operator and of the API server", func(ctx SpecContext) {
		start := func() *controlplane.Manager {
			manager, err := own.StartManager(ctx,
				controlplane.ManagerOptions{
					Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter,
					Args: []string{"--leader-elect=false", "--manage-admission-policies"},
				})
			Expect(err).NotTo(HaveOccurred())
			return manager
		}
		manager := start()
		product := newRestrictingProduct("mesh", api.RestrictionDefaultTierOnly, nil)
		product.Spec.TrustAnchors = newVendor("Acme", time.Now().AddDate(0, -2, 0)).anchors()
		Expect(admin.Create(ctx, restrictedAtOnce(product))).To(Succeed())
		Eventually(passed(ctx)).Should(Equal(tiers-8), "some are refused, and do not hold up the others")
		Eventually(ready(ctx, "mesh")).Should(Equal("ApplyFailed"))

		By("killing the operator")
		manager.Kill()
		manager = start()
		Consistently(passed(ctx)).Should(Equal(tiers - 8))
		Eventually(ready(ctx, "mesh")).Should(Equal("ApplyFailed"), "it is Applying until the operator has tried again")

		By("taking the API server away, and bringing it back")
		Expect(own.StopAPIServer()).To(Succeed())
		Expect(own.StartAPIServer(ctx)).To(Succeed())
		Eventually(passed(ctx)).Should(Equal(tiers - 8))

		By("letting it do what it has to")
		Expect(admin.Delete(ctx, refusal)).To(Succeed())
		Eventually(passed(ctx), "60s").Should(Equal(tiers))
		Eventually(ready(ctx, "mesh"), "60s").Should(Equal("Complete"),
			"an API server that has just started takes a while to read products for its admission policies")
		By("taking the lock away before the next restriction begins")
		Expect(admin.Delete(ctx, refusalOf("license-operator-lock"))).To(Succeed())
		Eventually(firstPolicy(ctx, admin, "tier-0")).Should(Succeed(), "the lock goes a moment later")
		another := newRestrictingProduct("another", api.RestrictionReadOnly, nil)
		another.Spec.TrustAnchors = product.Spec.TrustAnchors
		Expect(admin.Create(ctx, restrictedAtOnce(another))).To(Succeed())
		Eventually(ready(ctx, "another"), "60s").Should(Equal("Complete"))
		Expect(admin.Get(ctx, client.ObjectKey{Name: "license-operator-lock"}, refusalOf(""))).To(Succeed())
		manager.Kill()
	})
})

func refusalOf(name string) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// refusePassPolicies is an admission policy that refuses pass policies of the tiers whose names match.
func refusePassPolicies(
	tiers string,
) (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	name := metav1.ObjectMeta{Name: "not-today"}
	return &admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: name,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				MatchConstraints: &admissionregistrationv1.MatchResources{
					ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
						RuleWithOperations: admissionregistrationv1.RuleWithOperations{
							Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE"},
							Rule: admissionregistrationv1.Rule{
								APIGroups:   []string{calico.Version.Group},
								APIVersions: []string{"*"}, Resources: []string{"globalnetworkpolicies"},
							},
						},
					}},
				},
				Validations: []admissionregistrationv1.Validation{{
					Expression: `!('license-operator.io/pass-policy' in object.metadata.?labels.orValue({})) || ` +
						`!object.spec.tier.matches('` + tiers + `')`, Message: "not today",
				}},
			},
		}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: name,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        name.Name,
				ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			},
		}
}
