// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"sync"
	"time"
)

const (
	// paceInterval is how often a product is assessed while events keep coming.
	paceInterval = time.Second
	// paceBurst is how many assessments may follow each other at once, after a quiet time: a product that has just been
	// created is assessed for its key, its nodes, its alerts and its restriction.
	paceBurst = 8
)

// pace spreads the assessments of each product: all at once after a quiet time, up to paceBurst, then one every
// paceInterval. It measures real time, whatever the operator's clock says.
type pace struct {
	now func() time.Time

	mu sync.Mutex
	// due is when the assessments so far would have been over, had there been one every paceInterval.
	due map[string]time.Time
}

func newPace() *pace {
	return &pace{now: time.Now, due: map[string]time.Time{}} //nolint:forbidigo // to measure a delay
}

// delay is how long the next assessment of a product has to wait; zero: it takes place now. What is urgent never waits,
// and counts like any other.
func (p *pace) delay(product string, urgent bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	const most = (paceBurst + 1) * paceInterval
	due := p.due[product]
	if due.Before(now) {
		due = now
	}
	if ahead := due.Sub(now) - (paceBurst-1)*paceInterval; ahead > 0 && !urgent {
		return ahead
	}
	p.due[product] = due.Add(min(paceInterval, now.Add(most).Sub(due)))
	return 0
}

// forget forgets a product that is gone.
func (p *pace) forget(product string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.due, product)
}
