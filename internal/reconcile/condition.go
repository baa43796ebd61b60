// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reconcile is what the controllers have in common: how they are set up and woken, how they write a status with
// its conditions, and how they record events.
package reconcile

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/internal/text"
)

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
