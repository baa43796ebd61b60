// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// transitionTime is the instant that a transition found by this assessment is stamped with, in whole seconds as the API
// keeps them.
func transitionTime(found *assessment) metav1.Time {
	return metav1.NewTime(found.time.Now.UTC().Truncate(time.Second))
}

// renewal tells where to renew.
func renewal(product *api.LicensedProduct) string {
	if product.Spec.RenewalURL == "" {
		return fmt.Sprintf("Ask %s for a license and apply it as a LicenseKey.", product.Spec.Vendor)
	}
	return fmt.Sprintf("Get a license at %s and apply it as a LicenseKey.", product.Spec.RenewalURL)
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
