// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"k8s.io/apimachinery/pkg/api/meta"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// KeysOf returns the keys of a product, by their statuses. Only usable keys have features and limits.
func KeysOf(product string, keys []api.LicenseKey) []license.Key {
	var found []license.Key
	for i := range keys {
		if key := &keys[i]; key.Spec.ProductName == product {
			found = append(found, license.Key{Name: key.Name, Claims: ClaimsOf(&key.Status)})
		}
	}
	return found
}

// ClaimsOf returns the claims of a key; nil if it does not verify.
func ClaimsOf(status *api.LicenseKeyStatus) *license.Claims {
	if !meta.IsStatusConditionTrue(status.Conditions, api.ConditionReady) ||
		status.IssuedTime == nil || status.NotBeforeTime == nil || status.ExpiryTime == nil ||
		status.GraceEndTime == nil {
		return nil
	}
	return &license.Claims{
		ID: status.LicenseID, Customer: status.Customer,
		IssuedTime: status.IssuedTime.UTC(), NotBefore: status.NotBeforeTime.UTC(), Expiry: status.ExpiryTime.UTC(),
		GracePeriod: status.GraceEndTime.Sub(status.ExpiryTime.Time),
		Features:    status.Features, Limits: limitsByName(status.Limits),
	}
}

func limitsByName(list []api.Limit) map[string]int64 {
	limits := make(map[string]int64, len(list))
	for _, limit := range list {
		if limit.Value != nil {
			limits[limit.Name] = *limit.Value
		}
	}
	return limits
}
