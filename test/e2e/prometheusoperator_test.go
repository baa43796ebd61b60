//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// prometheus-operator, its admission webhook and a Prometheus that it runs.
var _ = Describe("With prometheus-operator", Ordered, func() {
	const (
		module     = "github.com/prometheus-operator/prometheus-operator"
		webhook    = "prometheus-operator-admission-webhook"
		monitoring = "default" // as in the manifests that come with it
	)

	BeforeAll(func(ctx SpecContext) {
		installable(ctx)
		dir := moduleOf(ctx, "prometheus-operator", module)
		images := map[string]string{
			"prometheus-operator":        imageFrom("operator"),
			"prometheus-config-reloader": imageFrom("prometheus-config-reloader"),
			"admission-webhook":          imageFrom("admission-webhook"),
		}
		manifests := withImages(read(dir, "bundle.yaml"), images)
		for _, name := range []string{"service-account", "deployment", "service"} {
			manifests = append(append(manifests, "\n---\n"...),
				withImages(read(dir, "example/admission-webhook", name+".yaml"), images)...)
		}
		for _, name := range []string{"service-account", "cluster-role", "cluster-role-binding"} {
			manifests = append(append(manifests, "\n---\n"...),
				read(dir, "example/rbac/prometheus/prometheus-"+name+".yaml")...)
		}
		var others []*unstructured.Unstructured
		for _, o := range objectsIn(manifests) {
			switch o.GetKind() {
			case "CustomResourceDefinition":
				install(ctx, o)
				continue
			case "ServiceAccount":
				o.SetNamespace(monitoring)
			case "Deployment":
				Expect(unstructured.SetNestedField(o.Object, int64(1), "spec", "replicas")).To(Succeed(),
					"two of them want two nodes")
				if o.GetName() == "prometheus-operator" {
					template := o.Object["spec"].(map[string]any)["template"].(map[string]any)
					container := template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
					container["args"] = append(container["args"].([]any),
						"--feature-gates=StatusForConfigurationResources=true")
				}
			}
			others = append(others, o)
		}
		certificate, key := selfSigned(webhook + "." + monitoring + ".svc")
		create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: monitoring, Name: "admission-webhook-certs"},
			Data:       map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
		})
		DeferCleanup(kubectl, "delete", "secret", "admission-webhook-certs", "-n", monitoring)
		apply(ctx, others...)
		for _, name := range []string{"prometheus-operator", webhook} {
			kubectl(ctx, "rollout", "status", "deployment/"+name, "-n", monitoring, "--timeout=120s")
		}
		path, none := "/admission-prometheusrules/validate", admissionregistrationv1.SideEffectClassNone
		create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "prometheus-operator-rulesvalidation"},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: "prometheusrulevalidate.monitoring.coreos.com", SideEffects: &none,
				AdmissionReviewVersions: []string{"v1"},
				ClientConfig: admissionregistrationv1.WebhookClientConfig{
					CABundle: certificate,
					Service: &admissionregistrationv1.ServiceReference{
						Namespace: monitoring, Name: webhook,
						Path: &path,
					},
				},
				Rules: []admissionregistrationv1.RuleWithOperations{{
					Operations: []admissionregistrationv1.OperationType{
						admissionregistrationv1.Create,
						admissionregistrationv1.Update,
					},
					Rule: admissionregistrationv1.Rule{
						APIGroups:   []string{"monitoring.coreos.com"},
						APIVersions: []string{"*"}, Resources: []string{"prometheusrules"},
					},
				}},
			}},
		})
		DeferCleanup(kubectl, "delete", "validatingwebhookconfiguration", "prometheus-operator-rulesvalidation")
		By("having it run a Prometheus that takes rules and monitors from everywhere")
		prometheus := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
			"metadata": map[string]any{"namespace": monitoring, "name": "e2e"},
			"spec": map[string]any{
				"image": imageFrom("prometheus"), "version": "v3.4.0", "serviceAccountName": "prometheus",
				"scrapeInterval": "5s", "evaluationInterval": "5s",
				"ruleSelector": map[string]any{}, "ruleNamespaceSelector": map[string]any{},
				"serviceMonitorSelector": map[string]any{}, "serviceMonitorNamespaceSelector": map[string]any{},
			},
		}}
		apply(ctx, prometheus)
		deploy(ctx)
		undeployAfterwards()
		kubectl(ctx, "apply", "-k", "config/prometheus")
	})

	// accepted is what prometheus-operator says of an object that its Prometheus selects.
	accepted := func(ctx context.Context, kind, name string) func(Gomega) string {
		return func(g Gomega) string {
			o := &unstructured.Unstructured{}
			o.SetAPIVersion("monitoring.coreos.com/v1")
			o.SetKind(kind)
			g.Expect(k8sClient.Get(ctx, client.ObjectKey{Namespace: defaultNamespace, Name: name}, o)).To(Succeed())
			bindings, _, err := unstructured.NestedSlice(o.Object, "status", "bindings")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(bindings).To(HaveLen(1))
			conditions, _, err := unstructured.NestedSlice(bindings[0].(map[string]any), "conditions")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditions).To(HaveLen(1))
			return fmt.Sprintf("%v %v", conditions[0].(map[string]any)["type"],
				conditions[0].(map[string]any)["status"])
		}
	}

	It("has its rules and its monitor accepted, by the webhook and by the operator", func(ctx SpecContext) {
		create(ctx, acme.product("soon"), acme.keyUntil("soon", time.Now().Add(10*days)))
		licensed(ctx, "soon")
		Eventually(condition(ctx, "soon", api.ConditionAlertsReady)).Should(Equal("True RuleApplied"))
		Eventually(accepted(ctx, "PrometheusRule", "soon")).Should(Equal("Accepted True"))
		Eventually(accepted(ctx, "ServiceMonitor", "license-operator-controller-manager-metrics-monitor")).
			Should(Equal("Accepted True"))
		By("the webhook being one that says no")
		output, err := command(ctx, "kubectl", "patch", "prometheusrule", "soon", "-n", defaultNamespace, "--type=json",
			"-p", `[{"op":"replace","path":"/spec/groups/0/rules/0/expr","value":"license_state{"}]`)
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("could not parse expression"))
	})

	// query asks the Prometheus, through the API server.
	query := func(ctx context.Context, expression string) func(Gomega) []string {
		return func(g Gomega) []string {
			raw, err := command(ctx, "kubectl", "get", "--raw",
				"/api/v1/namespaces/"+monitoring+"/services/prometheus-operated:9090/proxy/api/v1/query?query="+
					url.QueryEscape(expression))
			g.Expect(err).NotTo(HaveOccurred(), raw)
			var answer struct {
				Data struct {
					Result []struct {
						Metric map[string]string
						Value  [2]any
					}
				}
			}
			g.Expect(json.Unmarshal([]byte(raw), &answer)).To(Succeed())
			found := []string{}
			for _, r := range answer.Data.Result {
				found = append(found, fmt.Sprintf("%s %v", r.Metric["alertname"]+r.Metric["state"], r.Value[1]))
			}
			return found
		}
	}

	It("is scraped, and its alert fires", func(ctx SpecContext) {
		Eventually(query(ctx, `license_state{product="soon"} == 1`), "2m").Should(Equal([]string{"Valid 1"}))
		Eventually(query(ctx, `count by (alertname) (ALERTS{alertname="LicenseExpiring",severity="critical"})`), "1m").
			Should(Equal([]string{"LicenseExpiring 1"}))
		Expect(query(ctx, `count(up{namespace="`+defaultNamespace+`"} == 1)`)(Default)).To(Equal([]string{" 2"}),
			"both replicas")
	})

	It("is found in order by its doctor", func(ctx SpecContext) {
		output := run(ctx, "kubectl", "license", "doctor")
		Expect(output).To(MatchRegexp(`ok +Alerts`))
		Expect(output).NotTo(MatchRegexp(`(?m)^(problem|warning)`))
	})

	It("puts a rule back that somebody has changed", func(ctx SpecContext) {
		kubectl(ctx, "patch", "prometheusrule", "soon", "-n", defaultNamespace, "--type=json", "-p",
			`[{"op":"replace","path":"/spec/groups/0/rules/0/expr","value":"vector(1)"}]`)
		Eventually(func() string {
			return kubectl(ctx, "get", "prometheusrule", "soon", "-n", defaultNamespace, "-o", "yaml")
		}).ShouldNot(ContainSubstring("vector(1)"))
		By("also one whose label somebody has taken away, so that the operator does not see it")
		kubectl(ctx, "label", "prometheusrule", "soon", "-n", defaultNamespace, "app.kubernetes.io/managed-by-")
		Eventually(func() string {
			return kubectl(ctx, "get", "prometheusrule", "-n", defaultNamespace, "-l",
				"app.kubernetes.io/managed-by=license-operator", "-o", "name")
		}).Should(ContainSubstring("/soon"))
	})
})

// selfSigned is a certificate for a host, which is its own authority, and its key.
func selfSigned(host string) (certificate, key []byte) {
	GinkgoHelper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(days),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	Expect(err).NotTo(HaveOccurred())
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
