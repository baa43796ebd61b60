// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Skew stands between a pod and the API server, and has the API server's clock be off: by what its argument says, 1h,
// say. It listens on the pod's loopback address alone.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

const (
	address = "127.0.0.1:8001"
	account = "/var/run/secrets/kubernetes.io/serviceaccount/"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "skew:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("by how much is the clock off? skew 1h")
	}
	offset, err := time.ParseDuration(os.Args[1])
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return errors.New("there is no certificate in ca.crt")
	}
	proxy := httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: "kubernetes.default.svc"})
			// Clients send no token where there is no TLS.
			if token, err := os.ReadFile(account + "token"); err == nil {
				r.Out.Header.Set("Authorization", "Bearer "+string(token))
			}
		},
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		FlushInterval: -1, // watches
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode >= http.StatusBadRequest {
				log.Print(r.Request.Method, " ", r.Request.URL, ": ", r.Status)
			}
			if date, err := http.ParseTime(r.Header.Get("Date")); err == nil {
				r.Header.Set("Date", date.Add(offset).UTC().Format(http.TimeFormat))
			}
			return nil
		},
	}
	server := http.Server{Addr: address, Handler: &proxy, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}
