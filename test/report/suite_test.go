// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report asks the operator for license reports as an administrator would: two replicas, processes of their own,
// against a real API server.
package report

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/license-operator/license-operator/test/controlplane"
)

var (
	plane     *controlplane.ControlPlane
	k8sClient client.Client
	// replicas are the one that leads, and one that does not.
	replicas []*controlplane.Manager
	// reader may get reports, and metrics.
	reader string
	// the certificate is the operator's own
	callers = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
)

func TestReport(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Report")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	var err error
	plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{Audit: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	Expect(plane.InstallOperator(ctx)).To(Succeed())
	k8sClient, err = plane.NewClient()
	Expect(err).NotTo(HaveOccurred())
	binaries, err := plane.BuildBinaries(ctx, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	for range 2 {
		replica, err := plane.StartManager(ctx,
			controlplane.ManagerOptions{Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(replica.Kill)
		Expect(replica.WaitReady(ctx)).To(Succeed())
		replicas = append(replicas, replica)
	}
	reader = tokenOf(ctx, "reader", true)
	for replica := range replicas {
		got, err := call{replica: replica, token: reader}.do(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.code).To(Equal(http.StatusOK), "who says that it is ready gives a report: "+got.body)
	}
	DeferCleanup(callers.CloseIdleConnections)
})

// tokenOf is the token of a new account, with the roles that config/rbac has for those who may get reports and metrics,
// or without.
func tokenOf(ctx SpecContext, name string, allowed bool) string {
	GinkgoHelper()
	Expect(k8sClient.Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}})).
		To(Succeed())
	if allowed {
		for _, role := range []string{"license-operator-license-report-reader", "license-operator-metrics-reader"} {
			Expect(k8sClient.Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name + "-" + role},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects: []rbacv1.Subject{{
					Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceDefault,
					Name: name,
				}},
			})).To(Succeed())
		}
		Eventually(func(g Gomega) {
			for _, path := range []string{"/license/report", "/metrics"} {
				g.Expect(plane.IsGranted(ctx, name,
					&rbacv1.PolicyRule{NonResourceURLs: []string{path}, Verbs: []string{"get"}})).To(BeTrue(), path)
			}
		}).Should(Succeed(), "the API server takes a moment to know, and the operator remembers a no")
	}
	config, err := plane.AccountConfig(ctx, metav1.NamespaceDefault, name)
	Expect(err).NotTo(HaveOccurred())
	return config.BearerToken
}

// call is a request for a report.
type call struct {
	replica int
	token   string
	query   string
	accept  string
	method  string
}

// answer is what came of a call.
type answer struct {
	code   int
	header http.Header
	body   string
}

func (c call) do(ctx context.Context) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, replicas[c.replica].ReportURL()+"?"+c.query, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.accept != "" {
		request.Header.Set("Accept", c.accept)
	}
	response, err := callers.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// leaders are the replicas that export what the leader alone does.
func leaders(ctx SpecContext) []int {
	GinkgoHelper()
	var found []int
	for replica := range replicas {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, replicas[replica].MetricsURL(), http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Authorization", "Bearer "+reader)
		response, err := callers.Do(request)
		Expect(err).NotTo(HaveOccurred())
		metrics, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(response.Body.Close()).To(Succeed())
		if strings.Contains(string(metrics), "\nlicense_state{") {
			found = append(found, replica)
		}
	}
	return found
}

func get(ctx SpecContext, c call) answer {
	GinkgoHelper()
	got, err := c.do(ctx)
	Expect(err).NotTo(HaveOccurred())
	return got
}
