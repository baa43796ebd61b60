// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// health is what tools for deployment make of an object: kstatus (Flux, Helm, kpt), and Argo CD by our health checks.
type health struct {
	KStatus status.Status
	ArgoCD  string
}

var _ = Describe("Tools for deployment", Ordered, func() {
	const product, good, bad, missing = "health", "health-good", "health-bad", "health-missing"
	const orphan, unusable = "health-orphan", "health-unusable"
	waiting, fine, failed := health{status.InProgressStatus, "Progressing"}, health{status.CurrentStatus, "Healthy"},
		health{status.InProgressStatus, "Degraded"}

	BeforeAll(func(ctx SpecContext) {
		p := newProduct(unusable)
		p.Spec.TrustAnchors = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"
		create(ctx, p, newProduct(product), newKey(good, product, acme.issue(product, now(), 10*days, 0)),
			newKey(bad, product, "garbage"),
			newSecretKey(missing, product, "missing"), newKey(orphan, "nowhere", "token"))
	})

	key := func(name string) client.Object {
		k := &api.LicenseKey{}
		k.Name = name
		return k
	}
	productNamed := func(name string) client.Object {
		p := &api.LicensedProduct{}
		p.Name = name
		return p
	}
	DescribeTable("read both kinds right",
		func(ctx SpecContext, object client.Object, change func(client.Object), want health) {
			Eventually(func(g Gomega) health {
				g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				if change != nil {
					change(object)
				}
				return healthOf(g, object)
			}).Should(Equal(want))
		},
		Entry("a key that verifies", key(good), nil, fine),
		Entry("a key that verified and has been changed since",
			key(good), func(o client.Object) { o.SetGeneration(o.GetGeneration() + 1) }, waiting),
		Entry("a key that is not reconciled yet", key(good), func(o client.Object) {
			o.(*api.LicenseKey).Status = api.LicenseKeyStatus{ObservedGeneration: -1}
		}, waiting),
		Entry("a key that does not verify", key(bad), nil, failed),
		Entry("a key whose Secret is not there yet", key(missing), nil, waiting),
		Entry("a key whose product is not there yet", key(orphan), nil, waiting),
		Entry("a product in order", productNamed(product), nil, fine),
		Entry("a product that has been changed since",
			productNamed(product), func(o client.Object) { o.SetGeneration(o.GetGeneration() + 1) }, waiting),
		Entry("a product that is not reconciled yet", productNamed(product), func(o client.Object) {
			o.(*api.LicensedProduct).Status = api.LicensedProductStatus{ObservedGeneration: -1}
		}, waiting),
		Entry("a product whose trust anchors cannot be used", productNamed(unusable), nil, failed),
	)

	It("take an expired key for deployed all the same", func(ctx SpecContext) {
		machine.setTo(now().Add(11 * days))
		Eventually(keySummary(ctx, good)).Should(Equal(summary{"Expired", "Verified", "InForce"}))
		Expect(healthOf(Default, getKey(ctx, Default, good))).To(Equal(fine))
		Expect(healthOf(Default, getProduct(ctx, Default, product))).To(Equal(fine))
	})
})

func healthOf(g Gomega, object client.Object) health {
	gvk, err := k8sClient.GroupVersionKindFor(object)
	g.Expect(err).NotTo(HaveOccurred())
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	g.Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	computed, err := status.Compute(u)
	g.Expect(err).NotTo(HaveOccurred())
	return health{computed.Status, argoCDHealth(g, u)}
}

// argoCDHealth runs the health check that config/argocd ships for the kind, in the Lua that Argo CD runs it in.
func argoCDHealth(g Gomega, u *unstructured.Unstructured) string {
	patch, err := os.ReadFile("../../config/argocd/argocd-cm-patch.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	g.Expect(yaml.UnmarshalStrict(patch, &configMap)).To(Succeed())
	script := configMap.Data["resource.customizations.health."+u.GroupVersionKind().Group+"_"+u.GetKind()]
	g.Expect(script).NotTo(BeEmpty())

	l := lua.NewState()
	defer l.Close()
	l.SetGlobal("obj", luaValue(l, u.Object))
	g.Expect(l.DoString(script)).To(Succeed())
	result, ok := l.Get(-1).(*lua.LTable)
	g.Expect(ok).To(BeTrue(), "a health check returns a table")
	message := result.RawGetString("message").String()
	g.Expect(strings.TrimSpace(message)).NotTo(BeEmpty())
	return result.RawGetString("status").String()
}

func luaValue(l *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := l.NewTable()
		for name, member := range v {
			table.RawSetString(name, luaValue(l, member))
		}
		return table
	case []any:
		table := l.NewTable()
		for _, element := range v {
			table.Append(luaValue(l, element))
		}
		return table
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	default:
		return lua.LNil
	}
}
