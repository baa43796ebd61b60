// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
)

// course takes a product into the future as the operator will: from boundary to boundary, each evaluation going on from
// what the one before put on record. A single evaluation of a far day would not know of the licenses and restrictions
// that come and go until then.
type course struct {
	// product is a copy. Its status is what the operator will have written by then, as far as that counts.
	product *api.LicensedProduct
	keys    []license.Key
	brakes  restriction.Caps

	evaluation license.Evaluation
	planned    restriction.Product
	state      api.RestrictionState
	reason     string
}

// newCourse begins now, with what the operator would find if it looked now.
func newCourse(product *api.LicensedProduct, keys []license.Key, brakes restriction.Caps, now time.Time) *course {
	c := &course{product: product.DeepCopy(), keys: keys, brakes: brakes}
	if c.product.Status.Restriction == nil {
		c.product.Status.Restriction = &api.RestrictionStatus{}
	}
	c.look(now, license.ClocksAgree)
	return c
}

// goTo goes on to an instant.
func (c *course) goTo(at time.Time) {
	for {
		next := c.next()
		if next.IsZero() || !next.Before(at) {
			break
		}
		c.pass(next)
	}
	c.look(at, license.ClocksAgree)
}

// pass goes on to a boundary. With clocks that are not known to agree the mark stays where it is, and there is no
// boundary for it each day: as time only ever goes forward here, it does not matter.
func (c *course) pass(boundary time.Time) { c.look(boundary, license.ClocksUnknown) }

// next is the next boundary; zero: none.
func (c *course) next() time.Time {
	next, pause := c.evaluation.NextBoundary, restriction.NextBoundary(c.product, c.evaluation.Time.Now)
	if next.IsZero() || !pause.IsZero() && pause.Before(next) {
		return pause
	}
	return next
}

func (c *course) look(at time.Time, agreement license.ClockAgreement) {
	reading := license.ClockReading{Now: at, Agreement: agreement}
	c.evaluation = license.Evaluate(license.Reckon(reading, c.product), c.product, c.keys)
	c.planned = restriction.ProductOf(c.product, &c.evaluation)
	c.state, c.reason = c.planned.StateUnder(c.brakes)
	c.record()
	// Once more, since what is now in force is known to be in force since now.
	c.planned = restriction.ProductOf(c.product, &c.evaluation)
}

// record puts into the status what later evaluations go on from.
func (c *course) record() {
	status, e := &c.product.Status, &c.evaluation
	status.State, status.ActiveLicenseKeyName = e.State, e.ActiveKeyName
	status.TimeMark, status.LastHandledClockReset = instantOf(e.Time.Mark), e.Time.HandledReset
	status.Restriction.EffectiveTime, status.Restriction.Basis, status.Restriction.UsableUntilTime = instantOf(
		e.EffectiveTime), e.Basis, instantOf(e.UsableUntil)
	switch {
	case c.state != api.RestrictionActive:
		status.Restriction.InForce = nil
	case status.Restriction.InForce == nil:
		status.Restriction.InForce = &api.RestrictionInForce{
			SinceTime: new(metav1.NewTime(e.Time.Now.UTC().Truncate(time.Second)))}
	}
}

// start is when the restriction next comes into force, and whether that is at the end of a pause; zero: never, as
// things are. It leaves the course there.
func (c *course) start() (at time.Time, pauseEnds bool) {
	for {
		before := c.state
		next := c.next()
		if next.IsZero() {
			return time.Time{}, false
		}
		c.pass(next)
		if c.state == api.RestrictionActive && before != api.RestrictionActive {
			return next, before == api.RestrictionPaused
		}
	}
}

// takeover is when a key becomes the active one, which may be now; zero: never, as things are. It leaves the course
// there.
func (c *course) takeover(key string) time.Time {
	for c.evaluation.ActiveKeyName != key {
		next := c.next()
		if next.IsZero() {
			return next
		}
		c.pass(next)
	}
	return c.evaluation.Time.Now
}

// restriction is how it stands, as far as the status will say it.
func (c *course) restriction() api.RestrictionStatus {
	status := *c.product.Status.Restriction.DeepCopy()
	status.State = c.state
	status.Pause, _ = restriction.PauseOf(c.product)
	if status.InForce != nil && status.InForce.Mode == "" {
		status.InForce.Mode = api.RestrictionMode(c.reason)
	}
	return status
}

func instantOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}

// keysOf are the keys of a product, as the operator found them. Features and limits are known of those that are usable.
func keysOf(product string, keys []api.LicenseKey) []license.Key {
	var found []license.Key
	for i := range keys {
		if key := &keys[i]; key.Spec.ProductName == product {
			found = append(found, license.Key{Name: key.Name, Claims: claimsOf(&key.Status)})
		}
	}
	return found
}

// claimsOf are the claims of a key that verifies; nil otherwise.
func claimsOf(status *api.LicenseKeyStatus) *license.Claims {
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
