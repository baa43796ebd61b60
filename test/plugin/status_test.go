// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var _ = Describe("kubectl license status", func() {
	It("says so where there is no product", func(ctx SpecContext) {
		s := newSession(adminKubeconfig)
		s.show(ctx, "status")
		s.show(ctx, "status", "-o", "json")
		s.show(ctx, "status", "acme-mesh")
		s.show(ctx, "status", "acme-mesh", "--watch")
		s.compare("status-none")
	})

	It("shows how all licenses stand, and what to do next", func(ctx SpecContext) {
		create(ctx, manyProducts()...)
		create(ctx, newKey("acme-grace-stolen", "acme-grace", api.LicenseKeyInvalid,
			condition(api.ConditionReady, metav1.ConditionFalse, api.ReasonLicenseRevoked,
				"The license is revoked: ask \x1b[31mfor another.")))
		s := newSession(adminKubeconfig)
		s.show(ctx, "status")
		s.showThis(ctx, command{args: []string{"status"}, width: 160})
		s.showThis(ctx, command{args: []string{"status"}, width: 60})
		s.show(ctx, "status", "acme-mesh")
		s.show(ctx, "status", "-o", "name")
		s.show(ctx, "status", "acme-mesh", "-o", "json")
		s.show(ctx, "status", "acme-grace", "-o", "yaml")
		s.show(ctx, "status", "acme-mash")
		s.compare("status")
	})

	It("prints no control characters from objects", func(ctx SpecContext) {
		wild := newProduct("acme-wild")
		wild.Spec.Vendor, wild.Spec.RenewalURL = hostileText, "https://acme.example/\x1b[2J"
		wild.Status.ExpiryTime, wild.Status.GraceEndTime, wild.Status.CoverageEndTime = at(5), at(5), at(5)
		wild.Status.Limits = []api.Limit{
			limit("nodes", 9007199254740993), limit("seats of \x1b[31mAcme", 7),
			limit("sites", 0),
		}
		wild.Status.Usage = used(9007199254740992, 12)
		wild.Status.Conditions = []metav1.Condition{condition(api.ConditionClockSkewed, metav1.ConditionTrue,
			api.ReasonNodeClock, hostileText)}
		create(ctx, wild)
		s := newSession(adminKubeconfig)
		s.show(ctx, "status", "acme-wild", "-o", "wide")
		s.showThis(ctx, command{args: []string{"status", "acme-wild", "-o", "wide"}, width: 200})
		s.show(ctx, "status", "acme-wild", "-o", "json")
		s.compare("status-hostile")
	})

	It("says which right is missing", func(ctx SpecContext) {
		create(ctx, newProduct("acme-mesh"))
		s := newSession(userKubeconfig(ctx, "status-nobody"))
		s.show(ctx, "status")
		s.compare("status-forbidden")

		s = newSession(userKubeconfig(ctx, "status-one", rbacv1.PolicyRule{
			APIGroups: []string{api.GroupVersion.Group}, Resources: []string{"licensedproducts"},
			ResourceNames: []string{"acme-mesh"}, Verbs: []string{"list"},
		}))
		s.note("With the right to list this product, and no other.")
		Eventually(func() int { return s.run(ctx, command{args: []string{"status", "acme-mesh"}}).code }).
			Should(Equal(0))
		s.show(ctx, "status", "acme-mesh")
		s.show(ctx, "status", "acme-mesh", "--watch")
		s.compare("status-rights")
	})

	It("shows each product that changes, until it is interrupted", func(ctx SpecContext) {
		first, second := newProduct("acme-db"), newProduct("acme-mesh")
		create(ctx, first, second)
		s := newSession(adminKubeconfig)
		watch := s.start(ctx, "status", "--watch")
		Eventually(watch.Out).Should(gbytes.Say("acme-mesh +Valid"))

		grace := client.MergeFrom(second.DeepCopy())
		second.Status.State, second.Status.ExpiryTime, second.Status.GraceEndTime = api.LicensedProductGracePeriod,
			at(-1), at(29)
		Expect(k8sClient.Status().Patch(ctx, second, grace)).To(Succeed())
		Eventually(watch.Out).Should(gbytes.Say("acme-mesh +GracePeriod"))

		mark := client.MergeFrom(first.DeepCopy())
		first.Status.TimeMark = at(0)
		Expect(k8sClient.Status().Patch(ctx, first, mark)).To(Succeed()) // Nothing of that is shown.
		create(ctx, newProduct("acme-net"))
		Eventually(watch.Out).Should(gbytes.Say("acme-net +Valid"))
		Expect(k8sClient.Delete(ctx, first)).To(Succeed())
		Eventually(watch.Out).Should(gbytes.Say("acme-db +Deleted"))

		Eventually(watch.Interrupt()).Should(gexec.Exit(0))
		s.showStarted(watch)
		s.compare("status-watch")
	})

	It("watches one product, as documents", func(ctx SpecContext) {
		product := newProduct("acme-mesh")
		create(ctx, product, newProduct("acme-db"))
		s := newSession(adminKubeconfig)
		watch := s.start(ctx, "status", "acme-mesh", "--watch", "-o", "json")
		Eventually(watch.Out).Should(gbytes.Say(`"next": \[\]`))
		create(ctx, newProduct("acme-net"))
		Expect(k8sClient.Delete(ctx, product)).To(Succeed())
		Eventually(watch.Out).Should(gbytes.Say(`"deleted": true`))
		Eventually(watch.Interrupt()).Should(gexec.Exit(0))
		s.showStarted(watch)
		s.compare("status-watch-json")
	})

	It("goes on when a watch ends, with what has changed meanwhile", func(ctx SpecContext) {
		gone, changing := newProduct("acme-db"), newProduct("acme-mesh")
		create(ctx, gone, changing)
		proxy := newProxy(nil)
		s := newSession(proxy.kubeconfig)
		watch := s.start(ctx, "status", "--watch")
		Eventually(watch.Out).Should(gbytes.Say("acme-mesh +Valid"))

		proxy.stop()
		Eventually(watch.Err).Should(gbytes.Say("warning: .*; trying again"))
		Expect(k8sClient.Delete(ctx, gone)).To(Succeed())
		expire := client.MergeFrom(changing.DeepCopy())
		changing.Status.State = api.LicensedProductExpired
		Expect(k8sClient.Status().Patch(ctx, changing, expire)).To(Succeed())
		create(ctx, newProduct("acme-net"))
		proxy.start()

		Eventually(watch.Out).Should(gbytes.Say("acme-db +Deleted"))
		Eventually(watch.Out).Should(gbytes.Say("acme-mesh +Expired"))
		Eventually(watch.Out).Should(gbytes.Say("acme-net +Valid"))
		Eventually(watch.Interrupt()).Should(gexec.Exit(0))
	})
})

// manyProducts are products in every state, with something to do about most.
func manyProducts() []client.Object {
	grace := newProduct("acme-grace")
	grace.Status.State, grace.Status.ExpiryTime = api.LicensedProductGracePeriod, at(-18)
	grace.Status.GraceEndTime, grace.Status.CoverageEndTime = at(12), at(12)
	grace.Status.Usage = used(101, 380)
	grace.Status.Restriction = &api.RestrictionStatus{
		State: api.RestrictionScheduled, EffectiveTime: at(12),
		Preview: &api.RestrictionPreview{Mode: api.RestrictionReadOnly},
	}

	old := newProduct("acme-old")
	old.Status.State, old.Status.ExpiryTime = api.LicensedProductExpired, at(-41)
	old.Status.GraceEndTime, old.Status.CoverageEndTime = at(-11), at(-11)
	old.Status.Limits = nil
	old.Status.Restriction = &api.RestrictionStatus{
		State: api.RestrictionActive, EffectiveTime: at(-11),
		InForce: &api.RestrictionInForce{
			Mode: api.RestrictionDefaultTierOnly, SinceTime: at(-11), Tiers: []api.RestrictedTier{
				{Name: "platform", Mode: api.RestrictionDefaultTierOnly},
				{Name: "security", Mode: api.RestrictionDefaultTierOnly},
			},
			Policies: &api.AffectedPolicies{Total: new(int32(120)), Allowing: new(int32(20)), Denying: new(int32(100))},
		},
	}
	old.Status.Conditions = []metav1.Condition{
		condition(api.ConditionRestrictionReady, metav1.ConditionFalse, api.ReasonBypassed,
			"Policies go on being applied to pods: status.restriction.bypasses says which, and why."),
	}

	paused := newProduct("acme-paused")
	paused.Status = api.LicensedProductStatus{
		ObservedGeneration: 1, State: api.LicensedProductUnlicensed,
		Usage: used(0, 0),
	}
	paused.Status.Restriction = &api.RestrictionStatus{
		State: api.RestrictionPaused, EffectiveTime: at(-3),
		Pause: &api.RestrictionPause{SinceTime: at(-4), UntilTime: at(3), Reason: "Freeze"},
	}

	unseen := newProduct("acme-unseen")
	unseen.Status = api.LicensedProductStatus{ObservedGeneration: -1}

	return []client.Object{newProduct("acme-mesh"), grace, old, paused, unseen}
}

// proxy is a way to the API server that can be cut.
type proxy struct {
	kubeconfig string
	address    string
	handler    *httputil.ReverseProxy
	server     *httptest.Server
}

// newProxy opens the way. seen is called with what comes back over it; it may be nil.
func newProxy(seen func(*http.Response)) *proxy {
	GinkgoHelper()
	admin := plane.Admin()
	target, err := url.Parse(admin.Host)
	Expect(err).NotTo(HaveOccurred())
	p := &proxy{address: "127.0.0.1:0", handler: httputil.NewSingleHostReverseProxy(target)}
	p.handler.FlushInterval = -1
	if seen != nil {
		p.handler.ModifyResponse = func(response *http.Response) error {
			seen(response)
			return nil
		}
	}
	p.handler.Transport, err = rest.TransportFor(admin)
	Expect(err).NotTo(HaveOccurred())
	p.start()
	DeferCleanup(func() { p.stop() })
	p.kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(plane.WriteKubeconfig(p.kubeconfig, &rest.Config{Host: p.server.URL})).To(Succeed())
	return p
}

// start opens the way, at the same address each time.
func (p *proxy) start() {
	GinkgoHelper()
	p.server = httptest.NewUnstartedServer(p.handler)
	Expect(p.server.Listener.Close()).To(Succeed())
	listener, err := net.Listen("tcp", p.address)
	Expect(err).NotTo(HaveOccurred())
	p.server.Listener = listener
	p.address = listener.Addr().String()
	p.server.Start()
}

// stop cuts the way, and all connections that are open.
func (p *proxy) stop() {
	p.server.CloseClientConnections()
	p.server.Close()
}
