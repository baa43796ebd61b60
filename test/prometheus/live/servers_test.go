// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/license-operator/license-operator/test/controlplane"
)

// server is Prometheus or Alertmanager. It ends with the control plane.
type server struct {
	address string
	process *controlplane.Process
}

func startServer(name string, args ...string) *server {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	s := &server{address: listener.Addr().String()}
	Expect(listener.Close()).To(Succeed())
	s.process, err = plane.StartProcess(controlplane.ProcessOptions{
		Name: name, Path: asset(name), Args: append(args, "--web.listen-address="+s.address), Log: GinkgoWriter,
	})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func(g Gomega) {
		g.Expect(s.process.Done()).NotTo(BeClosed(), "%s ended:\n%s", name, s.process.LogTail(10))
		response, err := http.Get("http://" + s.address + "/-/ready")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(response.Body.Close()).To(Succeed())
		g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	}, "30s").Should(Succeed(), "%s gets ready", name)
	return s
}

// get reads what a path of the server's API answers.
func (s *server) get(ctx context.Context, g Gomega, path string, into any) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	body, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.Body.Close()).To(Succeed())
	g.Expect(response.StatusCode).To(Equal(http.StatusOK), "%s: %s", path, body)
	g.Expect(json.Unmarshal(body, into)).To(Succeed(), "%s: %s", path, body)
}

// query is the value of the one series that an expression of PromQL yields now; empty: it yields none.
func query(ctx context.Context, prometheus *server, expression string) func(Gomega) string {
	return func(g Gomega) string {
		var answer struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		prometheus.get(ctx, g, "/api/v1/query?query="+url.QueryEscape(expression), &answer)
		g.Expect(len(answer.Data.Result)).To(BeNumerically("<=", 1), "series of %s", expression)
		if len(answer.Data.Result) == 0 {
			return ""
		}
		return fmt.Sprint(answer.Data.Result[0].Value[1])
	}
}

// alert is one as Prometheus, Alertmanager and its webhooks tell of it.
type alert struct {
	Labels, Annotations map[string]string
	// State in Prometheus: pending, firing.
	State string
	// Status in a webhook: firing, resolved.
	Status string
}

func (a alert) String() string {
	return strings.Join([]string{a.Labels["alertname"], a.Labels["severity"], a.Labels["product"], a.State}, " ")
}

// alertsIn are those in Prometheus, firing and pending: name, severity, product, state.
func alertsIn(ctx context.Context, prometheus *server) func(Gomega) []string {
	return func(g Gomega) []string {
		var answer struct{ Data struct{ Alerts []alert } }
		prometheus.get(ctx, g, "/api/v1/alerts", &answer)
		all := []string{}
		for _, a := range answer.Data.Alerts {
			all = append(all, a.String())
		}
		return all
	}
}

// alertsAt are those of a product that are active at Alertmanager.
func alertsAt(ctx context.Context, alertmanager *server, name, product string) func(Gomega) []alert {
	return func(g Gomega) []alert {
		var all []alert
		filter := url.Values{
			"filter": {fmt.Sprintf("alertname=%q", name), fmt.Sprintf("product=%q", product)},
			"active": {"true"},
		}
		// Its status is an object here, which we do not look at.
		var answer []struct{ Labels, Annotations map[string]string }
		alertmanager.get(ctx, g, "/api/v2/alerts?"+filter.Encode(), &answer)
		for _, a := range answer {
			all = append(all, alert{Labels: a.Labels, Annotations: a.Annotations})
		}
		return all
	}
}

// inbox receives what Alertmanager sends, by receiver.
type inbox struct {
	*httptest.Server
	mu       sync.Mutex
	received map[string][]alert
}

func startInbox() *inbox {
	i := &inbox{received: map[string][]alert{}}
	i.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Alerts []alert }
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(GinkgoWriter, "%s: %s\n", r.URL.Path, body)
		if json.Unmarshal(body, &message) != nil {
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		receiver := filepath.Base(r.URL.Path)
		i.received[receiver] = append(i.received[receiver], message.Alerts...)
	}))
	DeferCleanup(i.Close)
	return i
}

// of is what a receiver got so far: status, name, product.
func (i *inbox) of(receiver string) func() []string {
	return func() []string {
		i.mu.Lock()
		defer i.mu.Unlock()
		all := []string{}
		for _, a := range i.received[receiver] {
			all = append(all, strings.Join([]string{a.Status, a.Labels["alertname"], a.Labels["product"]}, " "))
		}
		return all
	}
}

// operatorLog is what the operator logs.
type operatorLog struct {
	mu      sync.Mutex
	content bytes.Buffer
}

// Write implements io.Writer.
func (l *operatorLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	GinkgoWriter.Write(p) //nolint:errcheck // it only shows it
	return l.content.Write(p)
}

// lines are those so far.
func (l *operatorLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.content.String(), "\n"), "\n")
}
