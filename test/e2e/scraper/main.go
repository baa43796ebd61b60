// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Scraper asks for URLs as a Prometheus in the cluster would: from a pod, with the token of its ServiceAccount. It
// prints of each the status of the answer and its body.
package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"
)

const (
	tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	// patience is how long a Service, and who is behind it, may take to get about.
	patience = 15 * time.Second
)

func main() {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		fail(err)
	}
	// Where it is given none, the operator makes its own certificate.
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	for _, url := range os.Args[1:] {
		status, body, err := get(client, url, string(token))
		for end := time.Now().Add(patience); errors.Is(err, syscall.ECONNREFUSED) &&
			time.Now().Before(end); status, body, err = get(client, url, string(token)) {
			time.Sleep(200 * time.Millisecond)
		}
		if err != nil {
			fail(err)
		}
		fmt.Printf("# %s: %d\n%s\n", url, status, body)
	}
}

func get(client *http.Client, url, token string) (status int, body []byte, err error) {
	request, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "scraper:", err)
	os.Exit(1)
}
