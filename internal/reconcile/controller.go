// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

	"github.com/go-logr/logr"
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
