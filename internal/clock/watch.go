// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"time"
)

// stepTolerance is how far the wall clock may run from the elapsed time between two looks before that counts as a step.
// Slewing stays far below it.
const stepTolerance = 500 * time.Millisecond

// Watch looks at the clocks every interval until ctx is done, and calls changed whenever the wall clock was stepped or
// began or ceased to agree with the API server's. Timers do not see a step: without this, what is due by the new time
// would wait for the old.
func (c *Clock) Watch(ctx context.Context, interval time.Duration, changed func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := c.source()
	lastAgreement := c.agreement(last)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := c.source()
		agreement := c.agreement(now)
		if stepped(last, now) || agreement != lastAgreement {
			changed()
		}
		last, lastAgreement = now, agreement
	}
}

func stepped(from, to Sample) bool {
	return (to.Wall.Sub(from.Wall) - (to.Elapsed - from.Elapsed)).Abs() > stepTolerance
}
