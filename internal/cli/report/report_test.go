// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/cli/output"
	licensereport "github.com/license-operator/license-operator/internal/report"
)

const secretToken = "the-token"

// A server in place of the operator may send the token back, also in a header or in a report.
func TestTokenIsNotShown(t *testing.T) {
	for name, say := range map[string]reply{
		"type": {http.StatusOK, map[string]string{"Content-Type": "Bearer " + secretToken}, ""},
		"body": {
			http.StatusOK,
			map[string]string{"Content-Type": "application/json"},
			`{"` + secretToken + `":1,"` + secretToken + `":2}`,
		},
	} {
		if _, err := ask(t, output.JSON, "", say); err == nil || strings.Contains(err.Error(), secretToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReportSizes reads files over the limit, and a small archive of a large file.
func TestReportSizes(t *testing.T) {
	limit := sizeLimit
	t.Cleanup(func() { sizeLimit = limit })
	sizeLimit = 1000
	for name, data := range map[string]string{
		"JSON": `{"a":"` + strings.Repeat("a", 1000) + `"}`,
		"tar":  clitest.Archive(t, licensereport.ArchivedName, `{"a":"`+strings.Repeat("a", 1000)+`"}`),
	} {
		var env command.Environment
		env.In, env.Out = strings.NewReader(data), io.Discard
		if err := verify(env, files.StandardInput); err == nil ||
			!strings.Contains(err.Error(), "is larger than the limit of 1000 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readDocument([]byte(clitest.Archive(t, licensereport.ArchivedName,
		`{"a":"`+strings.Repeat("a", 1000)+`"}`))); err == nil ||
		!strings.Contains(err.Error(), "its response.json is larger than the limit of 1000 bytes") {
		t.Error(err)
	}
}

// reply is the answer of a server in place of the operator.
type reply struct {
	code   int
	header map[string]string
	body   string
}

// ask asks such a server for a report.
func ask(t *testing.T, output, product string, say reply) (*received, error) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+secretToken {
			t.Errorf("the token came as %q", got)
		}
		want := map[string][]string{"format": {output}}
		if product != "" {
			want["product"] = []string{product}
		}
		if diff := cmp.Diff(want, map[string][]string(r.URL.Query())); r.URL.Path != licensereport.Path || diff != "" {
			t.Errorf("asked for %s: %s", r.URL, diff)
		}
		for name, value := range say.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(say.code)
		_, _ = io.WriteString(w, say.body)
	}))
	t.Cleanup(server.Close)
	o := &options{
		command: &cobra.Command{}, product: product, output: output, namespace: operator.DefaultNamespace,
		config: &rest.Config{}, token: secretToken,
	}
	return o.ask(t.Context(), operatorClient(func(ctx context.Context, _, address string) (net.Conn, error) {
		if address != "license-operator:443" {
			t.Errorf("dialled %s", address)
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}))
}

func TestReportIsTaken(t *testing.T) {
	document := clitest.Report(t, clitest.OneProduct)
	packed := clitest.Archive(t, licensereport.ArchivedName, document)
	for _, test := range []struct {
		output, body, contentType, disposition, name string
	}{
		{
			output.JSON, document, "application/json", `attachment; filename="report-2026_11_22_10_05_AM.json"`,
			"report-2026_11_22_10_05_AM.json",
		},
		{
			outputTar, packed, "application/x-tar", `attachment; filename="report-2026_11_22_10_05_PM.tar"`,
			"report-2026_11_22_10_05_PM.tar",
		},
		{output.JSON, document, "application/json; charset=utf-8", "", ""},
		{output.JSON, document, "application/json", `attachment; filename="report-2026_11_22_10_05_AM.tar"`, ""},
		{output.JSON, document, "application/json", `attachment; filename="../report-2026_11_22_10_05_AM.json"`, ""},
		{output.JSON, document, "application/json", `attachment; filename=".bashrc"`, ""},
		{
			output.JSON, document, "application/json",
			`attachment; filename="report-2026_11_22_10_05_AM.json/../../x.json"`, "",
		},
		{output.JSON, document, "application/json", `;;`, ""},
	} {
		got, err := ask(t, test.output, allProducts,
			reply{
				http.StatusOK,
				map[string]string{"Content-Type": test.contentType, "Content-Disposition": test.disposition},
				test.body,
			})
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		want := test.body
		if test.output == output.JSON {
			var readable bytes.Buffer
			if err := json.Indent(&readable, []byte(test.body), "", "  "); err != nil {
				t.Fatal(err)
			}
			want = readable.String()
		}
		if string(got.body) != want || got.name != test.name || len(got.document.Products) != 1 {
			t.Errorf("%s: got %q as %q", test.disposition, got.body, got.name)
		}
	}
}

// TestReportIsRefused checks the errors and hints without a report.
func TestReportIsRefused(t *testing.T) {
	golden := clitest.Goldens(t)
	e := clitest.NewTranscript(t)
	document := clitest.Report(t, clitest.OneProduct)
	asJSON := map[string]string{"Content-Type": "application/json"}
	for _, test := range []struct {
		name    string
		product string
		say     reply
	}{
		{"no report", "", reply{http.StatusOK, asJSON, `{"kind":"Status"}`}},
		{"another type", "", reply{http.StatusOK, map[string]string{"Content-Type": "text/html\x80"}, document}},
		{
			"the other format", "",
			reply{http.StatusOK, map[string]string{"Content-Type": "application/x-tar"}, document},
		},
		{"changed on its way", "", reply{http.StatusOK, asJSON, strings.Replace(document, "Acme", "Emca", 1)}},
		{"cut off", "", reply{http.StatusOK, asJSON, document[:40]}},
		{
			"a token that is not known", "",
			reply{http.StatusUnauthorized, nil, "The API server rejected the bearer token."},
		},
		{
			"a user", "",
			reply{
				http.StatusForbidden, nil,
				"User \"jane@example.com\" cannot get nonResourceURL \"/license/report\".\n",
			},
		},
		{
			"a user with a hostile name", "",
			reply{http.StatusForbidden, nil, `User "$(rm -rf ~) \"'\x1b[2J" cannot get it.`},
		},
		{
			"an account", "",
			reply{http.StatusForbidden, nil, `User "system:serviceaccount:tools:Report_Er" cannot get it.`},
		},
		{"nobody in particular", "", reply{http.StatusForbidden, nil, "Forbidden"}},
		{"several products", "", reply{http.StatusBadRequest, nil, "More than one product."}},
		{"no such product", "acme", reply{http.StatusNotFound, nil, `LicensedProduct "acme" not found.`}},
		{"an operator that is older", "acme", reply{http.StatusNotFound, nil, "404 page not found\n"}},
		{"too many", "", reply{
			http.StatusTooManyRequests,
			map[string]string{"Retry-After": "1"},
			"Too many requests.",
		}},
		{"busy", "", reply{http.StatusServiceUnavailable, map[string]string{"Retry-After": "5"}, "Busy."}},
		{
			"busy, for how long is unsaid", "",
			reply{http.StatusServiceUnavailable, map[string]string{"Retry-After": "-1"}, ""},
		},
		{"somewhere else", "", reply{
			http.StatusFound,
			map[string]string{"Location": "https://elsewhere.invalid/"},
			"",
		}},
		{
			"the token in the answer", "",
			reply{http.StatusBadGateway, nil, "Cannot pass on Authorization: Bearer " + secretToken},
		},
		{
			"a hostile answer", "",
			reply{
				http.StatusInternalServerError, nil,
				"\x1b]0;title\x07\u202e\nerror: all is well" + strings.Repeat("!", 3000),
			},
		},
	} {
		got, err := ask(t, output.JSON, test.product, test.say)
		if err == nil {
			t.Errorf("%s: got %q", test.name, got.body)
			continue
		}
		e.Note("%s", test.name)
		var shown bytes.Buffer
		code := command.PrintError(&shown, err)
		fmt.Fprintf(&e.Record, "%s[exit %d]\n\n", shown.String(), code)
		if strings.Contains(shown.String(), secretToken) {
			t.Errorf("%s: the token is shown", test.name)
		}
	}
	e.Compare(golden, "report_refused")
}

// TestReportKeepsPeaks decodes a report with buckets, of which the plugin only shows the products.
func TestReportKeepsPeaks(t *testing.T) {
	report := licensereport.Report{
		Timestamp: metav1.NewTime(clitest.Present), Products: []licensereport.Product{{Name: "acme-mesh"}},
		Counters: &licensereport.Counters{
			Buckets: []licensereport.Bucket{{Bucket: "2026-11", Peaks: map[string]int64{"nodes": 7, "cores": 28}}},
		},
	}
	encoded, err := report.Encode()
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Content-Type": "application/json"}
	got, err := ask(t, output.JSON, "", reply{http.StatusOK, header, string(encoded)})
	if err != nil {
		t.Fatal(err)
	}
	var written struct {
		Counters struct {
			Buckets []map[string]any `json:"buckets"`
		} `json:"counters"`
	}
	if err := json.Unmarshal(got.body, &written); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{"bucket": "2026-11", "peak_nodes": 7.0, "peak_cores": 28.0}}
	if diff := cmp.Diff(want, written.Counters.Buckets); diff != "" {
		t.Error(diff)
	}
}
