// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"time"
)

// stepTolerance is how far the wall clock may deviate from the elapsed time between two readings without a step.
// Slewing stays far below it.
const stepTolerance = 500 * time.Millisecond

// Watch reads the clocks at every interval until ctx is done. It calls changed if the wall clock was stepped, or if its
// agreement with the API server's clock changed, even if only another reader of the Clock saw that. Timers do not
// notice a step: without Watch, what is due by the new time would wait for the old time.
func (c *Clock) Watch(ctx context.Context, interval time.Duration, changed func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	c.Read()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if c.takeChange() {
			changed()
		}
	}
}

// takeChange reads the clocks, and reports whether they have changed since it was last called.
func (c *Clock) takeChange() bool {
	c.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.hasChanged
	c.hasChanged = false
	return changed
}

func stepped(from, to Sample) bool {
	return (to.Wall.Sub(from.Wall) - (to.Elapsed - from.Elapsed)).Abs() > stepTolerance
}
