// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reconcile is what the controllers have in common: how they are set up and woken, how they write a status with
// its conditions, and how they record events.
package reconcile

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/text"
)

// FieldOwner is the field manager of everything that the operator writes.
const FieldOwner = client.FieldOwner("license-operator")

// WriteStatus writes the status of changed, unless the object has changed since from was read. An object that is gone
// is not an error.
//
// It patches instead of applying server-side: an apply keeps what others have written into a status, and a status is
// the operator's alone.
func WriteStatus(ctx context.Context, c client.Client, changed, from client.Object) error {
	patch := client.MergeFromWithOptions(from, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(c.Status().Patch(ctx, changed, patch, FieldOwner)); err != nil {
		return fmt.Errorf("writing the status of %T %s: %w", from, from.GetName(), err)
	}
	return nil
}

// AfterFailedWrite is the result of a reconcile whose WriteStatus failed. A conflict is not a failure: the
// reconcile runs again once the cache has the other write.
func AfterFailedWrite(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictDelay}, nil
	}
	return ctrl.Result{}, err
}

// maxMessage limits the message of a condition, in bytes. The API refuses a whole status for one message that is too
// long, and messages quote others: an API server, a webhook, a certificate.
const maxMessage = 4096

// Conditions completes conditions of a generation. Each gets the time of its last transition: now, unless a condition
// of that type had the same status before.
func Conditions(
	before []metav1.Condition, now metav1.Time, generation int64, conditions ...metav1.Condition,
) []metav1.Condition {
	for i := range conditions {
		c := &conditions[i]
		c.ObservedGeneration, c.LastTransitionTime, c.Message = generation, now, text.Truncate(c.Message, maxMessage)
		if was := meta.FindStatusCondition(before, c.Type); was != nil && was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
	}
	return conditions
}

// FindCondition returns the condition of that type, an empty one where there is none.
func FindCondition(conditions []metav1.Condition, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// ConditionStatus is True or False.
func ConditionStatus(isTrue bool) metav1.ConditionStatus {
	if isTrue {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// SingleLine is the text of an error on one line, as part of a sentence: joined errors have a line each.
func SingleLine(err error) string {
	return text.SingleLine(strings.ReplaceAll(err.Error(), "\n", "; "))
}

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
