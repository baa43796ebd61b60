// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

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

// Outcome is what the restriction of a product comes to, and what has come of it in the cluster.
type Outcome struct {
	// UID and Generation of the product that it is for.
	UID        types.UID
	Generation int64
	// Mode under the caps, and whether it restricts.
	Mode    api.RestrictionMode
	InForce bool
	// Effects are nil where they cannot be known.
	Effects *Effects
	Readiness
}

// IsFor tells whether it is the outcome for a product as it is now.
func (o *Outcome) IsFor(product *api.LicensedProduct) bool {
	return o.UID == product.UID && o.Generation == product.Generation
}

// Readiness is what the condition RestrictionReady says.
type Readiness struct {
	Reason, Message string
	// IsProving tells whether everything is in place but the proof that the admission policies hold it.
	IsProving bool
}

// ApplyingMessage is the message of reason Applying.
const ApplyingMessage = "Applying: writing pass policies and testing that the admission policies reject changes."

// Announced is what the status of a product says about when it restricts, and how; empty: it does not.
func Announced(product *api.LicensedProduct) (inForce api.RestrictionInForce) {
	if status := product.Status.Restriction; status != nil && status.InForce != nil {
		inForce.SinceTime, inForce.Mode = status.InForce.SinceTime, status.InForce.Mode
	}
	return inForce
}

const (
	// MaxPause is the longest pause.
	MaxPause = api.MaxRestrictionPauseDays * 24 * time.Hour
	// MaxPauseReason is the bound of status.restriction.pause.reason, in characters.
	MaxPauseReason = 256
)

// PauseOf returns the pause that the cluster owner requested with annotations of the product; nil if there is none. It
// shortens a pause that is longer than MaxPause. Its error says what is wrong with an annotation, which is then
// ignored.
func PauseOf(product *api.LicensedProduct) (*api.RestrictionPause, error) {
	value, asked := product.Annotations[api.RestrictionPauseAnnotation]
	if !asked {
		return nil, nil
	}
	since, until, err := parsePause(value)
	if err != nil {
		return nil, fmt.Errorf("annotation %s is ignored: %w (use kubectl license pause)",
			api.RestrictionPauseAnnotation, err)
	}
	if longest := since.Add(MaxPause); until.After(longest) {
		until = longest
	}
	sinceTime, untilTime := metav1.NewTime(since), metav1.NewTime(until)
	reason := text.SingleLine(product.Annotations[api.RestrictionPauseReasonAnnotation])
	return &api.RestrictionPause{
		SinceTime: &sinceTime, UntilTime: &untilTime, Reason: text.TruncateRunes(reason, MaxPauseReason),
	}, nil
}

// IsPauseCut reports whether the product's annotation requests a pause that is longer than MaxPause.
func IsPauseCut(product *api.LicensedProduct) bool {
	since, until, err := parsePause(product.Annotations[api.RestrictionPauseAnnotation])
	return err == nil && until.Sub(since) > MaxPause
}

func parsePause(value string) (since, until time.Time, err error) {
	from, to, ok := strings.Cut(value, "/")
	if !ok {
		return since, until, fmt.Errorf("%.64q is not START/END", value)
	}
	for _, part := range []struct {
		value   string
		instant *time.Time
	}{{from, &since}, {to, &until}} {
		*part.instant, err = time.Parse(time.RFC3339, part.value)
		*part.instant = part.instant.UTC().Truncate(time.Second)
		// In UTC the year may be one that the API cannot write. It would reject the whole status.
		if year := part.instant.Year(); err != nil || year < 0 || year > 9999 {
			return since, until, fmt.Errorf("%.64q is not a time in RFC 3339", part.value)
		}
	}
	if !until.After(since) {
		return since, until, fmt.Errorf("its end %s is not after its start %s", text.Time(until), text.Time(since))
	}
	return since, until, nil
}

// PauseAnnotation returns the value of RestrictionPauseAnnotation for a pause between two times.
func PauseAnnotation(since, until time.Time) string {
	return text.Time(since) + "/" + text.Time(until)
}
