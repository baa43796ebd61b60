// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// transition is a change that an event tells of.
type transition struct {
	warning      bool
	reason, note string
}

// maxNote is the API's bound on the note of an event, in bytes.
const maxNote = 1024

// record tells of transitions, once they have been written.
func record(recorder events.EventRecorder, of runtime.Object, transitions []transition) {
	for _, t := range transitions {
		eventType := corev1.EventTypeNormal
		if t.warning {
			eventType = corev1.EventTypeWarning
		}
		recorder.Eventf(of, nil, eventType, t.reason, "Evaluate", "%s", cut(t.note, maxNote))
	}
}
