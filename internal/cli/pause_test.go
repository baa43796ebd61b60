// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/restriction"
)

// restricted is an API server with a product that has this restriction.
func restricted(t *testing.T, status api.RestrictionStatus) *clitest.FakeAPI {
	t.Helper()
	fake := clitest.NewFakeAPI(t)
	fake.Product.Spec.Restriction = &api.RestrictionSpec{
		Mode:         api.RestrictionDefaultTierOnly,
		TierSelector: &metav1.LabelSelector{},
	}
	fake.Product.Status.Restriction = &status
	fake.Operator = clitest.Follow
	return fake
}

var (
	active = api.RestrictionStatus{
		State: api.RestrictionActive, EffectiveTime: new(metav1.NewTime(clitest.RestrictedSince)),
		InForce: clitest.InForce(),
	}
	scheduled = api.RestrictionStatus{
		State:         api.RestrictionScheduled,
		EffectiveTime: new(metav1.NewTime(clitest.Date("2026-11-24"))),
	}
	observed = api.RestrictionStatus{
		State:         api.RestrictionNone,
		EffectiveTime: new(metav1.NewTime(clitest.RestrictedSince)),
	}
)

// paused is a restriction that has been paused.
func paused() api.RestrictionStatus {
	pause := api.RestrictionPause{
		SinceTime: new(metav1.NewTime(clitest.Date("2026-11-21"))),
		UntilTime: new(metav1.NewTime(clitest.Date("2026-11-23"))), Reason: "Holidays",
	}
	return api.RestrictionStatus{
		State:         api.RestrictionPaused,
		EffectiveTime: new(metav1.NewTime(clitest.RestrictedSince)), Pause: &pause,
	}
}

func pauseAnnotations(fake *clitest.FakeAPI) *clitest.FakeAPI {
	fake.Product.Annotations = map[string]string{
		api.RestrictionPauseAnnotation:       "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z",
		api.RestrictionPauseReasonAnnotation: "Holidays",
	}
	return fake
}

// restrictionReady is the condition of a restriction that is not completely applied or removed.
func restrictionReady(reason, message string) []metav1.Condition {
	return []metav1.Condition{{
		Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse, Reason: reason,
		Message: message,
	}}
}

func TestPause(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	e.Now = clitest.Present.Add(123456789 * time.Nanosecond)
	pause := func(note string, fake *clitest.FakeAPI, args ...string) {
		t.Helper()
		e.Note("%s", note)
		e.Ask(fake, append([]string{"pause", "acme-mesh"}, args...)...)
	}

	fake := restricted(t, active)
	pause("It is in force.", fake, "--for", "72h", "--reason", "Renewal is signed, key expected on Monday")
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/restriction-pause":` +
		`"2026-11-22T10:00:00Z/2026-11-25T10:00:00Z",` +
		`"license-operator.io/restriction-pause-reason":"Renewal is signed, key expected on Monday"}}}`
	if !slices.Equal(fake.Patches, []string{want}) {
		t.Errorf("patched with %q", fake.Patches)
	}
	fake = restricted(t, active)
	fake.Operator = func(product *api.LicensedProduct) {
		clitest.Follow(product)
		product.Status.Conditions = restrictionReady(api.ReasonApplyFailed,
			"The pass policy of tier databases cannot be deleted.")
	}
	pause("It is not removed.", fake, "--for", "1d", "--reason", "Freeze")
	pause("It is scheduled during the pause.", restricted(t, scheduled), "--for", "14d", "--reason", " Freeze ")
	pause("It is scheduled after the pause.", restricted(t, scheduled), "--for", "1h30m", "--reason", "Freeze")
	pause("It is paused.", pauseAnnotations(restricted(t, paused())), "--for", "7d", "--reason", "Still \u202eholidays")
	pause("It is only observed.", restricted(t, observed), "--for", "1d", "--reason", "Freeze")

	fake = clitest.NewFakeAPI(t)
	pause("There is nothing to pause.", fake, "--for", "1d", "--reason", "Freeze")
	if len(fake.Patches) > 0 {
		t.Errorf("patched with %q", fake.Patches)
	}
	fake = restricted(t, active)
	fake.Operator = nil
	pause("The operator does not act.", fake, "--for", "1d", "--reason", "Freeze", "--timeout", "1s")
	fake = restricted(t, active)
	fake.Operator = func(product *api.LicensedProduct) {
		product.Status.Restriction.Pause, _ = restriction.PauseOf(product)
	}
	pause("The operator's clock is behind.", fake, "--for", "1d", "--reason", "Freeze", "--timeout", "1s")
	fake = restricted(t, active)
	fake.Denied = http.MethodPatch
	pause("Not allowed.", fake, "--for", "1d", "--reason", "Freeze")

	e.Note("Mistakes.")
	fake = restricted(t, active)
	for _, args := range [][]string{
		{},
		{"--for", "1d"},
		{"--for", "1d", "--reason", " "},
		{"--for", "0s", "--reason", "Freeze"},
		{"--for", "14d1s", "--reason", "Freeze"},
		{"--for", "1q", "--reason", "Freeze"},
		{"--for", "1d", "--reason", "One\ntwo"},
		{"--for", "1d", "--reason", "\xff"},
		{"--for", "1d", "--reason", strings.Repeat("é", 257)},
		{"--for", "1d", "--reason", "Freeze", "--timeout", "-1s"},
	} {
		if got := e.Ask(fake, append([]string{"pause", "acme-mesh"}, args...)...); got.Code != command.ExitFailed {
			t.Errorf("%q ended with %d", args, got.Code)
		}
	}
	if len(fake.Patches) > 0 {
		t.Errorf("patched with %q", fake.Patches)
	}
	e.Compare(golden, "pause")
}

// The longest reason and the longest pause are not cut.
func TestLongestPause(t *testing.T) {
	e := newTerminal(t)
	fake := restricted(t, active)
	reason := strings.Repeat("é", restriction.MaxPauseReason)
	e.Must("pause", "acme-mesh", "--for", "14d", "--reason", reason, "--server", fake.Start())
	want := &api.RestrictionPause{
		SinceTime: new(metav1.NewTime(clitest.Present)),
		UntilTime: new(metav1.NewTime(clitest.Present.Add(restriction.MaxPause))), Reason: reason,
	}
	if got := fake.Product.Status.Restriction.Pause; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestResume(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	resume := func(note string, fake *clitest.FakeAPI, args ...string) {
		t.Helper()
		e.Note("%s", note)
		e.Ask(fake, append([]string{"resume", "acme-mesh"}, args...)...)
	}

	fake := pauseAnnotations(restricted(t, paused()))
	resume("It is due.", fake)
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/restriction-pause":null,` +
		`"license-operator.io/restriction-pause-reason":null}}}`
	if !slices.Equal(fake.Patches, []string{want}) {
		t.Errorf("patched with %q", fake.Patches)
	}
	fake = pauseAnnotations(restricted(t, paused()))
	fake.Product.Status.Restriction.EffectiveTime = new(metav1.NewTime(clitest.Date("2026-11-24")))
	resume("It is scheduled.", fake)
	fake = pauseAnnotations(restricted(t, paused()))
	fake.Operator = func(product *api.LicensedProduct) {
		clitest.Follow(product)
		product.Status.Conditions = restrictionReady(api.ReasonForbidden,
			"The operator may not create globalnetworkpolicies.")
	}
	resume("It is not applied.", fake)
	fake.Product.Status = api.LicensedProductStatus{Restriction: new(paused())}
	fake = pauseAnnotations(fake)
	fake.Operator = func(product *api.LicensedProduct) {
		clitest.Follow(product)
		product.Status.Conditions = restrictionReady(api.ReasonApplying, "The restriction is being put into force.")
	}
	resume("It takes too long.", fake, "--timeout", "1s")
	reads := 0
	fake = pauseAnnotations(restricted(t, paused()))
	fake.Read = func(product *api.LicensedProduct) {
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
		if len(fake.Patches) > 0 {
			t.Errorf("patched with %q", fake.Patches)
		}
	}
	fake = restricted(t, active)
	fake.Product.Annotations = map[string]string{api.RestrictionPauseReasonAnnotation: "Holidays"}
	resume("There is only a reason left.", fake)
	fake = pauseAnnotations(restricted(t, paused()))
	fake.Operator = nil
	resume("The operator does not act.", fake, "--timeout", "1s")
	fake = pauseAnnotations(restricted(t, paused()))
	fake.Denied = http.MethodGet
	resume("Not allowed.", fake)
	e.Compare(golden, "resume")
}
