// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package server has the operator's HTTP servers: one for metrics and the license report, over TLS and to callers that
// may read them, and one for the kubelet's probes.
//
// Anyone in the cluster reaches their ports. So sizes, times and the number of connections have limits from the first
// byte on, before a caller is authenticated, and a connection is closed with the first answer unless its caller was let
// in.
package server

import (
	"context"
	"crypto/tls"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// MetricsPath is where metrics are served.
const MetricsPath = "/metrics"

// Limits of what a server spends on its callers. At worst all strangers together take 15 MB.
const (
	// maxConnections are open at the same time.
	maxConnections = 128
	// maxHeaderBytes fit a bearer token of 16 KiB (internal/access) beside other headers. net/http allows 4 KiB more.
	maxHeaderBytes = 20 << 10
	// maxStrangerBytes is what a caller may send before it is let in: a TLS handshake and two TLS records of 16 KiB.
	// That is enough for net/http to see headers that are too large, and to say so.
	maxStrangerBytes = 36 << 10
	// readHeaderTimeout is the time for the TLS handshake, and again for the headers.
	readHeaderTimeout = 5 * time.Second
	// readTimeout is the time for a request with its body. No handler reads one, and the answer does not wait for it.
	readTimeout = 10 * time.Second
	// writeTimeout is the time from the headers to the end of the answer. A report may wait for its turn, and sets its
	// own time once it is made (internal/report).
	writeTimeout = 30 * time.Second
	// idleTimeout is the time between requests: scrapers keep a connection from one scrape to the next.
	idleTimeout = 90 * time.Second
	// shutdownTimeout is the time for requests to end when the manager stops. The lease is released after that, and the
	// pod has 10 seconds for all of it.
	shutdownTimeout = 5 * time.Second
)

// Filter wraps a handler so that it sees only requests of callers that may make them.
type Filter func(log logr.Logger, next http.Handler) http.Handler

// Secure listens on an address and returns a server of handlers, by path, over TLS and behind a filter. Requests and
// the watch of its certificate end with ctx.
func Secure(
	ctx context.Context, log logr.Logger, address string, filter Filter, handlers map[string]http.Handler,
) (*manager.Server, error) {
	config, err := tlsConfig(ctx, log, certificateDir())
	if err != nil {
		return nil, fmt.Errorf("preparing TLS: %w", err)
	}
	mux := http.NewServeMux()
	for path, handler := range handlers {
		mux.Handle(path, filter(log.WithValues("path", path), letIn(handler)))
	}
	return listen(ctx, log, "secure", address, mux, config)
}

// Probes listens on an address and returns a server of /healthz and /readyz, which anyone may ask.
func Probes(
	ctx context.Context, log logr.Logger, address string, live, ready healthz.Checker,
) (*manager.Server, error) {
	mux := http.NewServeMux()
	for name, check := range map[string]healthz.Checker{"healthz": live, "readyz": ready} {
		handler := http.StripPrefix("/"+name, &healthz.Handler{Checks: map[string]healthz.Checker{name: check}})
		mux.Handle("/"+name, handler)
		mux.Handle("/"+name+"/", handler)
	}
	return listen(ctx, log, "probes", address, mux, nil)
}

// Metrics serves what is in controller-runtime's registry, as controller-runtime does.
func Metrics() http.Handler {
	return promhttp.HandlerFor(ctrlmetrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}

// listen returns a server on its own listener. Its type has the manager start it before the caches, and stop it last.
func listen(
	ctx context.Context, log logr.Logger, name, address string, handler http.Handler, config *tls.Config,
) (*manager.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for the %s server: %w", name, err)
	}
	return newServer(ctx, log.WithName(name), name, listener, handler, config), nil
}

func newServer(
	ctx context.Context, log logr.Logger, name string, tcp net.Listener, handler http.Handler, config *tls.Config,
) *manager.Server {
	var listener net.Listener = &limitedListener{Listener: tcp, max: maxConnections, bytes: maxStrangerBytes}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &manager.Server{
		Name: name, Listener: listener, ShutdownTimeout: new(shutdownTimeout),
		Server: &http.Server{
			Handler: oneAnswer(handler), Protocols: protocols, MaxHeaderBytes: maxHeaderBytes,
			ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, ErrorLog: stdlog.New(connectionLog{log}, "", 0),
			BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withConn,
		},
	}
}

// oneAnswer closes a connection with the first answer, unless letIn decides otherwise, and does not wait for bodies.
func oneAnswer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		// Without a body the time for the request is over: it would cancel handlers that take longer. With a body
		// net/http reads it before it answers and before it closes: the past is a time at which it gives up at once.
		var deadline time.Time
		if r.Body != http.NoBody {
			deadline = time.Unix(1, 0)
		}
		if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil {
			return // the connection is gone
		}
		next.ServeHTTP(w, r)
	})
}

// letIn keeps the connection of a request that gets here: it is not closed for another one, and may have more requests.
func letIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == http.NoBody {
			w.Header().Del("Connection")
		}
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.letIn()
		}
		next.ServeHTTP(w, r)
	})
}

// connectionLog logs what net/http says of connections: at debug level, since callers could fill the log, unless it is
// an error of the operator's own.
type connectionLog struct{ log logr.Logger }

// Write implements io.Writer.
func (l connectionLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if strings.HasPrefix(text, "http: panic serving ") || strings.HasPrefix(text, "http: Accept error: ") {
		l.log.Error(nil, "HTTP server failed", "details", text)
	} else {
		l.log.V(1).Info("HTTP connection failed", "details", text)
	}
	return len(line), nil
}
