// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clock_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/license"
)

// machine is a machine whose clocks are moved by hand.
type machine struct {
	mu     sync.Mutex
	sample clock.Sample
}

func newMachine() *machine {
	return &machine{sample: clock.Sample{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Elapsed: 42 * time.Second}}
}

func (m *machine) look() clock.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sample
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sample.Wall, m.sample.Elapsed = m.sample.Wall.Add(d), m.sample.Elapsed+d
}

// step sets the wall clock, as an administrator or a time daemon does.
func (m *machine) step(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sample.Wall = m.sample.Wall.Add(d)
}

func TestAgreement(t *testing.T) {
	const tolerance = license.ClockTolerance
	for name, test := range map[string]struct {
		ahead time.Duration
		want  license.ClockAgreement
	}{
		"the same":                {0, license.ClocksAgree},
		"ahead by the tolerance":  {tolerance, license.ClocksAgree},
		"behind by the tolerance": {-tolerance, license.ClocksAgree},
		"ahead by more":           {tolerance + time.Second, license.ClocksDisagree},
		"behind by more":          {-tolerance - time.Second, license.ClocksDisagree},
		"ahead by a day":          {24 * time.Hour, license.ClocksDisagree},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine()
			c := clock.New(m.look)
			c.ObserveServer(m.look().Wall.Add(-test.ahead))
			m.pass(time.Hour)
			want := license.ClockReading{Now: m.look().Wall, Agreement: test.want}
			if got := c.Read(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAgreementIsUnknownBeforeTheServerTellsItsTime(t *testing.T) {
	if got := clock.New(newMachine().look).Read().Agreement; got != license.ClocksUnknown {
		t.Errorf("got %v", got)
	}
}

// What the server said last holds on, so that a step of the wall clock shows without another response.
func TestStepShowsWithoutAnotherResponse(t *testing.T) {
	m := newMachine()
	c := clock.New(m.look)
	c.ObserveServer(m.look().Wall)
	m.pass(time.Minute)
	m.step(24 * time.Hour)
	if got := c.Read().Agreement; got != license.ClocksDisagree {
		t.Errorf("got %v after the step", got)
	}
	m.step(-24 * time.Hour)
	if got := c.Read().Agreement; got != license.ClocksAgree {
		t.Errorf("got %v after the clock was corrected", got)
	}
}

func TestWrapTransportObservesTheDateHeader(t *testing.T) {
	m := newMachine()
	dates := []string{
		"", "not a date", m.look().Wall.Add(-time.Hour).Format(http.TimeFormat),
		m.look().Wall.Format(http.TimeFormat),
	}
	want := []license.ClockAgreement{
		license.ClocksUnknown, license.ClocksUnknown, license.ClocksDisagree,
		license.ClocksAgree,
	}
	request := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = []string{dates[request]}
	}))
	defer server.Close()
	c := clock.New(m.look)
	client := &http.Client{Transport: c.WrapTransport(http.DefaultTransport)}
	for ; request < len(dates); request++ {
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if got := c.Read().Agreement; got != want[request] {
			t.Errorf("after Date %q: got %v, want %v", dates[request], got, want[request])
		}
	}
}

func TestWrapTransportPassesErrorsOn(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c := clock.New(newMachine().look)
	client := &http.Client{Transport: c.WrapTransport(http.DefaultTransport)}
	if response, err := client.Get(server.URL); err == nil {
		_ = response.Body.Close()
		t.Error("got no error of a server that is gone")
	}
	if got := c.Read().Agreement; got != license.ClocksUnknown {
		t.Errorf("got %v", got)
	}
}

func TestWatch(t *testing.T) {
	const interval = time.Second
	for name, test := range map[string]struct {
		happens func(*machine, *clock.Clock)
		want    int
	}{
		"nothing happens":               {func(*machine, *clock.Clock) {}, 0},
		"the clock is slewed":           {func(m *machine, _ *clock.Clock) { m.step(400 * time.Millisecond) }, 0},
		"the clock is set ahead":        {func(m *machine, _ *clock.Clock) { m.step(2 * time.Second) }, 1},
		"the clock is set back":         {func(m *machine, _ *clock.Clock) { m.step(-time.Hour) }, 1},
		"the API server tells its time": {func(m *machine, c *clock.Clock) { c.ObserveServer(m.look().Wall) }, 1},
		"the clock is set ahead and back unseen": {func(m *machine, _ *clock.Clock) {
			m.step(24 * time.Hour)
			m.step(-24 * time.Hour)
		}, 0},
		"the clock is set ahead, read, and set back": {func(m *machine, c *clock.Clock) {
			m.step(24 * time.Hour)
			c.Read()
			m.step(-24 * time.Hour)
		}, 1},
		"the clock is set ahead, read, set back, and read": {func(m *machine, c *clock.Clock) {
			m.step(24 * time.Hour)
			c.Read()
			m.step(-24 * time.Hour)
			c.Read()
		}, 1},
		"the API server is wrong for a moment": {func(m *machine, c *clock.Clock) {
			c.ObserveServer(m.look().Wall.Add(-time.Hour))
			c.Read()
			c.ObserveServer(m.look().Wall)
		}, 1},
		"the process is held up for a minute": {func(m *machine, _ *clock.Clock) { m.pass(time.Minute) }, 0},
		"the API server's clock is far behind": {func(m *machine,
			c *clock.Clock,
		) {
			c.ObserveServer(m.look().Wall.Add(-time.Hour))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine()
				c := clock.New(m.look)
				ctx, cancel := context.WithCancel(t.Context())
				changes := 0
				done := make(chan struct{})
				go func() {
					defer close(done)
					c.Watch(ctx, interval, func() { changes++ })
				}()
				tick := func() {
					m.pass(interval)
					time.Sleep(interval) // The bubble's clock: no real time passes.
					synctest.Wait()
				}
				tick()
				test.happens(m, c)
				tick()
				tick()
				cancel()
				<-done
				if changes != test.want {
					t.Errorf("got %d changes, want %d", changes, test.want)
				}
			})
		})
	}
}
