// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package license_test

import (
	"testing"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// epoch is the instant that tests count from, in the notation at(days).
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(days float64) time.Time {
	return epoch.Add(time.Duration(days * float64(24*time.Hour)))
}

// claims are those of a license from one day to another with days of grace, issued when it begins.
func claims(id string, begin, end, grace float64) *license.Claims {
	return &license.Claims{
		ID: id, Customer: "Customer", Audience: []string{"product"},
		IssuedTime: at(begin), NotBefore: at(begin), Expiry: at(end), GracePeriod: at(end + grace).Sub(at(end)),
	}
}

func issued(c *license.Claims, day float64) *license.Claims {
	c.IssuedTime = at(day)
	return c
}

func TestClaimsStateAt(t *testing.T) {
	const tick = time.Nanosecond
	with := claims("with", 10, 20, 5)
	without := claims("without", 10, 20, 0)
	empty := claims("empty", 10, 10, 5)
	for name, test := range map[string]struct {
		claims *license.Claims
		now    time.Time
		want   api.LicenseKeyState
	}{
		"long before it begins":             {with, at(-1000), api.LicenseKeyNotYetValid},
		"a tick before it begins":           {with, at(10).Add(-tick), api.LicenseKeyNotYetValid},
		"as it begins":                      {with, at(10), api.LicenseKeyValid},
		"a tick before it expires":          {with, at(20).Add(-tick), api.LicenseKeyValid},
		"as it expires":                     {with, at(20), api.LicenseKeyGracePeriod},
		"a tick before the grace ends":      {with, at(25).Add(-tick), api.LicenseKeyGracePeriod},
		"as the grace ends":                 {with, at(25), api.LicenseKeyExpired},
		"long after":                        {with, at(100000), api.LicenseKeyExpired},
		"without grace, a tick before":      {without, at(20).Add(-tick), api.LicenseKeyValid},
		"without grace, as it expires":      {without, at(20), api.LicenseKeyExpired},
		"expiring as it begins":             {empty, at(10), api.LicenseKeyGracePeriod},
		"expiring as it begins, the end":    {empty, at(15), api.LicenseKeyExpired},
		"in another zone, the same instant": {with, at(20).In(time.FixedZone("", 5*3600)), api.LicenseKeyGracePeriod},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.claims.StateAt(test.now); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
