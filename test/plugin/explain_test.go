// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

func newCountedNode(name, cpu string, labels map[string]string) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if cpu != "" {
		node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
	return node
}

// newCountingProduct is a product; its trust anchors are not read.
func newCountingProduct(name string, nodes *metav1.LabelSelector) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", TrustAnchors: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
			Usage: &api.UsageSpec{NodeSelector: nodes},
		},
	}
}

// newUserSession is a session of an ordinary user with some rights.
func newUserSession(ctx SpecContext, name string, rules ...rbacv1.PolicyRule) *session {
	GinkgoHelper()
	config, err := plane.UserConfig(ctx, name, rules...)
	Expect(err).NotTo(HaveOccurred())
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(plane.WriteKubeconfig(kubeconfig, config)).To(Succeed())
	return newSession(kubeconfig)
}

func may(verb, group string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: resources}
}

var _ = Describe("kubectl license explain", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		gpu := map[string]string{"pool": "gpu", "zone": "a"}
		nodes := []*corev1.Node{
			newCountedNode("edge-1", "8", map[string]string{"pool": "edge", "zone": "a"}),
			newCountedNode("gpu-1", "96", gpu),
			newCountedNode("gpu-2", "3920m", gpu),
			newCountedNode("gpu-lost", "9M", gpu),
			newCountedNode("gpu-spare", "96", map[string]string{"pool": "gpu", "spare": ""}),
			newCountedNode("plain", "4", nil),
		}
		nodes[1].Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		for _, node := range nodes {
			status := node.Status
			create(ctx, node)
			node.Status = status
			Expect(k8sClient.Status().Update(ctx, node)).To(Succeed())
		}
		mesh := newCountingProduct("acme-mesh", &metav1.LabelSelector{
			MatchLabels: map[string]string{"pool": "gpu"},
			MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key:      "spare",
				Operator: metav1.LabelSelectorOpDoesNotExist,
			}},
		})
		mesh.Status = api.LicensedProductStatus{
			State: api.LicensedProductValid, ActiveLicenseKeyName: "acme-mesh-2027", ObservedGeneration: 1,
			Usage:  []api.Usage{{Name: "nodes", Value: new(int64(2))}, {Name: "cores", Value: new(int64(192))}},
			Limits: []api.Limit{{Name: "nodes", Value: new(int64(2))}, {Name: "cores", Value: new(int64(400))}},
		}
		bad := newCountingProduct("acme-bad",
			&metav1.LabelSelector{MatchLabels: map[string]string{"no name": "\x1b[2J"}})
		create(ctx, mesh, newCountingProduct("acme-db", nil), bad)
	})

	It("shows which nodes count, and why", func(ctx SpecContext) {
		s := newSession(adminKubeconfig)
		s.show(ctx, "explain", "acme-mesh")
		s.showThis(ctx, command{args: []string{"explain", "acme-mesh"}, width: 160})
		s.showThis(ctx, command{args: []string{"explain", "acme-mesh"}, width: 60})
		s.show(ctx, "explain", "acme-mesh", "-o", "wide")
		s.show(ctx, "explain", "acme-mesh", "-o", "name")
		s.show(ctx, "explain", "acme-mesh", "-o", "json")
		s.show(ctx, "explain", "acme-db", "-o", "yaml")
		s.show(ctx, "explain", "acme-db")
		s.note("What is wrong.")
		s.show(ctx, "explain", "acme-bad")
		s.show(ctx, "explain", "acme-mash")
		s.show(ctx, "explain", "acme-mesh", "-o", "csv")
		nobody := newUserSession(ctx, "nobody-explains")
		nobody.show(ctx, "explain", "acme-mesh")
		someone := newUserSession(ctx, "someone-explains", may("get", api.GroupVersion.Group, "licensedproducts"))
		someone.show(ctx, "explain", "acme-mesh")
		s.note("Without rights, and with half of them.")
		s.record.WriteString(nobody.record.String() + someone.record.String())
		s.compare("explain")
	})

	It("counts what the operator counts, of more nodes than fit on a page", func(ctx SpecContext) {
		var many []client.Object
		for n := range 520 {
			many = append(many, newCountedNode(fmt.Sprintf("many-%03d", n), "", map[string]string{"pool": "gpu"}))
		}
		create(ctx, many...)
		manager, err := plane.StartManager(ctx,
			controlplane.ManagerOptions{Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(manager.Stop)
		Expect(manager.WaitReady(ctx)).To(Succeed())
		s := newSession(adminKubeconfig)
		for _, product := range []string{"acme-mesh", "acme-db"} {
			Eventually(func() string { return s.run(ctx, command{args: []string{"explain", product}}).stdout }, "30s",
				"200ms").
				Should(MatchRegexp(`In its status: +the same`))
		}
		names := s.run(ctx, command{args: []string{"explain", "acme-mesh", "-o", "name"}})
		Expect(strings.Count(names.stdout, "node/many-")).To(Equal(520))
	})
})
