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
	// MaxPause is how long a pause may be.
	MaxPause = api.MaxRestrictionPauseDays * 24 * time.Hour
	// MaxPauseReason is the bound of status.restriction.pause.reason, in characters.
	MaxPauseReason = 256
)

// PauseOf is what the cluster owner has asked for by annotations of the product; nil: no pause. One that is longer than
// MaxPause ends then. Its error says what is wrong with an annotation, which then counts for nothing.
func PauseOf(product *api.LicensedProduct) (*api.RestrictionPause, error) {
	value, asked := product.Annotations[api.RestrictionPauseAnnotation]
	if !asked {
		return nil, nil
	}
	since, until, err := parsePause(value)
	if err != nil {
		return nil, fmt.Errorf("annotation %s pauses nothing: %w (kubectl license pause sets it)",
			api.RestrictionPauseAnnotation, err)
	}
	if longest := since.Add(MaxPause); until.After(longest) {
		until = longest
	}
	reason := text.SingleLine(product.Annotations[api.RestrictionPauseReasonAnnotation])
	begin, end := metav1.NewTime(since), metav1.NewTime(until)
	return &api.RestrictionPause{
		SinceTime: &begin,
		UntilTime: &end,
		Reason:    text.TruncateRunes(reason, MaxPauseReason),
	}, nil
}

// IsPauseCut tells whether the product's annotation asks for a pause that is longer than MaxPause.
func IsPauseCut(product *api.LicensedProduct) bool {
	since, until, err := parsePause(product.Annotations[api.RestrictionPauseAnnotation])
	return err == nil && until.Sub(since) > MaxPause
}

func parsePause(value string) (since, until time.Time, err error) {
	from, to, ok := strings.Cut(value, "/")
	if !ok {
		return since, until, fmt.Errorf("%.64q is not two instants with a slash between them, as in "+
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", value)
	}
	for _, part := range []struct {
		value   string
		instant *time.Time
	}{{from, &since}, {to, &until}} {
		*part.instant, err = time.Parse(time.RFC3339, part.value)
		*part.instant = part.instant.UTC().Truncate(time.Second)
		// In UTC it may be of a year that the API cannot write, and refuse the whole status for.
		if year := part.instant.Year(); err != nil || year < 0 || year > 9999 {
			return since, until, fmt.Errorf("%.64q is no instant as RFC 3339 has them, as in 2027-03-01T08:00:00Z",
				part.value)
		}
	}
	if !until.After(since) {
		return since, until, fmt.Errorf("it ends at %s, and not after it begins at %s", until.Format(time.RFC3339),
			since.Format(time.RFC3339))
	}
	return since, until, nil
}

// PauseAnnotation is the value of RestrictionPauseAnnotation for a pause between two instants.
func PauseAnnotation(since, until time.Time) string {
	return since.UTC().Format(time.RFC3339) + "/" + until.UTC().Format(time.RFC3339)
}
