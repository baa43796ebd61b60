// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/metrics"
)

// listed hands out objects as the cache does that copies nothing.
type listed struct {
	client.Reader

	products []api.LicensedProduct
	keys     []api.LicenseKey
}

func (l *listed) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *api.LicensedProductList:
		list.Items = l.products
	case *api.LicenseKeyList:
		list.Items = l.keys
	default:
		return errors.New("not expected")
	}
	return nil
}

// BenchmarkScrape is of 1,000 products and 1,000 keys with every metric, compressed, over TLS and without
// authentication.
func BenchmarkScrape(b *testing.B) {
	const n = 1000
	reader := &listed{}
	at := func(days int) *metav1.Time {
		return new(metav1.NewTime(time.Date(2027, 1, days, 0, 0, 0, 0, time.UTC)))
	}
	for i := range n {
		product := api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("product-%04d", i)}}
		key := api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("key-%04d", i)},
			Spec:       api.LicenseKeySpec{ProductName: product.Name},
			Status: api.LicenseKeyStatus{
				State: api.LicenseKeyValid, LicenseID: fmt.Sprintf("L-%04d", i),
				Customer: "Example GmbH",
			},
		}
		product.Status = api.LicensedProductStatus{
			State: api.LicensedProductValid, ActiveLicenseKeyName: key.Name,
			ExpiryTime: at(1), GraceEndTime: at(8), CoverageEndTime: at(8),
			Restriction: &api.RestrictionStatus{EffectiveTime: at(8)},
			Usage:       []api.Usage{{Name: "cores", Value: new(int64(800))}, {Name: "nodes", Value: new(int64(50))}},
			Limits:      []api.Limit{{Name: "cores", Value: new(int64(1600))}, {Name: "nodes", Value: new(int64(100))}},
		}
		reader.products, reader.keys = append(reader.products, product), append(reader.keys, key)
	}
	// The cache has no order.
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(n, func(i, j int) {
		reader.products[i], reader.products[j] = reader.products[j],
			reader.products[i]
	})
	random.Shuffle(n, func(i, j int) { reader.keys[i], reader.keys[j] = reader.keys[j], reader.keys[i] })
	collector := metrics.NewCollector(prometheus.NewRegistry(), reader, clock.New(clock.Machine()))
	if got := testutil.CollectAndCount(collector); got != 24*n {
		b.Fatalf("got %d series, want %d", got, 24*n)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	server := httptest.NewTLSServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	b.Cleanup(server.Close)
	for _, format := range []struct{ name, accept string }{
		{"text", "text/plain;version=0.0.4"},
		{"protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"},
	} {
		b.Run(format.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				scrape(b, server, format.accept)
			}
		})
	}
}

func scrape(b *testing.B, server *httptest.Server, accept string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := server.Client().Do(request)
	if err != nil {
		b.Fatal(err)
	}
	size, err := io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || size == 0 {
		b.Fatalf("got %s, %d bytes, %v", response.Status, size, err)
	}
}
