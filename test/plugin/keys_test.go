// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("kubectl license keys", func() {
	It("says so where there is no key", func(ctx SpecContext) {
		s := newSession(adminKubeconfig)
		s.show(ctx, "keys")
		s.show(ctx, "keys", "acme-mesh")
		s.show(ctx, "keys", "-o", "yaml")
		s.compare("keys-none")
	})

	It("shows every key, with its state and the reason", func(ctx SpecContext) {
		create(ctx, manyKeys()...)
		s := newSession(adminKubeconfig)
		s.show(ctx, "keys")
		s.showThis(ctx, command{args: []string{"keys"}, width: 160})
		s.showThis(ctx, command{args: []string{"keys"}, width: 60})
		s.show(ctx, "keys", "acme-mesh", "-o", "wide")
		s.note("Keys of a product that does not exist.")
		s.show(ctx, "keys", "acme-mash", "-o", "wide")
		s.show(ctx, "keys", "-o", "name")
		s.show(ctx, "keys", "acme-mesh", "-o", "json")
		s.show(ctx, "keys", "acme-wild", "-o", "yaml")
		s.show(ctx, "keys", "acme-db")
		s.compare("keys")
	})

	It("never prints a token", func(ctx SpecContext) {
		create(ctx, manyKeys()...)
		s := newSession(adminKubeconfig)
		for _, format := range []string{"wide", "json", "yaml", "name"} {
			Expect(s.run(ctx, command{args: []string{"keys", "-o", format}}).stdout).NotTo(ContainSubstring("eyJ"))
		}
	})

	It("says which right is missing", func(ctx SpecContext) {
		create(ctx, manyKeys()...)
		s := newSession(userKubeconfig(ctx, "keys-nobody"))
		s.show(ctx, "keys")
		s.compare("keys-forbidden")

		s = newSession(userKubeconfig(ctx, "keys-lister", rbacv1.PolicyRule{
			APIGroups: []string{api.GroupVersion.Group}, Resources: []string{"licensekeys"}, Verbs: []string{"list"},
		}))
		Eventually(func() string {
			return s.run(ctx,
				command{args: []string{"keys", "acme-mash", "-o", "name"}}).stdout
		}).Should(Equal("licensekey.license-operator.io/acme-stray\n"))
	})
})

// manyKeys are keys in every state.
func manyKeys() []client.Object {
	verified := condition(api.ConditionReady, metav1.ConditionTrue, api.ReasonVerified, "It verifies.")

	old := newKey("acme-mesh-2026", "acme-mesh", api.LicenseKeyExpired, verified,
		condition(api.ConditionActive, metav1.ConditionFalse, api.ReasonExpired, "The key expired; another decides."))
	old.Status.Customer, old.Status.LicenseID = "Example GmbH", "2025-0042"
	old.Status.IssuedTime, old.Status.NotBeforeTime, old.Status.ExpiryTime, old.Status.GraceEndTime = at(-400),
		at(-400), at(-40), at(-10)

	active := newKey("acme-mesh-2027", "acme-mesh", api.LicenseKeyValid, verified,
		condition(api.ConditionActive, metav1.ConditionTrue, api.ReasonInForce, "This key decides."))
	active.Status.Customer, active.Status.LicenseID = "Example GmbH", "2026-0042"
	active.Status.IssuedTime, active.Status.NotBeforeTime, active.Status.ExpiryTime, active.Status.GraceEndTime = at(
		-40), at(-40), at(40), at(70)
	active.Status.Features, active.Status.Limits = []string{"fips"}, []api.Limit{limit("nodes", 100), limit("sites", 5)}

	next := newKey("acme-mesh-2028", "acme-mesh", api.LicenseKeyNotYetValid, verified,
		condition(api.ConditionActive, metav1.ConditionFalse, api.ReasonNotYetValid, "The key begins later."))
	next.Status.Customer, next.Status.LicenseID = "Example GmbH", "2027-0042"
	next.Status.IssuedTime, next.Status.NotBeforeTime, next.Status.ExpiryTime, next.Status.GraceEndTime = at(-1),
		at(39), at(400), at(430)

	unseen := newKey("acme-mesh-new", "acme-mesh", "")
	unseen.Status = api.LicenseKeyStatus{ObservedGeneration: -1}

	stray := newKey("acme-stray", "acme-mash", api.LicenseKeyInvalid,
		condition(api.ConditionReady, metav1.ConditionFalse, api.ReasonProductNotFound,
			`There is no LicensedProduct "acme-mash".`),
		condition(api.ConditionActive, metav1.ConditionFalse, api.ReasonNotVerified, "The key does not verify."))

	wild := newKey("acme-wild", "acme-wild", api.LicenseKeyInvalid,
		condition(api.ConditionReady, metav1.ConditionFalse, api.ReasonLicenseRevoked, hostileText))
	wild.Status.Customer, wild.Status.LicenseID = hostileText, "\x1b]0;title\a"

	return []client.Object{old, active, next, unseen, stray, wild}
}
