// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clock reads the operator's clock, compares it with the API server's, and detects steps.
package clock

import (
	"net/http"
	"sync"
	"time"

	"github.com/license-operator/license-operator/internal/license"
)

// Sample is one reading of this machine's clocks.
type Sample struct {
	// Wall is the machine's time. It can be wrong, and it can be stepped.
	Wall time.Time
	// Elapsed is the time since a fixed instant, by a clock that cannot be stepped.
	Elapsed time.Duration
}

// Source samples the machine's clocks.
type Source func() Sample

// Machine samples the clocks of the machine that the process runs on.
func Machine() Source {
	start := time.Now() //nolint:forbidigo // This is where the operator's time comes from.
	return func() Sample {
		now := time.Now() //nolint:forbidigo // As above.
		return Sample{Wall: now.Round(0), Elapsed: now.Sub(start)}
	}
}

// Clock is the operator's clock, with what is known of the API server's. It is safe for concurrent use.
type Clock struct {
	source Source

	mu sync.Mutex
	// server is the last known time of the API server, at the elapsed time serverAt; zero if not known yet.
	server   time.Time
	serverAt time.Duration
	// last and lastAgreed are the last reading. hasChanged is true if a reading differed from the one before it, since
	// Watch last asked.
	last       Sample
	lastAgreed license.ClockAgreement
	hasChanged bool
}

// New returns a Clock on source that does not know the API server's time yet.
func New(source Source) *Clock { return &Clock{source: source} }

// Read reads the clocks once.
func (c *Clock) Read() license.ClockReading {
	s := c.source()
	c.mu.Lock()
	defer c.mu.Unlock()
	agreement := c.agreement(s)
	if c.last != (Sample{}) && (stepped(c.last, s) || agreement != c.lastAgreed) {
		c.hasChanged = true
	}
	c.last, c.lastAgreed = s, agreement
	return license.ClockReading{Now: s.Wall, Agreement: agreement}
}

// agreement compares the clocks; the caller holds mu.
func (c *Clock) agreement(s Sample) license.ClockAgreement {
	if c.server.IsZero() {
		return license.ClocksUnknown
	}
	// The server's time now is its last known time and what has elapsed since, even if the wall clock was stepped.
	apart := s.Wall.Sub(c.server.Add(s.Elapsed - c.serverAt))
	if apart.Abs() > license.ClockTolerance {
		return license.ClocksDisagree
	}
	return license.ClocksAgree
}

// ObserveServer records the API server's current time.
func (c *Clock) ObserveServer(now time.Time) {
	s := c.source()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.serverAt = now, s.Elapsed
}

// WrapTransport returns a RoundTripper that observes the API server's clock in every response, and so makes no requests
// of its own: lease renewals alone tell it every few seconds. It suits rest.Config.Wrap.
func (c *Clock) WrapTransport(next http.RoundTripper) http.RoundTripper {
	return ObserveDates(next, c.ObserveServer)
}

// ObserveDates returns a RoundTripper that calls observe with the Date header (RFC 9110, section 6.6.1) of every
// response, errors included. A response without one is ignored.
func ObserveDates(next http.RoundTripper, observe func(time.Time)) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
				observe(date)
			}
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
