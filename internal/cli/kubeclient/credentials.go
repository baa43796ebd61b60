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

// BearerToken is the token that client-go would send to the API server as the caller: from the kubeconfig, a file that
// it names, a program that it has run, or an identity provider; empty where the caller has other credentials. Nothing
// is sent for it, but for what such a program or provider does by itself. It has no limit of time: the caller may have
// to log in.
func BearerToken(config *rest.Config) (string, error) {
	found := &authorizationHeader{}
	wrapped, err := rest.HTTPWrappersForConfig(config, found)
	if err != nil {
		return "", fmt.Errorf("preparing the credentials of the kubeconfig: %w", err)
	}
	// Who gets the request answers it right away, so the address is nobody's.
	request, err := http.NewRequest(http.MethodGet, "https://nobody.invalid/", http.NoBody)
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

// authorizationHeader answers any request itself, and keeps the header that says who sent it.
type authorizationHeader struct{ value string }

// RoundTrip implements http.RoundTripper.
func (h *authorizationHeader) RoundTrip(request *http.Request) (*http.Response, error) {
	h.value = request.Header.Get("Authorization")
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

// Impersonates tells whether the caller asks the API server to be taken for somebody else.
func Impersonates(config *rest.Config) bool {
	as := config.Impersonate
	return as.UserName != "" || as.UID != "" || len(as.Groups) > 0 || len(as.Extra) > 0
}

// HasCredentials tells whether a kubeconfig says who the caller is, in any way.
func HasCredentials(config *rest.Config) bool {
	return config.BearerToken != "" || config.BearerTokenFile != "" || config.Username != "" ||
		config.ExecProvider != nil || config.AuthProvider != nil ||
		len(config.CertData) > 0 || config.CertFile != ""
}

// IsLoopback tells whether what is sent to an API server's address does not leave this machine.
func IsLoopback(address string) bool {
	server, err := url.Parse(address)
	if err != nil {
		return false
	}
	if server.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(server.Hostname())
	return ip != nil && ip.IsLoopback()
}
