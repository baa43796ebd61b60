// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/santhosh-tekuri/jsonschema/v6"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/token"
)

const days = 24 * time.Hour

// decoded is a report that was given out, valid by the schema and with the right checksum.
func decoded(content string) report.Report {
	GinkgoHelper()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/license-report.schema.json")
	Expect(err).NotTo(HaveOccurred())
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(content))
	Expect(err).NotTo(HaveOccurred())
	Expect(schema.Validate(document)).To(Succeed())
	var r report.Report
	Expect(json.Unmarshal([]byte(content), &r)).To(Succeed())
	sum, err := report.Checksum([]byte(content))
	Expect(err).NotTo(HaveOccurred())
	Expect(r.Checksum).To(Equal(sum))
	return r
}

var _ = Describe("The license report", Ordered, func() {
	var (
		signer  *token.Signer
		anchors string
	)
	// create creates a product that has a key or, for a term of 0, none; and waits until its state is known.
	create := func(ctx SpecContext, name string, begin time.Time, term, grace time.Duration,
		state api.LicensedProductState,
	) {
		GinkgoHelper()
		product := &api.LicensedProduct{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       api.LicensedProductSpec{Vendor: "Acme", TrustAnchors: anchors},
		}
		Expect(k8sClient.Create(ctx, product)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, product)).To(Succeed()) })
		if term > 0 {
			jws, err := signer.Sign(&license.Claims{
				ID: "L-" + name, Customer: "Initech", Audience: []string{name}, IssuedTime: begin, NotBefore: begin,
				Expiry: begin.Add(term), GracePeriod: grace,
				Limits: map[string]int64{"nodes": 100},
			})
			Expect(err).NotTo(HaveOccurred())
			key := &api.LicenseKey{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec:       api.LicenseKeySpec{ProductName: name, Token: jws},
			}
			Expect(k8sClient.Create(ctx, key)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, key)).To(Succeed()) })
		}
		for replica := range replicas {
			Eventually(func(g Gomega) {
				got, err := call{replica: replica, token: reader, query: "product=" + name}.do(ctx)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(got.body).To(ContainSubstring(`"state":%q`, state))
			}).Should(Succeed(), "each replica hears of it in its own time")
		}
	}

	BeforeAll(func(ctx SpecContext) {
		begin := time.Now().Add(-400 * days)
		authority, err := token.NewAuthority("Acme", begin)
		Expect(err).NotTo(HaveOccurred())
		signer, err = authority.NewSigner("Acme signer", begin)
		Expect(err).NotTo(HaveOccurred())
		anchors = string(authority.CertificatePEM())
		Expect(k8sClient.Create(ctx,
			&corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: "rack-7"},
				Status:     corev1.NodeStatus{Capacity: corev1.ResourceList{"cpu": resource.MustParse("8")}},
			})).
			To(Succeed())
	})

	It("rejects unauthenticated and unauthorized callers", func(ctx SpecContext) {
		stranger := tokenOf(ctx, "stranger", false)
		for replica := range replicas {
			got := get(ctx, call{replica: replica})
			Expect(got.code).To(Equal(http.StatusUnauthorized))
			Expect(got.header.Get("WWW-Authenticate")).To(Equal("Bearer"))
			Expect(get(ctx, call{replica: replica, token: "nonsense"}).code).To(Equal(http.StatusUnauthorized))
			got = get(ctx, call{replica: replica, token: stranger})
			Expect(got.code).To(Equal(http.StatusForbidden))
			Expect(got.body).To(Equal("User \"system:serviceaccount:default:stranger\" cannot get nonResourceURL " +
				"\"/license/report\": bind it to a ClusterRole that allows it.\n"))
			got = get(ctx, call{replica: replica, token: reader, method: http.MethodPost})
			Expect(got.code).To(Equal(http.StatusForbidden), "the role is for get alone")
		}
	})

	It("is given of a cluster without products", func(ctx SpecContext) {
		uid := &corev1.Namespace{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "kube-system"}, uid)).To(Succeed())
		for replica := range replicas {
			got := get(ctx, call{replica: replica, token: reader})
			Expect(got.code).To(Equal(http.StatusOK), got.body)
			Expect(got.header.Get("Content-Type")).To(Equal("application/json"))
			Expect(got.header.Get("Content-Disposition")).
				To(MatchRegexp(`^attachment; filename="report-\d{4}(_\d\d){4}_[AP]M\.json"$`))
			r := decoded(got.body)
			Expect(r.Timestamp.Time).To(BeTemporally("~", time.Now(), time.Minute))
			Expect(r.DeploymentInfo.ClusterUID).To(Equal(string(uid.UID)))
			Expect(r.DBVersion).To(Equal("kubernetes " + r.KubernetesVersion))
			Expect(r.LicenseKey).To(Equal("UNLICENSED"))
			Expect(r.Products).To(BeEmpty())
		}
	})

	It("counts namespaces, and the subjects of role bindings", func(ctx SpecContext) {
		before := decoded(get(ctx, call{token: reader}).body)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "one-more"}}
		Expect(k8sClient.Create(ctx, namespace)).To(Succeed())
		for _, name := range []string{"first", "second"} {
			Expect(k8sClient.Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
				Subjects: []rbacv1.Subject{
					{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane"},
					{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "jane"},
					{Kind: rbacv1.ServiceAccountKind, Namespace: namespace.Name, Name: "jane"},
					{Kind: rbacv1.ServiceAccountKind, Namespace: namespace.Name, Name: name},
				},
			})).To(Succeed())
		}
		after := decoded(get(ctx, call{token: reader}).body)
		Expect(*after.WorkspacesCount - *before.WorkspacesCount).To(BeEquivalentTo(1))
		Expect(*after.RBACUsers-*before.RBACUsers).To(BeEquivalentTo(5), "three called jane, and two more")
		Expect(get(ctx, call{token: reader}).body).NotTo(Or(ContainSubstring("jane"), ContainSubstring("one-more"),
			ContainSubstring("rack-7")))
	})

	It("is about one product, or all", func(ctx SpecContext) {
		create(ctx, "keyless", time.Time{}, 0, 0, "Unlicensed")
		r := decoded(get(ctx, call{token: reader}).body)
		Expect(r.License).To(Equal(&report.License{LicenseKey: "UNLICENSED"}))
		Expect(r.Products).To(HaveLen(1))
		Expect(leaders(ctx)).To(HaveLen(1), "what follows is asked of one that leads, and of one that does not")

		begin := time.Now().UTC().Truncate(time.Second)
		create(ctx, "covered", begin, 40*days, 10*days, "Valid")
		create(ctx, "over", begin.Add(-100*days), 50*days, 10*days, "Expired")
		for replica := range replicas {
			got := get(ctx, call{replica: replica, token: reader})
			Expect(got.code).To(Equal(http.StatusBadRequest))
			Expect(got.body).To(Equal("More than one product: use ?product=NAME, or ?product=* for all. " +
				"Products: covered, keyless, over.\n"))
			got = get(ctx, call{replica: replica, token: reader, query: "product=coverd"})
			Expect(got.code).To(Equal(http.StatusNotFound))
			Expect(got.body).
				To(Equal("LicensedProduct \"coverd\" not found. Products: covered, keyless, over.\n"))

			got = get(ctx, call{replica: replica, token: reader, query: "product=covered"})
			r := decoded(got.body)
			Expect(r.LicenseKey).To(Equal("L-covered"))
			Expect(r.License).
				To(Equal(&report.License{
					LicenseKey:     "L-covered",
					ExpirationDate: begin.Add(40 * days).Format(time.DateOnly),
				}))
			Expect(r.Products).To(HaveLen(1))
			Expect(r.Products[0].ExpiryTime.Time).To(BeTemporally("==", begin.Add(40*days)))
			Expect(r.Products[0].Limits).To(Equal(map[string]int64{"nodes": 100}))
			Expect(r.Products[0].Usage).To(Equal(map[string]int64{"nodes": 1, "cores": 8}))
			Expect(r.Counters.Buckets).To(HaveLen(1))
			Expect(got.body).To(MatchRegexp(`"peak_cores": ?8\b`))

			r = decoded(get(ctx, call{replica: replica, token: reader, query: "product=over"}).body)
			Expect(r.License).
				To(Equal(&report.License{
					LicenseKey:     "L-over",
					ExpirationDate: begin.Add(-50 * days).Format(time.DateOnly),
				}))
			Expect(r.Products[0].State).To(Equal(api.LicensedProductExpired))

			got = get(ctx, call{replica: replica, token: reader, query: "product=*"})
			r = decoded(got.body)
			Expect(r.License).To(BeNil())
			Expect(r.Counters).To(BeNil())
			Expect(r.Products).To(HaveExactElements(HaveField("Name", "covered"), HaveField("Name", "keyless"),
				HaveField("Name", "over")))
			Expect(got.body).NotTo(Or(ContainSubstring("eyJ"), ContainSubstring("BEGIN"), ContainSubstring("rack-7"),
				ContainSubstring("Initech")))
		}
	})

	It("comes as a tar that tar can read", func(ctx SpecContext) {
		for _, c := range []call{{query: "format=tar"}, {accept: "application/x-tar"}} {
			c.token = reader
			got := get(ctx, c)
			Expect(got.code).To(Equal(http.StatusOK), got.body)
			Expect(got.header.Get("Content-Type")).To(Equal("application/x-tar"))
			Expect(got.header.Get("Content-Disposition")).
				To(MatchRegexp(`^attachment; filename="report-\d{4}(_\d\d){4}_[AP]M\.tar"$`))
			list := exec.CommandContext(ctx, "tar", "-t")
			list.Stdin = strings.NewReader(got.body)
			names, err := list.Output()
			Expect(err).NotTo(HaveOccurred())
			Expect(string(names)).To(Equal("response.json\n"))
			extract := exec.CommandContext(ctx, "tar", "-xO", "response.json")
			extract.Stdin = strings.NewReader(got.body)
			content, err := extract.Output()
			Expect(err).NotTo(HaveOccurred())
			decoded(string(content))
		}
		got := get(ctx, call{token: reader, query: "format=xml"})
		Expect(got.code).To(Equal(http.StatusNotAcceptable))
		Expect(got.body).To(Equal("Unknown format \"xml\": use &format=json or &format=tar.\n"))
	})

	It("costs a few requests, whatever the number of nodes and callers, and nothing but those", func(ctx SpecContext) {
		// The operator asks about a caller again after a minute, which is not to end here: this one it meets now.
		reader := tokenOf(ctx, "counted", true)
		Expect(get(ctx, call{token: reader}).code).To(Equal(http.StatusOK))
		for i := range 50 {
			Expect(k8sClient.Create(ctx,
				&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("rack-8-%d", i)}})).To(Succeed())
		}
		requests := func() (found []string) {
			GinkgoHelper()
			events, err := plane.AuditEvents()
			Expect(err).NotTo(HaveOccurred())
			for _, e := range events {
				// Statuses and events are about what went before.
				if strings.HasSuffix(e.User, ":license-operator-controller-manager") && e.Resource != "leases" &&
					e.Resource != "events" && e.Verb != "watch" && e.Subresource != "status" {
					path, _, _ := strings.Cut(e.Path, "?")
					found = append(found, e.Verb+" "+path)
				}
			}
			return found
		}
		before := requests()
		Expect(get(ctx, call{token: reader}).code).To(Equal(http.StatusOK))
		Expect(requests()[len(before):]).To(ConsistOf(
			"get /version", "list /api/v1/namespaces", "list /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
			"list /apis/rbac.authorization.k8s.io/v1/rolebindings"))
	})

	It("is given to 100 at once", func(ctx SpecContext) {
		create(ctx, "crowded", time.Time{}, 0, 0, "Unlicensed")
		var wg sync.WaitGroup
		answers := make([]answer, 100)
		errs := make([]error, len(answers))
		for i := range answers {
			wg.Go(func() { answers[i], errs[i] = call{token: reader, query: "product=crowded"}.do(ctx) })
		}
		wg.Wait()
		for i := range answers {
			Expect(errs[i]).NotTo(HaveOccurred())
			Expect(answers[i].code).To(Equal(http.StatusOK), answers[i].body)
		}
		decoded(answers[99].body)
	})

	It("survives callers that go half-way", func(ctx SpecContext) {
		address, err := url.Parse(replicas[0].ReportURL())
		Expect(err).NotTo(HaveOccurred())
		line := "GET /license/report?product=* HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + reader + "\r\n"
		for i := range 60 {
			connection, err := tls.Dial("tcp", address.Host, &tls.Config{InsecureSkipVerify: true})
			Expect(err).NotTo(HaveOccurred())
			switch i % 3 {
			case 0: // in the middle of the request
				_, err = io.WriteString(connection, line)
			case 1: // before the answer
				_, err = io.WriteString(connection, line+"\r\n")
			case 2: // in the middle of it
				_, err = io.WriteString(connection, line+"\r\n")
				Expect(err).NotTo(HaveOccurred())
				_, err = io.ReadFull(connection, make([]byte, 20))
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(connection.NetConn().Close()).To(Succeed())
		}
		Expect(get(ctx, call{token: reader, query: "product=*"}).code).To(Equal(http.StatusOK))
	})

	It("has no HTTP/2 to be flooded by", func() {
		address, err := url.Parse(replicas[0].ReportURL())
		Expect(err).NotTo(HaveOccurred())
		_, err = tls.Dial("tcp", address.Host, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		Expect(err).To(MatchError(ContainSubstring("no application protocol")))
		connection, err := tls.Dial("tcp", address.Host, &tls.Config{InsecureSkipVerify: true})
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = connection.Close() }() // the other side has closed it
		_, err = io.WriteString(connection, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		Expect(err).NotTo(HaveOccurred())
		said, err := io.ReadAll(connection)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(said)).To(HavePrefix("HTTP/1.1 "), "and no frame of HTTP/2")
	})

	It("bounds what a request may bring", func(ctx SpecContext) {
		got := get(ctx, call{token: reader, accept: strings.Repeat("a/b;q=0.1,", 1000)})
		Expect(got.code).To(Equal(http.StatusNotAcceptable))
		got = get(ctx, call{token: reader, query: "product=" + strings.Repeat("a", 10_000)})
		Expect(got.code).To(Equal(http.StatusNotFound))
		Expect(len(got.body)).To(BeNumerically("<", 1000))
		for _, size := range []int{30_000, 2 << 20} {
			got = get(ctx, call{token: reader, accept: strings.Repeat("a", size)})
			Expect(got.code).To(Equal(http.StatusRequestHeaderFieldsTooLarge))
			got = get(ctx, call{token: reader, query: "product=" + strings.Repeat("a", size)})
			Expect(got.code).To(Equal(http.StatusRequestHeaderFieldsTooLarge))
		}
	})

	It("says which field is missing where the operator lacks a right", func(ctx SpecContext) {
		role := &rbacv1.ClusterRole{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "license-operator-manager-role"}, role)).To(Succeed())
		full := role.DeepCopy()
		for i := range role.Rules {
			if len(role.Rules[i].APIGroups) == 1 && role.Rules[i].APIGroups[0] == rbacv1.GroupName {
				role.Rules[i].Verbs = []string{"get"}
			}
		}
		Expect(k8sClient.Update(ctx, role)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			full.ResourceVersion = role.ResourceVersion
			Expect(k8sClient.Update(ctx, full)).To(Succeed())
		})
		Eventually(func(g Gomega) {
			got, err := call{token: reader}.do(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			var r report.Report
			g.Expect(json.NewDecoder(bytes.NewBufferString(got.body)).Decode(&r)).To(Succeed())
			g.Expect(r.Warnings).
				To(Equal([]string{"rbac_users: missing, since the operator is not allowed to list rolebindings " +
					"and clusterrolebindings."}))
			g.Expect(r.RBACUsers).To(BeNil())
			g.Expect(r.WorkspacesCount).NotTo(BeNil())
		}).Should(Succeed(), "the API server hears of a role in its own time")
	})

	It("says that it has to be asked again while the API server is away, and then gives it again",
		func(ctx SpecContext) {
			reader := tokenOf(ctx, "patient", true)
			Expect(get(ctx, call{token: reader}).code).To(Equal(http.StatusOK),
				"the operator knows the caller, for a minute from now")
			Expect(plane.StopAPIServer()).To(Succeed())
			for range 20 {
				got := get(ctx, call{token: reader})
				Expect(got.code).To(Equal(http.StatusServiceUnavailable))
				Expect(got.header.Get("Retry-After")).To(Equal("5"))
				Expect(got.body).
					To(Equal("Failed to make the report: see the operator's log, then retry.\n"))
			}
			Expect(strings.Count(replicas[0].LogTail(100), "Failed to make license reports")).To(Equal(1))
			Expect(plane.StartAPIServer(ctx)).To(Succeed())
			Eventually(func(g Gomega) {
				got, err := call{token: reader}.do(ctx)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(got.code).To(Equal(http.StatusOK), got.body)
			}).Should(Succeed())
		})
})
