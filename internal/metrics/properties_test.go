// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/metrics"
)

// drawText is any bytes: what comes from outside need not be UTF-8.
func drawText(t *rapid.T, label string) string {
	return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, label))
}

func drawInstant(t *rapid.T, label string) *metav1.Time {
	if rapid.Bool().Draw(t, "no "+label) {
		return nil
	}
	return at(time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, label), 0).UTC())
}

func drawValue(t *rapid.T) *int64 {
	if rapid.Bool().Draw(t, "no value") {
		return nil
	}
	return new(rapid.Int64().Draw(t, "value"))
}

// drawName is one of few, so that they coincide often.
func drawName(t *rapid.T, label string) string {
	return rapid.SampledFrom([]string{"", "nodes", "cores", "seats"}).Draw(t, label)
}

func drawProduct(t *rapid.T, i int) api.LicensedProduct {
	status := api.LicensedProductStatus{
		State: rapid.SampledFrom([]api.LicensedProductState{
			"", "Unheard", api.LicensedProductUnlicensed, api.LicensedProductValid, api.LicensedProductGracePeriod,
			api.LicensedProductExpired,
		}).Draw(t, "product state"),
		ActiveLicenseKeyName: rapid.SampledFrom([]string{"", "key-0", "key-1", "key-9"}).Draw(t, "active key"),
		ExpiryTime:           drawInstant(t, "expiry"),
		GraceEndTime:         drawInstant(t, "grace end"),
		CoverageEndTime:      drawInstant(t, "coverage end"),
		TimeMark:             drawInstant(t, "mark"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "usages") {
		status.Usage = append(status.Usage, api.Usage{Name: drawName(t, "used"), Value: drawValue(t)})
	}
	for range rapid.IntRange(0, 3).Draw(t, "limits") {
		status.Limits = append(status.Limits, api.Limit{Name: drawName(t, "limited"), Value: drawValue(t)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		status.Conditions = append(status.Conditions,
			metav1.Condition{Type: api.ConditionClockSkewed, Status: metav1.ConditionStatus(drawText(t, "condition"))})
	}
	if rapid.Bool().Draw(t, "restriction") {
		status.Restriction = &api.RestrictionStatus{EffectiveTime: drawInstant(t, "effective")}
		if rapid.Bool().Draw(t, "in force") {
			status.Restriction.InForce = inForce(make([]string, rapid.IntRange(0, 3).Draw(t, "tiers"))...)
		}
		if rapid.Bool().Draw(t, "bypasses") {
			status.Restriction.Bypasses = &api.RestrictionBypasses{Total: rapid.Int32().Draw(t, "total")}
		}
	}
	return *product(fmt.Sprintf("product-%d", i), status)
}

func drawKey(t *rapid.T, i int) api.LicenseKey {
	return *key(fmt.Sprintf("key-%d", i), fmt.Sprintf("product-%d", rapid.IntRange(0, 4).Draw(t, "product")),
		api.LicenseKeyStatus{
			State: rapid.SampledFrom([]api.LicenseKeyState{
				"", "Unheard", api.LicenseKeyInvalid, api.LicenseKeyNotYetValid, api.LicenseKeyValid,
				api.LicenseKeyGracePeriod, api.LicenseKeyExpired,
			}).Draw(t, "key state"),
			LicenseID: drawText(t, "license id"),
			Customer:  drawText(t, "customer"),
		})
}

// drawObjects is any objects in any order.
func drawObjects(t *rapid.T) *listed {
	drawn := &listed{}
	for _, i := range rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "products")[:rapid.IntRange(0, 4).Draw(t,
		"product count")] {
		drawn.products = append(drawn.products, drawProduct(t, i))
	}
	for _, i := range rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "keys")[:rapid.IntRange(0, 4).Draw(t, "key count")] {
		drawn.keys = append(drawn.keys, drawKey(t, i))
	}
	return drawn
}

// states are the values of a metric that has a label state, by the object that it is of.
func states(families []*dto.MetricFamily, metric, objectLabel string) map[string]map[string]float64 {
	found := map[string]map[string]float64{}
	for _, family := range families {
		for _, sample := range family.GetMetric() {
			if family.GetName() != metric {
				continue
			}
			labels := map[string]string{}
			for _, label := range sample.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if found[labels[objectLabel]] == nil {
				found[labels[objectLabel]] = map[string]float64{}
			}
			found[labels[objectLabel]][labels["state"]] = sample.GetGauge().GetValue()
		}
	}
	return found
}

// Whatever is in the cache: a scrape succeeds, has no series twice, changes no object, and each object is 1 in the
// state it has and 0 in all others, which are there always.
func TestStatesWhateverThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := drawObjects(t)
		before := &listed{}
		wantProducts, wantKeys := map[string]map[string]float64{}, map[string]map[string]float64{}
		for _, p := range objects.products {
			before.products = append(before.products, *p.DeepCopy())
			wantProducts[p.Name] = oneOf(string(p.Status.State), "Unlicensed", "Valid", "GracePeriod", "Expired")
		}
		for _, k := range objects.keys {
			before.keys = append(before.keys, *k.DeepCopy())
			wantKeys[k.Name] = oneOf(string(k.Status.State), "Invalid", "NotYetValid", "Valid", "GracePeriod",
				"Expired")
		}

		// A pedantic registry fails where a series is there twice, or not as it was described.
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(metrics.NewCollector(registry, objects, clockAt(drawClock(t))))
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantProducts, states(families, "license_state", "product")); diff != "" {
			t.Errorf("states of products (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantKeys, states(families, "license_key_state", "license_key")); diff != "" {
			t.Errorf("states of keys (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, objects, cmp.AllowUnexported(listed{})); diff != "" {
			t.Errorf("the objects in the cache were changed (-before +after):\n%s", diff)
		}
	})
}

func drawClock(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "clock"), 0).UTC()
}

func oneOf(one string, all ...string) map[string]float64 {
	values := map[string]float64{}
	for _, state := range all {
		values[state] = 0
	}
	if _, known := values[one]; known {
		values[one] = 1
	}
	return values
}
