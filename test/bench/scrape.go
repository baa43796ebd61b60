// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	scrapes      = 50
	scrapeEvery  = 100 * time.Millisecond
	scrapeTarget = 50 * time.Millisecond
	// seriesEach is how many series a product and its key have together, where both nodes and cores are limited.
	seriesEach = 24
	// scrapedNodes are enough for every product to have something in use.
	scrapedNodes = 10
)

// What Prometheus says that it accepts, as of its release 2.42 and 3, the latter also with native histograms.
const (
	acceptV2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
		"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	acceptV3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5," +
		"application/openmetrics-text;version=0.0.1;q=0.4," +
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
	acceptV3Protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;" +
		"encoding=delimited;q=0.6," + acceptV3
)

// scraper scrapes the operator as Prometheus does: over TLS, with a bearer token, compressed, on a connection that it
// keeps.
type scraper struct {
	client     *http.Client
	url, token string
	// largest is the room that a body needs, as far as that is known.
	largest int
}

func newScraper(
	ctx context.Context, plane *controlplane.ControlPlane, manager *controlplane.Manager,
) (*scraper, error) {
	token, err := plane.ScraperToken(ctx, true)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // its certificate is its own
		ForceAttemptHTTP2:  true,
		DisableCompression: true, // to see what goes over the wire
	}
	return &scraper{client: &http.Client{Transport: transport}, url: manager.MetricsURL(), token: token}, nil
}

// scraped is what a scrape brought.
type scraped struct {
	took        time.Duration
	wire        int64
	contentType string
	body        string
}

func (s *scraper) scrape(ctx context.Context, accept string) (*scraped, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", "gzip")
	request.Header.Set("Authorization", "Bearer "+s.token)
	start := time.Now()
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("scraping %s: %s: %s", s.url, response.Status, text)
	}
	wire := &counter{from: response.Body}
	var content io.Reader = wire
	if response.Header.Get("Content-Encoding") == "gzip" {
		if content, err = gzip.NewReader(wire); err != nil {
			return nil, err
		}
	}
	var body bytes.Buffer
	body.Grow(s.largest)
	if _, err := body.ReadFrom(content); err != nil {
		return nil, err
	}
	took := time.Since(start)
	s.largest = max(s.largest, body.Len()+bytes.MinRead)
	return &scraped{
		took: took, wire: wire.bytes, contentType: response.Header.Get("Content-Type"),
		body: body.String(),
	}, nil
}

// counter counts what is read.
type counter struct {
	from  io.Reader
	bytes int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.bytes += int64(n)
	return n, err
}

// values are those of a metric in the text format, by its labels as they are written there.
func (s *scraped) values(metric string) map[string]float64 {
	found := map[string]float64{}
	for line := range strings.Lines(s.body) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), metric+"{")
		if !ok {
			continue
		}
		if end := strings.LastIndex(rest, "} "); end >= 0 {
			if value, err := strconv.ParseFloat(rest[end+2:], 64); err == nil {
				found[rest[:end]] = value
			}
		}
	}
	return found
}

// value is that of a metric without labels in the text format.
func (s *scraped) value(metric string) (value float64, isThere bool) {
	for line := range strings.Lines(s.body) {
		if rest, ok := strings.CutPrefix(line, metric+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return value, err == nil
		}
	}
	return 0, false
}

// series counts those in the text format whose metrics' names begin with prefix.
func (s *scraped) series(prefix string) int {
	n := 0
	for line := range strings.Lines(s.body) {
		if strings.HasPrefix(line, prefix) && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}

// scrapeResult is what was measured of scrapes.
type scrapeResult struct {
	title string
	// all is the number of series of a scrape, licenses that of those that the operator itself defines.
	all, licenses int
	formats       []scrapedFormat
	during        span
	audit         []controlplane.AuditEvent
	before, after memory
	// cpu is how long the manager kept a core busy during all scrapes.
	cpu time.Duration
}

// scrapedFormat is what was measured of the scrapes that accept the same.
type scrapedFormat struct {
	name, accept string
	last         *scraped
	// took is how long the scrapes took, in order.
	took []time.Duration
}

// benchScrape scrapes the operator, which has as many products as keys, and prints how long that takes.
func benchScrape(ctx context.Context, s settings, binary string, out io.Writer) error {
	r := &scrapeResult{
		title: fmt.Sprintf("%d scrapes of %s products and as many keys", scrapes, number(s.keys)),
		formats: []scrapedFormat{
			{name: "as Prometheus 2.42", accept: acceptV2},
			{name: "as Prometheus 3", accept: acceptV3},
			{name: "as Prometheus 3, native histograms", accept: acceptV3Protobuf},
		},
	}
	return withOperator(ctx, binary,
		r.title, func(plane *controlplane.ControlPlane, manager *controlplane.Manager) error {
			if err := r.measure(ctx, s, plane, manager); err != nil {
				return err
			}
			return r.print(out)
		})
}

func (r *scrapeResult) measure(
	ctx context.Context, s settings, plane *controlplane.ControlPlane, manager *controlplane.Manager,
) error {
	c, err := plane.NewClient()
	if err != nil {
		return err
	}
	say("%s: applying them", r.title)
	if err := applyFor(ctx, c, s.keys); err != nil {
		return err
	}
	from, err := newScraper(ctx, plane, manager)
	if err != nil {
		return err
	}
	// This also warms what the operator remembers: that a token is good for a minute, and that its bearer may scrape
	// for five.
	if err := r.awaitSeries(ctx, from, s.keys); err != nil {
		return err
	}
	if r.before, err = memoryOf(manager); err != nil {
		return err
	}
	cpuBefore, err := manager.CPUTime()
	if err != nil {
		return err
	}
	say("%s: scraping", r.title)
	r.during.from = time.Now()
	for i := range r.formats {
		if err := r.formats[i].measure(ctx, from); err != nil {
			return err
		}
	}
	r.during.to = time.Now()
	cpuAfter, err := manager.CPUTime()
	if err != nil {
		return err
	}
	r.cpu = cpuAfter - cpuBefore
	if r.after, err = memoryOf(manager); err != nil {
		return err
	}
	r.audit, err = plane.AuditEvents()
	return err
}

// applyFor creates nodes, products, and for each of these a key that limits both nodes and cores.
func applyFor(ctx context.Context, c client.Client, products int) error {
	if err := createNodes(ctx, c, 0, scrapedNodes, creators); err != nil {
		return err
	}
	v, err := newVendor(time.Now())
	if err != nil {
		return err
	}
	p := &population{keys: products, products: products}
	if err := p.createProducts(ctx, c, v); err != nil {
		return err
	}
	err = atOnce(ctx, products, func(ctx context.Context, i int) error {
		return createLimitedKey(ctx, c, v, keyNamed(i).name, p.productOf(i).name)
	})
	if err != nil {
		return fmt.Errorf("creating keys: %w", err)
	}
	return nil
}

// createLimitedKey creates a key that does not expire during the run.
func createLimitedKey(ctx context.Context, c client.Client, v *vendor, name, product string) error {
	issued := time.Now().UTC().Truncate(time.Second)
	claims := v.claims(name, product, issued, issued.AddDate(1, 0, 0), 30*24*time.Hour)
	claims.Limits = map[string]int64{api.UsageNodes: 10_000, api.UsageCores: 200_000}
	jws, err := v.signer.Sign(claims)
	if err != nil {
		return err
	}
	return c.Create(ctx, &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       api.LicenseKeySpec{ProductName: product, Token: jws},
	})
}

// awaitSeries scrapes until all series are there.
func (r *scrapeResult) awaitSeries(ctx context.Context, from *scraper, products int) error {
	for deadline := time.Now().Add(patience); ; {
		got, err := from.scrape(ctx, acceptV2)
		if err != nil {
			return err
		}
		r.all, r.licenses = got.series(""), got.series("license_")
		valid := 0
		for labels, value := range got.values("license_state") {
			if strings.Contains(labels, `state="Valid"`) && value == 1 {
				valid++
			}
		}
		switch {
		case r.licenses == seriesEach*products && valid == products:
			return pause(ctx, settle)
		case time.Now().After(deadline):
			return fmt.Errorf("of %d products %d are valid, and there are %d series where %d are due", products, valid,
				r.licenses, seriesEach*products)
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (f *scrapedFormat) measure(ctx context.Context, from *scraper) error {
	for range scrapes {
		if err := pause(ctx, scrapeEvery); err != nil {
			return err
		}
		var err error
		if f.last, err = from.scrape(ctx, f.accept); err != nil {
			return err
		}
		f.took = append(f.took, f.last.took)
	}
	slices.Sort(f.took)
	return nil
}

func (r *scrapeResult) print(out io.Writer) error {
	rows := [][]string{{"", "median", "p99", "bytes on the wire", "bytes", "answered with", "target"}}
	for _, f := range r.formats {
		answer, _, _ := strings.Cut(f.last.contentType, ";")
		target := ""
		if strings.HasPrefix(answer, "text/plain") {
			p99 := percentile(f.took, 99)
			target = verdict("p99 < "+milliseconds(scrapeTarget), p99 < scrapeTarget)
		}
		rows = append(rows, []string{
			f.name, tenths(percentile(f.took, 50)), tenths(percentile(f.took, 99)),
			number(f.last.wire), number(len(f.last.body)), answer, target,
		})
	}
	title := fmt.Sprintf("%s: %s series, %s of them of licenses", r.title, number(r.all), number(r.licenses))
	return errors.Join(table(out, title, rows...), r.printRequests(out))
}

func (r *scrapeResult) printRequests(out io.Writer) error {
	during := requestsDuring(r.audit, r.during)
	reviews := 0
	during.others = slices.DeleteFunc(during.others, func(e controlplane.AuditEvent) bool {
		if e.Resource != "tokenreviews" && e.Resource != "subjectaccessreviews" {
			return false
		}
		reviews++
		return true
	})
	for _, e := range during.others {
		say("%s: while scraping: %s %s", r.title, e.Verb, e.Path)
	}
	return table(out,
		fmt.Sprintf("%s: the operator during the %.0f s of all %d scrapes", r.title,
			r.during.to.Sub(r.during.from).Seconds(), scrapes*len(r.formats)),
		[]string{"", "measured", "target"},
		[]string{"requests to renew the lease", number(during.leases), ""},
		[]string{"watch (re)connections", number(during.watches), ""},
		[]string{
			"reviews of the scraper's token and rights, remembered since before for 1 and 5 minutes",
			number(reviews), "",
		},
		[]string{"any other request", number(len(during.others)), verdict("0", len(during.others) == 0)},
		[]string{"CPU time of the manager, each scrape", tenths(r.cpu / time.Duration(scrapes*len(r.formats))), ""},
		[]string{"RSS before, after", megabytes(r.before.all) + ", " + megabytes(r.after.all), ""},
	)
}

func tenths(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
