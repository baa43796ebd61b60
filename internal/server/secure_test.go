// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// started is a started server's address.
func started(t *testing.T, server *manager.Server, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return server.Listener.Addr().String()
}

// get gets what there is at a URL.
func get(t *testing.T, client *http.Client, url, token string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, strings.TrimSpace(string(body)), response.Close}
}

func TestSecure(t *testing.T) {
	handlers := map[string]http.Handler{"/metrics": text("metrics"), "/license/report": text("report")}
	server, err := Secure(t.Context(), logr.Discard(), "127.0.0.1:0", goodOnly, handlers)
	base := "https://" + started(t, server, err)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(client.CloseIdleConnections)
	notFound := answer{404, "404 page not found", true}
	for name, test := range map[string]struct {
		path, token string
		want        answer
	}{
		"metrics":                     {"/metrics", "good", answer{200, "metrics", false}},
		"the report":                  {"/license/report?product=a", "good", answer{200, "report", false}},
		"without a token":             {"/metrics", "", refused},
		"the report, without a token": {"/license/report", "bad", refused},
		"below a path":                {"/metrics/more", "good", notFound},
		"what is not there":           {"/debug/pprof/", "good", notFound},
		"nothing":                     {"/", "", notFound},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, get(t, client, base+test.path, test.token)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	ready := errors.New("not everything has been read")
	server, err := Probes(t.Context(), logr.Discard(), "127.0.0.1:0", healthz.Ping,
		func(*http.Request) error { return ready })
	base := "http://" + started(t, server, err)
	for name, test := range map[string]struct {
		path string
		want answer
	}{
		"live":             {"/healthz", answer{200, "ok", true}},
		"live, with a /":   {"/healthz/", answer{200, "ok", true}},
		"live, at length":  {"/healthz?verbose", answer{200, "[+]healthz ok\nhealthz check passed", true}},
		"live, one check":  {"/healthz/healthz", answer{200, "ok", true}},
		"live, no check":   {"/healthz/nothing", answer{404, "404 page not found", true}},
		"ready":            {"/readyz", answer{500, "[-]readyz failed: reason withheld\nhealthz check failed", true}},
		"ready, one check": {"/readyz/readyz", answer{500, "internal server error: " + ready.Error(), true}},
		"ready, excluded": {
			"/readyz?verbose&exclude=readyz", answer{200, "[+]readyz excluded: ok\nhealthz check passed", true},
		},
		"nothing": {"/metrics", answer{404, "404 page not found", true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, get(t, http.DefaultClient, base+test.path, "")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	server, err := listen(t.Context(), logr.Discard(), "test", "127.0.0.1:0", Metrics(), nil)
	got := get(t, http.DefaultClient, "http://"+started(t, server, err)+"/metrics", "")
	const want = "\n# TYPE certwatcher_read_certificate_total counter\n"
	if got.Code != http.StatusOK || !strings.Contains(got.Body, want) {
		t.Errorf("got %d: %s", got.Code, got.Body)
	}
}

// writeCertificate writes a certificate for a host into a folder.
func writeCertificate(t *testing.T, dir, host string) {
	t.Helper()
	certificate, key, err := certutil.GenerateSelfSignedCertKeyWithFixtures(host, nil, nil, "")
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "tls.crt"), certificate, 0o600),
		os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestCertificates(t *testing.T) {
	given := t.TempDir()
	writeCertificate(t, given, "operator.example")
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, "tls.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		dir  string
		want []string
	}{
		"given":       {given, []string{"operator.example"}},
		"none":        {t.TempDir(), []string{"localhost"}},
		"no folder":   {filepath.Join(given, "nothing"), []string{"localhost"}},
		"without key": {half, []string{"localhost"}},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := tlsConfig(t.Context(), logr.Discard(), test.dir)
			if err != nil {
				t.Fatal(err)
			}
			server, err := listen(t.Context(), logr.Discard(), "test", "127.0.0.1:0", text("hello"), config)
			if diff := cmp.Diff(test.want, certificateAt(t, started(t, server, err)).DNSNames); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	broken := t.TempDir()
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(broken, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const want = "reading the certificate in "
	if _, err := tlsConfig(t.Context(), logr.Discard(), broken); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// certificateAt is the certificate that a server presents.
func certificateAt(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true}}
	c, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing was written
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0]
}
