// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	hour = time.Hour
	days = 24 * time.Hour
)

// vendor issues keys.
type vendor struct {
	authority *token.Authority
	signer    *token.Signer
}

func newVendor(name string, now time.Time) *vendor {
	GinkgoHelper()
	authority, err := token.NewAuthority(name, now)
	Expect(err).NotTo(HaveOccurred())
	signer, err := authority.NewSigner(name+" signer", now)
	Expect(err).NotTo(HaveOccurred())
	return &vendor{authority, signer}
}

func (v *vendor) anchors() string { return string(v.authority.CertificatePEM()) }

// issue signs a license for a product that is issued and begins at begin.
func (v *vendor) issue(
	product string, begin time.Time, term, grace time.Duration, change ...func(*license.Claims),
) string {
	GinkgoHelper()
	begin = begin.Truncate(time.Second)
	claims := &license.Claims{
		ID: unique("L"), Customer: "Initech", Audience: []string{product},
		IssuedTime: begin, NotBefore: begin, Expiry: begin.Add(term), GracePeriod: grace,
		Features: []string{"mesh"}, Limits: map[string]int64{"nodes": 100},
	}
	for _, c := range change {
		c(claims)
	}
	jws, err := v.signer.Sign(claims)
	Expect(err).NotTo(HaveOccurred())
	return jws
}

var uniqueNumber atomic.Int64

func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, uniqueNumber.Add(1)) }

func now() time.Time { return machine.look().Wall }

// create creates objects, and deletes them after the spec.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8sClient.Create(ctx, o)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, o))).To(Succeed()) })
	}
}

func newProduct(name string) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew",
			TrustAnchors: acme.anchors(),
		},
	}
}

func newKey(name, product, jws string) *api.LicenseKey {
	return &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       api.LicenseKeySpec{ProductName: product, Token: jws},
	}
}

func newSecretKey(name, product, secret string) *api.LicenseKey {
	return &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicenseKeySpec{
			ProductName:    product,
			TokenSecretRef: &api.SecretKeyReference{Name: secret, Key: "token"},
		},
	}
}

func newSecret(name, jws string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controlplane.OperatorNamespace},
		StringData: map[string]string{"token": jws},
	}
}

// summary is what a person sees at a glance.
type summary struct {
	State, Ready, Active string
}

func keySummary(ctx context.Context, name string) func(Gomega) summary {
	return func(g Gomega) summary {
		key := &api.LicenseKey{}
		g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: name}, key)).To(Succeed())
		if key.Status.ObservedGeneration != key.Generation {
			return summary{State: "not observed"}
		}
		return summary{
			string(key.Status.State), reason(key.Status.Conditions, "Ready"),
			reason(key.Status.Conditions, "Active"),
		}
	}
}

// productSummary is a product's state, whether its terms are in order, and its active key.
func productSummary(ctx context.Context, name string) func(Gomega) summary {
	return func(g Gomega) summary {
		product := getProduct(ctx, g, name)
		if product.Status.ObservedGeneration != product.Generation {
			return summary{State: "not observed"}
		}
		return summary{
			string(product.Status.State), reason(product.Status.Conditions, "Ready"),
			product.Status.ActiveLicenseKeyName,
		}
	}
}

func getProduct(ctx context.Context, g Gomega, name string) *api.LicensedProduct {
	product := &api.LicensedProduct{}
	g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: name}, product)).To(Succeed())
	return product
}

func getKey(ctx context.Context, g Gomega, name string) *api.LicenseKey {
	key := &api.LicenseKey{}
	g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: name}, key)).To(Succeed())
	return key
}

func reason(conditions []metav1.Condition, conditionType string) string {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return c.Reason
	}
	return ""
}

// eventReasons are the reasons of the events about an object.
func eventReasons(ctx context.Context, kind, name string) func(Gomega) []string {
	return func(g Gomega) []string {
		var reasons []string
		for _, e := range eventsAbout(ctx, g, kind, name) {
			reasons = append(reasons, e.Reason)
		}
		return reasons
	}
}

func eventsAbout(ctx context.Context, g Gomega, kind, name string) []eventsv1.Event {
	var list eventsv1.EventList
	g.Expect(k8sClient.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
	return slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool {
		return e.Regarding.Kind != kind ||
			e.Regarding.Name != name
	})
}
