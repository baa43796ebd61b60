// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// maxSleep bounds a timer: timers are monotonic and in memory, and an hour is what a lost one may cost.
	maxSleep = time.Hour
	// afterBoundary is added to a timer, since timers may fire a few milliseconds early.
	afterBoundary = 5 * time.Millisecond
	// cacheCatchesUp is how long the cache's index is given to follow its store.
	cacheCatchesUp = 50 * time.Millisecond
)

// wakeAt is the result of a reconcile that has nothing to do before the boundary; zero: none is known.
func wakeAt(boundary, now time.Time) ctrl.Result {
	sleep := maxSleep
	if !boundary.IsZero() {
		sleep = min(sleep, max(boundary.Sub(now), 0)+afterBoundary)
	}
	return ctrl.Result{RequeueAfter: sleep}
}
