// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
)

// transitionTime is the instant that a transition found by this assessment is stamped with, in whole seconds as the API
// keeps them.
func transitionTime(found *assess.Assessment) metav1.Time {
	return metav1.NewTime(found.Time.Now.UTC().Truncate(time.Second))
}

// renewal says where to renew, as a sentence.
func renewal(product *api.LicensedProduct) string { return license.RenewalHint(product) + "." }

// rfc3339 is a time as messages have it.
func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// instant is a time as a status has it; nil: none.
func instant(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
