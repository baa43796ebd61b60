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

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

// restricted is an API server with a product whose restriction stands like that.
func restricted(t *testing.T, status api.RestrictionStatus) *fakeAPI {
	t.Helper()
	fake := newFakeAPI(t)
	fake.product.Spec.Restriction = &api.RestrictionSpec{Mode: api.RestrictionDefaultTierOnly,
		TierSelector: &metav1.LabelSelector{}}
	fake.product.Status.Restriction = &status
	fake.operator = follow
	return fake
}

var (
	restrictedSince = date("2026-11-20")

	active = api.RestrictionStatus{
		State: api.RestrictionActive, EffectiveTime: new(metav1.NewTime(restrictedSince)),
		InForce: inForce(),
	}
	scheduled = api.RestrictionStatus{State: api.RestrictionScheduled, EffectiveTime: new(metav1.NewTime(date("2026-11-24")))}
	observed  = api.RestrictionStatus{State: api.RestrictionNone, EffectiveTime: new(metav1.NewTime(restrictedSince))}
)

func inForce() *api.RestrictionInForce {
	return &api.RestrictionInForce{
		Mode: api.RestrictionDefaultTierOnly, SinceTime: new(metav1.NewTime(restrictedSince)),
		Tiers: []api.RestrictedTier{{Name: "databases", Mode: api.RestrictionDefaultTierOnly},
			{Name: "security", Mode: api.RestrictionDefaultTierOnly}},
		Policies: &api.AffectedPolicies{Total: new(int32(120)), Allowing: new(int32(100)), Denying: new(int32(20))},
	}
}

// paused is a restriction that has been paused.
func paused() api.RestrictionStatus {
	pause := api.RestrictionPause{SinceTime: new(metav1.NewTime(date("2026-11-21"))),
		UntilTime: new(metav1.NewTime(date("2026-11-23"))), Reason: "Holidays"}
	return api.RestrictionStatus{State: api.RestrictionPaused, EffectiveTime: new(metav1.NewTime(restrictedSince)), Pause: &pause}
}

func pauseAnnotations(fake *fakeAPI) *fakeAPI {
	fake.product.Annotations = map[string]string{
		api.RestrictionPauseAnnotation:       "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z",
		api.RestrictionPauseReasonAnnotation: "Holidays",
	}
	return fake
}

// follow is an operator whose clock agrees with that of the tests.
func follow(product *api.LicensedProduct) {
	status := product.Status.Restriction
	status.Pause, _ = restriction.PauseOf(product)
	due := !present.Before(status.EffectiveTime.Time)
	switch {
	case status.State == api.RestrictionNone:
	case status.Pause != nil:
		status.State, status.InForce = api.RestrictionPaused, nil
	case due:
		status.State = api.RestrictionActive
		if status.InForce == nil {
			status.InForce = inForce()
		}
	default:
		status.State = api.RestrictionScheduled
	}
}

// restrictionReady is the condition of a restriction that is not in force, or lifted, completely.
func restrictionReady(reason, message string) []metav1.Condition {
	return []metav1.Condition{{Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse, Reason: reason,
		Message: message}}
}

func TestPause(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	e.now = present.Add(123456789 * time.Nanosecond)
	pause := func(note string, fake *fakeAPI, args ...string) {
		t.Helper()
		e.note("%s", note)
		e.ask(fake, append([]string{"pause", "acme-mesh"}, args...)...)
	}

	fake := restricted(t, active)
	pause("It is in force.", fake, "--for", "72h", "--reason", "Renewal is signed, key expected on Monday")
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/restriction-pause":"2026-11-22T10:00:00Z/2026-11-25T10:00:00Z",` +
		`"license-operator.io/restriction-pause-reason":"Renewal is signed, key expected on Monday"}}}`
	if !slices.Equal(fake.patches, []string{want}) {
		t.Errorf("patched with %q", fake.patches)
	}
	fake = restricted(t, active)
	fake.operator = func(product *api.LicensedProduct) {
		follow(product)
		product.Status.Conditions = restrictionReady(api.ReasonApplyFailed,
			"The pass policy of tier databases cannot be deleted.")
	}
	pause("It is not lifted.", fake, "--for", "1d", "--reason", "Freeze")
	pause("It is to come while it is paused.", restricted(t, scheduled), "--for", "14d", "--reason", " Freeze ")
	pause("It is to come when the pause is over.", restricted(t, scheduled), "--for", "1h30m", "--reason", "Freeze")
	pause("It is paused.", pauseAnnotations(restricted(t, paused())), "--for", "7d", "--reason", "Still \u202eholidays")
	pause("It is only observed.", restricted(t, observed), "--for", "1d", "--reason", "Freeze")

	fake = newFakeAPI(t)
	pause("There is nothing to pause.", fake, "--for", "1d", "--reason", "Freeze")
	if len(fake.patches) > 0 {
		t.Errorf("patched with %q", fake.patches)
	}
	fake = restricted(t, active)
	fake.operator = nil
	pause("Nobody acts.", fake, "--for", "1d", "--reason", "Freeze", "--timeout", "1s")
	fake = restricted(t, active)
	fake.operator = func(product *api.LicensedProduct) {
		product.Status.Restriction.Pause, _ = restriction.PauseOf(product)
	}
	pause("The operator's clock is behind.", fake, "--for", "1d", "--reason", "Freeze", "--timeout", "1s")
	fake = restricted(t, active)
	fake.denied = http.MethodPatch
	pause("Not allowed.", fake, "--for", "1d", "--reason", "Freeze")

	e.note("Mistakes.")
	fake = restricted(t, active)
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
		if got := e.ask(fake, append([]string{"pause", "acme-mesh"}, args...)...); got.code != exitFailed {
			t.Errorf("%q ended with %d", args, got.code)
		}
	}
	if len(fake.patches) > 0 {
		t.Errorf("patched with %q", fake.patches)
	}
	e.compare(golden, "pause")
}

// The longest reason and the longest pause come through whole.
func TestLongestPause(t *testing.T) {
	e := newTerminal(t)
	fake := restricted(t, active)
	reason := strings.Repeat("é", restriction.MaxPauseReason)
	e.must("pause", "acme-mesh", "--for", "14d", "--reason", reason, "--server", fake.start())
	want := &api.RestrictionPause{SinceTime: new(metav1.NewTime(present)),
		UntilTime: new(metav1.NewTime(present.Add(restriction.MaxPause))), Reason: reason}
	if got := fake.product.Status.Restriction.Pause; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestResume(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	resume := func(note string, fake *fakeAPI, args ...string) {
		t.Helper()
		e.note("%s", note)
		e.ask(fake, append([]string{"resume", "acme-mesh"}, args...)...)
	}

	fake := pauseAnnotations(restricted(t, paused()))
	resume("It is due.", fake)
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/restriction-pause":null,` +
		`"license-operator.io/restriction-pause-reason":null}}}`
	if !slices.Equal(fake.patches, []string{want}) {
		t.Errorf("patched with %q", fake.patches)
	}
	fake = pauseAnnotations(restricted(t, paused()))
	fake.product.Status.Restriction.EffectiveTime = new(metav1.NewTime(date("2026-11-24")))
	resume("It is to come.", fake)
	fake = pauseAnnotations(restricted(t, paused()))
	fake.operator = func(product *api.LicensedProduct) {
		follow(product)
		product.Status.Conditions = restrictionReady(api.ReasonForbidden,
			"The operator may not create globalnetworkpolicies.")
	}
	resume("It is not in place.", fake)
	fake.product.Status = api.LicensedProductStatus{Restriction: new(paused())}
	fake = pauseAnnotations(fake)
	fake.operator = func(product *api.LicensedProduct) {
		follow(product)
		product.Status.Conditions = restrictionReady(api.ReasonApplying, "The restriction is being put into force.")
	}
	resume("It takes too long.", fake, "--timeout", "1s")
	reads := 0
	fake = pauseAnnotations(restricted(t, paused()))
	fake.read = func(product *api.LicensedProduct) {
		reads++
		product.Status.Conditions = restrictionReady(api.ReasonApplying, "The restriction is being put into force.")
		if reads > 3 {
			product.Status.Conditions = nil
		}
	}
	resume("It takes a moment.", fake)
	for _, status := range []api.RestrictionStatus{active, scheduled, observed, {}} {
		fake = restricted(t, status)
		resume("It is not paused.", fake)
		if len(fake.patches) > 0 {
			t.Errorf("patched with %q", fake.patches)
		}
	}
	fake = restricted(t, active)
	fake.product.Annotations = map[string]string{api.RestrictionPauseReasonAnnotation: "Holidays"}
	resume("There is only a reason left.", fake)
	fake = pauseAnnotations(restricted(t, paused()))
	fake.operator = nil
	resume("Nobody acts.", fake, "--timeout", "1s")
	fake = pauseAnnotations(restricted(t, paused()))
	fake.denied = http.MethodGet
	resume("Not allowed.", fake)
	e.compare(golden, "resume")
}
