// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

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
