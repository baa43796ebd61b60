// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission has ordinary users meet the admission policies of config/admission on a real API server, with
// Calico's own CustomResourceDefinitions. No operator runs here: what the policies read of a product, the suite writes.
package admission

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/test/controlplane"
)

var (
	plane *controlplane.ControlPlane
	// admin stands in for the operator, and for the author of existing objects.
	admin client.Client
	// engineer may do everything with policies, and nothing with products.
	engineer *user
	// vendor may do everything with products, and nothing with policies but what every user may; owner may also write
	// the policies of all tiers.
	vendor, owner *user
	anchors       string
)

func TestAdmission(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Admission")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(GinkgoLogr)
	authority, err := token.NewAuthority("Acme", time.Now())
	Expect(err).NotTo(HaveOccurred())
	anchors = string(authority.CertificatePEM())

	plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	Expect(plane.InstallCalico(ctx)).To(Succeed())
	Expect(plane.InstallOperator(ctx)).To(Succeed())
	admin, err = plane.NewClient()
	Expect(err).NotTo(HaveOccurred())

	policies := rbacv1.PolicyRule{
		APIGroups: []string{calicoGroup}, Verbs: everything,
		Resources: []string{
			"globalnetworkpolicies", "networkpolicies", "stagedglobalnetworkpolicies",
			"stagednetworkpolicies",
		},
	}
	engineer = newUser(ctx, "engineer", policies)
	vendor = newUser(ctx, "vendor", products())
	owner = newUser(ctx, "owner", products(), mayWrite("globalnetworkpolicies", "tier.globalnetworkpolicies"))

	awaitPolicies(ctx)
})

var everything = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// products is the right to do everything with products.
func products() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{api.GroupVersion.Group}, Verbs: everything,
		Resources: []string{"licensedproducts"},
	}
}

// mayWrite is the right to create, update and delete resources of Calico's.
func mayWrite(resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{calicoGroup}, Verbs: []string{"create", "update", "delete"},
		Resources: resources,
	}
}

// awaitPolicies waits until all three policies are in force. The API server may take 30 s to find the kind that they
// read.
func awaitPolicies(ctx context.Context) {
	GinkgoHelper()
	tier := unique("tier")
	restrict(ctx, tiers{tier: defaultTierOnly})
	Eventually(func() error {
		return engineer.Create(ctx, first(newPolicy(globalPolicy, "probe", tier)), client.DryRunAll)
	}).
		WithTimeout(time.Minute).Should(MatchError(ContainSubstring("'license-operator-lock'")),
		"the rights and the lock")
	Eventually(func(g Gomega) {
		engineer.forget()
		g.Expect(engineer.Create(ctx, newPolicy(globalPolicy, "probe", tier), client.DryRunAll)).To(Succeed())
		g.Expect(engineer.warnings()).To(ConsistOf(ContainSubstring("'license-operator-notice'")))
	}).Should(Succeed(), "the notice")
	Eventually(func() error { return vendor.Create(ctx, newPolicy(globalPolicy, "probe", tier), client.DryRunAll) }).
		Should(Succeed(), "every user's rights")
	product := newProduct(unique("product"))
	product.Spec.Restriction = terms(readOnly)
	Eventually(func() error { return vendor.Create(ctx, product.DeepCopy(), client.DryRunAll) }).Should(
		MatchError(ContainSubstring("'license-operator-guard'")), "the vendor's rights and the guard")
	Eventually(func() error { return owner.Create(ctx, product.DeepCopy(), client.DryRunAll) }).Should(Succeed(),
		"the owner's rights")
}

// user is somebody with an identity of their own, who hears the API server's warnings.
type user struct {
	client.Client

	mu    sync.Mutex
	heard []string
}

func newUser(ctx context.Context, name string, rules ...rbacv1.PolicyRule) *user {
	GinkgoHelper()
	config, err := plane.UserConfig(ctx, name, rules...)
	Expect(err).NotTo(HaveOccurred())
	return userOf(config)
}

// controllerOf is one of Kubernetes' own controllers, with the rights that they have.
func controllerOf(name string) *user {
	GinkgoHelper()
	config := plane.Admin()
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:kube-system:" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
	}
	return userOf(config)
}

func userOf(config *rest.Config) *user {
	GinkgoHelper()
	u := &user{}
	config.QPS = -1
	config.WarningHandler = u
	var err error
	u.Client, err = client.New(config, client.Options{Scheme: controlplane.Scheme})
	Expect(err).NotTo(HaveOccurred())
	return u
}

// HandleWarningHeader implements rest.WarningHandler.
func (u *user) HandleWarningHeader(_ int, _, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.heard = append(u.heard, text)
}

// warnings are those since the last forget.
func (u *user) warnings() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.heard)
}

func (u *user) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.heard = nil
}
