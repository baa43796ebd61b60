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

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/test/controlplane"
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

func (v *vendor) product(name string, change ...func(*api.LicensedProduct)) *api.LicensedProduct {
	p := &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew",
			TrustAnchors: string(v.authority.CertificatePEM()),
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

// restricting has a product restrict tiers with a label from its first second.
func restricting(label string) func(*api.LicensedProduct) {
	return func(p *api.LicensedProduct) {
		p.Spec.UnlicensedGracePeriodDays = new(int32(0))
		p.Spec.Restriction = &api.RestrictionSpec{
			Mode:         api.RestrictionDefaultTierOnly,
			TierSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"of": label}},
		}
	}
}

// key is a license for a product of that name: it has been valid for a day, and is for a year.
func (v *vendor) key(product string) *api.LicenseKey {
	return v.keyUntil(product, time.Now().Add(364*days))
}

func (v *vendor) keyUntil(product string, end time.Time) *api.LicenseKey {
	GinkgoHelper()
	begin := time.Now().Add(-days).Truncate(time.Second)
	jws, err := v.signer.Sign(&license.Claims{
		ID: "L-" + product, Customer: "Initech", Audience: []string{product}, IssuedTime: begin, NotBefore: begin,
		Expiry: end.Truncate(time.Second), Limits: map[string]int64{"nodes": 100},
	})
	Expect(err).NotTo(HaveOccurred())
	return &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: product},
		Spec:       api.LicenseKeySpec{ProductName: product, Token: jws},
	}
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Eventually(func() error { return k8sClient.Create(ctx, o) }).Should(Succeed(),
			"a kind is served a moment after it is established")
	}
}

// licensed waits until products, each with a key of its name, are valid.
func licensed(ctx context.Context, names ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		states := map[string]string{}
		var products api.LicensedProductList
		g.Expect(k8sClient.List(ctx, &products)).To(Succeed())
		for _, p := range products.Items {
			states[p.Name] = string(p.Status.State)
		}
		for _, name := range names {
			g.Expect(states).To(HaveKeyWithValue(name, "Valid"))
		}
	}).Should(Succeed())
}

// condition of a product: its status and its reason.
func condition(ctx context.Context, product, conditionType string) func(Gomega) string {
	return func(g Gomega) string {
		var p api.LicensedProduct
		g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: product}, &p)).To(Succeed())
		c := meta.FindStatusCondition(p.Status.Conditions, conditionType)
		g.Expect(c).NotTo(BeNil(), "%s has no condition %s", product, conditionType)
		return fmt.Sprintf("%s %s", c.Status, c.Reason)
	}
}

// installTier has the cluster serve Calico's kinds, with a tier that has a label of its name and a policy in it. It
// returns both; they, and the kinds, are there until the container of specs ends.
func installTier(ctx context.Context, name string) []client.Object {
	GinkgoHelper()
	definitions, err := controlplane.CalicoDefinitions(ctx)
	Expect(err).NotTo(HaveOccurred())
	passthrough, err := controlplane.CalicoPassthrough()
	Expect(err).NotTo(HaveOccurred())
	install(ctx, append(definitions, passthrough...)...)
	tier := calicoObject("Tier", name, map[string]any{"order": int64(100), "defaultAction": "Deny"})
	tier.SetLabels(map[string]string{"of": name})
	rules := []any{map[string]any{"action": "Deny"}}
	policy := calicoObject("GlobalNetworkPolicy", name+".deny", map[string]any{
		"tier": name, "order": int64(10), "selector": "all()", "types": []any{"Ingress", "Egress"}, "ingress": rules,
		"egress": rules,
	})
	theirs := []client.Object{tier, policy}
	create(ctx, theirs...)
	DeferCleanup(func(ctx SpecContext) {
		for _, o := range theirs {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, o))).To(Succeed())
		}
	})
	return theirs
}

// installMonitoringKinds has the cluster serve kinds of prometheus-operator's, until the container of specs ends.
func installMonitoringKinds(ctx context.Context, plurals ...string) {
	GinkgoHelper()
	for _, plural := range plurals {
		definition, err := controlplane.PrometheusOperatorDefinition(ctx, plural)
		Expect(err).NotTo(HaveOccurred())
		install(ctx, definition)
	}
}

func calicoObject(kind, name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetGroupVersionKind(calico.Version.WithKind(kind))
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
		list.SetGroupVersionKind(calico.Version.WithKind("GlobalNetworkPolicyList"))
		g.Expect(k8sClient.List(ctx, list,
			client.MatchingLabels{calico.PassPolicyLabel: calico.PassPolicyLabelValue})).To(Succeed())
		names := []string{}
		for _, o := range list.Items {
			names = append(names, o.GetName())
		}
		return names
	}
}

// changingThePassPolicy is how an administrator is refused to do that.
func changingThePassPolicy(ctx context.Context, tier string) string {
	GinkgoHelper()
	output, err := command(ctx, "kubectl", "patch", "globalnetworkpolicies.projectcalico.org",
		tier+".license-operator-pass", "--type=merge", "--dry-run=server", "-p", `{"spec":{"order":11}}`)
	Expect(err).To(HaveOccurred(), output)
	return output
}

// holding remembers what is licensed and what is restricted. What it returns holds that nothing of it has been written
// since, and that no pass policy was touched at any moment.
func holding(ctx context.Context) func(context.Context) {
	GinkgoHelper()
	const kinds = licenseKinds +
		",globalnetworkpolicies.projectcalico.org,prometheusrules,validatingadmissionpolicies," +
		"validatingadmissionpolicybindings"
	read := func(ctx context.Context) string { return kubectl(ctx, "get", kinds, "-A", "-o", "yaml") }
	before, definitions := read(ctx), uids(ctx, "crd")
	policies := &unstructured.UnstructuredList{}
	policies.SetGroupVersionKind(calico.Version.WithKind("GlobalNetworkPolicyList"))
	Expect(k8sClient.List(ctx, policies)).To(Succeed())
	watcher, err := k8sClient.Watch(ctx, policies,
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: policies.GetResourceVersion()}})
	Expect(err).NotTo(HaveOccurred())
	return func(ctx context.Context) {
		GinkgoHelper()
		Consistently(watcher.ResultChan(), "1s").ShouldNot(Receive(), "a network policy was written")
		watcher.Stop()
		Expect(cmp.Diff(before, read(ctx))).To(BeEmpty(), "nothing was written")
		Expect(uids(ctx, "crd")).To(Equal(definitions))
	}
}

// report is what the suite reads in a license report.
type report struct {
	OperatorVersion string `json:"operator_version"`
	Products        []struct{ Name, State string }
}

func reportOf(ctx context.Context, product string) report {
	GinkgoHelper()
	output := run(ctx, "kubectl", "license", "report", "--product", product, "--token", reportReader(ctx))
	_, content, found := strings.Cut(output, "{") // after the progress messages
	Expect(found).To(BeTrue(), output)
	var r report
	Expect(json.Unmarshal([]byte("{"+content), &r)).To(Succeed())
	return r
}

// deploy installs the operator as it is described in the README.
func deploy(ctx context.Context) {
	GinkgoHelper()
	run(ctx, "make", "deploy", "IMG="+image)
	noteGrants(ctx)
}

// undeployAfterwards has the operator gone when the container of specs ends.
func undeployAfterwards() {
	DeferCleanup(func(ctx SpecContext) {
		run(ctx, "make", "undeploy")
		Expect(remains(ctx)).To(BeEmpty())
	})
}

// installable waits until nothing is left of an installation before.
func installable(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() []string { return remains(ctx) }).Should(BeEmpty(), "a namespace that is being deleted goes; "+
		"otherwise the operator is installed in this cluster already: make undeploy")
}

// install installs what others bring, kinds and roles, unless it is there already, and removes what it has installed
// when the container of specs ends.
func install(ctx context.Context, objects ...*unstructured.Unstructured) {
	GinkgoHelper()
	for _, object := range objects {
		err := k8sClient.Create(ctx, object.DeepCopy())
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, object.DeepCopy()))).To(Succeed())
			Eventually(func() bool {
				return apierrors.IsNotFound(k8sClient.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy()))
			}).
				Should(BeTrue(), "the next installation does not find one that is being deleted")
		})
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		Eventually(func(g Gomega) {
			var crd apiextensionsv1.CustomResourceDefinition
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(object), &crd)).To(Succeed())
			g.Expect(crd.Status.Conditions).
				To(ContainElement(And(HaveField("Type", apiextensionsv1.Established),
					HaveField("Status", apiextensionsv1.ConditionTrue))))
		}).Should(Succeed())
	}
}

// operatorPods are the operator's, by their names.
func operatorPods(ctx context.Context, namespace string) map[string]*corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8sClient.List(ctx, &list, client.InNamespace(namespace),
		client.MatchingLabels{"control-plane": "controller-manager"})).To(Succeed())
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		pods[list.Items[i].Name] = &list.Items[i]
	}
	return pods
}

// leader is who leads: the name of a pod and, after an underscore, which of its processes.
func leader(ctx context.Context) func(Gomega) string {
	return func(g Gomega) string {
		var lease coordinationv1.Lease
		g.Expect(k8sClient.Get(ctx, types.NamespacedName{Namespace: defaultNamespace, Name: "license-operator.io"},
			&lease)).To(Succeed())
		g.Expect(lease.Spec.HolderIdentity).To(HaveValue(Not(BeEmpty())))
		return *lease.Spec.HolderIdentity
	}
}

func podOf(leader string) string {
	pod, _, _ := strings.Cut(leader, "_")
	return pod
}

// settle waits until pods that are on their way out are gone, and one of the others leads: what the operator does from
// then on the new ones do.
func settle(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		pods := operatorPods(ctx, defaultNamespace)
		g.Expect(pods).To(HaveLen(2))
		g.Expect(pods).To(HaveEach(HaveField("DeletionTimestamp", BeNil())))
		g.Expect(pods).To(HaveKey(podOf(leader(ctx)(g))))
	}).Should(Succeed())
}

// versions of the objects of kinds that have a label, by kind and name: the same as long as no object has changed.
func versions(ctx context.Context, kinds, selector string) map[string]string {
	GinkgoHelper()
	args := []string{
		"get", kinds, "-A", "-o",
		`go-template={{range .items}}{{.kind}}/{{.metadata.name}} ` +
			`{{.metadata.uid}}/{{.metadata.resourceVersion}}{{"\n"}}{{end}}`,
	}
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

// uids of the objects of kinds, by kind and name.
func uids(ctx context.Context, kinds string) map[string]string {
	GinkgoHelper()
	found := versions(ctx, kinds, "")
	for name, version := range found {
		found[name], _, _ = strings.Cut(version, "/")
	}
	return found
}

const (
	licenseKinds   = "licensedproducts.license-operator.io,licensekeys.license-operator.io"
	installedKinds = "crd,namespaces,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings," +
		"poddisruptionbudgets,networkpolicies.networking.k8s.io,validatingadmissionpolicies," +
		"validatingadmissionpolicybindings,deployments"
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
		if err != nil ||
			!strings.Contains(string(content), uid) &&
				!strings.Contains(string(content), strings.ReplaceAll(uid, "-", "_")) {
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

// removeCRDs deletes the definitions of our kinds, and everything of these kinds with them, and waits until they are
// gone.
func removeCRDs(ctx context.Context) {
	GinkgoHelper()
	for _, plural := range []string{"licensedproducts", "licensekeys"} {
		crd := &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: plural + ".license-operator.io"},
		}
		Expect(k8sClient.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(k8sClient.Get(ctx, client.ObjectKeyFromObject(crd),
				crd))
		}).Should(BeTrue())
	}
}
