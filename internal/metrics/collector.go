// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics exports the statuses of products and keys to Prometheus.
package metrics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/usage"
)

// Collector computes the metrics of all products and keys from the cache at each scrape: no series outlives its object,
// and nothing has to be kept up to date. It is a manager.Runnable of the leader: two replicas would export every series
// twice.
type Collector struct {
	registerer prometheus.Registerer
	reader     client.Reader
	clock      *clock.Clock
}

// NewCollector returns a Collector that Start registers with registerer. The reader has to read from the cache.
func NewCollector(registerer prometheus.Registerer, reader client.Reader, operatorClock *clock.Clock) *Collector {
	return &Collector{registerer: registerer, reader: reader, clock: operatorClock}
}

// NeedLeaderElection makes the manager start it on the leader only.
func (*Collector) NeedLeaderElection() bool { return true }

// Start registers the collector until ctx ends. It fails if there are such metrics already.
func (c *Collector) Start(ctx context.Context) error {
	if err := c.registerer.Register(c); err != nil {
		return fmt.Errorf("registering the metrics of licenses: %w", err)
	}
	defer c.registerer.Unregister(c)
	<-ctx.Done()
	return nil
}

// Collect implements prometheus.Collector. It makes no requests: it reads the cache, and does not change its objects.
// If the cache cannot be read the scrape fails, so that no series seems to have ended.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	ctx := context.Background()
	var keys api.LicenseKeyList
	if err := c.reader.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
		metrics <- prometheus.NewInvalidMetric(keyStateDesc, fmt.Errorf("listing LicenseKeys in the cache: %w", err))
		return
	}
	var products api.LicensedProductList
	if err := c.reader.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		metrics <- prometheus.NewInvalidMetric(stateDesc, fmt.Errorf("listing LicensedProducts in the cache: %w", err))
		return
	}
	e := emitter(metrics)
	named := make(map[string]*api.LicenseKey, len(keys.Items))
	for _, key := range byName(keys.Items, func(key *api.LicenseKey) string { return key.Name }) {
		named[key.Name] = key
		e.key(key)
	}
	reading := c.clock.Read()
	for _, product := range byName(products.Items, func(product *api.LicensedProduct) string { return product.Name }) {
		e.product(product, named[product.Status.ActiveLicenseKeyName], license.ResolveTime(reading, product).Now)
	}
}

// byName returns pointers to items, sorted by name: a registry sorts all samples, which is much faster if they are
// sorted already.
func byName[T any](items []T, name func(*T) string) []*T {
	sorted := make([]*T, len(items))
	for i := range items {
		sorted[i] = &items[i]
	}
	slices.SortFunc(sorted, func(a, b *T) int { return strings.Compare(name(a), name(b)) })
	return sorted
}

// emitter sends samples.
type emitter chan<- prometheus.Metric

func (e emitter) gauge(desc *prometheus.Desc, value float64, of labels) {
	e <- &sample{desc: desc, value: value, labels: of}
}

func (e emitter) time(desc *prometheus.Desc, t *metav1.Time, of labels) {
	if t != nil {
		e.gauge(desc, float64(t.Unix()), of)
	}
}

func (e emitter) key(key *api.LicenseKey) {
	name, product := label(licenseKeyLabel, key.Name), label(productLabel, key.Spec.ProductName)
	for _, state := range keyStates {
		e.gauge(keyStateDesc, oneIf(key.Status.State == state), labels{name, product, stateLabels[string(state)]})
	}
}

// product sends the samples of a product with this active key; nil if it has none.
func (e emitter) product(product *api.LicensedProduct, key *api.LicenseKey, now time.Time) {
	status, name := &product.Status, label(productLabel, product.Name)
	for _, state := range productStates {
		e.gauge(stateDesc, oneIf(status.State == state), labels{name, stateLabels[string(state)]})
	}
	if status.State == "" {
		return // The product has not been evaluated yet: fields that are absent mean nothing.
	}
	if status.ActiveLicenseKeyName != "" {
		e.activeKey(product, key, now, labels{label(licenseKeyLabel, status.ActiveLicenseKeyName), name})
	}
	of := labels{name}
	for i := range counts {
		e.count(&counts[i], usage.AmountOf(status, counts[i].Name), of)
	}
	e.time(coverageEndDesc, status.CoverageEndTime, of)
	e.restriction(status.Restriction, of)
	e.gauge(clockSkewedDesc, oneIf(meta.IsStatusConditionTrue(status.Conditions, api.ConditionClockSkewed)), of)
}

func (e emitter) activeKey(product *api.LicensedProduct, key *api.LicenseKey, now time.Time, of labels) {
	status := &product.Status
	e.time(expirationDesc, status.ExpiryTime, of)
	e.time(graceEndDesc, status.GraceEndTime, of)
	if status.ExpiryTime != nil {
		e.gauge(numberOfDaysDesc, daysBetween(now, status.ExpiryTime.Time), of)
	}
	// The product's status may be older than the key's: the key may be gone or invalid by now.
	if key != nil && key.Spec.ProductName == product.Name && key.Status.LicenseID != "" {
		e.gauge(infoDesc, 1,
			append(labels{label(customerLabel, key.Status.Customer), label(licenseIDLabel, key.Status.LicenseID)},
				of...))
	}
}

// restriction sends the samples of a product's restriction. Without one they are 0 and not absent, so that alerts end
// at once.
func (e emitter) restriction(status *api.RestrictionStatus, of labels) {
	var tiers, bypasses float64
	if status != nil {
		e.time(restrictionEffectiveDesc, status.EffectiveTime, of)
		if status.InForce != nil {
			tiers = float64(len(status.InForce.Tiers))
		}
		if status.Bypasses != nil {
			bypasses = float64(status.Bypasses.Total)
		}
	}
	e.gauge(restrictedTiersDesc, tiers, of)
	e.gauge(restrictionBypassesDesc, bypasses, of)
}

func (e emitter) count(descs *countDescs, amount usage.Amount, of labels) {
	if amount.Used != nil {
		e.gauge(descs.used, float64(*amount.Used), of)
	}
	if amount.Limit != nil {
		e.gauge(descs.limit, float64(*amount.Limit), of)
	}
	if amount.Used != nil && amount.Limit != nil {
		e.gauge(descs.available, float64(*amount.Limit)-float64(*amount.Used), of)
	}
}

func daysBetween(from, to time.Time) float64 {
	const secondsPerDay = 24 * 60 * 60
	return (float64(to.Unix()-from.Unix()) + float64(to.Nanosecond()-from.Nanosecond())/1e9) / secondsPerDay
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
