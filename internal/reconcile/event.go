// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/license-operator/license-operator/internal/text"
)

// Event is a transition of an object, to be recorded once the transition is written.
type Event struct {
	// Warning makes it an event of type Warning instead of Normal.
	Warning      bool
	Reason, Note string
}

// maxNote is the API's limit for the note of an event, in bytes.
const maxNote = 1024

// Record records the events of an object.
func Record(recorder events.EventRecorder, of runtime.Object, all []Event) {
	for _, e := range all {
		eventType := corev1.EventTypeNormal
		if e.Warning {
			eventType = corev1.EventTypeWarning
		}
		recorder.Eventf(of, nil, eventType, e.Reason, "Evaluate", "%s", text.Truncate(e.Note, maxNote))
	}
}
