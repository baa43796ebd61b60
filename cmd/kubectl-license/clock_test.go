// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/api/v1alpha1"
)

// fakeAPI is as much of an API server as clock reset needs: discovery, and one LicensedProduct. What is true of real ones is for the suites on envtest; here
// it is the plugin's words that count.
type fakeAPI struct {
	t       *testing.T
	product *v1alpha1.LicensedProduct
	// operator acts upon the annotation, as the operator would; nil: nobody does.
	operator func(product *v1alpha1.LicensedProduct)
	// denied is the verb that is forbidden.
	denied string
	// missing: the kinds are not installed.
	missing bool

	mutex   sync.Mutex
	patches []string
}

// Paths of the API that clock reset uses.
const (
	groupPath   = "/apis/license-operator.io/v1alpha1"
	productPath = groupPath + "/licensedproducts/"
)

func newFakeAPI(t *testing.T) *fakeAPI {
	mark := metav1.NewTime(time.Date(2027, 12, 24, 12, 0, 0, 0, time.UTC))
	return &fakeAPI{t: t, product: &v1alpha1.LicensedProduct{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kindLicensedProduct},
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"},
		Status:     v1alpha1.LicensedProductStatus{State: v1alpha1.LicensedProductExpired, TimeMark: &mark},
	}}
}

func (f *fakeAPI) start() (server string) {
	running := httptest.NewServer(f)
	f.t.Cleanup(running.Close)
	return running.URL
}

func (f *fakeAPI) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	switch {
	case request.URL.Path == groupPath && !f.missing:
		f.answer(response, http.StatusOK, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
			GroupVersion: v1alpha1.GroupVersion.String(),
			APIResources: []metav1.APIResource{{Name: "licensedproducts", Kind: kindLicensedProduct, Verbs: metav1.Verbs{"get", "list", "patch"}}},
		})
	case request.URL.Path == "/apis/license-operator.io" && !f.missing:
		f.answer(response, http.StatusOK, f.groups().Groups[0])
	case request.URL.Path == "/api":
		f.answer(response, http.StatusOK, metav1.APIVersions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIVersions"}, Versions: []string{"v1"}})
	case request.URL.Path == "/apis":
		f.answer(response, http.StatusOK, f.groups())
	case strings.HasPrefix(request.URL.Path, productPath):
		f.serveProduct(response, request)
	case request.URL.Path == strings.TrimSuffix(productPath, "/"):
		f.answer(response, http.StatusOK, v1alpha1.LicensedProductList{
			TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "LicensedProductList"},
			Items:    []v1alpha1.LicensedProduct{*f.product, {ObjectMeta: metav1.ObjectMeta{Name: "acme-db"}}},
		})
	default:
		f.refuse(response, http.StatusNotFound, metav1.StatusReasonNotFound, "", "the server could not find the requested resource")
	}
}

func (f *fakeAPI) groups() metav1.APIGroupList {
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}}
	if f.missing {
		return groups
	}
	version := metav1.GroupVersionForDiscovery{GroupVersion: v1alpha1.GroupVersion.String(), Version: "v1alpha1"}
	groups.Groups = []metav1.APIGroup{{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: v1alpha1.GroupVersion.Group,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}}
	return groups
}

func (f *fakeAPI) serveProduct(response http.ResponseWriter, request *http.Request) {
	name := strings.TrimPrefix(request.URL.Path, productPath)
	switch {
	case request.Method == f.denied:
		f.refuse(response, http.StatusForbidden, metav1.StatusReasonForbidden, name,
			`licensedproducts.license-operator.io "acme-mesh" is forbidden: User "jane" cannot `+strings.ToLower(f.denied)+` it`)
		return
	case name != f.product.Name:
		f.refuse(response, http.StatusNotFound, metav1.StatusReasonNotFound, name, `licensedproducts.license-operator.io "`+name+`" not found`)
		return
	case request.Method == http.MethodPatch:
		f.patch(request)
	}
	f.answer(response, http.StatusOK, f.product)
}

func (f *fakeAPI) patch(request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.patches = append(f.patches, request.Header.Get("Content-Type")+" "+request.URL.RawQuery+" "+string(body))
	if err := json.Unmarshal(body, f.product); err != nil {
		f.t.Error(err)
	}
	if f.operator != nil {
		f.operator(f.product)
	}
}

func (f *fakeAPI) refuse(response http.ResponseWriter, code int32, reason metav1.StatusReason, name, message string) {
	f.answer(response, int(code), metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Group: v1alpha1.GroupVersion.Group, Kind: "licensedproducts", Name: name},
	})
}

func (f *fakeAPI) answer(response http.ResponseWriter, code int, object any) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	if err := json.NewEncoder(response).Encode(object); err != nil {
		f.t.Error(err)
	}
}

// handled is an operator whose clock is right.
func handled(product *v1alpha1.LicensedProduct) {
	mark := metav1.NewTime(present)
	product.Status.TimeMark = &mark
	product.Status.LastHandledClockReset = product.Annotations[v1alpha1.ClockResetAnnotation]
	product.Status.State = v1alpha1.LicensedProductValid
}

func TestClockReset(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	e.now = present.Add(123456789 * time.Nanosecond)
	// reset records a command against an API server.
	reset := func(note string, api *fakeAPI, args ...string) output {
		t.Helper()
		e.note("%s", note)
		server := api.start()
		got := e.show(append([]string{"clock", "reset", "--server", server}, args...)...)
		record := strings.ReplaceAll(e.record.String(), server, "http://api")
		e.record.Reset()
		e.record.WriteString(record)
		return got
	}

	api := newFakeAPI(t)
	api.operator = handled
	reset("The operator acts.", api, "acme-mesh")
	want := "application/merge-patch+json fieldManager=kubectl-license " +
		`{"metadata":{"annotations":{"license-operator.io/clock-reset-requested":"2026-11-22T10:00:00.123456789Z"}}}`
	if len(api.patches) != 1 || api.patches[0] != want {
		t.Errorf("patched with %q", api.patches)
	}

	reset("Nobody acts.", newFakeAPI(t), "acme-mesh", "--timeout", "1s")

	api = newFakeAPI(t)
	api.operator = func(product *v1alpha1.LicensedProduct) {
		product.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionClockSkewed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNodeClock,
			Message: "The operator's clock and the API server's differ by more than 5 minutes.",
		}}
	}
	reset("The clocks are still wrong.", api, "acme-mesh", "--timeout", "1s")

	reset("There is no such product.", newFakeAPI(t), "acme-db")

	api = newFakeAPI(t)
	api.missing = true
	reset("The kinds are not installed.", api, "acme-mesh")

	api = newFakeAPI(t)
	api.denied = http.MethodPatch
	reset("Not allowed.", api, "acme-mesh")
	if len(api.patches) > 0 {
		t.Errorf("patched with %q", api.patches)
	}
	e.compare(golden, "clock")
}

func TestClockResetWithoutAServer(t *testing.T) {
	e := newTerminal(t)
	stopped := httptest.NewServer(http.NotFoundHandler())
	stopped.Close()
	got := e.run("", "clock", "reset", "acme-mesh", "--server", stopped.URL)
	if got.code != exitFailed || got.stdout != "" ||
		!strings.HasPrefix(got.stderr, "error: cannot read LicensedProduct acme-mesh: ") ||
		!strings.HasSuffix(got.stderr, "\nCheck the connection with: kubectl get lprod acme-mesh\n") {
		t.Errorf("got %+v", got)
	}
}

func TestCompletion(t *testing.T) {
	e := newTerminal(t)
	server := newFakeAPI(t).start()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"i"}, "inspect\tShow what a license key says, whether it verifies, and its state\nissue\tIssue a license key\n:4\n"},
		{[]string{"issue", "--output", ""}, "manifest\ntoken\n:4\n"},
		{[]string{"issue", "--signer", ""}, ":16\n"},                                   // folders
		{[]string{"issue", "--customer", ""}, ":4\n"},                                  // nothing
		{[]string{"inspect", ""}, ":0\n"},                                              // files
		{[]string{"inspect", "key.yaml", "--trust-anchor", ""}, "crt\npem\ncer\n:8\n"}, // files with these extensions
		{[]string{"clock", "reset", "--server", server, ""}, "acme-mesh\nacme-db\n:4\n"},
		{[]string{"clock", "reset", "--server", server, "acme-mesh", ""}, ":4\n"},
		{[]string{"clock", "reset", "--server", "http://127.0.0.1:1", ""}, ":4\n"},
	} {
		got := e.run("", append([]string{"__complete"}, test.args...)...)
		if got.code != exitOK || got.stdout != test.want {
			t.Errorf("%q: got %q, want %q", test.args, got.stdout, test.want)
		}
	}
}

// TestCompletionForKubectl: kubectl completes a plugin by calling another program, which is this one by another name.
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
