// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/test/controlplane"
)

const days = 24 * time.Hour

// applier is a session of somebody who applies keys, with a vendor who has been in business for years.
type applier struct {
	*session
	anchors string
	signer  *token.Signer
	now     time.Time
}

func newApplier(kubeconfig string) *applier {
	GinkgoHelper()
	now := time.Now().Truncate(time.Second)
	authority, err := token.NewAuthority("Acme", now.AddDate(-3, 0, 0))
	Expect(err).NotTo(HaveOccurred())
	signer, err := authority.NewSigner("Acme License Signer", now.AddDate(-3, 0, 0))
	Expect(err).NotTo(HaveOccurred())
	return &applier{newSession(kubeconfig), string(authority.CertificatePEM()), signer, now}
}

// issue signs a license for a year and a bit that was issued a number of days ago, and begins then.
func (a *applier) issue(id string, issuedAgo int, change func(*license.Claims)) string {
	GinkgoHelper()
	issued := a.now.Add(-time.Duration(issuedAgo) * days)
	claims := &license.Claims{
		ID: id, Customer: "Example GmbH", Audience: []string{"acme-mesh"},
		IssuedTime: issued, NotBefore: issued, Expiry: issued.Add(404*days + 12*time.Hour), GracePeriod: 30 * days,
		Features: []string{"federation"}, Limits: map[string]int64{"nodes": 100, "gateways": 5},
	}
	if change != nil {
		change(claims)
	}
	signed, err := a.signer.Sign(claims)
	Expect(err).NotTo(HaveOccurred())
	return signed
}

func (a *applier) write(file, content string) {
	GinkgoHelper()
	Expect(os.WriteFile(filepath.Join(a.dir, file), []byte(content), 0o600)).To(Succeed())
}

// writeKey writes the manifest of a LicenseKey, and more fields of its spec or metadata.
func (a *applier) writeKey(file, name, jws string, more ...string) {
	GinkgoHelper()
	a.write(file, keyManifest(name, jws)+strings.Join(more, ""))
}

func keyManifest(name, jws string) string {
	return fmt.Sprintf("apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nmetadata:\n  name: %s\nspec:\n  "+
		"productName: acme-mesh\n  token: %s\n", name, jws)
}

// product is a LicensedProduct of the vendor.
func (a *applier) product(name string, change func(*api.LicensedProductSpec)) *api.LicensedProduct {
	product := &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", TrustAnchors: a.anchors,
			Usage: &api.UsageSpec{NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"pool": "mesh"}}},
		},
	}
	if change != nil {
		change(&product.Spec)
	}
	return product
}

// compareWithoutTokens compares the record, which no token may be in.
func (a *applier) compareWithoutTokens(name string) {
	GinkgoHelper()
	Expect(a.record.String()).NotTo(ContainSubstring("eyJ"))
	a.compare(name)
}

// admit creates objects for the operator to look at, and deletes them after the spec, with all LicenseKeys.
func admit(ctx SpecContext, objects ...client.Object) {
	GinkgoHelper()
	DeferCleanup(func(ctx SpecContext) {
		Expect(k8sClient.DeleteAllOf(ctx, &api.LicenseKey{})).To(Succeed())
		for _, object := range objects {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, object))).To(Succeed())
		}
	})
	for _, object := range objects {
		Expect(k8sClient.Create(ctx, object)).To(Succeed())
	}
}

func meshNode(n int) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("mesh-%d", n), Labels: map[string]string{"pool": "mesh"}},
		Status:     corev1.NodeStatus{Capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}},
	}
}

// looked waits until the operator has looked at a product and counted its nodes.
func looked(ctx SpecContext, name string, nodes int64) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		product := &api.LicensedProduct{}
		g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: name}, product)).To(Succeed())
		g.Expect(product.Status.ObservedGeneration).To(Equal(product.Generation))
		g.Expect(product.Status.Usage).To(ContainElement(api.Usage{Name: api.UsageNodes, Value: &nodes}))
	}).Should(Succeed())
}

func haveNoKeys(ctx SpecContext) {
	GinkgoHelper()
	var keys api.LicenseKeyList
	Expect(k8sClient.List(ctx, &keys)).To(Succeed())
	Expect(keys.Items).To(BeEmpty())
}

var _ = Describe("kubectl license apply", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		manager, err := plane.StartManager(ctx,
			controlplane.ManagerOptions{Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(manager.Stop()).To(Succeed()) })
		Expect(manager.WaitReady(ctx)).To(Succeed())
	})

	It("follows a customer through years", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil), meshNode(1), meshNode(2), meshNode(3))
		looked(ctx, "acme-mesh", 3)

		a.writeKey("key.yaml", "acme-mesh-first", a.issue("L-1", 2, nil))
		a.note("The first license. Nobody can be asked.")
		a.show(ctx, "apply", "key.yaml")
		a.show(ctx, "apply", "key.yaml", "--dry-run=client")
		a.show(ctx, "apply", "key.yaml", "--dry-run=server", "-o", "json")
		haveNoKeys(ctx)
		a.show(ctx, "apply", "key.yaml", "--yes")
		a.show(ctx, "apply", "key.yaml")
		a.show(ctx, "apply", "key.yaml", "-o", "name")

		a.note("A renewal for fewer nodes than there are.")
		a.writeKey("renewal.yaml", "acme-mesh-second", a.issue("L-2", 1, func(c *license.Claims) {
			c.Limits, c.Features = map[string]int64{"nodes": 2, "cores": 64}, []string{"federation", "support"}
		}))
		a.showThis(ctx, command{args: []string{"apply", "renewal.yaml"}, stdin: "\n", typed: true, width: 160})
		a.showThis(ctx, command{args: []string{"apply", "renewal.yaml"}, stdin: "n\n", typed: true, width: 60})
		a.showThis(ctx, command{args: []string{"apply", "renewal.yaml"}, stdin: "y\n", typed: true, width: 160})

		a.note("One that is older than what there is.")
		a.writeKey("older.yaml", "acme-mesh-older", a.issue("L-0", 30, nil))
		a.show(ctx, "apply", "older.yaml", "--yes")

		a.note("One that is staged: it begins in 300 days.")
		a.writeKey("staged.yaml", "acme-mesh-third", a.issue("L-3", 0, func(c *license.Claims) {
			c.NotBefore = c.IssuedTime.Add(300*days + 12*time.Hour)
			c.Expiry = c.NotBefore.Add(400 * days)
		}))
		a.show(ctx, "apply", "staged.yaml", "--yes")

		a.note("One in place of another, of the same name.")
		a.writeKey("replaced.yaml", "acme-mesh-second", a.issue("L-4", 0, nil), "  certificate: null\n")
		a.show(ctx, "apply", "replaced.yaml", "--yes", "-o", "yaml")

		a.note("One that has yet to begin in place of the one that counts.")
		a.writeKey("early.yaml", "acme-mesh-second",
			a.issue("L-5", 0, func(c *license.Claims) { c.NotBefore = c.IssuedTime.Add(10*days + 12*time.Hour) }))
		a.show(ctx, "apply", "early.yaml", "--dry-run=client")
		a.compareWithoutTokens("apply")
	})

	It("ends a restriction", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", func(spec *api.LicensedProductSpec) {
			spec.UnlicensedGracePeriodDays = new(int32)
			spec.Restriction = &api.RestrictionSpec{
				Mode:         api.RestrictionDefaultTierOnly,
				TierSelector: &metav1.LabelSelector{},
			}
		}))
		looked(ctx, "acme-mesh", 0)
		a.note("A license that has been over for long.")
		a.writeKey("expired.yaml", "acme-mesh-expired", a.issue("L-0", 500, nil))
		a.show(ctx, "apply", "expired.yaml", "--yes")
		a.note("One that is in its grace period, and one that is valid.")
		a.writeKey("grace.yaml", "acme-mesh-grace",
			a.issue("L-1", 420, func(c *license.Claims) { c.Expiry = c.Expiry.Add(6 * time.Hour) }))
		a.show(ctx, "apply", "grace.yaml", "--yes")
		a.writeKey("key.yaml", "acme-mesh-valid", a.issue("L-2", 0, nil))
		a.show(ctx, "apply", "key.yaml", "--yes")
		a.compareWithoutTokens("apply-restricted")
	})

	It("takes a token from wherever it comes", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		looked(ctx, "acme-mesh", 0)
		jws := a.issue("acme-mesh-2026", 1, nil)
		pipe := func(text string, args ...string) {
			GinkgoHelper()
			got := a.run(ctx, command{args: append([]string{"apply", "-"}, args...), stdin: text})
			a.note("kubectl license apply - %s", strings.Join(args, " "))
			a.section("stdout", got.stdout)
			a.section("stderr", got.stderr)
			a.note("exit %d\n", got.code)
		}
		pipe(jws, "--product", "acme-mesh")
		pipe(jws, "--product", "acme-mesh", "--yes", "-o", "name")
		a.note("There is but one product; the token comes as a mail program left it.")
		pipe("> "+jws[:70]+"\n> "+jws[70:]+"\n", "--name", "from-mail", "--yes")
		a.note("In a Secret.")
		pipe("apiVersion: v1\nkind: Secret\nmetadata:\n  name: license\nstringData:\n  license.jwt: "+
			a.issue("L-2", 0, nil)+"\n", "--yes", "-o", "name")
		a.note("There are several products.")
		other := newApplier(adminKubeconfig)
		admit(ctx, other.product("acme-db", nil),
			a.product("acme-mesh-too", func(spec *api.LicensedProductSpec) { spec.Audience = "both" }))
		pipe(a.issue("L-3", 0, nil), "--yes", "-o", "name")
		pipe(a.issue("L-4", 0, func(c *license.Claims) { c.Audience = []string{"acme-mesh", "both"} }), "--yes")
		pipe(a.issue("L-4", 0, func(c *license.Claims) { c.Audience = []string{"neither"} }), "--yes")
		pipe("no key", "--yes")
		a.compareWithoutTokens("apply-pipe")

		a.write("completion.jwt", jws)
		Expect(a.run(ctx,
			command{args: []string{"__complete", "apply", "completion.jwt", "--product", "acme-m"}}).stdout).
			To(ContainSubstring("acme-mesh-too\n"))
	})

	It("applies nothing that does not verify", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", func(spec *api.LicensedProductSpec) {
			spec.Revocations = []api.Revocation{{LicenseID: "L-revoked"}}
		}))
		looked(ctx, "acme-mesh", 0)
		claims, signature := strings.Split(a.issue("L-1", 0, nil), "."), strings.Split(a.issue("L-2", 0, nil), ".")
		for _, key := range []struct{ file, token string }{
			{"tampered.yaml", claims[0] + "." + claims[1] + "." + signature[2]},
			{"forged.yaml", newApplier(adminKubeconfig).issue("L-1", 0, nil)},
			{
				"elsewhere.yaml",
				a.issue("L-1",
					0, func(c *license.Claims) { c.ClusterUIDs = []string{"8d7b3f0a-0000-4000-8000-000000000000"} }),
			},
			{"revoked.yaml", a.issue("L-revoked", 0, nil)},
			{"another.yaml", a.issue("L-1", 0, func(c *license.Claims) { c.Audience = []string{"acme-db"} })},
		} {
			a.writeKey(key.file, "acme-mesh-1", key.token)
			Expect(a.show(ctx, "apply", key.file, "--yes").code).To(Equal(3))
		}
		haveNoKeys(ctx)

		a.note("Files that cannot be applied like this.")
		genuine := a.issue("L-1", 0, nil)
		a.writeKey("two.yaml", "acme-mesh-1", genuine, "---\n", keyManifest("acme-mesh-2", genuine))
		a.writeKey("printed.yaml", "acme-mesh-1", genuine, "status:\n  state: Valid\n",
			"---\nkind: \"\\e[31mSecret\"\nmetadata:\n  name: \"\\u202e\"\n")
		a.writeKey("misspelled.yaml", "acme-mesh-1", genuine, "  certificat: x\n")
		a.write("secret.yaml", "apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nmetadata:\n  name: "+
			"acme-mesh-1\nspec:\n"+
			"  productName: acme-mesh\n  tokenSecretRef:\n    name: license\n    key: token\n")
		a.write("uid.yaml",
			strings.Replace(keyManifest("acme-mesh-1", genuine), "metadata:\n",
				"metadata:\n  uid: x\n  resourceVersion: \"1\"\n", 1))
		a.write("v2.yaml", strings.Replace(keyManifest("acme-mesh-1", genuine), "v1alpha1", "v2", 1))
		for _, file := range []string{
			"two.yaml", "printed.yaml", "misspelled.yaml", "secret.yaml", "uid.yaml",
			"v2.yaml",
		} {
			Expect(a.show(ctx, "apply", file, "--yes").code).To(Equal(2))
		}
		a.note("Products that are not the key's, or not there.")
		a.writeKey("key.yaml", "acme-mesh-1", genuine)
		a.write("key.jwt", genuine)
		a.show(ctx, "apply", "key.yaml", "--product", "acme-db")
		a.show(ctx, "apply", "key.yaml", "--name", "acme-mesh-2")
		a.show(ctx, "apply", "key.jwt", "--product", "acme-db")
		a.show(ctx, "apply", "missing.yaml")
		haveNoKeys(ctx)
		a.compareWithoutTokens("apply-refused")
	})

	It("respects what others have applied", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil),
			a.product("acme-mesh-too", func(spec *api.LicensedProductSpec) { spec.Audience = "acme-mesh" }))
		looked(ctx, "acme-mesh", 0)
		keyOf := func(name, product string) *api.LicenseKey {
			return &api.LicenseKey{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec:       api.LicenseKeySpec{ProductName: product, Token: a.issue("L-1", 2, nil)},
			}
		}
		Expect(k8sClient.Create(ctx, keyOf("acme-mesh-git", "acme-mesh"), client.FieldOwner("argocd-controller"))).
			To(Succeed())
		Expect(k8sClient.Create(ctx, keyOf("acme-mesh-too", "acme-mesh-too"), client.FieldOwner("argocd-controller"))).
			To(Succeed())
		secret := keyOf("acme-mesh-secret", "acme-mesh")
		secret.Spec.Token, secret.Spec.TokenSecretRef = "", &api.SecretKeyReference{Name: "license", Key: "token"}
		Expect(k8sClient.Create(ctx, secret)).To(Succeed())
		renewal := a.issue("L-2", 1, nil)
		for _, name := range []string{"acme-mesh-git", "acme-mesh-too", "acme-mesh-secret"} {
			a.writeKey(name+".yaml", name, renewal)
			a.show(ctx, "apply", name+".yaml", "--yes", "-o", "name")
		}

		a.note("With kubectl itself, and with labels.")
		a.writeKey("first.yaml", "acme-mesh-hand", a.issue("L-3", 2, nil))
		kubectl := exec.CommandContext(ctx, plane.Kubectl(), "apply", "-f", filepath.Join(a.dir, "first.yaml"))
		kubectl.Env = append(os.Environ(), "KUBECONFIG="+adminKubeconfig, "HOME="+a.dir)
		Expect(kubectl.Run()).To(Succeed())
		a.write("renewal.yaml", strings.Replace(keyManifest("acme-mesh-hand", a.issue("L-4", 0, nil)), "spec:",
			"  labels:\n    team: network\nspec:", 1))
		a.show(ctx, "apply", "renewal.yaml", "--yes", "-o", "name")
		a.compareWithoutTokens("apply-others")

		applied := &api.LicenseKey{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "acme-mesh-hand"}, applied)).To(Succeed())
		Expect(applied.Labels).To(Equal(map[string]string{"team": "network"}))
		Expect(applied.Status.LicenseID).To(Equal("L-4"))
	})

	It("keeps the labels that a token alone comes without", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		a.write("labeled.yaml",
			strings.Replace(keyManifest("acme-mesh-1", a.issue("L-1", 2, nil)), "spec:",
				"  labels:\n    team: network\n  annotations:\n    ticket: \"42\"\nspec:", 1))
		Expect(a.run(ctx, command{args: []string{"apply", "labeled.yaml", "--yes"}}).code).To(BeZero())
		a.write("renewal.jwt", a.issue("L-2", 0, nil))
		Expect(a.run(ctx, command{args: []string{"apply", "renewal.jwt", "--name", "acme-mesh-1", "--yes"}}).code).
			To(BeZero())
		applied := &api.LicenseKey{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "acme-mesh-1"}, applied)).To(Succeed())
		Expect(applied.Status.LicenseID).To(Equal("L-2"))
		Expect(applied.Labels).To(Equal(map[string]string{"team": "network"}))
		Expect(applied.Annotations).To(Equal(map[string]string{"ticket": "42"}))
	})

	It("goes by what there is when somebody has answered", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		a.writeKey("key.yaml", "acme-mesh-1", a.issue("L-1", 2, nil))
		a.writeKey("colleague.yaml", "acme-mesh-1", a.issue("L-2", 1, nil))
		a.writeKey("colleague-again.yaml", "acme-mesh-1", a.issue("L-3", 1, nil))
		a.writeKey("beside.yaml", "acme-mesh-2", a.issue("L-4", 0, nil))
		colleague := func(file string) {
			GinkgoHelper()
			Expect(a.run(ctx, command{args: []string{"apply", file, "--yes"}}).code).To(BeZero())
		}
		licenseOf := func(name string) string {
			GinkgoHelper()
			key := &api.LicenseKey{}
			Expect(k8sClient.Get(ctx, client.ObjectKey{Name: name}, key)).To(Succeed())
			return key.Status.LicenseID
		}

		asked := a.begin(ctx, "apply", "key.yaml", "-o", "name")
		colleague("colleague.yaml")
		asked.answer(ctx, "y\n")
		Expect(licenseOf("acme-mesh-1")).To(Equal("L-2"))
		Expect(asked.ExitCode()).To(Equal(1))
		Expect(asked.Err).To(gbytes.Say("error: LicenseKey acme-mesh-1 has changed in the meantime\nNothing was " +
			"applied. Run the command again: it then shows what there is now.\n"))

		asked = a.begin(ctx, "apply", "key.yaml", "-o", "name")
		colleague("colleague-again.yaml")
		asked.answer(ctx, "y\n")
		Expect(licenseOf("acme-mesh-1")).To(Equal("L-3"))
		Expect(asked.ExitCode()).To(Equal(1))

		asked = a.begin(ctx, "apply", "key.yaml", "-o", "name")
		Expect(k8sClient.DeleteAllOf(ctx, &api.LicenseKey{})).To(Succeed())
		asked.answer(ctx, "y\n")
		Expect(asked.ExitCode()).To(Equal(1))
		haveNoKeys(ctx)

		By("another key that changes only the preview")
		asked = a.begin(ctx, "apply", "key.yaml", "-o", "json")
		colleague("beside.yaml")
		asked.answer(ctx, "y\n")
		Expect(asked.ExitCode()).To(BeZero())
		Expect(string(asked.Out.Contents())).To(ContainSubstring(`"active": false`))
		Expect(licenseOf("acme-mesh-1")).To(Equal("L-1"))

		By("a key that begins during the question")
		var begins time.Time
		a.writeKey("soon.yaml", "acme-mesh-3", a.issue("L-5", 0, func(c *license.Claims) {
			begins = time.Now().Add(10 * time.Second).Truncate(time.Second) // The question has to be there before.
			c.NotBefore = begins
		}))
		asked = a.begin(ctx, "apply", "soon.yaml")
		Expect(string(asked.Err.Contents())).To(ContainSubstring("The key becomes active at "))
		Eventually(ctx, time.Now).Should(BeTemporally(">=", begins))
		asked.answer(ctx, "y\n")
		Expect(asked.ExitCode()).To(BeZero())
		Expect(asked.Out).To(gbytes.Say("is in force"))
	})

	It("asks where somebody sees it", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		looked(ctx, "acme-mesh", 0)
		a.writeKey("key.yaml", "acme-mesh-1", a.issue("L-1", 1, nil))
		ended := func(note, typed string, args ...string) {
			GinkgoHelper()
			asked := a.begin(ctx, args...)
			asked.answer(ctx, typed)
			a.noteOutcome(note, asked)
		}
		ended("No.", "n\n", "apply", "key.yaml")
		ended("Ctrl-D.", "\x04", "apply", "key.yaml")
		ended("Ctrl-C.", "\x03", "apply", "key.yaml")
		haveNoKeys(ctx)
		ended("With the standard output in a file.", "y\n", "apply", "key.yaml")
		got := a.run(ctx,
			command{
				args: []string{"apply", "-", "--product", "acme-mesh"}, stdin: a.issue("L-2", 0, nil) + "\n\x04y\n",
				typed: true, width: 160,
			})
		a.note("Pasted.")
		a.section("stdout", got.stdout)
		a.section("stderr", got.stderr)
		a.note("exit %d", got.code)
		a.compareWithoutTokens("apply-asks")
	})

	It("says which rights are missing", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		looked(ctx, "acme-mesh", 0)
		namespace := &corev1.Namespace{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, namespace)).To(Succeed())
		a.writeKey("key.yaml", "acme-mesh-1",
			a.issue("L-1", 1, func(c *license.Claims) { c.ClusterUIDs = []string{string(namespace.UID)} }))
		a.write("key.jwt", a.issue("L-1", 1, nil))
		ours := func(resource string, verbs ...string) rbacv1.PolicyRule {
			return rbacv1.PolicyRule{
				APIGroups: []string{api.GroupVersion.Group}, Resources: []string{resource},
				Verbs: verbs,
			}
		}
		as := func(name string, rules ...rbacv1.PolicyRule) {
			GinkgoHelper()
			config, err := plane.UserConfig(ctx, name, rules...)
			Expect(err).NotTo(HaveOccurred())
			a.kubeconfig = filepath.Join(a.dir, name+".kubeconfig")
			Expect(plane.WriteKubeconfig(a.kubeconfig, config)).To(Succeed())
			user, err := client.New(config, client.Options{Scheme: controlplane.Scheme})
			Expect(err).NotTo(HaveOccurred())
			for _, rule := range rules {
				Eventually(ctx, func() error { // The API server takes a moment to know.
					if rule.Resources[0] == "licensekeys" {
						return user.List(ctx, &api.LicenseKeyList{})
					}
					return client.IgnoreNotFound(user.Get(ctx, client.ObjectKey{Name: "x"}, &api.LicensedProduct{}))
				}).Should(Succeed())
			}
		}
		as("apply-nobody")
		a.show(ctx, "apply", "key.yaml", "--yes")
		a.show(ctx, "apply", "key.jwt", "--yes")
		as("apply-reader", ours("licensedproducts", "get"), ours("licensekeys", "get", "list"))
		a.show(ctx, "apply", "key.yaml", "--yes")
		haveNoKeys(ctx)
		as("apply-writer", ours("licensedproducts", "get"), ours("licensekeys", "get", "list", "create", "patch"))
		a.show(ctx, "apply", "key.yaml", "--yes")
		a.note("For another cluster, as turns out when it is applied, at once; and once more, as pipelines do.")
		a.writeKey("elsewhere.yaml", "acme-mesh-2",
			a.issue("L-2",
				0, func(c *license.Claims) { c.ClusterUIDs = []string{"8d7b3f0a-0000-4000-8000-000000000000"} }))
		a.show(ctx, "apply", "elsewhere.yaml", "--yes", "--timeout", "1h", "-o", "name")
		a.show(ctx, "apply", "elsewhere.yaml", "--yes", "--timeout", "1h", "-o", "json")
		a.compareWithoutTokens("apply-rights")
	})
})

var _ = Describe("kubectl license apply, without an operator", func() {
	It("says that the key is applied, and not reconciled yet", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		a.writeKey("key.yaml", "acme-mesh-1", a.issue("L-1", 1, nil))
		a.show(ctx, "apply", "key.yaml", "--yes", "--timeout", "1s")
		a.show(ctx, "apply", "key.yaml", "--timeout", "1s")
		a.show(ctx, "apply", "key.yaml", "--dry-run=server")
		a.compareWithoutTokens("apply-unanswered")
	})

	It("says on Ctrl-C that the key is applied", func(ctx SpecContext) {
		a := newApplier(adminKubeconfig)
		admit(ctx, a.product("acme-mesh", nil))
		a.writeKey("key.yaml", "acme-mesh-1", a.issue("L-1", 1, nil))
		awaiting := make(chan struct{})
		awaits := sync.OnceFunc(func() { close(awaiting) })
		proxy := newProxy(func(response *http.Response) {
			if response.Request.Method == http.MethodGet && path.Base(response.Request.URL.Path) == "acme-mesh-1" {
				awaits()
			}
		})
		kubectl := exec.CommandContext(ctx, plane.Kubectl(), "license", "apply", filepath.Join(a.dir, "key.yaml"),
			"--yes")
		kubectl.Env = append(os.Environ(), "KUBECONFIG="+proxy.kubeconfig, "PATH="+binaries, "HOME="+a.dir)
		var stderr strings.Builder
		kubectl.Stderr = &stderr
		Expect(kubectl.Start()).To(Succeed())
		// The key is there a moment before the command knows that it is.
		Eventually(awaiting).Should(BeClosed(), "it looks what has become of the key")
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "acme-mesh-1"}, &api.LicenseKey{})).To(Succeed())
		Expect(kubectl.Process.Signal(os.Interrupt)).To(Succeed())
		Expect(kubectl.Wait()).To(MatchError("exit status 1"))
		Expect(stderr.String()).To(Equal("error: interrupted before the operator answered\n" +
			"LicenseKey acme-mesh-1 is applied, and the operator reconciles it as soon as it can. See its status: " +
			"kubectl describe lk acme-mesh-1\n"))
	})
})

// question is a command that asks somebody at a terminal.
type question struct {
	*gexec.Session
	keyboard *os.File
}

// begin starts a command and waits until it asks.
func (a *applier) begin(ctx SpecContext, args ...string) *question {
	GinkgoHelper()
	keyboard, terminal, err := pty.Open()
	Expect(err).NotTo(HaveOccurred())
	kubectl := a.command(ctx, args...)
	// The keys that interrupt do so for the process group that the terminal is the controlling one of.
	kubectl.Stdin, kubectl.SysProcAttr = terminal, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	started, err := gexec.Start(kubectl, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() {
		started.Kill().Wait()
		Expect(errors.Join(terminal.Close(), keyboard.Close())).To(Succeed())
	})
	q := &question{started, keyboard}
	Eventually(ctx, q.Err).Should(gbytes.Say(`Apply it\? \[y/N\] `))
	return q
}

// answer types something, and waits until the command has ended.
func (q *question) answer(ctx SpecContext, typed string) {
	GinkgoHelper()
	_, err := io.WriteString(q.keyboard, typed)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, q).Should(gexec.Exit())
}

func (a *applier) noteOutcome(note string, q *question) {
	a.note("%s", note)
	a.section("stdout", string(q.Out.Contents()))
	a.section("stderr", string(q.Err.Contents()))
	a.note("exit %d\n", q.ExitCode())
}
