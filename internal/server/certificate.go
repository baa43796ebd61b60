// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// certificateDir is where an administrator mounts a certificate: docs/monitoring.md. It is controller-runtime's.
func certificateDir() string {
	return filepath.Join(os.TempDir(), "k8s-metrics-server", "serving-certs")
}

// tlsConfig presents the certificate in a folder, and follows its renewals until ctx ends. Where there is none it
// presents a self-signed one, made now, as controller-runtime does.
func tlsConfig(ctx context.Context, log logr.Logger, dir string) (*tls.Config, error) {
	// HTTP/2 lets one connection ask for hundreds of things at once, before it has said who it is.
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	certificate, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if !exists(certificate) || !exists(key) {
		selfSigned, err := selfSignedCertificate()
		config.Certificates = []tls.Certificate{selfSigned}
		return config, err
	}
	watcher, err := certwatcher.New(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate in %s: %w", dir, err)
	}
	config.GetCertificate = watcher.GetCertificate
	go func() {
		if err := watcher.Start(ctx); err != nil {
			log.Error(err, "Stopped following renewals of the certificate", "dir", dir)
		}
	}()
	return config, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func selfSignedCertificate() (tls.Certificate, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{{127, 0, 0, 1}}, nil)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a self-signed certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("using a self-signed certificate: %w", err)
	}
	return pair, nil
}
