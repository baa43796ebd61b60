// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/license-operator/license-operator/internal/backoff"
)

// defaultWorkers is how many requests a controller works on at a time.
const defaultWorkers = 8

// defaultRetry is how long a controller waits before it tries a failed request again.
var defaultRetry = backoff.Policy{First: 10 * time.Millisecond, Last: time.Minute}

// Options of NewController.
type Options struct {
	// Workers is how many requests are worked on at a time; zero: the default.
	Workers int
	// Retry is how long to wait before a failed request is tried again; zero: the default.
	Retry backoff.Policy
}

// NewController returns a builder of a controller with that name, which the caller completes. Its reconciler returns
// its failures: the controller counts them in its metrics, tries the request again, and logs a failure when it begins.
func NewController(mgr ctrl.Manager, name string, options Options) *builder.Builder {
	return ctrl.NewControllerManagedBy(mgr).Named(name).WithOptions(options.of(name, mgr.GetLogger()))
}

// of returns the options of the controller with that name.
func (o Options) of(name string, log logr.Logger) controller.Options {
	if o.Workers == 0 {
		o.Workers = defaultWorkers
	}
	if o.Retry == (backoff.Policy{}) {
		o.Retry = defaultRetry
	}
	failures := newFailures(o.Retry)
	return controller.Options{
		MaxConcurrentReconciles: o.Workers,
		RateLimiter:             failures,
		LogConstructor: func(request *ctrl.Request) logr.Logger {
			log := log.WithValues("controller", name)
			if request == nil {
				return log
			}
			return failures.logger(log.WithValues("name", request.Name), *request)
		},
	}
}

// Trigger lets other components request a reconcile by name. It is a source of one controller: pass it to
// WatchesRawSource.
type Trigger struct {
	first []string

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// NewTrigger returns a Trigger whose controller reconciles the named objects when it starts.
func NewTrigger(first ...string) *Trigger { return &Trigger{first: first} }

// Start implements source.Source: the controller passes its queue when it starts.
func (t *Trigger) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = queue
	for _, name := range t.first {
		queue.Add(Request(name))
	}
	return nil
}

// Add requests a reconcile after a delay; an earlier request for the same name counts. It does nothing before the
// controller has started, since that begins with every object that it watches and with the names of NewTrigger.
func (t *Trigger) Add(name string, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue != nil {
		t.queue.AddAfter(Request(name), after)
	}
}

// Request is the request for the cluster-scoped object of that name.
func Request(name string) ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Name: name}}
}

const (
	// CacheDelay is how long the cache may take to show what has just happened, and an index of it to follow.
	CacheDelay = 50 * time.Millisecond
	// RepairDelay is how long a change to one of the operator's objects is left in place, so that the operator and
	// another controller do not race.
	RepairDelay = time.Second
	// conflictDelay is how long the cache may take to show the write that was faster.
	conflictDelay = 200 * time.Millisecond
	// maxSleep bounds timers: they are monotonic and in memory, and a lost one costs no more than this.
	maxSleep = time.Hour
	// afterBoundary is added to timers, which may fire a few milliseconds early.
	afterBoundary = 5 * time.Millisecond
)

// At is the result of a reconcile that has nothing to do before the first of the boundaries. Zero boundaries do not
// count.
func At(now time.Time, boundaries ...time.Time) ctrl.Result {
	sleep := maxSleep
	for _, boundary := range boundaries {
		if !boundary.IsZero() {
			sleep = min(sleep, max(boundary.Sub(now), 0)+afterBoundary)
		}
	}
	return ctrl.Result{RequeueAfter: sleep}
}
