// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// ProductOf returns what a plan needs to know of a product, from its terms and its evaluation. Of its status it reads
// only whether a restriction has been in force before, and since when; that alone starts none.
//
// It ignores an invalid tierSelector or pause. TierSelectorOf and PauseOf say what is wrong with them.
func ProductOf(product *api.LicensedProduct, e *license.Evaluation) Product {
	p := Product{
		Name: product.Name, Vendor: product.Spec.Vendor, RenewalURL: product.Spec.RenewalURL,
		EffectiveTime: e.EffectiveTime,
	}
	if product.Spec.Restriction == nil || product.DeletionTimestamp != nil {
		return p
	}
	p.Mode = product.Spec.Restriction.Mode
	if selector, err := TierSelectorOf(product); err == nil {
		p.TierSelector = selector
	}
	now := e.Time.Now
	if pause, err := PauseOf(product); err == nil && pause != nil {
		p.Paused = !now.Before(pause.SinceTime.Time) && now.Before(pause.UntilTime.Time)
	}
	due := !license.Usable(e.State) && !e.EffectiveTime.IsZero() && !now.Before(e.EffectiveTime)
	if since := Announced(product).SinceTime; since != nil && due {
		p.Since = since.Time
	}
	p.Disputed = due && p.Since.IsZero() && e.Time.SkewReason == api.ReasonNodeClock
	p.Due = due && !p.Disputed
	return p
}

// TierSelectorOf returns the product's tier selector; nil without an error if its terms have none.
func TierSelectorOf(product *api.LicensedProduct) (labels.Selector, error) {
	if product.Spec.Restriction == nil || product.Spec.Restriction.TierSelector == nil {
		return nil, nil
	}
	return metav1.LabelSelectorAsSelector(product.Spec.Restriction.TierSelector)
}

// NextBoundary returns the first time after now at which a product's pause begins or ends; zero if there is none.
func NextBoundary(product *api.LicensedProduct, now time.Time) time.Time {
	pause, err := PauseOf(product)
	switch {
	case err != nil || pause == nil || !now.Before(pause.UntilTime.Time):
		return time.Time{}
	case now.Before(pause.SinceTime.Time):
		return pause.SinceTime.Time
	default:
		return pause.UntilTime.Time
	}
}

// StateUnder returns the state of a product's restriction under the caps, and the reason of its condition Restricted.
func (p *Product) StateUnder(caps Caps) (state api.RestrictionState, reason string) {
	mode, _ := EffectiveMode(p.Mode, caps)
	switch {
	case mode == "":
		return api.RestrictionNone, api.ReasonNotRequested
	case !mode.Restricts():
		return api.RestrictionNone, api.ReasonObserved
	case p.Paused:
		return api.RestrictionPaused, api.ReasonPaused
	case p.Disputed:
		return api.RestrictionScheduled, api.ReasonClockDisputed
	case !p.Due:
		return api.RestrictionScheduled, api.ReasonNotDue
	default:
		return api.RestrictionActive, string(mode)
	}
}

// maxNotice bounds a notice, in bytes: the API accepts 2048 characters, and the API server quotes at most 5 KiB of it
// when it rejects a request.
const maxNotice = 2000

// Notice is the message for people whose request is rejected by a restriction that has been in force since then: which
// product, since when, and where to renew. It is one line.
func (p *Product) Notice(since time.Time) string {
	notice := fmt.Sprintf("No license covers LicensedProduct %q (%s): restricted since %s. %s",
		p.Name, p.Vendor, text.Time(since), license.FromVendor("Get a license", p.Vendor, p.RenewalURL))
	return text.Truncate(text.SingleLine(notice), maxNotice)
}

// StatusOf is what the status says of a product's restriction; empty where it says nothing yet.
func StatusOf(product *api.LicensedProduct) api.RestrictionStatus {
	if product.Status.Restriction == nil {
		return api.RestrictionStatus{}
	}
	return *product.Status.Restriction
}
