// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// inDays is a time this many days after Present.
func inDays(days int) *metav1.Time { return new(metav1.NewTime(Present.AddDate(0, 0, days))) }

// wellProduct is a product without next steps.
func wellProduct() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh", Generation: 2},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", RenewalURL: "https://acme.example/renew"},
		Status: api.LicensedProductStatus{
			Conditions: []metav1.Condition{
				{Type: api.ConditionReady, Status: metav1.ConditionTrue, Reason: api.ReasonTermsAccepted},
				{Type: api.ConditionAlertsReady, Status: metav1.ConditionTrue, Reason: api.ReasonRuleApplied},
				{Type: api.ConditionRestrictionReady, Status: metav1.ConditionTrue, Reason: api.ReasonComplete},
			},
			ObservedGeneration: 2, State: api.LicensedProductValid, ActiveLicenseKeyName: "acme-mesh-2026",
			ExpiryTime: inDays(70), GraceEndTime: inDays(100), CoverageEndTime: inDays(100),
			Limits: []api.Limit{
				{Name: "cores", Value: new(int64(400))},
				{Name: "nodes", Value: new(int64(100))},
				{Name: "sites", Value: new(int64(5))},
			},
			Usage: []api.Usage{{Name: "nodes", Value: new(int64(73))}, {Name: "cores", Value: new(int64(292))}},
			Restriction: &api.RestrictionStatus{
				State: api.RestrictionScheduled, EffectiveTime: inDays(100),
				Preview: &api.RestrictionPreview{Mode: api.RestrictionDefaultTierOnly},
			},
		},
	}
}

func setCondition(
	status *api.LicensedProductStatus, conditionType string, is metav1.ConditionStatus, reason, message string,
) {
	meta.SetStatusCondition(&status.Conditions,
		metav1.Condition{Type: conditionType, Status: is, Reason: reason, Message: message})
}

// keyOf is a key of a product. If it has a reason, it does not verify.
func keyOf(product, name string, state api.LicenseKeyState, reason string) api.LicenseKey {
	ready := metav1.Condition{
		Type: api.ConditionReady, Status: metav1.ConditionFalse, Reason: reason,
		Message: "It is wrong, \x1b[31mso wrong.",
	}
	if reason == api.ReasonVerified {
		ready.Status = metav1.ConditionTrue
	}
	return api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: api.LicenseKeySpec{ProductName: product},
		Status: api.LicenseKeyStatus{State: state, Conditions: []metav1.Condition{ready}},
	}
}

func TestNextSteps(t *testing.T) {
	const (
		get        = "Get a license at https://acme.example/renew. To get what the vendor needs:"
		request    = "kubectl license request acme-mesh"
		doctor     = "kubectl license doctor"
		isSimulate = "kubectl license simulate acme-mesh"
	)
	expire := func(state api.LicensedProductState, expiry, graceEnd, coverageEnd int) func(*api.LicensedProduct) {
		return func(product *api.LicensedProduct) {
			s := &product.Status
			s.State, s.ExpiryTime, s.GraceEndTime, s.CoverageEndTime = state, inDays(expiry), inDays(graceEnd),
				inDays(coverageEnd)
			s.Restriction = nil
		}
	}
	use := func(nodes, cores int64) func(*api.LicensedProduct) {
		return func(product *api.LicensedProduct) {
			product.Status.Usage = []api.Usage{{Name: "nodes", Value: &nodes}, {Name: "cores", Value: &cores}}
		}
	}
	restrict := func(status api.RestrictionStatus) func(*api.LicensedProduct) {
		return func(product *api.LicensedProduct) { product.Status.Restriction = &status }
	}
	condition := func(conditionType string, is metav1.ConditionStatus,
		reason, message string,
	) func(*api.LicensedProduct) {
		return func(product *api.LicensedProduct) { setCondition(&product.Status, conditionType, is, reason, message) }
	}
	staged := keyOf("acme-mesh", "acme-mesh-2027", api.LicenseKeyNotYetValid, api.ReasonVerified)
	staged.Status.NotBeforeTime = inDays(3)
	begun := func(ago time.Duration) api.LicenseKey {
		key := keyOf("acme-mesh", "acme-mesh-2026", api.LicenseKeyNotYetValid, api.ReasonVerified)
		key.Status.NotBeforeTime = new(metav1.NewTime(Present.Add(-ago)))
		return key
	}
	later := keyOf("acme-mesh", "acme-mesh-2028", api.LicenseKeyNotYetValid, api.ReasonVerified)
	later.Status.NotBeforeTime = inDays(300)

	for name, test := range map[string]struct {
		change func(*api.LicensedProduct)
		keys   []api.LicenseKey
		want   []Step
	}{
		"no problem": {},
		"keys that verify, and another product's that does not": {keys: []api.LicenseKey{
			keyOf("acme-mesh", "a", api.LicenseKeyValid, api.ReasonVerified), staged,
			keyOf("acme-db", "b", api.LicenseKeyInvalid, api.ReasonTokenMalformed),
		}},
		"not reconciled": {
			change: func(product *api.LicensedProduct) {
				product.Status = api.LicensedProductStatus{ObservedGeneration: -1}
			},
			want: []Step{{StepStatusOutdated, "The operator has not reconciled this product yet, so its status is " +
				"out of date. If the operator runs, it does so within seconds.", doctor}},
		},
		"terms that the operator has not seen": {
			change: func(product *api.LicensedProduct) { product.Generation = 3 },
			want: []Step{{StepStatusOutdated, "The operator has not reconciled this product yet, so its status is " +
				"out of date. If the operator runs, it does so within seconds.", doctor}},
		},
		"an expiry that the operator has not seen": {
			change: expire(api.LicensedProductValid, -1, 100, 100),
			want: []Step{{
				StepStatusOutdated,
				"By this machine's clock the license expired at 2026-11-21T10:00:00Z (24 hours ago), but the status " +
					"does not show it: the operator is not running, or a clock is wrong.", doctor,
			}},
		},
		"an expiry that the operator does not see, since its clock is behind": {
			change: func(product *api.LicensedProduct) {
				expire(api.LicensedProductValid, -1, 100, 100)(product)
				setCondition(&product.Status, api.ConditionClockSkewed, metav1.ConditionTrue, api.ReasonNodeClock,
					"Fix it.")
			},
			want: []Step{{StepClockSkewed, "Fix it.", doctor}},
		},
		"an expiry now": {change: expire(api.LicensedProductValid, 0, 100, 100)},
		"an end of grace that the operator has not seen": {
			change: expire(api.LicensedProductGracePeriod, -31, -1, 100),
			want: []Step{{
				StepStatusOutdated,
				"By this machine's clock the grace period ended at 2026-11-21T10:00:00Z (24 hours ago), but the " +
					"status does not show it: the operator is not running, or a clock is wrong.", doctor,
			}},
		},
		"terms that cannot be used": {
			change: condition(api.ConditionReady, metav1.ConditionFalse, api.ReasonTrustAnchorsInvalid,
				"spec.trustAnchors cannot be used. Fix them."),
			want: []Step{{
				StepTermsNotAccepted, "spec.trustAnchors cannot be used. Fix them.",
				"kubectl describe lprod acme-mesh",
			}},
		},
		"never licensed": {
			change: func(product *api.LicensedProduct) {
				product.Status = api.LicensedProductStatus{ObservedGeneration: 2, State: api.LicensedProductUnlicensed}
			},
			want: []Step{{StepUnlicensed, "No license: the product has no valid key. " + get, request}},
		},
		"never licensed, with a key that starts later": {
			change: func(product *api.LicensedProduct) {
				product.Spec.RenewalURL = ""
				product.Status = api.LicensedProductStatus{ObservedGeneration: 2, State: api.LicensedProductUnlicensed}
			},
			keys: []api.LicenseKey{later, staged},
			want: []Step{{
				StepUnlicensed, "No license: the product has no valid key. LicenseKey acme-mesh-2027 begins at " +
					"2026-11-25T10:00:00Z (in 3 days). Get a license from Acme. To get what the vendor needs:", request,
			}},
		},
		"a start that the operator has not seen": {
			change: func(product *api.LicensedProduct) {
				product.Status = api.LicensedProductStatus{ObservedGeneration: 2, State: api.LicensedProductUnlicensed}
			},
			keys: []api.LicenseKey{later, begun(time.Hour), begun(time.Minute), staged},
			want: []Step{
				{
					StepStatusOutdated,
					"By this machine's clock LicenseKey acme-mesh-2026 began at 2026-11-22T09:00:00Z (60 minutes " +
						"ago), but the status does not show it: the operator is not running, or a clock is wrong.",
					doctor,
				},
				{
					StepUnlicensed, "No license: the product has no valid key. LicenseKey acme-mesh-2027 begins at " +
						"2026-11-25T10:00:00Z (in 3 days). " + get, request,
				},
			},
		},
		"a start now": {
			change: func(product *api.LicensedProduct) {
				product.Status = api.LicensedProductStatus{ObservedGeneration: 2, State: api.LicensedProductUnlicensed}
			},
			keys: []api.LicenseKey{begun(28 * time.Second)},
			want: []Step{{StepUnlicensed, "No license: the product has no valid key. " + get, request}},
		},
		"a start and an expiry that the operator has not seen": {
			change: expire(api.LicensedProductValid, -1, 100, 100),
			keys:   []api.LicenseKey{begun(25 * time.Hour)},
			want: []Step{{
				StepStatusOutdated,
				"By this machine's clock the license expired at 2026-11-21T10:00:00Z (24 hours ago), but the status " +
					"does not show it: the operator is not running, or a clock is wrong.", doctor,
			}},
		},
		"a start that the operator does not see, since its clock is behind": {
			change: condition(api.ConditionClockSkewed, metav1.ConditionTrue, api.ReasonNodeClock, "Fix it."),
			keys:   []api.LicenseKey{begun(time.Hour)}, want: []Step{{StepClockSkewed, "Fix it.", doctor}},
		},
		"expired": {
			change: expire(api.LicensedProductExpired, -40, -10, -10),
			want: []Step{{
				StepExpired,
				"The license expired at 2026-10-13T10:00:00Z (40 days ago), and its grace period ended at " +
					"2026-11-12T10:00:00Z (10 days ago). " + get, request,
			}},
		},
		"in grace": {
			change: expire(api.LicensedProductGracePeriod, -18, 12, 12),
			want: []Step{{
				StepGracePeriod,
				"The license expired at 2026-11-04T10:00:00Z (18 days ago). Everything works until its grace period " +
					"ends at 2026-12-04T10:00:00Z (in 12 days). " + get, request,
			}},
		},
		"in grace, with a long renewal": {change: expire(api.LicensedProductGracePeriod, -18, 12, 60)},
		"in grace, with a short renewal": {
			change: expire(api.LicensedProductGracePeriod, -18, 12, 59),
			want: []Step{{
				StepGracePeriod,
				"The license expired at 2026-11-04T10:00:00Z (18 days ago). Everything works until its grace period " +
					"ends at 2026-12-04T10:00:00Z (in 12 days). " +
					"Other keys cover the product from then to 2027-01-20T10:00:00Z (in 59 days). " + get, request,
			}},
		},
		"in a grace period that is longer than the warning time": {
			change: expire(api.LicensedProductGracePeriod, -1, 90, 90),
			want: []Step{{
				StepGracePeriod,
				"The license expired at 2026-11-21T10:00:00Z (24 hours ago). Everything works until its grace " +
					"period ends at 2027-02-20T10:00:00Z (in 90 days). " + get, request,
			}},
		},
		"expiring, but not soon": {change: expire(api.LicensedProductValid, 30, 60, 60)},
		"expiring soon": {
			change: expire(api.LicensedProductValid, 29, 59, 59),
			want: []Step{{
				StepExpiresSoon,
				"The license expires at 2026-12-21T10:00:00Z (in 29 days), and its grace period ends at " +
					"2027-01-20T10:00:00Z (in 59 days). " + get, request,
			}},
		},
		"expiring soon, with its own thresholds": {
			change: func(product *api.LicensedProduct) {
				product.Spec.Alerts = &api.AlertsSpec{ExpiryWarningDays: 101, ExpiryCriticalDays: 1}
				product.Status.Restriction = nil
			},
			want: []Step{{
				StepExpiresSoon,
				"The license expires at 2027-01-31T10:00:00Z (in 70 days), and its grace period ends at " +
					"2027-03-02T10:00:00Z (in 100 days). " + get, request,
			}},
		},
		"a key that does not verify": {
			keys: []api.LicenseKey{keyOf("acme-mesh", "forged", api.LicenseKeyInvalid, api.ReasonSignatureInvalid)},
			want: []Step{{
				StepKeyInvalid,
				"LicenseKey forged (SignatureInvalid) is invalid and has no effect. It is wrong, \x1b[31mso wrong.",
				"kubectl license keys acme-mesh -o wide",
			}},
		},
		"many keys that do not verify": {
			keys: manyInvalid(1000),
			want: []Step{{
				StepKeyInvalid, "1000 keys are invalid and have no effect: k0000 (LicenseRevoked), k0001 " +
					"(LicenseRevoked), k0002 (LicenseRevoked) and 997 more. Correct them, or delete those that are " +
					"not needed.", "kubectl license keys acme-mesh -o wide",
			}},
		},
		"a limit exceeded, and another near": {
			change: use(101, 360),
			want: []Step{
				{StepLimitExceeded, "License limit exceeded: 101 of 100 nodes in use. Nothing is blocked. Use less, " +
					"or get a larger license at https://acme.example/renew.", ""},
				{StepNearLimit, "90% or more of what is licensed is in use: 360 of 400 cores. Nothing is blocked. " +
					"To add more, get a larger license at https://acme.example/renew.", ""},
			},
		},
		"a restriction soon": {
			change: restrict(api.RestrictionStatus{State: api.RestrictionScheduled, EffectiveTime: inDays(59)}),
			want: []Step{{
				StepRestrictionComing, "A restriction takes effect at 2027-01-20T10:00:00Z (in 59 days) unless the " +
					"license is renewed. To see its effects:", isSimulate,
			}},
		},
		"a restriction in the far future": {
			change: restrict(api.RestrictionStatus{State: api.RestrictionScheduled, EffectiveTime: inDays(60)}),
		},
		"a restriction that waits for the clocks": {
			change: condition(api.ConditionRestricted, metav1.ConditionFalse, api.ReasonClockDisputed,
				"It would be due."),
			want: []Step{{StepRestrictionComing, "It would be due.", isSimulate}},
		},
		"a restriction in force": {
			change: restrict(api.RestrictionStatus{State: api.RestrictionActive, InForce: &api.RestrictionInForce{
				Mode: api.RestrictionDefaultTierOnly, SinceTime: inDays(-2),
				Tiers:    []api.RestrictedTier{{Name: "a"}, {Name: "b"}},
				Policies: &api.AffectedPolicies{Total: new(int32(120))},
			}}),
			want: []Step{{
				StepRestricted, "A restriction is in force since 2026-11-20T10:00:00Z (2 days ago) in 2 tiers with " +
					"120 policies, which are no longer applied to pods; those in the default tier still are. A " +
					"renewal ends it; a cluster administrator can pause it:",
				"kubectl license pause acme-mesh --for 72h --reason TEXT",
			}},
		},
		"a pause of a restriction that is due": {
			change: restrict(api.RestrictionStatus{
				State: api.RestrictionPaused, EffectiveTime: inDays(-1),
				Pause: &api.RestrictionPause{SinceTime: inDays(-1), UntilTime: inDays(2), Reason: "Freeze"},
			}),
			want: []Step{{
				StepRestrictionPaused, "The restriction is paused until 2026-11-24T10:00:00Z (in 2 days), with the " +
					"reason: Freeze. Then it takes effect unless the license is renewed. To see its effects:",
				isSimulate,
			}},
		},
		"a pause that ends long before a restriction": {
			change: restrict(api.RestrictionStatus{
				State: api.RestrictionPaused, EffectiveTime: inDays(100),
				Pause: &api.RestrictionPause{SinceTime: inDays(-1), UntilTime: inDays(2), Reason: "Freeze"},
			}),
		},
		"a pause that ends before a restriction": {
			change: restrict(api.RestrictionStatus{
				State: api.RestrictionPaused, EffectiveTime: inDays(10),
				Pause: &api.RestrictionPause{SinceTime: inDays(-1), UntilTime: inDays(10), Reason: "Freeze"},
			}),
			want: []Step{{
				StepRestrictionComing, "A restriction takes effect at 2026-12-02T10:00:00Z (in 10 days) unless the " +
					"license is renewed. To see its effects:", isSimulate,
			}},
		},
		"a restriction that is bypassed": {
			change: condition(api.ConditionRestrictionReady, metav1.ConditionFalse, api.ReasonBypassed,
				"Policies go on."),
			want: []Step{{StepRestrictionBypassed, "Policies go on.", "kubectl describe lprod acme-mesh"}},
		},
		"a lock that is missing, with a long message": {
			change: condition(api.ConditionRestrictionReady, metav1.ConditionFalse, api.ReasonLockNotInForce,
				strings.Repeat("long ", 1000)),
			want: []Step{{StepRestrictionNotReady, strings.Repeat("long ", 79) + "lo...", doctor}},
		},
		"a restriction that is being applied": {change: condition(api.ConditionRestrictionReady, metav1.ConditionFalse,
			api.ReasonApplying, "It is on its way.")},
		"alerts that are missing": {
			change: condition(api.ConditionAlertsReady, metav1.ConditionFalse, api.ReasonForbidden,
				"Nobody is alerted."),
			want: []Step{{StepAlertsNotReady, "Nobody is alerted.", doctor}},
		},
		"a cluster without prometheus-operator": {change: condition(api.ConditionAlertsReady, metav1.ConditionFalse,
			api.ReasonAPINotInstalled, "Nobody is alerted.")},
	} {
		t.Run(name, func(t *testing.T) {
			product := wellProduct()
			if test.change != nil {
				test.change(product)
			}
			if test.want == nil {
				test.want = []Step{}
			}
			if diff := cmp.Diff(test.want, NextSteps(product, test.keys, Present)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func manyInvalid(count int) []api.LicenseKey {
	keys := make([]api.LicenseKey, count)
	for i := range keys {
		keys[i] = keyOf("acme-mesh", fmt.Sprintf("k%04d", count-1-i), api.LicenseKeyInvalid, api.ReasonLicenseRevoked)
	}
	return keys
}

// TestNextStepsOfHalfAStatus has a product for each incomplete status: each has next steps.
func TestNextStepsOfHalfAStatus(t *testing.T) {
	for _, state := range []api.LicensedProductState{
		"", "Unheard", api.LicensedProductUnlicensed,
		api.LicensedProductValid, api.LicensedProductGracePeriod, api.LicensedProductExpired,
	} {
		for _, restriction := range []api.RestrictionState{
			"", api.RestrictionNone, api.RestrictionScheduled, api.RestrictionActive, api.RestrictionPaused,
		} {
			product := &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"}}
			product.Status.State, product.Status.Restriction = state, &api.RestrictionStatus{State: restriction}
			product.Status.Limits, product.Status.Usage = []api.Limit{{Name: "nodes"}, {Name: "sites"}},
				[]api.Usage{{Name: "nodes"}}
			summary := Of(product, nil, Present.Add(time.Hour))
			if (len(summary.Next) > 0) != (state != "Unheard") {
				t.Errorf("%q, %q: got %+v", state, restriction, summary.Next)
			}
		}
	}
}

// Present is the time of every test.
var Present = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
