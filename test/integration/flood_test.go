// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/license-operator/license-operator/test/controlplane"
)

// Anybody in the cluster reaches the operator's ports. An unknown caller costs little and delays no one.
var _ = Describe("Floods of connections", Ordered, ContinueOnFailure, func() {
	const (
		crowd  = 200
		maxRSS = 64 << 20
		// closedWithin is more than the times for the handshake and the headers together.
		closedWithin = 15 * time.Second
	)
	var (
		manager *controlplane.Manager
		token   string
		// The certificate is the operator's own.
		trusting = &tls.Config{InsecureSkipVerify: true}
		scraper  = &http.Client{
			Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: trusting, DisableKeepAlives: true},
		}
	)

	get := func(ctx context.Context, address string) {
		GinkgoHelper()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Authorization", "Bearer "+token)
		start := time.Now()
		response, err := scraper.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close() //nolint:errcheck // nothing was written
		_, err = io.Copy(io.Discard, response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(response.StatusCode).To(Equal(http.StatusOK))
		GinkgoWriter.Printf("%s answered in %s\n", address, time.Since(start))
	}
	// open has a crowd connect at once, and send a text each as far as the other end takes it.
	open := func(ctx context.Context, address string, secure bool, text string) []net.Conn {
		GinkgoHelper()
		u, err := url.Parse(address)
		Expect(err).NotTo(HaveOccurred())
		conns := make([]net.Conn, crowd)
		var callers sync.WaitGroup
		for i := range conns {
			conns[i], err = (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func() { _ = conns[i].Close() })
			Expect(conns[i].SetDeadline(time.Now().Add(closedWithin))).To(Succeed())
			if secure {
				conns[i] = tls.Client(conns[i], trusting)
			}
			callers.Go(func() { _, _ = io.WriteString(conns[i], text) })
		}
		callers.Wait()
		return conns
	}
	stillOpen := func(conns []net.Conn) (count int) {
		var mu sync.Mutex
		var callers sync.WaitGroup
		for _, c := range conns {
			Expect(c.SetDeadline(time.Now().Add(closedWithin))).To(Succeed())
			callers.Go(func() {
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					mu.Lock()
					defer mu.Unlock()
					count++
				}
			})
		}
		callers.Wait()
		return count
	}

	BeforeAll(func(ctx SpecContext) {
		manager = startStandby(ctx, GinkgoWriter)
		var err error
		token, err = plane.ScraperToken(ctx, true)
		Expect(err).NotTo(HaveOccurred())
		get(ctx, manager.MetricsURL())
	})
	AfterEach(func() {
		now, errNow := manager.RSS()
		peak, errPeak := manager.PeakRSS()
		Expect(errors.Join(errNow, errPeak)).To(Succeed())
		GinkgoWriter.Printf("resident: %d MiB, at most %d MiB\n", now>>20, peak>>20)
		Expect(peak).To(BeNumerically("<", maxRSS))
	})

	const (
		headers = "GET /metrics HTTP/1.1\r\nHost: operator\r\n"
		noBody  = "POST /metrics HTTP/1.1\r\nHost: operator\r\nContent-Length: 100000\r\n\r\n"
	)
	endless := headers + strings.Repeat("X-Flood-Header: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", 1<<20/42)
	// hello begins a TLS handshake of 64 KiB and does not end it.
	record := "\x16\x03\x01\x40\x00"
	hello := record + "\x01\x00\xff\xff" + strings.Repeat("a", 0x4000-4) +
		strings.Repeat(record+strings.Repeat("a", 0x4000), 2)
	metrics := func() string { return manager.MetricsURL() }
	probes := func() string { return manager.HealthURL() + "healthz" }
	DescribeTable("end soon, cost little memory and delay no scrape",
		func(ctx SpecContext, address func() string, secure bool, text string) {
			conns := open(ctx, address(), secure, text)
			get(ctx, address())
			Expect(stillOpen(conns)).To(BeZero())
		},
		Entry("metrics: silence", metrics, false, ""),
		Entry("metrics: silence after the handshake", metrics, true, ""),
		Entry("metrics: an endless handshake", metrics, false, hello),
		Entry("metrics: endless headers", metrics, true, endless),
		Entry("metrics: headers that stop", metrics, true, headers),
		Entry("metrics: bodies that never come", metrics, true, noBody),
		Entry("metrics: idle connections", metrics, true, headers+"\r\n"),
		Entry("probes: silence", probes, false, ""),
		Entry("probes: endless headers", probes, false, endless),
		Entry("probes: bodies that never come", probes, false, noBody),
	)

	It("neither do all of them at once", func(ctx SpecContext) {
		var conns []net.Conn
		for _, text := range []string{"", endless, headers, noBody} {
			conns = append(conns, open(ctx, manager.MetricsURL(), true, text)...)
		}
		get(ctx, manager.MetricsURL())
		Expect(stillOpen(conns)).To(BeZero())
	})
})
