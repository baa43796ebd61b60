// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"net/http"
	"sync"
	"time"
)

// clockReading is two clocks at the same moment; the server's is zero where it did not say.
type clockReading struct{ here, server time.Time }

// serverClock knows the API server's time by the Date of its latest answer.
type serverClock struct {
	now func() time.Time

	mu     sync.Mutex
	latest clockReading
}

// wrap has every answer noted. The Date is there with refusals too.
func (s *serverClock) wrap(next http.RoundTripper) http.RoundTripper {
	return transport(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return response, err
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.latest = clockReading{here: s.now(), server: date}
		}
		return response, nil
	})
}

func (s *serverClock) read() clockReading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }
