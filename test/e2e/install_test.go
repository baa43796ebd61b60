//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("An installation", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		installable(ctx)
		undeployAfterwards()
		installMonitoringKinds(ctx, "prometheusrules", "servicemonitors")
	})

	It("says what is wrong with an image that cannot be pulled", func(ctx SpecContext) {
		GinkgoT().Setenv("DEPLOY_TIMEOUT", "15s")
		output, err := command(ctx, "make", "deploy", "IMG=registry.invalid/license-operator:none")
		Expect(err).To(HaveOccurred())
		Expect(output).To(And(ContainSubstring("image registry.invalid/license-operator:none"),
			ContainSubstring("ImagePull"), ContainSubstring("make deploy IMG=")))
	})

	It("is ready within five seconds of its start, on two replicas", func(ctx SpecContext) {
		deploy(ctx)
		Eventually(func(g Gomega) {
			pods := operatorPods(ctx, defaultNamespace)
			g.Expect(pods).To(HaveLen(2), "those that could not be started are gone")
			for name, pod := range pods {
				g.Expect(pod.Status.ContainerStatuses).To(HaveLen(1))
				container := pod.Status.ContainerStatuses[0]
				g.Expect(container.State.Running).NotTo(BeNil())
				g.Expect(container.RestartCount).To(BeZero())
				for _, condition := range pod.Status.Conditions {
					if condition.Type == corev1.PodReady {
						g.Expect(condition.Status).To(Equal(corev1.ConditionTrue))
						took := condition.LastTransitionTime.Sub(container.State.Running.StartedAt.Time)
						g.Expect(took).To(BeNumerically("<=", 5*time.Second))
						GinkgoWriter.Printf("%s was ready %s after its start\n", name, took)
					}
				}
			}
		}).Should(Succeed())
		var namespace corev1.Namespace
		Expect(k8sClient.Get(ctx, types.NamespacedName{Name: defaultNamespace}, &namespace)).To(Succeed())
		Expect(namespace.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
	})

	It("gives a report as soon as it is ready", func(ctx SpecContext) {
		Expect(run(ctx, "kubectl", "license", "report", "--product", "*", "--token", reportReader(ctx))).
			To(ContainSubstring(`"deployment_info"`))
	})

	It("is the same when it is deployed again", func(ctx SpecContext) {
		before, pods := versions(ctx, installedKinds, installedLabel), names(operatorPods(ctx, defaultNamespace))
		run(ctx, "make", "deploy", "IMG="+image)
		Expect(versions(ctx, installedKinds, installedLabel)).To(Equal(before))
		Expect(names(operatorPods(ctx, defaultNamespace))).To(Equal(pods))
	})

	It("takes the samples, and its doctor finds nothing wrong", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-k", "config/samples")
		licensed(ctx, "acme-mesh")
		Expect(kubectl(ctx, "get", "lk")).To(MatchRegexp(`acme-mesh-sample +acme-mesh +Valid +Initech`))
		Expect(kubectl(ctx, "get", "lprod")).To(MatchRegexp(`acme-mesh +Valid +acme-mesh-sample`))
		Eventually(func(g Gomega) {
			output, err := command(ctx, "kubectl", "license", "doctor")
			g.Expect(err).NotTo(HaveOccurred(), output)
			g.Expect(output).To(MatchRegexp(`ok +Pods +2 pods are ready`))
			g.Expect(output).NotTo(ContainSubstring("not checked"))
		}).Should(Succeed())
	})

	It("gives its metrics to a scraper in the cluster, and not to others", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-k", "config/prometheus")
		urls := []string{"https://license-operator-controller-manager-metrics-service." + defaultNamespace +
			".svc:8443/metrics"}
		for _, pod := range operatorPods(ctx, defaultNamespace) {
			urls = append(urls, fmt.Sprintf("https://%s:8443/metrics", pod.Status.PodIP))
		}
		metrics := scrape(ctx, "license-operator-metrics-scraper", urls...)
		Expect(strings.Count(metrics, ": 200\n")).To(Equal(3), metrics)
		_, replicas, _ := strings.Cut(metrics, "# https://"+strings.Split(urls[1], "/")[2])
		Expect(strings.Count(replicas, `license_state{product="acme-mesh",state="Valid"} 1`)).To(Equal(1),
			"the leader alone knows of licenses")
		Expect(scrape(ctx, "default", urls[0])).To(ContainSubstring(": 403\n"))
	})

	// takeOver makes another replica the leader, and checks that users see no change.
	takeOver := func(ctx SpecContext, product string, end func(leading *corev1.Pod)) {
		GinkgoHelper()
		first := leader(ctx)(Default)
		before := versions(ctx, licenseKinds, "")
		end(operatorPods(ctx, defaultNamespace)[podOf(first)])
		start := time.Now()
		Eventually(leader(ctx)).ShouldNot(Equal(first),
			"it may be the same pod, in which another process has been started")
		create(ctx, acme.product(product), acme.key(product))
		licensed(ctx, product)
		GinkgoWriter.Printf("another one acted %s after that\n", time.Since(start))
		after := versions(ctx, licenseKinds, "")
		delete(after, "LicensedProduct/"+product)
		delete(after, "LicenseKey/"+product)
		Expect(after).To(Equal(before), "nothing was written that had not changed")
		kubectl(ctx, "rollout", "status", "deployment/license-operator-controller-manager", "-n", defaultNamespace,
			"--timeout=60s")
	}

	It("goes on when the leader's pod is deleted", func(ctx SpecContext) {
		takeOver(ctx,
			"after-deletion", func(leading *corev1.Pod) { Expect(k8sClient.Delete(ctx, leading)).To(Succeed()) })
	})

	It("goes on when the leader's process is killed", func(ctx SpecContext) {
		takeOver(ctx, "after-kill", func(leading *corev1.Pod) {
			process := processOf(leading)
			if process == 0 {
				Skip("the leader's process does not run on this machine, or we may not see it")
			}
			Expect(syscall.Kill(process, syscall.SIGKILL)).To(Succeed())
		})
	})

	It("fits into 64 MB with a hundred products", func(ctx SpecContext) {
		var products []string
		for i := range 100 {
			name := fmt.Sprintf("product-%03d", i)
			create(ctx, acme.product(name), acme.key(name))
			products = append(products, name)
		}
		licensed(ctx, products...)
		run(ctx, "kubectl", "license", "report", "--product", "*", "--token", reportReader(ctx))
		most := 0.0
		for name, pod := range operatorPods(ctx, defaultNamespace) {
			metrics := scrape(ctx, "license-operator-metrics-scraper",
				fmt.Sprintf("https://%s:8443/metrics", pod.Status.PodIP))
			resident := metric(metrics, "process_resident_memory_bytes")
			AddReportEntry(fmt.Sprintf("%s, leader: %t, resident with 100 products: %.1f MB", name,
				name == podOf(leader(ctx)(Default)), resident/1e6))
			most = max(most, resident)
		}
		Expect(most).To(BeNumerically("<", 64e6))
	})

	It("is idle for five minutes, with a hundred products", func() {
		const term, calm = 5 * time.Minute, 10 * time.Second
		By("waiting until the last thing that there was to do is done")
		Eventually(func() []string { return disturbances(time.Now().Add(-calm)) }, "2m").Should(BeEmpty())
		start := time.Now()
		Consistently(func() []string { return disturbances(start) }, term, "5s").Should(BeEmpty())
		watches := map[string]int{}
		for _, r := range requests(start) {
			watches[r.Verb+" "+r.Resource]++
		}
		AddReportEntry(fmt.Sprintf("requests in %s: %v", term, watches))
	})
})

var _ = Describe("An installation in a namespace of another name", Ordered, func() {
	const namespace = "acme-licensing"

	It("works there, and leaves nothing", func(ctx SpecContext) {
		run(ctx, "make", "deploy", "IMG="+image, "NAMESPACE="+namespace)
		DeferCleanup(func(ctx SpecContext) { _, _ = command(ctx, "make", "undeploy", "NAMESPACE="+namespace) })
		create(ctx, acme.product("elsewhere"), acme.key("elsewhere"))
		licensed(ctx, "elsewhere")
		Expect(run(ctx, "kubectl", "license", "doctor", "-n", namespace)).
			To(MatchRegexp(`ok +Pods +2 pods are ready in namespace acme-licensing`))
		run(ctx, "make", "undeploy", "NAMESPACE="+namespace)
		Expect(remains(ctx)).To(BeEmpty())
	})

	It("stays out of a namespace's other affairs", func(ctx SpecContext) {
		other := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"},
			Spec:       restrictedPod("default", scraperImage),
		}
		other.Spec.NodeSelector = map[string]string{"e2e": "nowhere"} // it waits for a node, and stays
		create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8sClient.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).
				To(Succeed())
		})
		Eventually(func() error { return k8sClient.Create(ctx, other.DeepCopy()) }).Should(Succeed(),
			"its ServiceAccount is made a moment later")
		run(ctx, "make", "deploy", "IMG="+image, "NAMESPACE="+namespace)
		Expect(run(ctx, "make", "undeploy", "NAMESPACE="+namespace)).
			To(ContainSubstring("Namespace acme-licensing stays"))
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(other), other)).To(Succeed())
		Expect(remains(ctx)).To(Equal([]string{"namespace/" + namespace}))
	})
})
