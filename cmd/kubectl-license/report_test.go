// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
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
	"k8s.io/client-go/rest"

	licensereport "github.com/license-operator/license-operator/internal/report"
)

const secretToken = "the-token"

// someReport is as much of a report as the plugin looks into, with its checksum.
func someReport(t *testing.T, products string) string {
	t.Helper()
	members := `"timestamp":"2026-11-22T10:05:00Z","products":` + products
	sum, err := licensereport.Checksum([]byte("{" + members + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return `{"checksum":"` + sum + `",` + members + "}\n"
}

const oneProduct = `[{"name":"acme-mesh","vendor":"Acme","state":"Valid"}]`

// archive is a tar of these names and contents, one after the other.
func archive(t *testing.T, files ...string) string {
	t.Helper()
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// Whatever is there instead of the operator may answer with what it was sent, also in a header or in what is to be a
// report.
func TestTokenIsNotShown(t *testing.T) {
	for name, say := range map[string]reply{
		"type": {http.StatusOK, map[string]string{"Content-Type": "Bearer " + secretToken}, ""},
		"body": {http.StatusOK, map[string]string{"Content-Type": "application/json"},
			`{"` + secretToken + `":1,"` + secretToken + `":2}`},
	} {
		if _, err := ask(t, outputJSON, "", say); err == nil || strings.Contains(err.Error(), secretToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReportVerify(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	document := someReport(t, oneProduct)

	e.note("Reports as they were made.")
	e.write("report.json", document)
	e.show("report", "verify", "report.json")
	e.feed(archive(t, licensereport.ArchivedName, document), "report", "verify", "-")
	e.write("indented.json", strings.ReplaceAll(strings.ReplaceAll(document, ",", ",\n\t"), ":[", ": ["))
	e.show("report", "verify", "indented.json")
	e.write("again.tar", archive(t, "./"+licensereport.ArchivedName, document))
	e.show("report", "verify", "again.tar")
	e.write("none.json", someReport(t, "[]"))
	e.show("report", "verify", "none.json")
	e.write("hostile.json", someReport(t, `[{"name":"acme\u001b[2J","vendor":"\u202eemcA"}]`))
	e.show("report", "verify", "hostile.json")

	e.note("One that is not.")
	e.write("changed.json", strings.Replace(document, "Valid", "Expired", 1))
	if got := e.show("report", "verify", "changed.json"); got.code != exitUnverified {
		t.Errorf("ended with %d", got.code)
	}

	e.note("Files that are no reports.")
	for _, file := range []struct{ name, content string }{
		{"empty", ""},
		{"text", "hello"},
		{"half.json", document[:len(document)/2]},
		{"list.json", "[" + document + "]"},
		{"twice.json", document + document},
		{"without-checksum.json", `{"timestamp":"2026-11-22T10:05:00Z"}`},
		{"other-types.json", `{"timestamp":1,"checksum":2}`},
		{"two-names.json", `{"checksum":"x",` + document[1:]},
		{"half.tar", archive(t, licensereport.ArchivedName, document)[:600]},
		{"empty.tar", archive(t)},
		{"other.tar", archive(t, "../../etc/passwd", document)},
		{"more.tar", archive(t, licensereport.ArchivedName, document, "more\x1b[2J", "")},
		{"two.tar", archive(t, licensereport.ArchivedName, document, licensereport.ArchivedName, document)},
		{"text.tar", archive(t, licensereport.ArchivedName, "hello")},
		{"behind.tar", archive(t, licensereport.ArchivedName, document) + archive(t, "more", "of it")},
	} {
		e.write(file.name, file.content)
		if got := e.show("report", "verify", file.name); got.code != exitFailed {
			t.Errorf("%s ended with %d", file.name, got.code)
		}
	}
	e.show("report", "verify", "missing.tar")
	e.show("report", "verify", ".")
	e.compare(golden, "report_verify")
}

// TestReportSizes has files that are larger than reports are, and an archive of which only what it holds is.
func TestReportSizes(t *testing.T) {
	limit := reportSize
	t.Cleanup(func() { reportSize = limit })
	reportSize.bytes = 1000
	for name, data := range map[string]string{
		"JSON": `{"a":"` + strings.Repeat("a", 1000) + `"}`,
		"tar":  archive(t, licensereport.ArchivedName, `{"a":"`+strings.Repeat("a", 1000)+`"}`),
	} {
		o := &reportVerifyOptions{environment: environment{}, file: standardInput}
		o.In, o.Out = strings.NewReader(data), io.Discard
		if err := o.run(); err == nil ||
			!strings.Contains(err.Error(), "is larger than 1000 bytes, as no license report is") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readReport([]byte(archive(t, licensereport.ArchivedName,
		`{"a":"`+strings.Repeat("a", 1000)+`"}`))); err == nil ||
		!strings.Contains(err.Error(), "its response.json is larger than 1000 bytes") {
		t.Error(err)
	}
}

// reply is what a server says that stands where the operator should.
type reply struct {
	code   int
	header map[string]string
	body   string
}

// ask asks such a server for a report.
func ask(t *testing.T, output, product string, say reply) (*receivedReport, error) {
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
	o := &reportOptions{command: &cobra.Command{}, product: product, output: output, namespace: defaultNamespace,
		config: &rest.Config{}, token: secretToken}
	return o.ask(t.Context(), operatorClient(func(ctx context.Context, _, address string) (net.Conn, error) {
		if address != "license-operator:443" {
			t.Errorf("dialled %s", address)
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}))
}

func TestReportIsTaken(t *testing.T) {
	document := someReport(t, oneProduct)
	packed := archive(t, licensereport.ArchivedName, document)
	for _, test := range []struct {
		output, body, contentType, disposition, name string
	}{
		{outputJSON, document, "application/json", `attachment; filename="report-2026_11_22_10_05_AM.json"`,
			"report-2026_11_22_10_05_AM.json"},
		{outputTar, packed, "application/x-tar", `attachment; filename="report-2026_11_22_10_05_PM.tar"`,
			"report-2026_11_22_10_05_PM.tar"},
		{outputJSON, document, "application/json; charset=utf-8", "", ""},
		{outputJSON, document, "application/json", `attachment; filename="report-2026_11_22_10_05_AM.tar"`, ""},
		{outputJSON, document, "application/json", `attachment; filename="../report-2026_11_22_10_05_AM.json"`, ""},
		{outputJSON, document, "application/json", `attachment; filename=".bashrc"`, ""},
		{outputJSON, document, "application/json",
			`attachment; filename="report-2026_11_22_10_05_AM.json/../../x.json"`, ""},
		{outputJSON, document, "application/json", `;;`, ""},
	} {
		got, err := ask(t, test.output, allProducts,
			reply{http.StatusOK,
				map[string]string{"Content-Type": test.contentType, "Content-Disposition": test.disposition},
				test.body})
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		want := test.body
		if test.output == outputJSON {
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

// TestReportIsRefused is what is said, with what to do, where there is no report.
func TestReportIsRefused(t *testing.T) {
	golden := goldens(t)
	e := newTranscript(t)
	document := someReport(t, oneProduct)
	asJSON := map[string]string{"Content-Type": "application/json"}
	for _, test := range []struct {
		name    string
		product string
		say     reply
	}{
		{"no report", "", reply{http.StatusOK, asJSON, `{"kind":"Status"}`}},
		{"another type", "", reply{http.StatusOK, map[string]string{"Content-Type": "text/html\x80"}, document}},
		{"the other format", "",
			reply{http.StatusOK, map[string]string{"Content-Type": "application/x-tar"}, document}},
		{"changed on its way", "", reply{http.StatusOK, asJSON, strings.Replace(document, "Acme", "Emca", 1)}},
		{"cut off", "", reply{http.StatusOK, asJSON, document[:40]}},
		{"a token that is not known", "",
			reply{http.StatusUnauthorized, nil, "The API server does not know the bearer token."}},
		{"a user", "",
			reply{http.StatusForbidden, nil,
				"User \"jane@example.com\" has no right to \"get\" on nonResourceURL \"/license/report\".\n"}},
		{"a user with a hostile name", "",
			reply{http.StatusForbidden, nil, `User "$(rm -rf ~) \"'\x1b[2J" has no right to "get".`}},
		{"an account", "",
			reply{http.StatusForbidden, nil, `User "system:serviceaccount:tools:Report_Er" has no right to "get".`}},
		{"nobody in particular", "", reply{http.StatusForbidden, nil, "Forbidden"}},
		{"several products", "", reply{http.StatusBadRequest, nil, "There are several products."}},
		{"no such product", "acme", reply{http.StatusNotFound, nil, `There is no LicensedProduct "acme".`}},
		{"an operator that is older", "acme", reply{http.StatusNotFound, nil, "404 page not found\n"}},
		{"too many", "", reply{http.StatusTooManyRequests, map[string]string{"Retry-After": "1"}, "Too many callers."}},
		{"busy", "", reply{http.StatusServiceUnavailable, map[string]string{"Retry-After": "5"}, "Busy."}},
		{"busy, for how long is unsaid", "",
			reply{http.StatusServiceUnavailable, map[string]string{"Retry-After": "-1"}, ""}},
		{"somewhere else", "", reply{http.StatusFound, map[string]string{"Location": "https://elsewhere.invalid/"},
			""}},
		{"the token in the answer", "",
			reply{http.StatusBadGateway, nil, "Cannot pass on Authorization: Bearer " + secretToken}},
		{"a hostile answer", "",
			reply{http.StatusInternalServerError, nil,
				"\x1b]0;title\x07\u202e\nerror: all is well" + strings.Repeat("!", 3000)}},
	} {
		got, err := ask(t, outputJSON, test.product, test.say)
		if err == nil {
			t.Errorf("%s: got %q", test.name, got.body)
			continue
		}
		e.note("%s", test.name)
		var shown bytes.Buffer
		code := report(&shown, err)
		fmt.Fprintf(&e.record, "%s[exit %d]\n\n", shown.String(), code)
		if strings.Contains(shown.String(), secretToken) {
			t.Errorf("%s: the token is shown", test.name)
		}
	}
	e.compare(golden, "report_refused")
}
