// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

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
