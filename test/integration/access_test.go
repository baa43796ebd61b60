// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/tls"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/test/controlplane"
)

// The operator is a process of its own here as well. It does not lead: to whom it serves what it does depends on
// nothing of that.
var _ = Describe("Access to the metrics", Ordered, func() {
	var (
		manager *controlplane.Manager
		log     *gbytes.Buffer
		before  map[string]int
	)

	// reviews are the operator's questions so far, by resource; each was let through.
	reviews := func() map[string]int {
		GinkgoHelper()
		events, err := plane.AuditEvents()
		Expect(err).NotTo(HaveOccurred())
		found := map[string]int{}
		for _, e := range events {
			if e.Verb == "create" && (e.Resource == "tokenreviews" || e.Resource == "subjectaccessreviews") {
				Expect(e.Code).To(Equal(http.StatusCreated), "%+v", e)
				found[e.Resource]++
			}
		}
		return found
	}
	// its certificate is its own
	scrapers := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	type answer struct {
		code      int
		challenge string
		body      string
	}
	scrape := func(ctx SpecContext, authorization string) answer {
		GinkgoHelper()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, manager.MetricsURL(), http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := scrapers.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close() //nolint:errcheck // nothing was written
		body, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		return answer{response.StatusCode, response.Header.Get("WWW-Authenticate"), string(body)}
	}
	token := func(ctx SpecContext, allowed bool) string {
		GinkgoHelper()
		token, err := plane.ScraperToken(ctx, allowed)
		Expect(err).NotTo(HaveOccurred())
		return token
	}

	BeforeAll(func(ctx SpecContext) {
		log = gbytes.NewBuffer()
		before = reviews()
		manager = startStandby(ctx, io.MultiWriter(log, GinkgoWriter))
	})
	AfterAll(func() { scrapers.CloseIdleConnections() })

	It("is refused without a token, and the API server is not asked", func(ctx SpecContext) {
		for _, authorization := range []string{"", "Bearer", "Basic Z29vZDpnb29k", "Bearer not a token"} {
			got := scrape(ctx, authorization)
			Expect(got.code).To(Equal(http.StatusUnauthorized), authorization)
			Expect(got.challenge).To(Equal("Bearer"))
			Expect(got.body).To(HavePrefix("No valid bearer token: "))
		}
		Expect(reviews()).To(Equal(before))
	})

	It("is refused with a token that the API server does not know", func(ctx SpecContext) {
		good := token(ctx, true)
		for _, unknown := range []string{"nonsense", "a.b.c", good[:len(good)-8] + "AAAAAAAA"} {
			got := scrape(ctx, "Bearer "+unknown)
			Expect(got.code).To(Equal(http.StatusUnauthorized))
			Expect(got.challenge).To(Equal("Bearer"))
			Expect(got.body).To(HavePrefix("The API server rejected the bearer token: "))
		}
	})

	It("is refused without the permission", func(ctx SpecContext) {
		Expect(scrape(ctx, "Bearer "+token(ctx, false))).To(Equal(answer{
			code: http.StatusForbidden,
			body: "User \"system:serviceaccount:default:scraper-without-rights\" cannot get " +
				"nonResourceURL \"/metrics\": bind it to a ClusterRole that allows it.\n",
		}))
	})

	It("is granted, and the API server asked once for many scrapes", func(ctx SpecContext) {
		start, good := reviews(), token(ctx, true)
		for range 50 {
			got := scrape(ctx, "Bearer "+good)
			Expect(got.code).To(Equal(http.StatusOK))
			Expect(got.body).To(ContainSubstring("\ngo_goroutines "))
			Expect(got.body).NotTo(ContainSubstring("\nlicense_"), "it does not lead, and would say everything twice")
		}
		now := reviews()
		Expect(now["tokenreviews"]).To(Equal(start["tokenreviews"] + 1))
		Expect(now["subjectaccessreviews"]).To(Equal(start["subjectaccessreviews"] + 1))
	})

	It("ends with the account", func(ctx SpecContext) {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceDefault,
			Name:      "leaver",
		}}
		Expect(k8sClient.Create(ctx, account)).To(Succeed())
		var tokens []string
		for range 2 {
			request := &authenticationv1.TokenRequest{}
			Expect(k8sClient.SubResource("token").Create(ctx, account, request)).To(Succeed())
			tokens = append(tokens, request.Status.Token)
		}
		Expect(scrape(ctx, "Bearer "+tokens[0]).code).To(Equal(http.StatusForbidden), "the API server knows it still")
		Expect(k8sClient.Delete(ctx, account)).To(Succeed())
		// At once, since the operator has never met this token; of one that it has it learns within a minute, as the
		// unit tests have it.
		Eventually(func() int { return scrape(ctx, "Bearer "+tokens[1]).code }, "15s", "1s").
			Should(Equal(http.StatusUnauthorized))
	})

	It("does not fill the log", func() {
		Expect(manager.Stop()).To(Succeed())
		// What it says of itself, that is: of caches that had no time to fill before the end there may be more.
		Expect(string(log.Contents())).NotTo(Or(
			MatchRegexp(`"level":"(error|panic)"[^\n]*"logger":"server`),
			ContainSubstring("Request rejected"), ContainSubstring("panic")))
	})
})
