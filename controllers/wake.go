// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// maxSleep bounds a timer: timers are monotonic and in memory, and an hour is what a lost one may cost.
	maxSleep = time.Hour
	// afterBoundary is added to a timer, since timers may fire a few milliseconds early.
	afterBoundary = 5 * time.Millisecond
	// cacheCatchesUp is how long the cache is given to hear of what has happened, or its index to follow its store.
	cacheCatchesUp = 50 * time.Millisecond
)

// wakeAt is the result of a reconcile that has nothing to do before the first of the boundaries, those that are zero
// left aside.
func wakeAt(now time.Time, boundaries ...time.Time) ctrl.Result {
	sleep := maxSleep
	for _, boundary := range boundaries {
		if !boundary.IsZero() {
			sleep = min(sleep, max(boundary.Sub(now), 0)+afterBoundary)
		}
	}
	return ctrl.Result{RequeueAfter: sleep}
}

// wakeQueue is a controller's queue for those who have it look at an object though no object that it watches has
// changed. It is a source of that controller.
type wakeQueue struct {
	// first are looked at when the controller starts, whatever else happens.
	first []string

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// Start takes the queue from the controller, when that starts.
func (w *wakeQueue) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	for _, name := range w.first {
		queue.Add(named(name))
	}
	return nil
}

// add has the object of that name looked at after a while, or sooner. Before the controller has started it does
// nothing: the controller begins with every object, or with those in first.
func (w *wakeQueue) add(name string, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.AddAfter(named(name), after)
	}
}
