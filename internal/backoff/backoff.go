// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backoff says how long to wait before something that has failed is tried again.
package backoff

import "time"

// Policy is an exponential backoff: the delay doubles with each failure in a row.
type Policy struct {
	// First is the delay after the first failure, and Last the longest.
	First, Last time.Duration
}

// Delay returns how long to wait after that many failures in a row.
func (p Policy) Delay(failures int) time.Duration {
	delay := p.First
	for i := 1; i < failures && 0 < delay && delay < p.Last; i++ {
		if delay > p.Last/2 {
			return p.Last // Twice as much might overflow.
		}
		delay *= 2
	}
	return min(delay, p.Last)
}
