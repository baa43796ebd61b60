// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// maxMessage bounds the message of a condition, in bytes: well below what the API takes, since with a message beyond
// that the whole status would be refused. Some quote what others say: an API server, a webhook, a certificate.
const maxMessage = 4096

// conditionsSince is conditions as of generation, each with the time of its last transition: now, unless it was in the
// same status before.
func conditionsSince(
	before []metav1.Condition, now metav1.Time, generation int64, conditions ...metav1.Condition,
) []metav1.Condition {
	for i := range conditions {
		c := &conditions[i]
		c.ObservedGeneration, c.LastTransitionTime, c.Message = generation, now, cut(c.Message, maxMessage)
		if was := meta.FindStatusCondition(before, c.Type); was != nil && was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
	}
	return conditions
}

// cut shortens a text to at most so many bytes, and shows that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-3], "") + "..."
}

// transitionTime is the instant that a transition found by this assessment is stamped with, in whole seconds as the API
// keeps them.
func transitionTime(found *assessment) metav1.Time {
	return metav1.NewTime(found.time.Now.UTC().Truncate(time.Second))
}

// conditionOf is the condition of that type; empty where there is none.
func conditionOf(conditions []metav1.Condition, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func statusOf(isTrue bool) metav1.ConditionStatus {
	if isTrue {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// renewal tells where to renew.
func renewal(product *api.LicensedProduct) string {
	if product.Spec.RenewalURL == "" {
		return fmt.Sprintf("Ask %s for a license and apply it as a LicenseKey.", product.Spec.Vendor)
	}
	return fmt.Sprintf("Get a license at %s and apply it as a LicenseKey.", product.Spec.RenewalURL)
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
