// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
)

// handled acts as an operator whose clock is right.
func handled(product *api.LicensedProduct) {
	mark := metav1.NewTime(clitest.Present)
	product.Status.TimeMark = &mark
	product.Status.LastHandledClockReset = product.Annotations[api.ClockResetAnnotation]
	product.Status.State = api.LicensedProductValid
}

func TestClockReset(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	e.Now = clitest.Present.Add(123456789 * time.Nanosecond)
	reset := func(note string, fake *clitest.FakeAPI, args ...string) {
		t.Helper()
		e.Note("%s", note)
		e.Ask(fake, append([]string{"clock", "reset"}, args...)...)
	}

	fake := clitest.NewFakeAPI(t)
	fake.Operator = handled
	reset("The operator acts.", fake, "acme-mesh")
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/clock-reset-requested":"2026-11-22T10:00:00.123456789Z"}}}`
	if len(fake.Patches) != 1 || fake.Patches[0] != want {
		t.Errorf("patched with %q", fake.Patches)
	}

	reset("The operator does not act.", clitest.NewFakeAPI(t), "acme-mesh", "--timeout", "1s")

	fake = clitest.NewFakeAPI(t)
	fake.Operator = func(product *api.LicensedProduct) {
		product.Status.Conditions = []metav1.Condition{{
			Type: api.ConditionClockSkewed, Status: metav1.ConditionTrue, Reason: api.ReasonNodeClock,
			Message: "The operator's clock and the API server's differ by more than 5 minutes.",
		}}
	}
	reset("The clocks are still wrong.", fake, "acme-mesh", "--timeout", "1s")

	reset("There is no such product.", clitest.NewFakeAPI(t), "acme-db")

	fake = clitest.NewFakeAPI(t)
	fake.Missing = true
	reset("The kinds are not installed.", fake, "acme-mesh")

	fake = clitest.NewFakeAPI(t)
	fake.Denied = http.MethodPatch
	reset("Not allowed.", fake, "acme-mesh")
	if len(fake.Patches) > 0 {
		t.Errorf("patched with %q", fake.Patches)
	}
	e.Compare(golden, "clock")
}

func TestClockResetWithoutAServer(t *testing.T) {
	e := newTerminal(t)
	stopped := httptest.NewServer(http.NotFoundHandler())
	stopped.Close()
	got := e.Run("", "clock", "reset", "acme-mesh", "--server", stopped.URL)
	if got.Code != command.ExitFailed || got.Stdout != "" ||
		!strings.HasPrefix(got.Stderr, "error: cannot read LicensedProduct acme-mesh: ") ||
		!strings.HasSuffix(got.Stderr, "\nCheck the connection with: kubectl get lprod acme-mesh\n") {
		t.Errorf("got %+v", got)
	}
}

func TestCompletion(t *testing.T) {
	e := newTerminal(t)
	server := clitest.NewFakeAPI(t).Start()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"i"}, "inspect\tShow what a license key says, whether it verifies, and its state\nissue\tIssue a " +
			"license key\n:4\n"},
		{[]string{"issue", "--output", ""}, "manifest\ntoken\n:4\n"},
		{[]string{"issue", "--signer", ""}, ":16\n"},                                   // folders
		{[]string{"issue", "--customer", ""}, ":4\n"},                                  // nothing
		{[]string{"inspect", ""}, ":0\n"},                                              // files
		{[]string{"inspect", "key.yaml", "--trust-anchor", ""}, "crt\npem\ncer\n:8\n"}, // files with these extensions
		{[]string{"clock", "reset", "--server", server, ""}, "acme-mesh\nacme-db\n:4\n"},
		{[]string{"clock", "reset", "--server", server, "acme-mesh", ""}, ":4\n"},
		{[]string{"clock", "reset", "--server", "http://127.0.0.1:1", ""}, ":4\n"},
		{[]string{"pause", "--server", server, ""}, "acme-mesh\nacme-db\n:4\n"},
		{[]string{"pause", "acme-mesh", "--for", ""}, "24h\n72h\n7d\n14d\n:4\n"},
		{[]string{"resume", "--server", server, ""}, "acme-mesh\nacme-db\n:4\n"},
		{[]string{"simulate", "--server", server, ""}, "acme-mesh\nacme-db\n:4\n"},
		{[]string{"simulate", "--output", ""}, "json\nyaml\n:4\n"},
	} {
		got := e.Run("", append([]string{"__complete"}, test.args...)...)
		if got.Code != command.ExitOK || got.Stdout != test.want {
			t.Errorf("%q: got %q, want %q", test.args, got.Stdout, test.want)
		}
	}
}

// TestCompletionForKubectl: kubectl completes a plugin with another program, which is this one with another name.
func TestCompletionForKubectl(t *testing.T) {
	for name, want := range map[string]string{
		"kubectl-license":                         "issue --",
		"/usr/local/bin/kubectl_complete-license": "__complete issue --",
		"kubectl_complete-license.exe":            "__complete issue --",
	} {
		if got := strings.Join(commandArgs([]string{name, "issue", "--"}), " "); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
