// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Claims are what a key says once its signature has been verified. All instants are whole seconds in UTC.
type Claims struct {
	// ID is the vendor's identifier of the license (jti). Two keys with the same ID are the same license.
	ID string
	// Customer is whom the license was issued to (sub).
	Customer string
	// Issuer is who issued it (iss); may be empty.
	Issuer string
	// Audience is what it was issued for (aud): one entry or more.
	Audience []string
	// IssuedTime is when it was issued (iat).
	IssuedTime time.Time
	// NotBefore is when it begins (nbf).
	NotBefore time.Time
	// Expiry is when it expires (exp); not before NotBefore and IssuedTime.
	Expiry time.Time
	// GracePeriod is how long everything goes on working after Expiry: whole seconds, zero to ten years.
	GracePeriod time.Duration
	// Features that it grants, in the vendor's order.
	Features []string
	// Limits that it sets, by name; never negative.
	Limits map[string]int64
	// ClusterUIDs are the clusters it is for, each the uid of the namespace kube-system; empty: any.
	ClusterUIDs []string
}

// GraceEnd is the instant at which the grace period is over.
func (c *Claims) GraceEnd() time.Time { return c.Expiry.Add(c.GracePeriod) }

// StateAt is the state of a verified key at an instant. An instant belongs to the state that begins at it.
func (c *Claims) StateAt(now time.Time) api.LicenseKeyState {
	switch {
	case now.Before(c.NotBefore):
		return api.LicenseKeyNotYetValid
	case now.Before(c.Expiry):
		return api.LicenseKeyValid
	case now.Before(c.GraceEnd()):
		return api.LicenseKeyGracePeriod
	default:
		return api.LicenseKeyExpired
	}
}

// nextBoundary is the first instant after now at which the key's state changes; zero when it never will again.
func (c *Claims) nextBoundary(now time.Time) time.Time {
	for _, boundary := range []time.Time{c.NotBefore, c.Expiry, c.GraceEnd()} {
		if now.Before(boundary) {
			return boundary
		}
	}
	return time.Time{}
}
