// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

// restricted is an API server with a product whose restriction stands like that.
func restricted(t *testing.T, status v1alpha1.RestrictionStatus) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.product.Spec.Restriction = &v1alpha1.RestrictionSpec{Mode: v1alpha1.RestrictionDefaultTierOnly, TierSelector: &metav1.LabelSelector{}}
	api.product.Status.Restriction = &status
	api.operator = follow
	return api
}

var (
	restrictedSince = date("2026-11-20")

	active = v1alpha1.RestrictionStatus{
		State: v1alpha1.RestrictionActive, EffectiveTime: instantOf(restrictedSince),
		InForce: inForce(),
	}
	scheduled = v1alpha1.RestrictionStatus{State: v1alpha1.RestrictionScheduled, EffectiveTime: instantOf(date("2026-11-24"))}
	observed  = v1alpha1.RestrictionStatus{State: v1alpha1.RestrictionNone, EffectiveTime: instantOf(restrictedSince)}
)

func inForce() *v1alpha1.RestrictionInForce {
	return &v1alpha1.RestrictionInForce{
		Mode: v1alpha1.RestrictionDefaultTierOnly, SinceTime: new(metav1.NewTime(restrictedSince)),
		Tiers:    []v1alpha1.RestrictedTier{{Name: "databases", Mode: v1alpha1.RestrictionDefaultTierOnly}, {Name: "security", Mode: v1alpha1.RestrictionDefaultTierOnly}},
		Policies: &v1alpha1.AffectedPolicies{Total: new(int32(120)), Allowing: new(int32(100)), Denying: new(int32(20))},
	}
}

// paused is a restriction that has been paused.
func paused() v1alpha1.RestrictionStatus {
	pause := v1alpha1.RestrictionPause{SinceTime: new(metav1.NewTime(date("2026-11-21"))), UntilTime: new(metav1.NewTime(date("2026-11-23"))), Reason: "Holidays"}
	return v1alpha1.RestrictionStatus{State: v1alpha1.RestrictionPaused, EffectiveTime: instantOf(restrictedSince), Pause: &pause}
}

func pauseAnnotations(api *fakeAPI) *fakeAPI {
	api.product.Annotations = map[string]string{
		v1alpha1.RestrictionPauseAnnotation:       "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z",
		v1alpha1.RestrictionPauseReasonAnnotation: "Holidays",
	}
	return api
}

// follow is an operator whose clock agrees with that of the tests.
func follow(product *v1alpha1.LicensedProduct) {
	status := product.Status.Restriction
	status.Pause, _ = restriction.PauseOf(product)
	due := !present.Before(status.EffectiveTime.Time)
	switch {
	case status.State == v1alpha1.RestrictionNone:
	case status.Pause != nil:
		status.State, status.InForce = v1alpha1.RestrictionPaused, nil
	case due:
		status.State = v1alpha1.RestrictionActive
		if status.InForce == nil {
			status.InForce = inForce()
		}
	default:
		status.State = v1alpha1.RestrictionScheduled
	}
}

// restrictionReady is the condition of a restriction that is not in force, or lifted, completely.
func restrictionReady(reason, message string) []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionRestrictionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
}

func TestPause(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	e.now = present.Add(123456789 * time.Nanosecond)
	pause := func(note string, api *fakeAPI, args ...string) {
		t.Helper()
		e.note("%s", note)
		e.ask(api, append([]string{"pause", "acme-mesh"}, args...)...)
	}

	api := restricted(t, active)
	pause("It is in force.", api, "--for", "72h", "--reason", "Renewal is signed, key expected on Monday")
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/restriction-pause":"2026-11-22T10:00:00Z/2026-11-25T10:00:00Z",` +
		`"license-operator.io/restriction-pause-reason":"Renewal is signed, key expected on Monday"}}}`
	if !slices.Equal(api.patches, []string{want}) {
		t.Errorf("patched with %q", api.patches)
	}
	api = restricted(t, active)
	api.operator = func(product *v1alpha1.LicensedProduct) {
		follow(product)
		product.Status.Conditions = restrictionReady(v1alpha1.ReasonApplyFailed, "The pass policy of tier databases cannot be deleted.")
	}
	pause("It is not lifted.", api, "--for", "1d", "--reason", "Freeze")
	pause("It is to come while it is paused.", restricted(t, scheduled), "--for", "14d", "--reason", " Freeze ")
	pause("It is to come when the pause is over.", restricted(t, scheduled), "--for", "1h30m", "--reason", "Freeze")
	pause("It is paused.", pauseAnnotations(restricted(t, paused())), "--for", "7d", "--reason", "Still \u202eholidays")
	pause("It is only observed.", restricted(t, observed), "--for", "1d", "--reason", "Freeze")

	api = newFakeAPI(t)
	pause("There is nothing to pause.", api, "--for", "1d", "--reason", "Freeze")
	if len(api.patches) > 0 {
		t.Errorf("patched with %q", api.patches)
	}
	api = restricted(t, active)
	api.operator = nil
	pause("Nobody acts.", api, "--for", "1d", "--reason", "Freeze", "--timeout", "1s")
	api = restricted(t, active)
	api.operator = func(product *v1alpha1.LicensedProduct) {
		product.Status.Restriction.Pause, _ = restriction.PauseOf(product)
	}
	pause("The operator's clock is behind.", api, "--for", "1d", "--reason", "Freeze", "--timeout", "1s")
	api = restricted(t, active)
	api.denied = http.MethodPatch
	pause("Not allowed.", api, "--for", "1d", "--reason", "Freeze")

	e.note("Mistakes.")
	api = restricted(t, active)
	for _, args := range [][]string{
		{},
		{"--for", "1d"},
		{"--for", "1d", "--reason", " "},
		{"--for", "0s", "--reason", "Freeze"},
		{"--for", "14d1s", "--reason", "Freeze"},
		{"--for", "1w", "--reason", "Freeze"},
		{"--for", "1d", "--reason", "One\ntwo"},
		{"--for", "1d", "--reason", "\xff"},
		{"--for", "1d", "--reason", strings.Repeat("é", 257)},
		{"--for", "1d", "--reason", "Freeze", "--timeout", "-1s"},
	} {
		if got := e.ask(api, append([]string{"pause", "acme-mesh"}, args...)...); got.code != exitFailed {
			t.Errorf("%q ended with %d", args, got.code)
		}
	}
	if len(api.patches) > 0 {
		t.Errorf("patched with %q", api.patches)
	}
	e.compare(golden, "pause")
}

// The longest reason and the longest pause come through whole.
func TestLongestPause(t *testing.T) {
	e := newTerminal(t)
	api := restricted(t, active)
	reason := strings.Repeat("é", restriction.MaxPauseReason)
	e.must("pause", "acme-mesh", "--for", "14d", "--reason", reason, "--server", api.start())
	want := &v1alpha1.RestrictionPause{SinceTime: new(metav1.NewTime(present)), UntilTime: new(metav1.NewTime(present.Add(restriction.MaxPause))), Reason: reason}
	if got := api.product.Status.Restriction.Pause; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestResume(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	resume := func(note string, api *fakeAPI, args ...string) {
		t.Helper()
		e.note("%s", note)
		e.ask(api, append([]string{"resume", "acme-mesh"}, args...)...)
	}

	api := pauseAnnotations(restricted(t, paused()))
	resume("It is due.", api)
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/restriction-pause":null,"license-operator.io/restriction-pause-reason":null}}}`
	if !slices.Equal(api.patches, []string{want}) {
		t.Errorf("patched with %q", api.patches)
	}
	api = pauseAnnotations(restricted(t, paused()))
	api.product.Status.Restriction.EffectiveTime = instantOf(date("2026-11-24"))
	resume("It is to come.", api)
	api = pauseAnnotations(restricted(t, paused()))
	api.operator = func(product *v1alpha1.LicensedProduct) {
		follow(product)
		product.Status.Conditions = restrictionReady(v1alpha1.ReasonForbidden, "The operator may not create globalnetworkpolicies.")
	}
	resume("It is not in place.", api)
	api.product.Status = v1alpha1.LicensedProductStatus{Restriction: new(paused())}
	api = pauseAnnotations(api)
	api.operator = func(product *v1alpha1.LicensedProduct) {
		follow(product)
		product.Status.Conditions = restrictionReady(v1alpha1.ReasonApplying, "The restriction is being put into force.")
	}
	resume("It takes too long.", api, "--timeout", "1s")
	reads := 0
	api = pauseAnnotations(restricted(t, paused()))
	api.read = func(product *v1alpha1.LicensedProduct) {
		reads++
		product.Status.Conditions = restrictionReady(v1alpha1.ReasonApplying, "The restriction is being put into force.")
		if reads > 3 {
			product.Status.Conditions = nil
		}
	}
	resume("It takes a moment.", api)
	for _, status := range []v1alpha1.RestrictionStatus{active, scheduled, observed, {}} {
		api = restricted(t, status)
		resume("It is not paused.", api)
		if len(api.patches) > 0 {
			t.Errorf("patched with %q", api.patches)
		}
	}
	api = restricted(t, active)
	api.product.Annotations = map[string]string{v1alpha1.RestrictionPauseReasonAnnotation: "Holidays"}
	resume("There is only a reason left.", api)
	api = pauseAnnotations(restricted(t, paused()))
	api.operator = nil
	resume("Nobody acts.", api, "--timeout", "1s")
	api = pauseAnnotations(restricted(t, paused()))
	api.denied = http.MethodGet
	resume("Not allowed.", api)
	e.compare(golden, "resume")
}
