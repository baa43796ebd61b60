// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"net/http"
	"sync"
	"time"

	"github.com/license-operator/license-operator/internal/clock"
)

// clockReading is two clocks at the same moment; the server's is zero where it did not say.
type clockReading struct{ here, server time.Time }

// serverClock knows the API server's time by the Date of its latest answer.
type serverClock struct {
	now func() time.Time

	mu     sync.Mutex
	latest clockReading
}

// wrap makes a transport observe the time in every response, errors included.
func (s *serverClock) wrap(next http.RoundTripper) http.RoundTripper {
	return clock.ObserveDates(next, func(server time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.latest = clockReading{here: s.now(), server: server}
	})
}

func (s *serverClock) read() clockReading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}
