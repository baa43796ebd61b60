// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/backoff"
)

// failures are those of a controller's requests. They limit how often a request is tried, and have a failure logged
// when it begins, and not again at each attempt. The controller forgets a failure when a reconcile succeeds.
type failures struct {
	workqueue.TypedRateLimiter[ctrl.Request]

	mu     sync.Mutex
	logged map[ctrl.Request]error
}

func newFailures(retry backoff.Policy) *failures {
	return &failures{
		TypedRateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](retry.First, retry.Last),
		logged:           map[ctrl.Request]error{},
	}
}

// Forget implements workqueue.TypedRateLimiter.
func (f *failures) Forget(request ctrl.Request) {
	f.TypedRateLimiter.Forget(request)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.logged, request)
}

// isNews reports whether the last failure of a request that was logged is another one, or none.
func (f *failures) isNews(request ctrl.Request, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, isLogged := f.logged[request]; isLogged && apierror.Same(last, err) {
		return false
	}
	f.logged[request] = err
	return true
}

// logger returns the logger of one request.
func (f *failures) logger(log logr.Logger, request ctrl.Request) logr.Logger {
	if log.GetSink() == nil {
		return log // It discards everything.
	}
	return log.WithSink(failureSink{log.GetSink(), func(err error) bool { return f.isNews(request, err) }})
}

// failureSink logs a repeated error for debugging only.
type failureSink struct {
	logr.LogSink
	isNews func(error) bool
}

// Error implements logr.LogSink.
func (s failureSink) Error(err error, message string, keysAndValues ...any) {
	switch {
	case s.isNews(err):
		s.LogSink.Error(err, message, keysAndValues...)
	case s.Enabled(1):
		s.Info(1, message, append(slices.Clone(keysAndValues), "error", err)...)
	}
}

// WithValues implements logr.LogSink.
func (s failureSink) WithValues(keysAndValues ...any) logr.LogSink {
	return failureSink{s.LogSink.WithValues(keysAndValues...), s.isNews}
}

// WithName implements logr.LogSink.
func (s failureSink) WithName(name string) logr.LogSink {
	return failureSink{s.LogSink.WithName(name), s.isNews}
}
