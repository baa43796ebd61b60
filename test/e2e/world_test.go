//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/token"
)

const (
	days             = 24 * time.Hour
	defaultNamespace = "license-operator-system"
)

// vendor issues keys.
type vendor struct {
	authority *token.Authority
	signer    *token.Signer
}

func newVendor(now time.Time) *vendor {
	GinkgoHelper()
	authority, err := token.NewAuthority("Acme", now)
	Expect(err).NotTo(HaveOccurred())
	signer, err := authority.NewSigner("Acme signer", now)
	Expect(err).NotTo(HaveOccurred())
	return &vendor{authority, signer}
}

func (v *vendor) product(name string, change ...func(*v1alpha1.LicensedProduct)) *v1alpha1.LicensedProduct {
	p := &v1alpha1.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.LicensedProductSpec{Vendor: "Acme", RenewalURL: "https://acme.example/renew", TrustAnchors: string(v.authority.CertificatePEM())},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

// restricting has a product restrict tiers with a label from its first second.
func restricting(label string) func(*v1alpha1.LicensedProduct) {
	return func(p *v1alpha1.LicensedProduct) {
		p.Spec.UnlicensedGracePeriodDays = new(int32(0))
		p.Spec.Restriction = &v1alpha1.RestrictionSpec{
			Mode: v1alpha1.RestrictionDefaultTierOnly, TierSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"of": label}},
		}
	}
}

// key is a license for a product of that name: it has been valid for a day, and is for a year.
func (v *vendor) key(product string) *v1alpha1.LicenseKey {
	GinkgoHelper()
	begin := time.Now().Add(-days).Truncate(time.Second)
	jws, err := v.signer.Sign(&license.Claims{
		ID: "L-" + product, Customer: "Initech", Audience: []string{product}, IssuedTime: begin, NotBefore: begin, Expiry: begin.Add(365 * days), Limits: map[string]int64{"nodes": 100},
	})
	Expect(err).NotTo(HaveOccurred())
	return &v1alpha1.LicenseKey{ObjectMeta: metav1.ObjectMeta{Name: product}, Spec: v1alpha1.LicenseKeySpec{ProductName: product, Token: jws}}
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8sClient.Create(ctx, o)).To(Succeed())
	}
}

// licensed waits until products, each with a key of its name, are valid.
func licensed(ctx context.Context, names ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		states := map[string]string{}
		var products v1alpha1.LicensedProductList
		g.Expect(k8sClient.List(ctx, &products)).To(Succeed())
		for _, p := range products.Items {
			states[p.Name] = string(p.Status.State)
		}
		for _, name := range names {
			g.Expect(states).To(HaveKeyWithValue(name, "Valid"))
		}
	}).Should(Succeed())
}

// tierWithPolicy is a tier with a label, and a policy in it.
func tierWithPolicy(name string) []client.Object {
	tier := calicoObject("Tier", name, map[string]any{"order": int64(100), "defaultAction": "Deny"})
	tier.SetLabels(map[string]string{"of": name})
	rules := []any{map[string]any{"action": "Deny"}}
	policy := calicoObject("GlobalNetworkPolicy", name+".deny", map[string]any{
		"tier": name, "order": int64(10), "selector": "all()", "types": []any{"Ingress", "Egress"}, "ingress": rules, "egress": rules,
	})
	return []client.Object{tier, policy}
}

func calicoObject(kind, name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetGroupVersionKind(restriction.Version.WithKind(kind))
	o.SetName(name)
	return o
}

// bytesOf are objects as the API server has them.
func bytesOf(ctx context.Context, objects []client.Object) string {
	GinkgoHelper()
	var all strings.Builder
	for _, o := range objects {
		read := &unstructured.Unstructured{}
		read.SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), read)).To(Succeed())
		content, err := json.Marshal(read.Object)
		Expect(err).NotTo(HaveOccurred())
		all.Write(content)
	}
	return all.String()
}

// passPolicies are the names of all that restrictions have put into tiers.
func passPolicies(ctx context.Context) func(Gomega) []string {
	return func(g Gomega) []string {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(restriction.Version.WithKind("GlobalNetworkPolicyList"))
		g.Expect(k8sClient.List(ctx, list, client.MatchingLabels{restriction.PassPolicyLabel: restriction.PassPolicyLabelValue})).To(Succeed())
		names := []string{}
		for _, o := range list.Items {
			names = append(names, o.GetName())
		}
		return names
	}
}

// install has the cluster serve kinds of others, unless it does already, and removes what it has installed when the container of specs ends.
func install(ctx context.Context, definitions ...*unstructured.Unstructured) {
	GinkgoHelper()
	for _, definition := range definitions {
		err := k8sClient.Create(ctx, definition.DeepCopy())
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, definition.DeepCopy()))).To(Succeed())
		})
		Eventually(func(g Gomega) {
			var crd apiextensionsv1.CustomResourceDefinition
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(definition), &crd)).To(Succeed())
			g.Expect(crd.Status.Conditions).To(ContainElement(And(HaveField("Type", apiextensionsv1.Established), HaveField("Status", apiextensionsv1.ConditionTrue))))
		}).Should(Succeed())
	}
}

// operatorPods are the operator's, by their names.
func operatorPods(ctx context.Context, namespace string) map[string]*corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8sClient.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"control-plane": "controller-manager"})).To(Succeed())
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		pods[list.Items[i].Name] = &list.Items[i]
	}
	return pods
}

// leader is the name of the pod that leads.
func leader(ctx context.Context) string {
	GinkgoHelper()
	return leaderNow(ctx)(Default)
}

func leaderNow(ctx context.Context) func(Gomega) string {
	return func(g Gomega) string {
		var lease coordinationv1.Lease
		g.Expect(k8sClient.Get(ctx, types.NamespacedName{Namespace: defaultNamespace, Name: "license-operator.io"}, &lease)).To(Succeed())
		g.Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
		pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
		return pod
	}
}

// versions of the objects of kinds that have a label, by kind and name: the same as long as nobody has changed one.
func versions(ctx context.Context, kinds, selector string) map[string]string {
	GinkgoHelper()
	args := []string{"get", kinds, "-A", "-o", `go-template={{range .items}}{{.kind}}/{{.metadata.name}} {{.metadata.uid}}/{{.metadata.resourceVersion}}{{"\n"}}{{end}}`}
	if selector != "" {
		args = append(args, "-l", selector)
	}
	found := map[string]string{}
	for line := range strings.Lines(kubectl(ctx, args...)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[name] = version
	}
	Expect(found).NotTo(BeEmpty())
	return found
}

const (
	licenseKinds   = "licensedproducts.license-operator.io,licensekeys.license-operator.io"
	installedKinds = "crd,namespaces,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,poddisruptionbudgets,networkpolicies.networking.k8s.io,validatingadmissionpolicies,validatingadmissionpolicybindings,deployments"
	installedLabel = "app.kubernetes.io/name=license-operator"
)

// remains are the names of what is left of an installation.
func remains(ctx context.Context) []string {
	GinkgoHelper()
	return strings.Fields(kubectl(ctx, "get", installedKinds, "-A", "-l", installedLabel, "-o", "name"))
}

// processOf is the id of the process of a pod's container, where it runs on this machine and we may see it; else 0.
func processOf(pod *corev1.Pod) int {
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0
	}
	for _, path := range groups {
		content, err := os.ReadFile(path)
		uid := string(pod.UID)
		if err != nil || !strings.Contains(string(content), uid) && !strings.Contains(string(content), strings.ReplaceAll(uid, "-", "_")) {
			continue
		}
		var id int
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if program, _, _ := strings.Cut(string(line), "\x00"); err != nil || program != "/manager" {
			continue
		}
		if _, err := fmt.Sscanf(path, "/proc/%d/cgroup", &id); err == nil {
			return id
		}
	}
	return 0
}

func names(pods map[string]*corev1.Pod) []string { return slices.Sorted(maps.Keys(pods)) }

// removeCRDs deletes the definitions of our kinds, and everything of these kinds with them, and waits until they are gone.
func removeCRDs(ctx context.Context) {
	GinkgoHelper()
	for _, plural := range []string{"licensedproducts", "licensekeys"} {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + ".license-operator.io"}}
		Expect(k8sClient.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(k8sClient.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	}
}
