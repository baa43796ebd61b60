// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
)

const (
	// maxDecisions is how many decisions of each kind are cached.
	maxDecisions = 1024
	// knownFor is how long a caller is known that was let in once, even if the decision itself is no longer valid.
	knownFor = time.Hour
	// asksPerSecond and asksAtOnce limit the questions to the API server: those about known callers, and those about
	// all unknown ones together.
	asksPerSecond, asksAtOnce = 20, 50
	// askTimeout is how long a question may take.
	askTimeout = 10 * time.Second
	// logEvery is how often the same error is logged.
	logEvery = 5 * time.Minute
)

var (
	errTooMany = errors.New("too many unknown callers at once")
	errGone    = errors.New("the caller did not wait for the answer")
)

// decision is the API server's answer to a question.
type decision[T any] struct {
	yes bool
	// about is what came with it.
	about T
	// reason says more, if there is more; it is not for the caller.
	reason string
}

// cached is a decision in a cache.
type cached[T any] struct {
	decision[T]
	// until is when it is no longer valid.
	until time.Time
}

// decisionCache caches the decisions of the API server, asks the same question only once at a time, and limits how much
// it asks. It is safe for concurrent use.
type decisionCache[T any] struct {
	clock         clock.PassiveClock
	yesFor, noFor time.Duration
	// timeout is askTimeout.
	timeout time.Duration
	// yes and no are separate, so that rejected callers cannot crowd out others.
	yes, no *cache.LRUExpireCache
	// known limits questions about callers in yes, valid or not, and unknown those about all others. They are separate
	// for the same reason.
	known, unknown *rate.Limiter
	flights        singleflight.Group

	mu sync.Mutex
	// logged is when an error of a kind was last logged.
	logged map[errorKind]time.Time
}

func newDecisionCache[T any](c clock.PassiveClock, yesFor, noFor time.Duration) *decisionCache[T] {
	return &decisionCache[T]{
		clock: c, yesFor: yesFor, noFor: noFor, timeout: askTimeout,
		yes: cache.NewLRUExpireCacheWithClock(maxDecisions, c), no: cache.NewLRUExpireCacheWithClock(maxDecisions, c),
		known: rate.NewLimiter(asksPerSecond, asksAtOnce), unknown: rate.NewLimiter(asksPerSecond, asksAtOnce),
		logged: map[errorKind]time.Time{},
	}
}

// get returns the answer to the question that key stands for. It fails with errTooMany if it may not ask now, with
// errGone if ctx ends first, and with the question's error, which is not cached.
func (d *decisionCache[T]) get(
	ctx context.Context, key [sha256.Size]byte, ask func(context.Context) (decision[T], error),
) (decision[T], error) {
	if found, ok := d.lookup(key); ok {
		return found, nil
	}
	answers := d.flights.DoChan(string(key[:]), func() (any, error) {
		// Another request may have asked since the lookup.
		if found, ok := d.lookup(key); ok {
			return found, nil
		}
		now := d.clock.Now()
		if !d.limiterOf(key).AllowN(now, 1) {
			return nil, errTooMany
		}
		// Other requests wait for the answer as well: it does not end with the one that was first.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeout)
		defer cancel()
		answer, err := ask(asking)
		if err != nil {
			return nil, err
		}
		d.add(key, answer, now)
		return answer, nil
	})
	select {
	case <-ctx.Done():
		return decision[T]{}, errGone
	case answer := <-answers:
		if answer.Err != nil {
			return decision[T]{}, answer.Err
		}
		return answer.Val.(decision[T]), nil
	}
}

func (d *decisionCache[T]) lookup(key [sha256.Size]byte) (decision[T], bool) {
	for _, decisions := range []*cache.LRUExpireCache{d.yes, d.no} {
		if found, ok := decisions.Get(key); ok {
			if c := found.(cached[T]); d.clock.Now().Before(c.until) {
				return c.decision, true
			}
		}
	}
	return decision[T]{}, false
}

// add caches the answer to a question that was asked at a time: it says nothing about what happened since.
func (d *decisionCache[T]) add(key [sha256.Size]byte, answer decision[T], asked time.Time) {
	if answer.yes {
		d.no.Remove(key)
		d.yes.Add(key, cached[T]{answer, asked.Add(d.yesFor)}, knownFor)
	} else {
		d.yes.Remove(key)
		d.no.Add(key, cached[T]{answer, asked.Add(d.noFor)}, d.noFor)
	}
}

func (d *decisionCache[T]) limiterOf(key [sha256.Size]byte) *rate.Limiter {
	if _, ok := d.yes.Get(key); ok {
		return d.known
	}
	return d.unknown
}

// reject answers a request for which get failed. It logs errors that are not the caller's, every logEvery; resource is
// what could not be created.
func (d *decisionCache[T]) reject(err error, log logr.Logger, resource string) *rejection {
	switch {
	case errors.Is(err, errTooMany):
		return &rejection{
			code: http.StatusTooManyRequests, reason: err.Error(),
			text: "Too many requests: retry in 1 second.",
		}
	case !errors.Is(err, errGone):
		kind := unavailable
		if e, ok := errors.AsType[*apiError](err); ok {
			kind = e.kind
		}
		if d.shouldLog(kind) {
			log.Error(err, "Failed to authenticate or authorize requests, answered 503: "+kind.advice(),
				"resource", resource)
		}
	}
	return &rejection{
		code: http.StatusServiceUnavailable, reason: err.Error(),
		text: "Cannot ask the API server for authentication and authorization: see the operator's log, then retry.",
	}
}

// shouldLog reports whether an error of a kind is to be logged now.
func (d *decisionCache[T]) shouldLog(kind errorKind) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	if last, ok := d.logged[kind]; ok && now.Sub(last) < logEvery {
		return false
	}
	d.logged[kind] = now
	return true
}
