// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/license-operator/license-operator/test/controlplane"
)

// span is a time from which on, and another up to which.
type span struct{ from, to time.Time }

func (s span) contains(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// writes are the status writes to the objects of a resource.
type writes struct {
	total, conflicts, failures int
	of                         map[string]int
}

func statusWrites(events []controlplane.AuditEvent, during span, resource string) writes {
	found := writes{of: map[string]int{}}
	for _, e := range events {
		if e.Resource != resource || e.Subresource != "status" || e.Stage != controlplane.StageResponseComplete ||
			!during.contains(e.Received) {
			continue
		}
		switch {
		case e.Code == 409:
			found.conflicts++
		case e.Code >= 300:
			found.failures++
		default:
			found.total++
			found.of[e.Name]++
		}
	}
	return found
}

// most is the largest number of writes to one object.
func (w writes) most() int {
	most := 0
	for _, n := range w.of {
		most = max(most, n)
	}
	return most
}

// eventWrites are the requests that create events, and those that count one up.
func eventWrites(events []controlplane.AuditEvent, during span) (created, patched int) {
	for _, e := range events {
		if e.Resource != "events" || e.Stage != controlplane.StageResponseComplete || !during.contains(e.Received) ||
			e.Code >= 300 {
			continue
		}
		if e.Verb == "create" {
			created++
		} else {
			patched++
		}
	}
	return created, patched
}

// requests are what the operator asked for.
type requests struct {
	leases, watches int
	others          []controlplane.AuditEvent
}

func requestsDuring(events []controlplane.AuditEvent, during span) requests {
	var found requests
	for _, e := range events {
		switch {
		case !during.contains(e.Time):
		case e.Verb == "watch":
			// A watch begins with one stage and ends with the other.
			if e.Stage == controlplane.StageResponseStarted {
				found.watches++
			}
		case e.Stage != controlplane.StageResponseComplete:
		case e.Resource == "leases":
			found.leases++
		default:
			found.others = append(found.others, e)
		}
	}
	return found
}
