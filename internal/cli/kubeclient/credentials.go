// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeclient

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
)

// BearerToken returns the token that client-go would send to the API server, wherever the kubeconfig takes it from;
// empty if the user has other credentials. It sends no request itself, but a program or an identity provider of the
// kubeconfig may. It has no timeout, since the user may have to log in.
func BearerToken(config *rest.Config) (string, error) {
	found := &authorizationHeader{}
	wrapped, err := rest.HTTPWrappersForConfig(config, found)
	if err != nil {
		return "", fmt.Errorf("preparing the credentials of the kubeconfig: %w", err)
	}
	// The address is never used: authorizationHeader answers the request.
	request, err := http.NewRequest(http.MethodGet, "https://unused.invalid/", http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := wrapped.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("getting the credentials of the kubeconfig: %w", err)
	}
	_ = response.Body.Close()
	scheme, token, _ := strings.Cut(found.value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.TrimSpace(token), nil
}

// authorizationHeader answers every request itself, and keeps its Authorization header.
type authorizationHeader struct{ value string }

// RoundTrip implements http.RoundTripper.
func (h *authorizationHeader) RoundTrip(request *http.Request) (*http.Response, error) {
	h.value = request.Header.Get("Authorization")
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

// Impersonates tells whether the kubeconfig or --as impersonates another user.
func Impersonates(config *rest.Config) bool {
	as := config.Impersonate
	return as.UserName != "" || as.UID != "" || len(as.Groups) > 0 || len(as.Extra) > 0
}

// HasCredentials tells whether the kubeconfig has credentials of any kind.
func HasCredentials(config *rest.Config) bool {
	return config.BearerToken != "" || config.BearerTokenFile != "" || config.Username != "" ||
		config.ExecProvider != nil || config.AuthProvider != nil || len(config.CertData) > 0 || config.CertFile != ""
}

// IsLoopback tells whether an API server's address is on this machine.
func IsLoopback(address string) bool {
	server, err := url.Parse(address)
	return err == nil && (server.Hostname() == "localhost" || net.ParseIP(server.Hostname()).IsLoopback())
}
