// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license

import (
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Claims are the claims of a verified key. All times are whole seconds in UTC.
type Claims struct {
	// ID identifies the license (jti). Two keys with the same ID are the same license.
	ID string
	// Customer is the licensee (sub).
	Customer string
	// Issuer is the vendor's name (iss). It may be empty.
	Issuer string
	// Audience has the audiences that the license is for (aud), at least one.
	Audience []string
	// IssuedTime is when the license was issued (iat).
	IssuedTime time.Time
	// NotBefore is when the license begins (nbf).
	NotBefore time.Time
	// Expiry is when the license expires (exp). It is not before NotBefore and IssuedTime.
	Expiry time.Time
	// GracePeriod is how long everything keeps working after Expiry: whole seconds, up to ten years.
	GracePeriod time.Duration
	// Features has the licensed features in the vendor's order.
	Features []string
	// Limits has the licensed amounts by name. None is negative.
	Limits map[string]int64
	// ClusterUIDs has the clusters that the license is for, each the uid of its namespace kube-system. Empty means any.
	ClusterUIDs []string
}

// GraceEnd returns the end of the grace period.
func (c *Claims) GraceEnd() time.Time { return c.Expiry.Add(c.GracePeriod) }

// StateAt returns the state of a verified key at a time. A boundary belongs to the state that begins at it.
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
