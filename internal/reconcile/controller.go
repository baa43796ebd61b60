// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

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

// NewController returns a builder of a controller with that name, which the caller completes.
func NewController(mgr ctrl.Manager, name string, options Options) *builder.Builder {
	if options.Workers == 0 {
		options.Workers = defaultWorkers
	}
	if options.Retry == (backoff.Policy{}) {
		options.Retry = defaultRetry
	}
	return ctrl.NewControllerManagedBy(mgr).Named(name).WithOptions(controller.Options{
		MaxConcurrentReconciles: options.Workers,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](
			options.Retry.First, options.Retry.Last),
	})
}
