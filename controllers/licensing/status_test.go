// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
)

func day(d int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d)
}

func on(d int) *metav1.Time { return new(metav1.NewTime(day(d))) }

// acme was created on day 0.
func acme() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh", Generation: 3, CreationTimestamp: *on(0)},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew", TrustAnchors: "anchors",
			UnlicensedGracePeriodDays: new(int32(30)),
		},
	}
}

// licenseOf is issued on the first day of its term and has 10 days of grace.
func licenseOf(id string, from, to int) *license.Claims {
	return &license.Claims{
		ID: id, Customer: "Initech", IssuedTime: day(from), NotBefore: day(from), Expiry: day(to),
		GracePeriod: 10 * 24 * time.Hour,
		Features:    []string{"mesh"}, Limits: map[string]int64{"nodes": 100},
	}
}

func issuedOn(d int, c *license.Claims) *license.Claims {
	c.IssuedTime = day(d)
	return c
}

// finding is what was found out about a key.
type finding = assess.Finding

func verified(name string, c *license.Claims) finding {
	return finding{
		Key: license.Key{Name: name, Claims: c}, Signed: c, Reason: api.ReasonVerified,
		Message: "License verifies.",
	}
}

// assessedOn is the assessment on a day, by a clock that is confirmed, of a product, nil for none, with these keys.
func assessedOn(d int, product *api.LicensedProduct, findings ...finding) *assess.Assessment {
	return assessedBy(license.ClockReading{Now: day(d).Add(300 * time.Millisecond), Agreement: license.ClocksAgree},
		product, findings...)
}

func assessedBy(clock license.ClockReading, product *api.LicensedProduct, findings ...finding) *assess.Assessment {
	found := &assess.Assessment{
		Time: license.ResolveTime(clock, product), Product: product, Findings: map[string]finding{},
		HasTerms: product != nil,
	}
	var keys []license.Key
	for _, f := range findings {
		if f.State = api.LicenseKeyInvalid; f.Claims != nil {
			f.State = f.Claims.StateAt(found.Time.Now)
		}
		found.Findings[f.Name] = f
		keys = append(keys, f.Key)
	}
	if product != nil {
		found.Evaluation = license.Evaluate(found.Time, product, keys)
	}
	return found
}

func condition(
	conditionType string, status metav1.ConditionStatus, generation int64, since int, reason, message string,
) metav1.Condition {
	return metav1.Condition{
		Type: conditionType, Status: status, ObservedGeneration: generation,
		LastTransitionTime: *on(since), Reason: reason, Message: message,
	}
}

func inUse(nodes, cores int64) []api.Usage {
	return []api.Usage{{Name: "nodes", Value: &nodes}, {Name: "cores", Value: &cores}}
}

func peak(month string, nodes, cores int64) api.MonthlyPeak {
	return api.MonthlyPeak{Month: month, Usage: inUse(nodes, cores)}
}

const (
	isTrue  = metav1.ConditionTrue
	isFalse = metav1.ConditionFalse
)

// productStatusOf is the status of a product whose terms have no restriction, or whose restriction has not been planned
// yet.
func productStatusOf(
	found *assess.Assessment, used []api.Usage, alertsReady *metav1.Condition,
) api.LicensedProductStatus {
	return productStatus(found, observations{used, alertsReady, viewOf(found, uncapped, nil)})
}

var uncapped = restriction.Caps{MaxMode: api.RestrictionDefaultTierOnly, OperatorNamespace: "license-operator-system"}

func unrestricted(since int) metav1.Condition {
	return condition("Restricted", isFalse, 3, since, "NotRequested", "The product has no restriction.")
}

func TestLicenseKeyStatus(t *testing.T) {
	rejected := finding{
		Key: license.Key{Name: "k"}, Reason: api.ReasonLicenseRevoked, Message: "Revoked.",
		Signed: licenseOf("L1", 10, 100),
	}
	orphan := finding{Key: license.Key{Name: "k"}, Reason: api.ReasonProductNotFound, Message: "No product."}
	claimed := func(state api.LicenseKeyState, from, to int, conditions ...metav1.Condition) api.LicenseKeyStatus {
		s := api.LicenseKeyStatus{
			Conditions: conditions, ObservedGeneration: 2, State: state, LicenseID: "L1", Customer: "Initech",
			IssuedTime: on(from), NotBeforeTime: on(from), ExpiryTime: on(to), GraceEndTime: on(to + 10),
		}
		if state == api.LicenseKeyValid || state == api.LicenseKeyGracePeriod {
			s.Features, s.Limits = []string{"mesh"}, []api.Limit{{Name: "nodes", Value: new(int64(100))}}
		}
		return s
	}
	ready := func(since int) metav1.Condition {
		return condition("Ready", isTrue, 2, since, "Verified", "License verifies.")
	}
	validBefore := claimed(api.LicenseKeyValid, 10, 100, ready(10), condition("Active", isTrue, 2, 10, "InForce", ""))
	for name, test := range map[string]struct {
		before api.LicenseKeyStatus
		found  *assess.Assessment
		want   api.LicenseKeyStatus
	}{
		"valid and active": {
			found: assessedOn(20, acme(), verified("k", licenseOf("L1", 10, 100))),
			want: claimed(api.LicenseKeyValid, 10, 100, ready(20),
				condition("Active", isTrue, 2, 20, "InForce",
					`This key decides the state of product "acme-mesh".`)),
		},
		"a condition that stays keeps its time": {
			before: validBefore,
			found:  assessedOn(100, acme(), verified("k", licenseOf("L1", 10, 100))),
			want: claimed(api.LicenseKeyGracePeriod, 10, 100, ready(10),
				condition("Active", isTrue, 2, 10, "InForce",
					`This key decides the state of product "acme-mesh".`)),
		},
		"valid, and another is active": {
			before: validBefore,
			found: assessedOn(30, acme(), verified("k", licenseOf("L1", 10, 100)),
				verified("newer", licenseOf("L2", 30, 200))),
			want: claimed(api.LicenseKeyValid, 10, 100, ready(10),
				condition("Active", isFalse, 2, 30, "Standby",
					`Another key decides the state of product "acme-mesh" (kubectl get lprod).`)),
		},
		"not yet valid": {
			found: assessedOn(5, acme(), verified("k", licenseOf("L1", 10, 100))),
			want: claimed(api.LicenseKeyNotYetValid, 10, 100, ready(5),
				condition("Active", isFalse, 2, 5, "NotYetValid",
					"Key becomes valid at 2026-01-11T00:00:00Z.")),
		},
		"expired and, for want of a better one, active": {
			found: assessedOn(110, acme(), verified("k", licenseOf("L1", 10, 100))),
			want: claimed(api.LicenseKeyExpired, 10, 100, ready(110),
				condition("Active", isTrue, 2, 110, "InForce",
					`This key decides the state of product "acme-mesh".`)),
		},
		"expired, and another is active": {
			found: assessedOn(110, acme(), verified("k", licenseOf("L1", 10, 100)),
				verified("newer", licenseOf("L2", 30, 200))),
			want: claimed(api.LicenseKeyExpired, 10, 100, ready(110),
				condition("Active", isFalse, 2, 110, "Expired",
					`Key expired at 2026-04-11T00:00:00Z; grace period ended at 2026-04-21T00:00:00Z. Another key `+
						`decides the state of product "acme-mesh".`)),
		},
		"rejected after its signature held: what it says is shown, and grants nothing": {
			before: validBefore,
			found:  assessedOn(20, acme(), rejected),
			want: claimed(api.LicenseKeyInvalid, 10, 100,
				condition("Ready", isFalse, 2, 20, "LicenseRevoked", "Revoked."),
				condition("Active", isFalse, 2, 20, "NotVerified",
					"Key is not verified: see condition Ready.")),
		},
		"without a product": {
			before: validBefore,
			found:  assessedOn(20, nil, orphan),
			want: api.LicenseKeyStatus{
				ObservedGeneration: 2, State: api.LicenseKeyInvalid,
				Conditions: []metav1.Condition{
					condition("Ready", isFalse, 2, 20, "ProductNotFound", "No product."),
					condition("Active", isFalse, 2, 20, "NotVerified",
						"Key is not verified: see condition Ready."),
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := &api.LicenseKey{
				ObjectMeta: metav1.ObjectMeta{Name: "k", Generation: 2},
				Spec:       api.LicenseKeySpec{ProductName: "acme-mesh", Token: "t"},
				Status:     test.before,
			}
			if diff := cmp.Diff(test.want, keyStatus(k, test.found)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLicensedProductStatus(t *testing.T) {
	accepted := func(since int) metav1.Condition {
		return condition("Ready", isTrue, 3, since, "TermsAccepted", "Terms accepted (vendor Acme).")
	}
	limits := []api.Limit{{Name: "nodes", Value: new(int64(100))}}
	k := verified("k", licenseOf("L1", 10, 100))
	noLimit := func(since int) metav1.Condition {
		return condition("WithinLimits", isTrue, 3, since, "NoLimits", "No license, so no limits.")
	}
	within := func(since int) metav1.Condition {
		return condition("WithinLimits", isTrue, 3, since, "WithinLimits", "Use is within the license limits.")
	}
	valid := productStatusOf(assessedOn(20, acme(), k), inUse(1, 4), nil)
	withStatus := func(status api.LicensedProductStatus, change ...func(*api.LicensedProduct)) *api.LicensedProduct {
		p := acme()
		p.Status = status
		for _, c := range change {
			c(p)
		}
		return p
	}
	anchorsInvalid := assessedOn(30,
		withStatus(valid, func(p *api.LicensedProduct) { p.Spec.TrustAnchors = "garbled" }), k)
	anchorsInvalid.TermsErr = errors.New("block 1 is not a certificate")
	anchorsNeverValid := assessedOn(1, acme())
	anchorsNeverValid.HasTerms, anchorsNeverValid.TermsErr = false, errors.New("block 1 is not a certificate")
	for name, test := range map[string]struct {
		found *assess.Assessment
		want  api.LicensedProductStatus
	}{
		"unlicensed": {
			found: assessedOn(1, acme()),
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4), MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductUnlicensed, TimeMark: on(1),
				Conditions: []metav1.Condition{
					accepted(1), condition("Licensed", isFalse, 3, 1, "Unlicensed",
						`No valid LicenseKey for product "acme-mesh" (kubectl get lk). Get a license at `+
							`https://acme.example/renew.`), noLimit(1),
					unrestricted(1),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(30),
					Basis: api.RestrictionBasisNeverLicensed,
				},
			},
		},
		"unlicensed, and the vendor has no URL": {
			found: assessedOn(1,
				withStatus(api.LicensedProductStatus{}, func(p *api.LicensedProduct) { p.Spec.RenewalURL = "" })),
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4), MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductUnlicensed, TimeMark: on(1),
				Conditions: []metav1.Condition{
					accepted(1), condition("Licensed", isFalse, 3, 1, "Unlicensed",
						`No valid LicenseKey for product "acme-mesh" (kubectl get lk). Get a license from Acme.`),
					noLimit(1), unrestricted(1),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(30),
					Basis: api.RestrictionBasisNeverLicensed,
				},
			},
		},
		"valid": {
			found: assessedOn(20, acme(), k),
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4), MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductValid, TimeMark: on(20), ActiveLicenseKeyName: "k",
				ExpiryTime: on(100), GraceEndTime: on(110), CoverageEndTime: on(110), Features: []string{"mesh"},
				Limits: limits,
				Conditions: []metav1.Condition{
					accepted(20),
					condition("Licensed", isTrue, 3, 20, "Valid",
						`LicenseKey "k" is valid until 2026-04-11T00:00:00Z.`), within(20), unrestricted(20),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(110),
					Basis: api.RestrictionBasisCoverageEnd, UsableUntilTime: on(110),
				},
			},
		},
		"in grace": {
			found: assessedOn(100, withStatus(valid), k),
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4),
				MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4), peak("2026-04", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductGracePeriod, TimeMark: on(100),
				ActiveLicenseKeyName: "k",
				ExpiryTime:           on(100), GraceEndTime: on(110), CoverageEndTime: on(110),
				Features: []string{"mesh"},
				Limits:   limits,
				Conditions: []metav1.Condition{
					accepted(20), condition("Licensed", isTrue, 3, 20, "GracePeriod",
						`LicenseKey "k" expired at 2026-04-11T00:00:00Z; grace period ends at `+
							`2026-04-21T00:00:00Z. Get `+
							`a license at https://acme.example/renew.`), within(20),
					unrestricted(20),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(110),
					Basis: api.RestrictionBasisCoverageEnd, UsableUntilTime: on(110),
				},
			},
		},
		"in grace, and renewed": {
			found: assessedOn(100, withStatus(valid), k, verified("next", issuedOn(50, licenseOf("L2", 110, 200)))),
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4),
				MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4), peak("2026-04", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductGracePeriod, TimeMark: on(100),
				ActiveLicenseKeyName: "k",
				ExpiryTime:           on(100), GraceEndTime: on(110), CoverageEndTime: on(210),
				Features: []string{"mesh"},
				Limits:   limits,
				Conditions: []metav1.Condition{
					accepted(20), condition("Licensed", isTrue, 3, 20, "GracePeriod",
						`LicenseKey "k" expired at 2026-04-11T00:00:00Z; grace period ends at 2026-04-21T00:00:00Z. `+
							`Other keys cover the product until 2026-07-30T00:00:00Z.`), within(20),
					unrestricted(20),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(210),
					Basis: api.RestrictionBasisCoverageEnd, UsableUntilTime: on(110),
				},
			},
		},
		"expired": {
			found: assessedOn(110, withStatus(valid), k),
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4),
				MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4), peak("2026-04", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductExpired, TimeMark: on(110),
				ActiveLicenseKeyName: "k",
				ExpiryTime:           on(100), GraceEndTime: on(110), CoverageEndTime: on(110),
				Conditions: []metav1.Condition{
					accepted(20), condition("Licensed", isFalse, 3, 110, "Expired",
						`LicenseKey "k" expired at 2026-04-11T00:00:00Z; grace period ended at 2026-04-21T00:00:00Z. `+
							`Get a license at https://acme.example/renew.`), noLimit(20),
					unrestricted(20),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(110),
					Basis: api.RestrictionBasisCoverageEnd, UsableUntilTime: on(110),
				},
			},
		},
		"trust anchors unusable: not Ready, and licensed as before": {
			found: anchorsInvalid,
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4), MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4)},
				TrustAnchors: "anchors", State: api.LicensedProductValid, TimeMark: on(30), ActiveLicenseKeyName: "k",
				ExpiryTime: on(100), GraceEndTime: on(110), CoverageEndTime: on(110), Features: []string{"mesh"},
				Limits: limits,
				Conditions: []metav1.Condition{
					condition("Ready", isFalse, 3, 30, "TrustAnchorsInvalid", "Invalid spec.trustAnchors: block 1 "+
						"is not a certificate. Fix them; until then the last valid ones (status.trustAnchors) are "+
						"used."),
					condition("Licensed", isTrue, 3, 20, "Valid",
						`LicenseKey "k" is valid until 2026-04-11T00:00:00Z.`),
					within(20), unrestricted(20),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(110),
					Basis: api.RestrictionBasisCoverageEnd, UsableUntilTime: on(110),
				},
			},
		},
		"trust anchors unusable from the beginning": {
			found: anchorsNeverValid,
			want: api.LicensedProductStatus{
				ObservedGeneration: 3, Usage: inUse(1, 4), MonthlyPeaks: []api.MonthlyPeak{peak("2026-01", 1, 4)},
				State: api.LicensedProductUnlicensed, TimeMark: on(1),
				Conditions: []metav1.Condition{
					condition("Ready", isFalse, 3, 1, "TrustAnchorsInvalid", "Invalid spec.trustAnchors: block 1 is "+
						"not a certificate. Fix them; until then no key can be verified."),
					condition("Licensed", isFalse, 3, 1, "Unlicensed",
						`No valid LicenseKey for product "acme-mesh" (kubectl get lk). Get a license at `+
							`https://acme.example/renew.`),
					noLimit(1), unrestricted(1),
				},
				Restriction: &api.RestrictionStatus{
					State: api.RestrictionNone, EffectiveTime: on(30),
					Basis: api.RestrictionBasisNeverLicensed,
				},
			},
		},
		"the clock is behind the mark": {
			found: assessedOn(-10, withStatus(valid), k),
			want: func() api.LicensedProductStatus {
				s := *valid.DeepCopy()
				s.Conditions = append(s.Conditions, condition("ClockSkewed", isTrue, 3, 20, "BehindMark",
					"Clock of the operator is behind status.timeMark 2026-01-21T00:00:00Z. "+
						"Fix the node's clock, or run: kubectl license clock reset acme-mesh"))
				return s
			}(),
		},
		"the clocks disagree": {
			found: assessedBy(license.ClockReading{Now: day(20), Agreement: license.ClocksDisagree}, withStatus(valid),
				k),
			want: func() api.LicensedProductStatus {
				s := *valid.DeepCopy()
				s.Conditions = append(s.Conditions, condition("ClockSkewed", isTrue, 3, 20, "NodeClock",
					"Clocks of the operator and the API server differ by more than 5 minutes. Fix the wrong one. "+
						"Until then no restriction starts."))
				return s
			}(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, productStatusOf(test.found, inUse(1, 4), nil)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// How much is in use, what that is compared with, and what is said of it.
func TestUseInStatus(t *testing.T) {
	limited := func(limits map[string]int64) finding {
		c := licenseOf("L1", 10, 100)
		c.Limits = limits
		return verified("k", c)
	}
	selecting := func(operator metav1.LabelSelectorOperator) *api.LicensedProduct {
		p := acme()
		p.Spec.Usage = &api.UsageSpec{
			NodeSelector: &metav1.LabelSelector{
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "gpu", Operator: operator}},
			},
		}
		return p
	}
	undated := acme()
	january := acme()
	january.Status.MonthlyPeaks = []api.MonthlyPeak{peak("2026-01", 9, 2)}
	january.Status.TimeMark = on(20)
	for name, test := range map[string]struct {
		found  *assess.Assessment
		used   []api.Usage
		ready  string
		within metav1.Condition
		peaks  []api.MonthlyPeak
	}{
		"at the limit": {
			found: assessedOn(20, acme(), limited(map[string]int64{"nodes": 2})), used: inUse(2, 8),
			ready:  "TermsAccepted",
			within: condition("WithinLimits", isTrue, 3, 20, "WithinLimits", "Use is within the license limits."),
			peaks:  []api.MonthlyPeak{peak("2026-01", 2, 8)},
		},
		"over the limit": {
			found: assessedOn(20, acme(), limited(map[string]int64{"nodes": 2})), used: inUse(3, 8),
			ready: "TermsAccepted",
			within: condition("WithinLimits", isFalse, 3, 20, "LimitExceeded",
				"License limit exceeded: 3 of 2 nodes in use. Nothing is blocked. Use less, or get a larger "+
					"license at https://acme.example/renew."),
			peaks: []api.MonthlyPeak{peak("2026-01", 3, 8)},
		},
		"over both limits, one of them 0": {
			found: assessedOn(20, acme(), limited(map[string]int64{"nodes": 2, "cores": 0})), used: inUse(3, 8),
			ready: "TermsAccepted",
			within: condition("WithinLimits", isFalse, 3, 20, "LimitExceeded",
				"License limit exceeded: 8 of 0 cores, 3 of 2 nodes in use. Nothing is blocked. Use less, or get a "+
					"larger license at https://acme.example/renew."),
			peaks: []api.MonthlyPeak{peak("2026-01", 3, 8)},
		},
		"limits of what is not counted": {
			found: assessedOn(20, acme(), limited(map[string]int64{"seats": 2})), used: inUse(3, 8),
			ready: "TermsAccepted",
			within: condition("WithinLimits", isTrue, 3, 20, "NoLimits",
				"The license has no limit for nodes or cores."),
			peaks: []api.MonthlyPeak{peak("2026-01", 3, 8)},
		},
		"counted without a key": {
			found: assessedOn(20, acme()), used: inUse(3, 8), ready: "TermsAccepted",
			within: condition("WithinLimits", isTrue, 3, 20, "NoLimits", "No license, so no limits."),
			peaks:  []api.MonthlyPeak{peak("2026-01", 3, 8)},
		},
		"a selector that is none": {
			found: assessedOn(20, selecting("Like"), limited(map[string]int64{"nodes": 2})), used: nil,
			ready: "NodeSelectorInvalid",
			within: condition("WithinLimits", metav1.ConditionUnknown, 3, 20, "NodeSelectorInvalid",
				`Invalid spec.usage.nodeSelector: "Like" is not a valid label selector operator. Nodes are not `+
					`counted until it is fixed.`),
		},
		"peaks are kept": {
			found: assessedOn(40, january), used: inUse(3, 8), ready: "TermsAccepted",
			within: condition("WithinLimits", isTrue, 3, 40, "NoLimits", "No license, so no limits."),
			peaks:  []api.MonthlyPeak{peak("2026-01", 9, 2), peak("2026-02", 3, 8)},
		},
		"while the clocks disagree no month begins": {
			found: assessedBy(license.ClockReading{Now: day(400), Agreement: license.ClocksDisagree}, january),
			used:  inUse(3, 8), ready: "TermsAccepted",
			within: condition("WithinLimits", isTrue, 3, 400, "NoLimits", "No license, so no limits."),
			peaks:  []api.MonthlyPeak{peak("2026-01", 9, 8)},
		},
		"while the clocks have never agreed there is no month": {
			found: assessedBy(license.ClockReading{Now: day(400), Agreement: license.ClocksDisagree}, undated),
			used:  inUse(3, 8), ready: "TermsAccepted",
			within: condition("WithinLimits", isTrue, 3, 400, "NoLimits", "No license, so no limits."),
		},
	} {
		t.Run(name, func(t *testing.T) {
			status := productStatusOf(test.found, test.used, nil)
			if got := reconcile.FindCondition(status.Conditions, "Ready").Reason; got != test.ready {
				t.Errorf("Ready is %s, want %s", got, test.ready)
			}
			if diff := cmp.Diff(test.within, reconcile.FindCondition(status.Conditions, "WithinLimits")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.used, status.Usage); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.peaks, status.MonthlyPeaks); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What has come of the alerts stays in the status until it is known again: after a restart, say.
func TestAlertsReady(t *testing.T) {
	before := condition("AlertsReady", isTrue, 2, 7, "RuleApplied", "It is there.")
	p := acme()
	p.Status = productStatusOf(assessedOn(20, acme(), verified("k", licenseOf("L1", 10, 100))), inUse(1, 4), nil)
	p.Status.Conditions = slices.Insert(p.Status.Conditions, 3, before)
	skewed := assessedBy(license.ClockReading{Now: day(20), Agreement: license.ClocksDisagree}, p,
		verified("k", licenseOf("L1", 10, 100)))
	for name, test := range map[string]struct {
		found *assess.Assessment
		ready *metav1.Condition
		want  metav1.Condition
	}{
		"not known yet": {assessedOn(21, p, verified("k", licenseOf("L1", 10, 100))), nil, before},
		"as it was": {
			assessedOn(21, p, verified("k", licenseOf("L1", 10, 100))),
			&metav1.Condition{Type: "AlertsReady", Status: isTrue, Reason: "RuleApplied", Message: "It is there."},
			condition("AlertsReady", isTrue, 3, 7, "RuleApplied", "It is there."),
		},
		"worse": {
			assessedOn(21, p, verified("k", licenseOf("L1", 10, 100))),
			&metav1.Condition{Type: "AlertsReady", Status: isFalse, Reason: "Forbidden", Message: "It may not."},
			condition("AlertsReady", isFalse, 3, 21, "Forbidden", "It may not."),
		},
		"not known yet, and the clock skewed": {skewed, nil, before},
	} {
		t.Run(name, func(t *testing.T) {
			// In the same place always: the order alone would be a change.
			if diff := cmp.Diff(test.want, productStatusOf(test.found, inUse(1, 4), test.ready).Conditions[3]); diff !=
				"" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A message that changed with every look would be written with every look.
func TestMessagesHoldNoRelativeTimes(t *testing.T) {
	k := verified("k", licenseOf("L1", 10, 100))
	earlier, later := productStatusOf(assessedOn(20, acme(), k), inUse(1, 4), nil),
		productStatusOf(assessedOn(99, acme(), k), inUse(1, 4), nil)
	ignoreTimes := cmpopts.IgnoreTypes(metav1.Time{})
	if diff := cmp.Diff(earlier.Conditions, later.Conditions, ignoreTimes); diff != "" {
		t.Error(diff)
	}
}

func TestEvents(t *testing.T) {
	k := verified("k", licenseOf("L1", 10, 100))
	next := verified("next", issuedOn(50, licenseOf("L2", 110, 200)))
	keyStatus := func(d int, f finding, others ...finding) *api.LicenseKeyStatus {
		return new(keyStatus(&api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: f.Name}, Spec: api.LicenseKeySpec{ProductName: "acme-mesh"},
		}, assessedOn(d, acme(), append(others, f)...)))
	}
	productStatus := func(d int, findings ...finding) *api.LicensedProductStatus {
		return new(productStatusOf(assessedOn(d, acme(), findings...), inUse(1, 4), nil))
	}
	skewed := productStatus(20, k)
	skewed.Conditions = append(skewed.Conditions,
		condition("ClockSkewed", isTrue, 3, 20, "NodeClock", "The clocks are apart."))
	exceeded := new(productStatusOf(assessedOn(20, acme(), k), inUse(101, 4), nil))
	furtherExceeded := new(productStatusOf(assessedOn(20, acme(), k), inUse(102, 4), nil))
	alertsReady, alertsRefused := productStatus(20, k), productStatus(20, k)
	alertsReady.Conditions = append(alertsReady.Conditions,
		condition("AlertsReady", isTrue, 3, 20, "RuleApplied", "It is there."))
	alertsRefused.Conditions = append(alertsRefused.Conditions,
		condition("AlertsReady", isFalse, 3, 20, "Forbidden", "It may not."))
	reset := productStatus(20, k)
	reset.LastHandledClockReset = "now"
	bad := finding{
		Key: license.Key{Name: "k"}, Reason: api.ReasonSignatureInvalid,
		Message: "The signature does not hold.",
	}
	const renew = "Get a license at https://acme.example/renew."
	for name, test := range map[string]struct {
		got, want []reconcile.Event
	}{
		"key: nothing changed": {keyEvents(keyStatus(20, k), keyStatus(30, k), assessedOn(100, acme(), k)), nil},
		"key: staged": {
			keyEvents(&api.LicenseKeyStatus{}, keyStatus(5, k), assessedOn(100, acme(), k)),
			[]reconcile.Event{normal("NotYetValid", `License "L1" becomes valid at 2026-01-11T00:00:00Z.`)},
		},
		"key: valid": {
			keyEvents(&api.LicenseKeyStatus{}, keyStatus(20, k),
				assessedOn(100, acme(), k)),
			[]reconcile.Event{normal("Valid", `License "L1" is valid until 2026-04-11T00:00:00Z.`)},
		},
		"key: in grace": {
			keyEvents(keyStatus(20, k), keyStatus(100, k), assessedOn(100, acme(), k)),
			[]reconcile.Event{warning("GracePeriod",
				`License "L1" expired at 2026-04-11T00:00:00Z; grace period ends at 2026-04-21T00:00:00Z. `+
					renew)},
		},
		"key: expired": {
			keyEvents(keyStatus(100, k), keyStatus(110, k), assessedOn(100, acme(), k)),
			[]reconcile.Event{warning("Expired",
				`License "L1" expired at 2026-04-11T00:00:00Z; grace period ended at 2026-04-21T00:00:00Z. `+
					renew)},
		},
		"key: in grace, renewed": {
			keyEvents(keyStatus(20, k), keyStatus(100, k, verified("newer", licenseOf("L2", 30, 200))),
				assessedOn(100, acme(), k)),
			[]reconcile.Event{normal("GracePeriod",
				`License "L1" expired at 2026-04-11T00:00:00Z; grace period ends at 2026-04-21T00:00:00Z.`)},
		},
		"key: does not verify": {
			keyEvents(keyStatus(20, k), keyStatus(20, bad), assessedOn(100, acme(), k)),
			[]reconcile.Event{warning("SignatureInvalid", "The signature does not hold.")},
		},
		"product: nothing": {productEvents(productStatus(20, k), productStatus(30, k),
			assessedOn(100, acme(), k)), nil},
		"product: clock skewed": {
			productEvents(productStatus(20, k), skewed, assessedOn(100, acme(), k)),
			[]reconcile.Event{warning("ClockSkewed", "The clocks are apart.")},
		},
		"product: clock fixed": {
			productEvents(skewed, productStatus(20, k), assessedOn(100, acme(), k)),
			[]reconcile.Event{normal("ClockInOrder", "Clock skew resolved.")},
		},
		"product: over the limit": {
			productEvents(productStatus(20, k), exceeded, assessedOn(20, acme(), k)),
			[]reconcile.Event{warning("LimitExceeded", "License limit exceeded: 101 of 100 nodes in use. Nothing is "+
				"blocked. Use less, or get a larger license at https://acme.example/renew.")},
		},
		"product: further over the limit is not an event": {productEvents(exceeded, furtherExceeded,
			assessedOn(20, acme(), k)), nil},
		"product: within the limit again": {
			productEvents(exceeded, productStatus(20, k),
				assessedOn(20, acme(), k)),
			[]reconcile.Event{normal("WithinLimits", "Use is within the license limits.")},
		},
		"product: alerts ready": {productEvents(productStatus(20, k), alertsReady,
			assessedOn(20, acme(), k)), nil},
		"product: alerts refused": {productEvents(alertsReady, alertsRefused,
			assessedOn(20, acme(), k)), []reconcile.Event{warning("AlertsNotReady", "It may not.")}},
		"product: clock reset": {
			productEvents(productStatus(20, k), reset,
				assessedOn(100, acme(), k)),
			[]reconcile.Event{warning("ClockReset",
				"Clock reset as requested: status.timeMark is 2026-01-21T00:00:00Z.")},
		},
		"product: new and valid": {
			productEvents(&api.LicensedProductStatus{},
				productStatus(20, k), assessedOn(100, acme(), k)),
			[]reconcile.Event{
				normal("TermsAccepted", "Terms accepted (vendor Acme)."),
				normal("Valid", `LicenseKey "k" is valid until 2026-04-11T00:00:00Z.`),
			},
		},
		"product: in grace": {
			productEvents(productStatus(20, k),
				productStatus(100, k), assessedOn(100, acme(), k)),
			[]reconcile.Event{warning("GracePeriod",
				`LicenseKey "k" expired at 2026-04-11T00:00:00Z; grace period ends at 2026-04-21T00:00:00Z. `+
					renew)},
		},
		"key: in grace, to be renewed": {
			keyEvents(keyStatus(20, k), keyStatus(100, k, next), assessedOn(100, acme(), k, next)),
			[]reconcile.Event{normal("GracePeriod",
				`License "L1" expired at 2026-04-11T00:00:00Z; grace period ends at 2026-04-21T00:00:00Z.`)},
		},
		"product: in grace, to be renewed": {
			productEvents(productStatus(20, k), productStatus(100, k, next), assessedOn(100, acme(), k, next)),
			[]reconcile.Event{normal("GracePeriod",
				`LicenseKey "k" expired at 2026-04-11T00:00:00Z; grace period ends at 2026-04-21T00:00:00Z. Other `+
					`keys cover the product until 2026-07-30T00:00:00Z.`)},
		},
		"product: another active key": {
			productEvents(productStatus(20, k),
				productStatus(30, k, verified("newer", licenseOf("L2", 30, 200))), assessedOn(100, acme(), k)),
			[]reconcile.Event{normal("ActiveLicenseKeyChanged",
				`LicenseKey "newer" is valid until 2026-07-20T00:00:00Z.`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The API server refuses an event with a longer note, and the event is lost.
func TestNotesAreCutToWhatTheAPITakes(t *testing.T) {
	recorder := events.NewFakeRecorder(1)
	reconcile.Record(recorder, acme(), []reconcile.Event{warning("TokenMalformed", strings.Repeat("é", 1000))})
	event := <-recorder.Events
	note := strings.TrimPrefix(event, "Warning TokenMalformed ")
	if len(note) > 1024 || !strings.HasSuffix(note, "é...") || !utf8.ValidString(note) {
		t.Errorf("got a note of %d bytes: %s", len(note), event)
	}
}

// A message beyond what the API takes would keep the whole status from being written.
func TestMessagesAreCutToWhatTheAPITakes(t *testing.T) {
	long := &metav1.Condition{
		Type: "AlertsReady", Status: isFalse, Reason: "ApplyFailed",
		Message: strings.Repeat("é", 40_000),
	}
	status := productStatusOf(assessedOn(20, acme()), inUse(1, 4), long)
	got := reconcile.FindCondition(status.Conditions, "AlertsReady").Message
	if len(got) > 4096 || !strings.HasSuffix(got, "é...") || !utf8.ValidString(got) {
		t.Errorf("got a message of %d bytes: %s", len(got), got)
	}
}

// The month's end is a boundary too: nothing else may happen for a while.
func TestNextLook(t *testing.T) {
	k := verified("k", licenseOf("L1", 10, 100))
	for name, test := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"nothing near":            {day(20), time.Hour},
		"before the month's end":  {day(31).Add(-10 * time.Minute), 10*time.Minute + 5*time.Millisecond},
		"after it":                {day(31), time.Hour},
		"before the key's expiry": {day(100).Add(-time.Minute), time.Minute + 5*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			found := assessedBy(license.ClockReading{Now: test.now, Agreement: license.ClocksUnknown}, acme(), k)
			if got := reconcile.At(found.Time.Clock, nextLook(found)).RequeueAfter; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// warning and normal are events.
func warning(reason, note string) reconcile.Event {
	return reconcile.Event{Warning: true, Reason: reason, Note: note}
}

func normal(reason, note string) reconcile.Event { return reconcile.Event{Reason: reason, Note: note} }
