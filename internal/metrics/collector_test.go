// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/metrics"
)

var (
	now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	// expiry is 39.5 days after now, 1798761600 seconds after the epoch.
	expiry = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	// graceEnd is 1801353600 seconds after the epoch.
	graceEnd = expiry.AddDate(0, 0, 30)
)

func at(t time.Time) *metav1.Time { return new(metav1.NewTime(t)) }

func clockAt(t time.Time) *clock.Clock {
	return clock.New(func() clock.Sample { return clock.Sample{Wall: t} })
}

func product(name string, status api.LicensedProductStatus) *api.LicensedProduct {
	return &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: status}
}

func key(name, product string, status api.LicenseKeyStatus) *api.LicenseKey {
	return &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: api.LicenseKeySpec{ProductName: product},
		Status: status,
	}
}

// licensed is the status of a product with an active key of that name.
func licensed(state api.LicensedProductState, keyName string) api.LicensedProductStatus {
	return api.LicensedProductStatus{
		State: state, ActiveLicenseKeyName: keyName,
		ExpiryTime: at(expiry), GraceEndTime: at(graceEnd), CoverageEndTime: at(graceEnd),
		Restriction: &api.RestrictionStatus{EffectiveTime: at(graceEnd)},
	}
}

func verified(state api.LicenseKeyState) api.LicenseKeyStatus {
	return api.LicenseKeyStatus{
		State: state, LicenseID: "A-1", Customer: "Example GmbH", ExpiryTime: at(expiry),
		GraceEndTime: at(graceEnd),
	}
}

func limit(name string, value int64) api.Limit { return api.Limit{Name: name, Value: &value} }
func usage(name string, value int64) api.Usage { return api.Usage{Name: name, Value: &value} }

// inForce is a restriction that is in force in these tiers.
func inForce(tiers ...string) *api.RestrictionInForce {
	restriction := &api.RestrictionInForce{Mode: api.RestrictionDefaultTierOnly, SinceTime: at(graceEnd)}
	for _, tier := range tiers {
		restriction.Tiers = append(restriction.Tiers,
			api.RestrictedTier{Name: tier, Mode: api.RestrictionDefaultTierOnly})
	}
	return restriction
}

func inMemory(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// exposition is what a scrape tells. The registry is one that fails where a sample is not as it was described, or is
// there twice.
func exposition(t *testing.T, collector prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// series are the lines of an exposition but the comments.
func series(exposition string) []string {
	return slices.DeleteFunc(strings.Split(exposition, "\n"), func(line string) bool {
		return line == "" ||
			strings.HasPrefix(line, "#")
	})
}

func TestCollect(t *testing.T) {
	// long has 256 bytes, as many as status.customer may have.
	long := strings.Repeat("世界", 42) + "1234"
	for name, test := range map[string]struct {
		objects []client.Object
		clock   time.Time
		want    string
	}{
		"no objects": {},
		"not looked at yet": {
			objects: []client.Object{
				product("mesh", api.LicensedProductStatus{ObservedGeneration: -1}),
				key("mesh-2026", "mesh", api.LicenseKeyStatus{ObservedGeneration: -1}),
			},
			want: `
license_key_state{license_key="mesh-2026",product="mesh",state="Expired"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="GracePeriod"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Invalid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Valid"} 0
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 0
`,
		},
		"product without a key": {
			objects: []client.Object{product("mesh", api.LicensedProductStatus{
				State:       api.LicensedProductUnlicensed,
				Restriction: &api.RestrictionStatus{EffectiveTime: at(graceEnd)},
				Usage:       []api.Usage{usage("cores", 12), usage("nodes", 3)},
			})},
			want: `
license_clock_skewed{product="mesh"} 0
license_cores_used{product="mesh"} 12
license_nodes_used{product="mesh"} 3
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_restriction_effective_timestamp_seconds{product="mesh"} 1.8013536e+09
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 1
license_state{product="mesh",state="Valid"} 0
`,
		},
		"valid": {
			objects: []client.Object{
				product("mesh",
					with(licensed(api.LicensedProductValid, "mesh-2026"), func(s *api.LicensedProductStatus) {
						s.Usage = []api.Usage{usage("cores", 12), usage("nodes", 3)}
						s.Limits = []api.Limit{limit("cores", 64), limit("nodes", 10)}
					})),
				key("mesh-2026", "mesh", verified(api.LicenseKeyValid)),
			},
			want: `
license_clock_skewed{product="mesh"} 0
license_cores_available{product="mesh"} 52
license_cores_limit{product="mesh"} 64
license_cores_used{product="mesh"} 12
license_coverage_end_timestamp_seconds{product="mesh"} 1.8013536e+09
license_expiration_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.7987616e+09
license_grace_end_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.8013536e+09
license_info{customer="Example GmbH",license_id="A-1",license_key="mesh-2026",product="mesh"} 1
license_key_state{license_key="mesh-2026",product="mesh",state="Expired"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="GracePeriod"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Invalid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Valid"} 1
license_nodes_available{product="mesh"} 7
license_nodes_limit{product="mesh"} 10
license_nodes_used{product="mesh"} 3
license_number_of_days{license_key="mesh-2026",product="mesh"} 39.5
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_restriction_effective_timestamp_seconds{product="mesh"} 1.8013536e+09
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 1
`,
		},
		"grace period": {
			objects: []client.Object{
				product("mesh", licensed(api.LicensedProductGracePeriod, "mesh-2026")),
				key("mesh-2026", "mesh", verified(api.LicenseKeyGracePeriod)),
			},
			clock: expiry.Add(6 * time.Hour),
			want: `
license_clock_skewed{product="mesh"} 0
license_coverage_end_timestamp_seconds{product="mesh"} 1.8013536e+09
license_expiration_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.7987616e+09
license_grace_end_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.8013536e+09
license_info{customer="Example GmbH",license_id="A-1",license_key="mesh-2026",product="mesh"} 1
license_key_state{license_key="mesh-2026",product="mesh",state="Expired"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="GracePeriod"} 1
license_key_state{license_key="mesh-2026",product="mesh",state="Invalid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Valid"} 0
license_number_of_days{license_key="mesh-2026",product="mesh"} -0.25
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_restriction_effective_timestamp_seconds{product="mesh"} 1.8013536e+09
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 1
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 0
`,
		},
		"expired": {
			objects: []client.Object{
				product("mesh", licensed(api.LicensedProductExpired, "mesh-2026")),
				key("mesh-2026", "mesh", verified(api.LicenseKeyExpired)),
			},
			clock: graceEnd,
			want: `
license_clock_skewed{product="mesh"} 0
license_coverage_end_timestamp_seconds{product="mesh"} 1.8013536e+09
license_expiration_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.7987616e+09
license_grace_end_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.8013536e+09
license_info{customer="Example GmbH",license_id="A-1",license_key="mesh-2026",product="mesh"} 1
license_key_state{license_key="mesh-2026",product="mesh",state="Expired"} 1
license_key_state{license_key="mesh-2026",product="mesh",state="GracePeriod"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Invalid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Valid"} 0
license_number_of_days{license_key="mesh-2026",product="mesh"} -30
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_restriction_effective_timestamp_seconds{product="mesh"} 1.8013536e+09
license_state{product="mesh",state="Expired"} 1
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 0
`,
		},
		"expired, and restricted": {
			objects: []client.Object{product("mesh", api.LicensedProductStatus{
				State: api.LicensedProductExpired,
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionActive, EffectiveTime: at(graceEnd),
					InForce:     inForce("platform", "security"),
					SparedTiers: []api.SparedTier{{Name: "kube-admin", Reason: api.TierSparedBuiltIn}},
				},
			})},
			want: `
license_clock_skewed{product="mesh"} 0
license_restricted_tiers{product="mesh"} 2
license_restriction_bypasses{product="mesh"} 0
license_restriction_effective_timestamp_seconds{product="mesh"} 1.8013536e+09
license_state{product="mesh",state="Expired"} 1
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 0
`,
		},
		"restricted, each in another way": {
			objects: []client.Object{
				// More bypasses than are named.
				product("bypassed", api.LicensedProductStatus{
					State: api.LicensedProductUnlicensed,
					Restriction: &api.RestrictionStatus{
						State: api.RestrictionActive, InForce: inForce("security"),
						Bypasses: &api.RestrictionBypasses{
							Total: 40,
							Policies: []api.BypassingPolicy{{
								Kind: "GlobalNetworkPolicy", Name: "security.first",
								Tier: "security", Reason: api.BypassSortsFirst,
							}},
						},
					},
				}),
				// As on a cluster without tiers.
				product("nothing-to-restrict", api.LicensedProductStatus{
					State: api.LicensedProductUnlicensed,
					Restriction: &api.RestrictionStatus{
						State: api.RestrictionActive, InForce: inForce(),
						Bypasses: &api.RestrictionBypasses{},
					},
				}),
				product("paused", api.LicensedProductStatus{
					State: api.LicensedProductUnlicensed,
					Restriction: &api.RestrictionStatus{State: api.RestrictionPaused, Preview: &api.RestrictionPreview{
						Mode:  api.RestrictionReadOnly,
						Tiers: []api.RestrictedTier{{Name: "security", Mode: api.RestrictionReadOnly}},
					}},
				}),
			},
			want: `
license_clock_skewed{product="bypassed"} 0
license_clock_skewed{product="nothing-to-restrict"} 0
license_clock_skewed{product="paused"} 0
license_restricted_tiers{product="bypassed"} 1
license_restricted_tiers{product="nothing-to-restrict"} 0
license_restricted_tiers{product="paused"} 0
license_restriction_bypasses{product="bypassed"} 40
license_restriction_bypasses{product="nothing-to-restrict"} 0
license_restriction_bypasses{product="paused"} 0
license_state{product="bypassed",state="Expired"} 0
license_state{product="bypassed",state="GracePeriod"} 0
license_state{product="bypassed",state="Unlicensed"} 1
license_state{product="bypassed",state="Valid"} 0
license_state{product="nothing-to-restrict",state="Expired"} 0
license_state{product="nothing-to-restrict",state="GracePeriod"} 0
license_state{product="nothing-to-restrict",state="Unlicensed"} 1
license_state{product="nothing-to-restrict",state="Valid"} 0
license_state{product="paused",state="Expired"} 0
license_state{product="paused",state="GracePeriod"} 0
license_state{product="paused",state="Unlicensed"} 1
license_state{product="paused",state="Valid"} 0
`,
		},
		"invalid key beside a good one": {
			objects: []client.Object{
				product("mesh",
					api.LicensedProductStatus{State: api.LicensedProductValid, ActiveLicenseKeyName: "mesh-good"}),
				key("mesh-bad", "mesh", api.LicenseKeyStatus{State: api.LicenseKeyInvalid}),
				key("mesh-good", "mesh", verified(api.LicenseKeyValid)),
			},
			want: `
license_clock_skewed{product="mesh"} 0
license_info{customer="Example GmbH",license_id="A-1",license_key="mesh-good",product="mesh"} 1
license_key_state{license_key="mesh-bad",product="mesh",state="Expired"} 0
license_key_state{license_key="mesh-bad",product="mesh",state="GracePeriod"} 0
license_key_state{license_key="mesh-bad",product="mesh",state="Invalid"} 1
license_key_state{license_key="mesh-bad",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-bad",product="mesh",state="Valid"} 0
license_key_state{license_key="mesh-good",product="mesh",state="Expired"} 0
license_key_state{license_key="mesh-good",product="mesh",state="GracePeriod"} 0
license_key_state{license_key="mesh-good",product="mesh",state="Invalid"} 0
license_key_state{license_key="mesh-good",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-good",product="mesh",state="Valid"} 1
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 1
`,
		},
		"key without its product": {
			objects: []client.Object{key("mesh-2026", "mesh", api.LicenseKeyStatus{State: api.LicenseKeyInvalid})},
			want: `
license_key_state{license_key="mesh-2026",product="mesh",state="Expired"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="GracePeriod"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Invalid"} 1
license_key_state{license_key="mesh-2026",product="mesh",state="NotYetValid"} 0
license_key_state{license_key="mesh-2026",product="mesh",state="Valid"} 0
`,
		},
		"active key is gone": {
			objects: []client.Object{product("mesh", licensed(api.LicensedProductValid, "mesh-2026"))},
			want: `
license_clock_skewed{product="mesh"} 0
license_coverage_end_timestamp_seconds{product="mesh"} 1.8013536e+09
license_expiration_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.7987616e+09
license_grace_end_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.8013536e+09
license_number_of_days{license_key="mesh-2026",product="mesh"} 39.5
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_restriction_effective_timestamp_seconds{product="mesh"} 1.8013536e+09
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 1
`,
		},
		"limits of 0, a limit exceeded, one of something unknown": {
			objects: []client.Object{product("mesh", api.LicensedProductStatus{
				State:  api.LicensedProductValid,
				Usage:  []api.Usage{usage("cores", 0), usage("nodes", 13), usage("seats", 5)},
				Limits: []api.Limit{limit("cores", 0), limit("nodes", 10), limit("seats", 4)},
			})},
			want: `
license_clock_skewed{product="mesh"} 0
license_cores_available{product="mesh"} 0
license_cores_limit{product="mesh"} 0
license_cores_used{product="mesh"} 0
license_nodes_available{product="mesh"} -3
license_nodes_limit{product="mesh"} 10
license_nodes_used{product="mesh"} 13
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 1
`,
		},
		"names that are empty or there twice, values that are not there, a limit of what is not counted yet": {
			objects: []client.Object{product("mesh", api.LicensedProductStatus{
				State:  "Unheard",
				Usage:  []api.Usage{usage("", 1), usage("nodes", 3), usage("nodes", 4)},
				Limits: []api.Limit{limit("", 1), {Name: "nodes"}, limit("nodes", 5), limit("cores", 6)},
			})},
			want: `
license_clock_skewed{product="mesh"} 0
license_cores_limit{product="mesh"} 6
license_nodes_used{product="mesh"} 3
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 0
`,
		},
		"clock set back behind the mark": {
			objects: []client.Object{product("mesh", api.LicensedProductStatus{
				State: api.LicensedProductGracePeriod, ActiveLicenseKeyName: "mesh-2026",
				ExpiryTime: at(expiry), TimeMark: at(expiry.Add(24 * time.Hour)),
				Conditions: []metav1.Condition{{
					Type: api.ConditionClockSkewed, Status: metav1.ConditionTrue,
					Reason: api.ReasonBehindMark,
				}},
			})},
			clock: now,
			want: `
license_clock_skewed{product="mesh"} 1
license_expiration_timestamp_seconds{license_key="mesh-2026",product="mesh"} 1.7987616e+09
license_number_of_days{license_key="mesh-2026",product="mesh"} -1
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 1
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 0
`,
		},
		"clock past the mark by half a second, and a license that lasts as long as any": {
			objects: []client.Object{product("mesh", api.LicensedProductStatus{
				State: api.LicensedProductValid, ActiveLicenseKeyName: "mesh-2026",
				ExpiryTime: at(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), TimeMark: at(now),
			})},
			clock: now.Add(500 * time.Millisecond),
			want: `
license_clock_skewed{product="mesh"} 0
license_expiration_timestamp_seconds{license_key="mesh-2026",product="mesh"} 2.53402300799e+11
license_number_of_days{license_key="mesh-2026",product="mesh"} 2.9121174999826388e+06
license_restricted_tiers{product="mesh"} 0
license_restriction_bypasses{product="mesh"} 0
license_state{product="mesh",state="Expired"} 0
license_state{product="mesh",state="GracePeriod"} 0
license_state{product="mesh",state="Unlicensed"} 0
license_state{product="mesh",state="Valid"} 1
`,
		},
		"customers with difficult names": {
			objects: []client.Object{
				product("a", api.LicensedProductStatus{State: api.LicensedProductValid, ActiveLicenseKeyName: "a"}),
				key("a", "a", api.LicenseKeyStatus{LicenseID: "A-1", Customer: "the \"best\"\nof C:\\{{ $labels }}"}),
				product("b", api.LicensedProductStatus{State: api.LicensedProductValid, ActiveLicenseKeyName: "b"}),
				key("b", "b", api.LicenseKeyStatus{LicenseID: "B-1", Customer: long}),
				product("other", api.LicensedProductStatus{State: api.LicensedProductValid, ActiveLicenseKeyName: "b"}),
			},
			want: `
license_clock_skewed{product="a"} 0
license_clock_skewed{product="b"} 0
license_clock_skewed{product="other"} 0
license_info{customer="the \"best\"\nof C:\\{{ $labels }}",license_id="A-1",license_key="a",product="a"} 1
license_info{customer="` + long + `",license_id="B-1",license_key="b",product="b"} 1
license_key_state{license_key="a",product="a",state="Expired"} 0
license_key_state{license_key="a",product="a",state="GracePeriod"} 0
license_key_state{license_key="a",product="a",state="Invalid"} 0
license_key_state{license_key="a",product="a",state="NotYetValid"} 0
license_key_state{license_key="a",product="a",state="Valid"} 0
license_key_state{license_key="b",product="b",state="Expired"} 0
license_key_state{license_key="b",product="b",state="GracePeriod"} 0
license_key_state{license_key="b",product="b",state="Invalid"} 0
license_key_state{license_key="b",product="b",state="NotYetValid"} 0
license_key_state{license_key="b",product="b",state="Valid"} 0
license_restricted_tiers{product="a"} 0
license_restricted_tiers{product="b"} 0
license_restricted_tiers{product="other"} 0
license_restriction_bypasses{product="a"} 0
license_restriction_bypasses{product="b"} 0
license_restriction_bypasses{product="other"} 0
license_state{product="a",state="Expired"} 0
license_state{product="a",state="GracePeriod"} 0
license_state{product="a",state="Unlicensed"} 0
license_state{product="a",state="Valid"} 1
license_state{product="b",state="Expired"} 0
license_state{product="b",state="GracePeriod"} 0
license_state{product="b",state="Unlicensed"} 0
license_state{product="b",state="Valid"} 1
license_state{product="other",state="Expired"} 0
license_state{product="other",state="GracePeriod"} 0
license_state{product="other",state="Unlicensed"} 0
license_state{product="other",state="Valid"} 1
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.clock.IsZero() {
				test.clock = now
			}
			collector := metrics.NewCollector(prometheus.NewRegistry(), inMemory(t, test.objects...),
				clockAt(test.clock))
			if diff := cmp.Diff(series(test.want), series(exposition(t, collector))); diff != "" {
				t.Errorf("unexpected series (-want +got):\n%s", diff)
			}
		})
	}
}

func with(status api.LicensedProductStatus, change func(*api.LicensedProductStatus)) api.LicensedProductStatus {
	change(&status)
	return status
}

// everything has every metric.
func everything() []client.Object {
	return []client.Object{
		product("mesh", with(licensed(api.LicensedProductValid, "mesh-2026"), func(s *api.LicensedProductStatus) {
			s.Usage = []api.Usage{usage("cores", 12), usage("nodes", 3)}
			s.Limits = []api.Limit{limit("cores", 64), limit("nodes", 10)}
		})),
		key("mesh-2026", "mesh", verified(api.LicenseKeyValid)),
	}
}

// TestNoSeriesOutlivesItsObject deletes one object after the other.
func TestNoSeriesOutlivesItsObject(t *testing.T) {
	objects := everything()
	c := inMemory(t, objects...)
	collector := metrics.NewCollector(prometheus.NewRegistry(), c, clockAt(now))
	var counts []int
	for _, object := range objects {
		counts = append(counts, testutil.CollectAndCount(collector))
		if err := c.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	counts = append(counts, testutil.CollectAndCount(collector))
	// All there are, those of the key alone, none.
	if diff := cmp.Diff([]int{24, 5, 0}, counts); diff != "" {
		t.Errorf("unexpected numbers of series (-want +got):\n%s", diff)
	}
}

// TestDescriptors makes sure that each metric is a gauge that says what it is, and that Prometheus' linter finds
// nothing but what is argued at its definition.
func TestDescriptors(t *testing.T) {
	collector := metrics.NewCollector(prometheus.NewRegistry(), inMemory(t, everything()...), clockAt(now))
	problems, err := testutil.CollectAndLint(collector)
	if err != nil {
		t.Fatal(err)
	}
	want := []promlint.Problem{{Metric: "license_number_of_days", Text: `use base unit "seconds" instead of "days"`}}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("the linter found (-want +got):\n%s", diff)
	}
	described := make(chan *prometheus.Desc, 100)
	collector.Describe(described)
	close(described)
	text := exposition(t, collector)
	help, gauges := strings.Count(text, "# HELP "), strings.Count(text, " gauge\n")
	if len(described) != 17 || help != 17 || gauges != 17 {
		t.Errorf("want 17 metrics, all gauges with help; got %d described, %d with help, %d gauges:\n%s",
			len(described), help, gauges, text)
	}
}

func TestScrapeFailsWhereTheCacheDoes(t *testing.T) {
	for name, of := range map[string]client.ObjectList{
		"LicenseKeys":      &api.LicenseKeyList{},
		"LicensedProducts": &api.LicensedProductList{},
	} {
		t.Run(name, func(t *testing.T) {
			failing := interceptor.NewClient(inMemory(t, everything()...), interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList,
					options ...client.ListOption,
				) error {
					if cmp.Equal(list, of) {
						return errors.New("no such informer")
					}
					return c.List(ctx, list, options...)
				},
			})
			registry := prometheus.NewRegistry()
			registry.MustRegister(metrics.NewCollector(registry, failing, clockAt(now)))
			recorder := httptest.NewRecorder()
			// As controller-runtime does.
			promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).
				ServeHTTP(recorder,
					httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
			want := "listing " + name + " in the cache: no such informer"
			if recorder.Code != http.StatusInternalServerError || !strings.Contains(recorder.Body.String(), want) {
				t.Errorf("want 500 with %q, got %d with %q", want, recorder.Code, recorder.Body)
			}
		})
	}
}

func TestStart(t *testing.T) {
	g := NewWithT(t)
	registry := prometheus.NewRegistry()
	c := inMemory(t, everything()...)
	var collector manager.LeaderElectionRunnable = metrics.NewCollector(registry, c, clockAt(now))
	g.Expect(collector.NeedLeaderElection()).To(BeTrue(), "standbys say nothing")
	families := func() (int, error) {
		all, err := registry.Gather()
		return len(all), err
	}
	g.Expect(families()).To(BeZero(), "nothing is registered before the start")

	for range 2 { // what is unregistered can be registered again
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- metrics.NewCollector(registry, c, clockAt(now)).Start(ctx) }()
		g.Eventually(families).Should(Equal(17))
		g.Expect(metrics.NewCollector(registry, c, clockAt(now)).Start(t.Context())).
			To(MatchError(ContainSubstring("registering the metrics of licenses")), "there is one already")
		g.Expect(families()).To(Equal(17), "and it is still there")

		cancel()
		g.Eventually(ended).Should(Receive(BeNil()))
		g.Expect(families()).To(BeZero(), "nothing is left after the end")
	}
}
