// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"archive/tar"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/test/controlplane"
)

// The operator is a process that has a pod, and a kubelet that forwards to it: what is between the plugin and the
// operator is what there is in a cluster, but for the kubelet.
var _ = Describe("kubectl license report", Ordered, func() {
	const (
		operatorPod = "license-operator-controller-manager-7d4b9c5f6-x2x2x"
		securePort  = 8443
	)
	var (
		kubelet *controlplane.Kubelet
		address string
		labels  = map[string]string{"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager"}

		seePods = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}
		forward = rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"pods/portforward"},
			Verbs: []string{"create"},
		}
		read = rbacv1.PolicyRule{NonResourceURLs: []string{report.Path}, Verbs: []string{"get"}}
	)

	// user is the kubeconfig of a new user with these rights.
	user := func(ctx SpecContext, name string, rules ...rbacv1.PolicyRule) string {
		GinkgoHelper()
		config, err := plane.UserConfig(ctx, name, rules...)
		Expect(err).NotTo(HaveOccurred())
		path := filepath.Join(plane.Dir(), name+".kubeconfig")
		Expect(plane.WriteKubeconfig(path, config)).To(Succeed())
		return path
	}
	product := func(name string) *api.LicensedProduct {
		GinkgoHelper()
		manifest, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "v1alpha1_licensedproduct.yaml"))
		Expect(err).NotTo(HaveOccurred())
		product := &api.LicensedProduct{}
		Expect(yaml.UnmarshalStrict(manifest, product)).To(Succeed())
		product.Name = name
		product.Status.State = api.LicensedProductUnlicensed
		return product
	}
	// kubectl is a command of kubectl itself, as the administrator.
	kubectl := func(ctx SpecContext, script string) string {
		GinkgoHelper()
		shell := exec.CommandContext(ctx, "sh", "-euc", script)
		shell.Env = append(os.Environ(), "KUBECONFIG="+adminKubeconfig,
			"PATH="+strings.Join([]string{binaries, filepath.Dir(plane.Kubectl()), os.Getenv("PATH")}, ":"))
		shell.Stderr = GinkgoWriter
		out, err := shell.Output()
		Expect(err).NotTo(HaveOccurred(), script)
		return string(out)
	}
	// published waits until the operator knows of a product.
	published := func(s *session, ctx SpecContext, name string) {
		GinkgoHelper()
		Eventually(func() int { return s.run(ctx, command{args: []string{"report", "--product", name}}).code }).
			Should(BeZero())
	}

	BeforeAll(func(ctx SpecContext) {
		// This operator reports, and must not lead: what the statuses say is for the specs to choose.
		left := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Namespace: controlplane.OperatorNamespace,
			Name:      "license-operator.io",
		}}
		Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, left))).To(Succeed(), "that of an operator which led before")
		create(ctx, &coordinationv1.Lease{
			ObjectMeta: left.ObjectMeta,
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("the suite"), LeaseDurationSeconds: new(int32(24 * 60 * 60)),
				AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro()),
			},
		})
		manager, err := plane.StartManager(ctx,
			controlplane.ManagerOptions{Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(manager.Kill)
		Expect(manager.WaitReady(ctx)).To(Succeed())
		metrics, err := url.Parse(manager.MetricsURL())
		Expect(err).NotTo(HaveOccurred())
		address = metrics.Host

		kubelet, err = plane.StartKubelet(ctx, "report-node")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(kubelet.Stop(ctx)).To(Succeed()) })
		_, err = kubelet.AddPod(ctx, controlplane.OperatorNamespace, operatorPod, labels,
			map[int32]string{securePort: address})
		Expect(err).NotTo(HaveOccurred())
		create(ctx, product("acme-mesh"))
	})

	It("fetches the report as JSON and as a tar, checks it, and says what it did", func(ctx SpecContext) {
		s := newSession(user(ctx, "report-reader", seePods, forward, read))
		published(s, ctx, "acme-mesh")

		s.note("To a file, which is never overwritten.")
		Expect(s.show(ctx, "report", "--out", "acme.json").code).To(BeZero())
		written, err := os.ReadFile(filepath.Join(s.dir, "acme.json"))
		Expect(err).NotTo(HaveOccurred())
		info, err := os.Stat(filepath.Join(s.dir, "acme.json"))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
		s.show(ctx, "report", "--out", "acme.json")
		s.show(ctx, "report", "verify", "acme.json")
		s.showThis(ctx, command{args: []string{"report", "verify", "acme.json"}, width: 60})

		s.note("As a tar archive.")
		s.show(ctx, "report", "--product", "acme-mesh", "-o", "tar", "--out", "deep/acme.tar")
		s.show(ctx, "report", "verify", "deep/acme.tar")
		s.note("A tar archive is nothing for a terminal.")
		s.showThis(ctx, command{args: []string{"report", "-o", "tar"}, width: 80})
		s.note("Something in it is not as it was.")
		Expect(os.WriteFile(filepath.Join(s.dir, "changed.json"),
			[]byte(strings.Replace(string(written), `"Unlicensed"`, `"Valid"`, 1)), 0o600)).To(Succeed())
		s.hide(checksumOf(written), "checksum")
		changed := s.run(ctx, command{args: []string{"report", "verify", "changed.json"}})
		s.hide(strings.TrimSpace(strings.Split(strings.SplitN(changed.stdout, "computed:", 2)[1], "\n")[0]),
			"another checksum")
		s.show(ctx, "report", "verify", "changed.json")
		s.compare("report")
	})

	It("gives a tar that tar reads, and in a pipe the report itself", func(ctx SpecContext) {
		s := newSession(user(ctx, "report-reader-2", seePods, forward, read))
		published(s, ctx, "acme-mesh")

		got := s.run(ctx, command{args: []string{"report", "-o", "tar", "--out", "."}})
		Expect(got).To(Equal(outcome{stderr: got.stderr}), got.stderr)
		archives, err := filepath.Glob(filepath.Join(s.dir, "report-*.tar"))
		Expect(err).NotTo(HaveOccurred())
		Expect(archives).To(HaveLen(1))
		Expect(filepath.Base(archives[0])).To(MatchRegexp(`^report-\d{4}_\d\d_\d\d_\d\d_\d\d_[AP]M\.tar$`))
		listed, err := exec.CommandContext(ctx, "tar", "-tf", archives[0]).Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(string(listed)).To(Equal("response.json\n"))
		document, err := exec.CommandContext(ctx, "tar", "-xOf", archives[0], "response.json").Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(s.run(ctx, command{args: []string{"report", "verify", "-"}, stdin: string(document)}).code).To(BeZero())

		got = s.run(ctx, command{args: []string{"report"}})
		Expect(got.stderr).To(BeEmpty())
		var fields struct {
			Checksum string
			Products []struct{ Name string }
		}
		Expect(json.Unmarshal([]byte(got.stdout), &fields)).To(Succeed())
		Expect(fields.Products).To(Equal([]struct{ Name string }{{Name: "acme-mesh"}}))
		Expect(report.Checksum([]byte(got.stdout))).To(Equal(fields.Checksum))

		got = s.run(ctx, command{args: []string{"report", "-o", "tar"}})
		Expect(got.stderr).To(BeEmpty())
		header, err := tar.NewReader(strings.NewReader(got.stdout)).Next()
		Expect(err).NotTo(HaveOccurred())
		Expect(header.Name).To(Equal("response.json"))
	})

	It("gives the operator's refusals with what to do about them", func(ctx SpecContext) {
		s := newSession(user(ctx, "report-chooser", seePods, forward, read))
		create(ctx, product("acme-db"))
		published(s, ctx, "acme-db")

		s.note("There are several products.")
		s.show(ctx, "report")
		s.show(ctx, "report", "--product", "acme-nothing")
		s.show(ctx, "report", "--product", "*", "--out", "all.json")
		s.show(ctx, "report", "verify", "all.json")
		s.note("Without the right to the report.")
		s.kubeconfig = user(ctx, "report-stranger", seePods, forward)
		s.show(ctx, "report", "--product", "acme-db")
		s.note("With a token that nobody knows; the client certificate still opens the API server.")
		s.kubeconfig = adminKubeconfig
		s.show(ctx, "report", "--product", "acme-db", "--token", "nonsense")
		s.compare("report_refused")
	})

	It("says what is missing on the way to the operator", func(ctx SpecContext) {
		s := newSession(user(ctx, "report-without-pods", read))
		s.note("May not list pods.")
		s.show(ctx, "report")
		s.note("May not forward to them.")
		s.kubeconfig = user(ctx, "report-without-forward", seePods, read)
		s.show(ctx, "report")
		s.note("Not where the operator is.")
		s.kubeconfig = user(ctx, "report-lost", seePods, forward, read)
		s.show(ctx, "report", "-n", "kube-system")
		s.note("Nor does the operator know whom one pretends to be.")
		s.show(ctx, "report", "--as", "jane")
		s.compare("report_unreachable")
	})

	It("takes no pod that is not ready, nor one of another namespace", func(ctx SpecContext) {
		s := newSession(user(ctx, "report-waiting", seePods, forward, read))
		const namespace = "report-elsewhere"
		create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		for name, change := range map[string]func(*corev1.Pod){
			"a-pending":   func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodPending },
			"b-not-ready": func(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionFalse },
		} {
			pod, err := kubelet.AddPod(ctx, namespace, name, labels, nil)
			Expect(err).NotTo(HaveOccurred())
			change(pod)
			Expect(k8sClient.Status().Update(ctx, pod)).To(Succeed())
		}
		terminating, err := kubelet.AddPod(ctx, namespace, "c-terminating", labels, nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(k8sClient.Delete(ctx, terminating, client.GracePeriodSeconds(60))).To(Succeed())
		_, err = kubelet.AddPod(ctx, namespace, "d-other", nil, map[int32]string{securePort: address})
		Expect(err).NotTo(HaveOccurred())

		s.show(ctx, "report", "-n", namespace)
		s.compare("report_not_ready")

		_, err = kubelet.AddPod(ctx, namespace, "e-deaf", labels, nil)
		Expect(err).NotTo(HaveOccurred())
		deaf := s.run(ctx, command{args: []string{"report", "-n", namespace}})
		Expect(deaf.code).To(Equal(1))
		// Which it is depends on what arrives first, the reason or the end.
		Expect(deaf.stderr).
			To(MatchRegexp(
				`^error: pod e-deaf does not answer: (error forwarding port 8443 to pod .*: connection ` +
					`refused|EOF|Stream reset)\n` +
					`See its log: kubectl logs -n report-elsewhere e-deaf\n` +
					`Its --metrics-bind-address must be port 8443\.\n$`))

		// The next one answers.
		_, err = kubelet.AddPod(ctx, namespace, "f-hears", labels, map[int32]string{securePort: address})
		Expect(err).NotTo(HaveOccurred())
		got := s.run(ctx, command{args: []string{"report", "-n", namespace}})
		Expect(got.code).To(BeZero(), got.stderr)
		Expect(got.stderr).To(MatchRegexp(`^warning: pod e-deaf does not answer: .*; asking pod f-hears\n$`))
	})

	It("says how to get a token where there is none, and that works", func(ctx SpecContext) {
		s := newSession(adminKubeconfig)
		s.hide(adminKubeconfig, "kubeconfig")
		got := s.show(ctx, "report", "--product", "acme-mesh", "--kubeconfig", adminKubeconfig)
		s.compare("report_without_token")
		Expect(got.code).To(Equal(1))
		var commands []string
		for line := range strings.Lines(got.stderr) {
			if advice, ok := strings.CutPrefix(line, "  "); ok {
				commands = append(commands, strings.TrimSpace(advice))
			}
		}
		Expect(commands).To(HaveLen(3))
		DeferCleanup(func(ctx SpecContext) {
			kubectl(ctx,
				"kubectl delete clusterrolebinding license-report-"+controlplane.OperatorNamespace+
					"; kubectl delete serviceaccount license-report -n "+controlplane.OperatorNamespace)
		})
		document := kubectl(ctx, strings.Join(commands, "\n"))
		lines := strings.SplitAfterN(document, "\n", 3) // Before the report, kubectl says what it has created.
		Expect(report.Checksum([]byte(lines[2]))).To(Equal(checksumOf([]byte(lines[2]))))
	})
})

// checksumOf is what a report says that its checksum is.
func checksumOf(document []byte) string {
	GinkgoHelper()
	var fields struct{ Checksum string }
	Expect(json.Unmarshal(document, &fields)).To(Succeed())
	return fields.Checksum
}
