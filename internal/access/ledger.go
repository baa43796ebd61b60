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
	// maxAnswers bounds how many answers of each kind are remembered.
	maxAnswers = 1024
	// familiarFor is how long it is remembered that an answer was yes once, if not that it still is.
	familiarFor = time.Hour
	// asksPerSecond and asksAtOnce bound the questions of each kind to the API server: about the familiar, and about
	// all others together.
	asksPerSecond, asksAtOnce = 20, 50
	// askTimeout is how long a question may take.
	askTimeout = 10 * time.Second
	// complaintEvery is how often the log has a line while the same trouble lasts.
	complaintEvery = 5 * time.Minute
)

var (
	errTooMany = errors.New("too many unfamiliar callers at once")
	errGone    = errors.New("the caller did not wait for the answer")
)

// verdict is the API server's answer to a question.
type verdict[T any] struct {
	yes bool
	// about is what came with it.
	about T
	// reason says more, where there is more; it is not for the caller.
	reason string
}

// noted is a verdict in a ledger.
type noted[T any] struct {
	verdict[T]
	// until is when it has to be asked for again.
	until time.Time
}

// ledger remembers what the API server answered, asks what it does not know, the same no more than once at a time, and
// bounds how much it asks. It is safe for concurrent use.
type ledger[T any] struct {
	clock         clock.PassiveClock
	yesFor, noFor time.Duration
	// timeout is askTimeout.
	timeout time.Duration
	// yes and no are apart, so that those who are turned away cannot crowd out those who are not.
	yes, no *cache.LRUExpireCache
	// familiars bounds what is asked about those who are in yes, still or no longer good; strangers what is asked about
	// all others. They are apart for the same reason.
	familiars, strangers *rate.Limiter
	flights              singleflight.Group

	mu sync.Mutex
	// complaints has when trouble was last logged.
	complaints map[troubleKind]time.Time
}

func newLedger[T any](c clock.PassiveClock, yesFor, noFor time.Duration) *ledger[T] {
	return &ledger[T]{
		clock: c, yesFor: yesFor, noFor: noFor, timeout: askTimeout,
		yes:        cache.NewLRUExpireCacheWithClock(maxAnswers, c),
		no:         cache.NewLRUExpireCacheWithClock(maxAnswers, c),
		familiars:  rate.NewLimiter(asksPerSecond, asksAtOnce),
		strangers:  rate.NewLimiter(asksPerSecond, asksAtOnce),
		complaints: map[troubleKind]time.Time{},
	}
}

// ask returns the answer to the question that key stands for. It fails with errTooMany where it must not ask just now,
// with errGone where ctx ends before there is an answer, and with the question's error, which is not remembered.
func (l *ledger[T]) ask(
	ctx context.Context, key [sha256.Size]byte, question func(context.Context) (verdict[T], error),
) (verdict[T], error) {
	if known, ok := l.remembered(key); ok {
		return known, nil
	}
	answers := l.flights.DoChan(string(key[:]), func() (any, error) {
		// Somebody else may have been told between the look and here.
		if known, ok := l.remembered(key); ok {
			return known, nil
		}
		now := l.clock.Now()
		if !l.limiterOf(key).AllowN(now, 1) {
			return nil, errTooMany
		}
		// Others wait for the answer as well: it does not end with the caller who happened to be first.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
		defer cancel()
		answer, err := question(asking)
		if err != nil {
			return nil, err
		}
		l.remember(key, answer, now)
		return answer, nil
	})
	select {
	case <-ctx.Done():
		return verdict[T]{}, errGone
	case answer := <-answers:
		if answer.Err != nil {
			return verdict[T]{}, answer.Err
		}
		return answer.Val.(verdict[T]), nil
	}
}

func (l *ledger[T]) remembered(key [sha256.Size]byte) (verdict[T], bool) {
	for _, answers := range []*cache.LRUExpireCache{l.yes, l.no} {
		if found, ok := answers.Get(key); ok {
			if n := found.(noted[T]); l.clock.Now().Before(n.until) {
				return n.verdict, true
			}
		}
	}
	return verdict[T]{}, false
}

// remember notes an answer to what was asked at a time: it tells nothing of what happened since.
func (l *ledger[T]) remember(key [sha256.Size]byte, answer verdict[T], asked time.Time) {
	if answer.yes {
		l.no.Remove(key)
		l.yes.Add(key, noted[T]{answer, asked.Add(l.yesFor)}, familiarFor)
	} else {
		l.yes.Remove(key)
		l.no.Add(key, noted[T]{answer, asked.Add(l.noFor)}, l.noFor)
	}
}

func (l *ledger[T]) limiterOf(key [sha256.Size]byte) *rate.Limiter {
	if _, ok := l.yes.Get(key); ok {
		return l.familiars
	}
	return l.strangers
}

// refuse is what a caller is answered where ask failed. It logs what is not the caller's doing, unless it has lately;
// resource is what could not be created.
func (l *ledger[T]) refuse(err error, log logr.Logger, resource string) *refusal {
	switch {
	case errors.Is(err, errTooMany):
		return &refusal{code: http.StatusTooManyRequests, reason: err.Error(), text: "Too many callers come at once " +
			"whom the operator has to ask the API server about: try again in a second."}
	case !errors.Is(err, errGone):
		kind := unreachable
		if t, ok := errors.AsType[*trouble](err); ok {
			kind = t.kind
		}
		if l.complain(kind) {
			log.Error(err, "Cannot ask the API server about callers, who are answered with 503: "+kind.advice(),
				"resource", resource)
		}
	}
	return &refusal{code: http.StatusServiceUnavailable, reason: err.Error(),
		text: "The operator cannot ask the API server who you are and what you may: its log says why. Try again."}
}

// complain tells whether it is time to log trouble of a kind, and takes it that this is then done.
func (l *ledger[T]) complain(kind troubleKind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if last, ok := l.complaints[kind]; ok && now.Sub(last) < complaintEvery {
		return false
	}
	l.complaints[kind] = now
	return true
}
