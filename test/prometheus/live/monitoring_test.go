// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	days = 24 * time.Hour
	// mesh is the product that docs/monitoring.md speaks of; its license expires while we look. The license of database
	// has ten days left.
	mesh, database = "acme-mesh", "acme-database"
	// Those of docs/monitoring.md.
	runbooks     = "https://runbooks.example.com/license"
	alertsLabels = "release=kube-prometheus-stack"
)

var ruleKind = schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "PrometheusRule"}

var _ = Describe("License metrics and alerts", Ordered, func() {
	var (
		signer       *token.Signer
		anchors      string
		manager      *controlplane.Manager
		log          *operatorLog
		certificates string // what docs/monitoring.md has openssl make
		tokenFile    string
		rules        string // a folder
		prometheus   *server
		alertmanager *server
		received     *inbox
		rulesCRD     *unstructured.Unstructured
	)

	issue := func(ctx context.Context, name, product string, term time.Duration) {
		GinkgoHelper()
		begin := time.Now().Truncate(time.Second)
		jws, err := signer.Sign(&license.Claims{
			ID: name, Customer: `Initech "North"`, Audience: []string{product},
			IssuedTime: begin, NotBefore: begin, Expiry: begin.Add(term), Limits: map[string]int64{"nodes": 100},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8sClient.Create(ctx, &api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: api.LicenseKeySpec{ProductName: product, Token: jws},
		})).To(Succeed())
	}
	alertsReady := func(ctx context.Context, product string) func(Gomega) string {
		return func(g Gomega) string {
			found := &api.LicensedProduct{}
			g.Expect(k8sClient.Get(ctx, client.ObjectKey{Name: product}, found)).To(Succeed())
			if c := meta.FindStatusCondition(found.Status.Conditions, api.ConditionAlertsReady); c != nil {
				return c.Reason
			}
			return ""
		}
	}
	rule := func(namespace string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(ruleKind)
		o.SetNamespace(namespace)
		o.SetName(mesh)
		return o
	}
	ruleNow := func(ctx context.Context, namespace string) func(Gomega) *unstructured.Unstructured {
		return func(g Gomega) *unstructured.Unstructured {
			o := rule(namespace)
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
			return o
		}
	}
	specOf := func(o *unstructured.Unstructured) any { return o.Object["spec"] }
	startManager := func(ctx context.Context, args ...string) *controlplane.Manager {
		GinkgoHelper()
		started, err := plane.StartManager(ctx, controlplane.ManagerOptions{
			Binary: filepath.Join(binaries, "cmd"), Log: log,
			Args: append([]string{"--alerts-labels=" + alertsLabels, "--runbook-base-url=" + runbooks}, args...),
			// In a pod this is /tmp, where the certificate is mounted.
			Env: []string{"TMPDIR=" + filepath.Join(plane.Dir(), "tmp")},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(started.WaitReady(ctx)).To(Succeed())
		return started
	}

	BeforeAll(func(ctx SpecContext) {
		certificates = filepath.Join(plane.Dir(), "tmp", "k8s-metrics-server", "serving-certs")
		rules = filepath.Join(plane.Dir(), "rules")
		for _, dir := range []string{certificates, rules} {
			Expect(os.MkdirAll(dir, 0o700)).To(Succeed())
		}
		run(ctx, certificates, "bash", "-euc", fence("sh", "openssl req"))

		By("installing config/prometheus where there is no prometheus-operator")
		output, err := command(ctx, root, plane.Kubectl(), "apply", "-k", "config/prometheus").CombinedOutput()
		Expect(err).To(HaveOccurred(), "it says what is missing")
		Expect(string(output)).To(And(ContainSubstring(`no matches for kind "ServiceMonitor"`),
			ContainSubstring("clusterrolebinding.rbac.authorization.k8s.io/license-operator-metrics-scraper created")))
		By("installing config/prometheus, as for a cluster with prometheus-operator, but for its rules")
		Expect(plane.Install(ctx, definition(ctx, "servicemonitors"))).To(Succeed())
		apply(ctx, build()...)
		scraper := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: controlplane.OperatorNamespace,
			Name:      "license-operator-metrics-scraper",
		}}
		request := &authenticationv1.TokenRequest{}
		// Without a controller manager, nothing fills in the Secret of config/prometheus.
		Expect(k8sClient.SubResource("token").Create(ctx, scraper, request)).To(Succeed())
		tokenFile = filepath.Join(plane.Dir(), "scraper-token")
		Expect(os.WriteFile(tokenFile, []byte(request.Status.Token), 0o600)).To(Succeed())
		received = startInbox()
		rulesCRD = definition(ctx, "prometheusrules")

		now := time.Now()
		authority, err := token.NewAuthority("Acme", now.Add(-days))
		Expect(err).NotTo(HaveOccurred())
		signer, err = authority.NewSigner("Acme signer", now.Add(-days))
		Expect(err).NotTo(HaveOccurred())
		anchors = string(authority.CertificatePEM())
		log = &operatorLog{}
		manager = startManager(ctx)
		for _, name := range []string{mesh, database} {
			Expect(k8sClient.Create(ctx, &api.LicensedProduct{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec: api.LicensedProductSpec{
					Vendor:     `Acme {{ "Ltd" }}`,
					RenewalURL: "https://acme.example/renew", TrustAnchors: anchors,
				},
			})).To(Succeed())
		}
		issue(ctx, "database-2026", database, 10*days)
	})

	It("says so where the kind PrometheusRule is not installed", func(ctx SpecContext) {
		Eventually(alertsReady(ctx, mesh)).Should(Equal(api.ReasonAPINotInstalled))
	})

	It("writes the rule within seconds of the kind", func(ctx SpecContext) {
		Expect(plane.Install(ctx, rulesCRD.DeepCopy())).To(Succeed())
		began := time.Now()
		Eventually(alertsReady(ctx, mesh), "10s").Should(Equal(api.ReasonRuleApplied))
		AddReportEntry("the rule was there after", time.Since(began).String())
		found := ruleNow(ctx, controlplane.OperatorNamespace)(NewWithT(GinkgoT()))
		Expect(found.GetLabels()).To(HaveKeyWithValue("release", "kube-prometheus-stack"))
		Expect(found.GetOwnerReferences()).To(ConsistOf(HaveField("Kind", "LicensedProduct")))
	})

	It("answers a scrape without credentials with 401, one without rights with 403", func(ctx SpecContext) {
		stranger, err := plane.ScraperToken(ctx, false)
		Expect(err).NotTo(HaveOccurred())
		scraper, err := os.ReadFile(tokenFile)
		Expect(err).NotTo(HaveOccurred())
		trusting := trustingClient(certificates)
		for bearer, want := range map[string]int{
			"": http.StatusUnauthorized, "nonsense": http.StatusUnauthorized, stranger: http.StatusForbidden,
			string(scraper): http.StatusOK,
		} {
			code, err := scrape(ctx, trusting, manager.MetricsURL(), bearer)
			Expect(err).NotTo(HaveOccurred(), "the certificate is trusted")
			Expect(code).To(Equal(want))
		}
	})

	It("is documented truly", func(ctx SpecContext) {
		By("blocks that load")
		for _, block := range fences("yaml") {
			documents(block)
		}
		By("objects that the API server takes")
		Expect(k8sClient.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}})).
			To(Succeed())
		apply(ctx, objects(fence("yaml", "prometheus-k8s"))...)
		thresholds := objects(fence("yaml", "expiryWarningDays"))[0]
		thresholds.SetAPIVersion(api.GroupVersion.String())
		apply(ctx, thresholds)
		apply(ctx, build("trusted-certificate")...)
		for _, name := range []string{"Service", "ConfigMap"} {
			Expect(objects(fence("yaml", "serving-cert-secret-name"))).To(ContainElement(HaveField("GetKind()", name)))
		}
		By("what the components are said to bring")
		tlsConfig := documents(fence("yaml", "key: ca.crt"))[0]["tlsConfig"]
		certificate := objects(fence("yaml", "kind: Certificate\n"))[0]
		built := build("trusted-certificate", "cert-manager")
		Expect(built).To(ContainElement(And(HaveField("GetKind()", "ServiceMonitor"),
			WithTransform(func(o *unstructured.Unstructured) any {
				endpoints, _, _ := unstructured.NestedSlice(o.Object, "spec", "endpoints")
				return endpoints[0].(map[string]any)["tlsConfig"]
			}, Equal(tlsConfig)))))
		Expect(built).
			To(ContainElement(And(HaveField("GetName()", certificate.GetName()),
				WithTransform(specOf, Equal(specOf(certificate))))))
		run(ctx, root, "bash", "-euc", fence("console", "config/grafana"))
		By("the rules, out for a plain Prometheus")
		Expect(run(ctx, rules, "bash", "-euc", fence("console", "promtool check rules"))).
			To(ContainSubstring("SUCCESS"))
		By("configurations that the tools accept")
		scratch := GinkgoT().TempDir()
		for name, check := range map[string][]string{
			"scrape_configs": {"promtool", "check", "config", "--syntax-only"},
			"inhibit_rules":  {"amtool", "check-config"}, "license_number_of_days": {"promtool", "check", "rules"},
		} {
			path := filepath.Join(scratch, name+".yaml")
			Expect(os.WriteFile(path, []byte(fence("yaml", name)), 0o600)).To(Succeed())
			output, err := command(ctx, scratch, asset(check[0]), append(check[1:], path)...).CombinedOutput()
			if strings.Contains(string(output), "field kubernetes_sd_configs not found") {
				continue // Debian's is built without
			}
			Expect(err).NotTo(HaveOccurred(), "%s", output)
			Expect(string(output)).To(ContainSubstring("SUCCESS"))
		}
	})

	It("is scraped over its secured endpoint", func(ctx SpecContext) {
		alertmanager = startAlertmanager(ctx, received)
		Expect(os.WriteFile(filepath.Join(rules, "documented.rules.yaml"),
			[]byte(fence("yaml", "license_number_of_days")), 0o600)).To(Succeed())
		prometheus = startPrometheus(ctx, manager, alertmanager, tokenFile, filepath.Join(certificates, "ca.crt"),
			rules)
		Eventually(query(ctx, prometheus, `up{job="license-operator"}`)).Should(Equal("1"))
		Eventually(query(ctx, prometheus, `license_state{product="acme-mesh",state="Unlicensed"}`)).Should(Equal("1"))
		Eventually(query(ctx, prometheus,
			`license_info{product="acme-database",license_key="database-2026",license_id="database-2026",`+
				`customer="Initech \"North\""}`)).Should(Equal("1"))
		Eventually(query(ctx, prometheus, `round(license_number_of_days{product="acme-database"})`)).Should(Equal("10"))
		Eventually(query(ctx, prometheus, `license_nodes_limit{product="acme-database"}`)).Should(Equal("100"))
		Eventually(alertsIn(ctx, prometheus)).Should(ContainElement("LicenseExpiring critical acme-database pending"))

		By("a license of seconds")
		issue(ctx, "mesh-2026", mesh, 20*time.Second)
		Eventually(query(ctx, prometheus, `license_state{product="acme-mesh",state="Valid"}`)).Should(Equal("1"))
		Eventually(query(ctx, prometheus, `license_state{product="acme-mesh",state="Expired"}`), "30s").
			Should(Equal("1"))
		Expect(query(ctx, prometheus, `license_state{product="acme-mesh",state="Valid"}`)(NewWithT(GinkgoT()))).
			To(Equal("0"))
		Eventually(alertsIn(ctx, prometheus)).Should(ContainElement("LicenseExpired critical acme-mesh pending"))
	})

	It("repairs the rule when it is changed or deleted", func(ctx SpecContext) {
		want := ruleNow(ctx, controlplane.OperatorNamespace)(NewWithT(GinkgoT()))
		sameSpec := WithTransform(specOf, Equal(specOf(want)))
		same := And(sameSpec, HaveField("GetLabels()", Equal(want.GetLabels())),
			HaveField("GetOwnerReferences()", Equal(want.GetOwnerReferences())))
		for what, change := range map[string]func(*unstructured.Unstructured){
			"its rules":  func(o *unstructured.Unstructured) { o.Object["spec"] = map[string]any{"groups": []any{}} },
			"its labels": func(o *unstructured.Unstructured) { o.SetLabels(nil) },
			"its owner":  func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) },
		} {
			changed := ruleNow(ctx, controlplane.OperatorNamespace)(NewWithT(GinkgoT()))
			change(changed)
			Expect(k8sClient.Update(ctx, changed)).To(Succeed())
			Eventually(ruleNow(ctx, controlplane.OperatorNamespace)).Should(same, what)
		}
		Expect(k8sClient.Delete(ctx, rule(controlplane.OperatorNamespace))).To(Succeed())
		Eventually(ruleNow(ctx, controlplane.OperatorNamespace)).Should(sameSpec)
		Expect(alertsReady(ctx, mesh)(NewWithT(GinkgoT()))).To(Equal(api.ReasonRuleApplied))
	})

	It("goes on where the kind disappears, and writes the rule when it is back", func(ctx SpecContext) {
		before := len(log.lines())
		Expect(k8sClient.Delete(ctx, rulesCRD.DeepCopy())).To(Succeed())
		Eventually(alertsReady(ctx, mesh)).Should(Equal(api.ReasonAPINotInstalled))
		gone := len(log.lines())
		Consistently(manager.Done(), "10s").ShouldNot(BeClosed(), "the operator goes on; %q", log.lines()[before:])
		said := log.lines()[before:]
		AddReportEntry("lines logged when the kind disappeared, and in the 10 s after that",
			fmt.Sprintf("%d, %d", gone-before, len(said)-(gone-before)))
		Expect(len(said)).To(BeNumerically("<=", 10), "it says little about it: %s", strings.Join(said, "\n"))
		Expect(strings.Count(strings.Join(said, "\n"), `"level":"error"`)).To(BeNumerically("<=", 2),
			"it says little about it: %s", strings.Join(said, "\n"))
		Eventually(func() error {
			return k8sClient.Get(ctx, client.ObjectKeyFromObject(rulesCRD), rulesCRD.DeepCopy())
		}).Should(MatchError(apierrors.IsNotFound, "not found"))
		Expect(plane.Install(ctx, rulesCRD.DeepCopy())).To(Succeed())
		began := time.Now()
		Eventually(alertsReady(ctx, mesh)).Should(Equal(api.ReasonRuleApplied))
		Eventually(ruleNow(ctx, controlplane.OperatorNamespace)).Should(Not(BeNil()))
		AddReportEntry("the rule was back after", time.Since(began).String())
	})

	It("takes up a renewed certificate without a restart", func(ctx SpecContext) {
		run(ctx, certificates, "bash", "-euc", fence("sh", "openssl req"))
		scraper, err := os.ReadFile(tokenFile)
		Expect(err).NotTo(HaveOccurred())
		trusting := trustingClient(certificates)
		Eventually(func() (int, error) { return scrape(ctx, trusting, manager.MetricsURL(), string(scraper)) }).
			Should(Equal(http.StatusOK))
		Eventually(query(ctx, prometheus, `up{job="license-operator"}`)).Should(Equal("1"),
			"Prometheus reads the CA anew, too")
	})

	It("pages when the license has expired", func(ctx SpecContext) {
		Eventually(alertsAt(ctx, alertmanager, "LicenseExpired", mesh), "90s").Should(ConsistOf(And(
			HaveField("Labels", And(HaveKeyWithValue("severity", "critical"), HaveKeyWithValue("product", mesh))),
			HaveField("Annotations", And(
				HaveKeyWithValue("runbook_url", runbooks+"/LicenseExpired.md"),
				HaveKeyWithValue("summary", ContainSubstring(mesh)),
				HaveKeyWithValue("description",
					And(ContainSubstring(`Acme {{ "Ltd" }}`), ContainSubstring("https://acme.example/renew"))),
			)),
		)))
		Eventually(received.of("page")).Should(ContainElement("firing LicenseExpired acme-mesh"))
		Expect(received.of("mail")()).NotTo(ContainElement(ContainSubstring("LicenseExpired")))
	})

	It("works with the documented rule, unchanged", func(ctx SpecContext) {
		Eventually(alertsAt(ctx, alertmanager, "LicenseDaysLow", database)).Should(ConsistOf(
			HaveField("Annotations",
				HaveKeyWithValue("summary",
					MatchRegexp(`^The license of acme-database expires in (10\.0|9\.9) days\.$`)))))
		Eventually(received.of("mail")).Should(ContainElement("firing LicenseDaysLow acme-database"))
	})

	It("resolves the alert on renewal", func(ctx SpecContext) {
		issue(ctx, "acme-mesh-2027", mesh, 365*days)
		Eventually(query(ctx, prometheus, `license_state{product="acme-mesh",state="Valid"}`)).Should(Equal("1"))
		Eventually(received.of("page")).Should(ContainElement("resolved LicenseExpired acme-mesh"))
		Eventually(alertsAt(ctx, alertmanager, "LicenseExpired", mesh)).Should(BeEmpty())
		Expect(received.of("page")()).NotTo(ContainElement(ContainSubstring("acme-database")),
			"a pending alert is not sent")
	})

	It("has a runbook for each alert, and its commands run as written", func(ctx SpecContext) {
		scratch := GinkgoT().TempDir()
		at := "--alertmanager.url=http://" + alertmanager.address
		haveURL := "amtool() { command amtool " + at + " \"$@\"; }\n" // people have it in a file
		key := &api.LicenseKey{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "acme-mesh-2027"}, key)).To(Succeed())
		writeYAML(filepath.Join(scratch, "key.yaml"), map[string]any{
			"apiVersion": api.GroupVersion.String(), "kind": "LicenseKey", "metadata": map[string]any{"name": key.Name},
			"spec": key.Spec,
		})
		for _, name := range alerting.AlertNames {
			page, err := os.ReadFile(filepath.Join(root, "docs", "runbooks", name+".md"))
			Expect(err).NotTo(HaveOccurred())
			Expect(string(page)).To(HavePrefix("# " + name + "\n"))
			commands := strings.Join(blocks(string(page), "sh"), "\n")
			Expect(commands).To(ContainSubstring("alertname="+name), "how to silence it")
			By(name + "\n" + run(ctx, scratch, "bash", "-euxo", "pipefail", "-c", haveURL+commands))
		}
		var silences []any
		alertmanager.get(ctx, NewWithT(GinkgoT()), "/api/v2/silences", &silences)
		Expect(silences).To(HaveLen(len(alerting.AlertNames)))
	})

	It("is missed when it is gone", func(ctx SpecContext) {
		manager.Kill()
		Eventually(alertsIn(ctx, prometheus)).Should(ContainElements(
			"LicenseMetricsAbsent critical acme-mesh pending", "LicenseMetricsAbsent critical acme-database pending"))
	})

	It("writes rules to another namespace with the Role that is documented", func(ctx SpecContext) {
		// rather than wait for the lease of the one that was killed
		manager = startManager(ctx, "--leader-elect=false", "--alerts-namespace=monitoring")
		Eventually(alertsReady(ctx, mesh)).Should(Equal(api.ReasonForbidden))
		apply(ctx, objects(fence("yaml", "kind: Role\n"))...)
		began := time.Now()
		Eventually(alertsReady(ctx, mesh), "90s").Should(Equal(api.ReasonRuleApplied))
		AddReportEntry("the rule was there after the Role after", time.Since(began).String())
		Expect(ruleNow(ctx, "monitoring")(NewWithT(GinkgoT()))).To(HaveField("GetName()", mesh))
	})
})

// serverName is that of the documented scrape configuration.
func serverName() string {
	GinkgoHelper()
	return scrapeConfig(
		documents(fence("yaml", "scrape_configs"))[0])["tls_config"].(map[string]any)["server_name"].(string)
}

func scrapeConfig(configuration map[string]any) map[string]any {
	return configuration["scrape_configs"].([]any)[0].(map[string]any)
}

// startPrometheus starts Prometheus with the documented configuration, but for where things are and how often it looks.
func startPrometheus(
	ctx context.Context, manager *controlplane.Manager, alertmanager *server, tokenFile, caFile, rules string,
) *server {
	GinkgoHelper()
	target, err := url.Parse(manager.MetricsURL())
	Expect(err).NotTo(HaveOccurred())
	configuration := documents(fence("yaml", "scrape_configs"))[0]
	configuration["global"] = map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"}
	configuration["rule_files"] = []any{filepath.Join(rules, "*.rules.yaml")}
	configuration["alerting"] = map[string]any{
		"alertmanagers": []any{
			map[string]any{"static_configs": []any{map[string]any{"targets": []any{alertmanager.address}}}},
		},
	}
	scrape := scrapeConfig(configuration)
	scrape["authorization"] = map[string]any{"credentials_file": tokenFile}
	scrape["tls_config"].(map[string]any)["ca_file"] = caFile
	// There are no pods here.
	delete(scrape, "kubernetes_sd_configs")
	delete(scrape, "relabel_configs")
	scrape["static_configs"] = []any{map[string]any{"targets": []any{target.Host}}}
	path := filepath.Join(plane.Dir(), "prometheus.yaml")
	writeYAML(path, configuration)
	run(ctx, plane.Dir(), asset("promtool"), "check", "config", path)
	return startServer("prometheus", "--config.file="+path,
		"--storage.tsdb.path="+filepath.Join(plane.Dir(), "prometheus"), "--log.level=warn")
}

// startAlertmanager starts Alertmanager with the documented configuration, but for the receivers and how long it waits.
func startAlertmanager(ctx context.Context, received *inbox) *server {
	GinkgoHelper()
	configuration := documents(fence("yaml", "inhibit_rules"))[0]
	delete(configuration, "global")
	var receivers []any
	for _, r := range configuration["receivers"].([]any) {
		name := r.(map[string]any)["name"]
		receivers = append(receivers,
			map[string]any{
				"name": name,
				"webhook_configs": []any{map[string]any{
					"url":           fmt.Sprintf("%s/%s", received.URL, name),
					"send_resolved": true,
				}},
			})
	}
	configuration["receivers"] = receivers
	route := configuration["route"].(map[string]any)
	route["group_wait"], route["group_interval"] = "1s", "1s"
	path := filepath.Join(plane.Dir(), "alertmanager.yaml")
	writeYAML(path, configuration)
	run(ctx, plane.Dir(), asset("amtool"), "check-config", path)
	return startServer("alertmanager", "--config.file="+path,
		"--storage.path="+filepath.Join(plane.Dir(), "alertmanager"), "--cluster.listen-address=", "--log.level=warn")
}

// trustingClient trusts the certificates that docs/monitoring.md has openssl make.
func trustingClient(certificates string) *http.Client {
	GinkgoHelper()
	ca, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	Expect(err).NotTo(HaveOccurred())
	pool := x509.NewCertPool()
	Expect(pool.AppendCertsFromPEM(ca)).To(BeTrue())
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: serverName()},
		DisableKeepAlives: true,
	}}
}

// scrape reads the metrics with a bearer token, or without one, and returns the status of the answer.
func scrape(ctx context.Context, scraper *http.Client, target, bearer string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return 0, err
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := scraper.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
