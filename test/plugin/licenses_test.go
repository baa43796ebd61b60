// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// hostileText would clear the screen, turn the direction of writing, and ring the bell.
const hostileText = "Ac\x1b[2Jme \u202egnp\u202c\a"

// at is an instant so long from now that a test does not change how many days it is away.
func at(days int) *metav1.Time {
	return new(metav1.NewTime(time.Now().Add(time.Duration(days)*24*time.Hour + 12*time.Hour).UTC().
		Truncate(time.Second)))
}

// newProduct is a product with a status that the operator would write: its license is valid for 40 days, with renewals
// in place, and all is well.
func newProduct(name string) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew",
			TrustAnchors: "-----BEGIN CERTIFICATE-----",
		},
		Status: api.LicensedProductStatus{
			ObservedGeneration: 1, State: api.LicensedProductValid, ActiveLicenseKeyName: name + "-2027",
			ExpiryTime: at(40), GraceEndTime: at(70), CoverageEndTime: at(400),
			Limits:      []api.Limit{limit("nodes", 100), limit("cores", 400)},
			Usage:       used(73, 292),
			Restriction: &api.RestrictionStatus{State: api.RestrictionNone},
		},
	}
}

func limit(name string, value int64) api.Limit { return api.Limit{Name: name, Value: &value} }

func used(nodes, cores int64) []api.Usage {
	return []api.Usage{{Name: api.UsageNodes, Value: &nodes}, {Name: api.UsageCores, Value: &cores}}
}

func condition(conditionType string, is metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: conditionType, Status: is, Reason: reason, Message: message,
		LastTransitionTime: metav1.Now(),
	}
}

// newKey is a key with a status that the operator would write.
func newKey(name, product string, state api.LicenseKeyState, conditions ...metav1.Condition) *api.LicenseKey {
	return &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       api.LicenseKeySpec{ProductName: product, Token: "eyJ0b2tlbg"},
		Status:     api.LicenseKeyStatus{ObservedGeneration: 1, State: state, Conditions: conditions},
	}
}

// userKubeconfig is that of a user with these rights, who is gone after the spec.
func userKubeconfig(ctx SpecContext, name string, rules ...rbacv1.PolicyRule) string {
	GinkgoHelper()
	config, err := plane.UserConfig(ctx, name, rules...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		for _, object := range []client.Object{
			&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault}},
		} {
			Expect(k8sClient.Delete(ctx, object)).To(Succeed())
		}
	})
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(plane.WriteKubeconfig(path, config)).To(Succeed())
	return path
}
