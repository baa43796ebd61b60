// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

// annotated is a product with the annotations that ask for a pause.
func annotated(value, reason string) *api.LicensedProduct {
	return &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: "mesh", Annotations: map[string]string{
		api.RestrictionPauseAnnotation: value, api.RestrictionPauseReasonAnnotation: reason,
	}}}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestPauseOf(t *testing.T) {
	pause := func(since, until, reason string) *api.RestrictionPause {
		return &api.RestrictionPause{
			SinceTime: new(metav1.NewTime(instant(t, since))),
			UntilTime: new(metav1.NewTime(instant(t, until))), Reason: reason,
		}
	}
	for name, test := range map[string]struct {
		value, reason string
		want          *api.RestrictionPause
	}{
		"some days": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", "change freeze",
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", "change freeze"),
		},
		"without a reason": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", "",
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", ""),
		},
		"a second": {
			"2027-03-01T08:00:00Z/2027-03-01T08:00:01Z", "",
			pause("2027-03-01T08:00:00Z", "2027-03-01T08:00:01Z", ""),
		},
		"exactly 14 days": {
			"2027-03-01T08:00:00Z/2027-03-15T08:00:00Z", "",
			pause("2027-03-01T08:00:00Z", "2027-03-15T08:00:00Z", ""),
		},
		"a second more": {
			"2027-03-01T08:00:00Z/2027-03-15T08:00:01Z", "",
			pause("2027-03-01T08:00:00Z", "2027-03-15T08:00:00Z", ""),
		},
		"a year": {
			"2027-03-01T08:00:00Z/2028-03-01T08:00:00Z", "",
			pause("2027-03-01T08:00:00Z", "2027-03-15T08:00:00Z", ""),
		},
		"all of time": {
			"0000-01-01T00:00:00Z/9999-12-31T23:59:59Z", "",
			pause("0000-01-01T00:00:00Z", "0000-01-15T00:00:00Z", ""),
		},
		"up to the last": {
			"9999-12-30T00:00:00Z/9999-12-31T23:59:59Z", "",
			pause("9999-12-30T00:00:00Z", "9999-12-31T23:59:59Z", ""),
		},
		"over a leap day": {
			"2028-02-28T00:00:00Z/2028-03-20T00:00:00Z", "",
			pause("2028-02-28T00:00:00Z", "2028-03-13T00:00:00Z", ""),
		},
		"in other time zones": {
			"2027-03-01T08:00:00+05:30/2027-03-01T00:00:00-08:00", "",
			pause("2027-03-01T02:30:00Z", "2027-03-01T08:00:00Z", ""),
		},
		"at another day there": {
			"2027-03-01T00:30:00+02:00/2027-03-01T00:00:00Z", "",
			pause("2027-02-28T22:30:00Z", "2027-03-01T00:00:00Z", ""),
		},
		"with fractions: whole seconds, as the API keeps them": {
			"2027-03-01T08:00:00.999Z/2027-03-01T08:00:01.000000001Z", "",
			pause("2027-03-01T08:00:00Z", "2027-03-01T08:00:01Z", ""),
		},
		"a reason of 256 characters": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", strings.Repeat("€", 256),
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", strings.Repeat("€", 256)),
		},
		"a longer one is cut": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", strings.Repeat("€", 100_000),
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", strings.Repeat("€", 253)+"..."),
		},
		"a reason of several lines": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z",
			"freeze\r\n\x1b[2Jand\u2028more\u202e\n",
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", "freeze   [2Jand more"),
		},
		"a reason that is mere blanks": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", " \t\n",
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", ""),
		},
		"a reason that is not UTF-8": {
			"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", "a\xffb",
			pause("2027-03-01T08:00:00Z", "2027-03-04T08:00:00Z", "a\ufffdb"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := restriction.PauseOf(annotated(test.value, test.reason))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNoPause(t *testing.T) {
	for name, annotations := range map[string]map[string]string{
		"no annotations":     nil,
		"others":             {"example.com/restriction-pause": "2027-03-01T08:00:00Z/2027-03-04T08:00:00Z"},
		"a reason by itself": {api.RestrictionPauseReasonAnnotation: "change freeze"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := restriction.PauseOf(
				&api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}})
			if got != nil || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// An annotation that is not a pause says what is wrong with it, in a line that a condition can hold.
func TestWhatIsNoPause(t *testing.T) {
	const two = " is not START/END"
	const none = " is not a time in RFC 3339"
	for value, want := range map[string]string{
		"":                      `""` + two,
		"72h":                   `"72h"` + two,
		"2027-03-01T08:00:00Z":  `"2027-03-01T08:00:00Z"` + two,
		"/":                     `""` + none,
		"2027-03-01T08:00:00Z/": `""` + none,
		"2027-03-01/2027-03-04": `"2027-03-01"` + none,
		"2027-03-01T08:00:00/2027-03-04T08:00:00Z":            `"2027-03-01T08:00:00"` + none,
		"2027-02-29T08:00:00Z/2027-03-04T08:00:00Z":           `"2027-02-29T08:00:00Z"` + none,
		"2027-03-01T08:00:00Z/P3D":                            `"P3D"` + none,
		"2027-03-01T08:00:00Z / 2027-03-04T08:00:00Z":         `"2027-03-01T08:00:00Z "` + none,
		"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z/x":         `"2027-03-04T08:00:00Z/x"` + none,
		"2027-03-01T08:00:00Z/2027-03-04T08:00:00Z\n":         `"2027-03-04T08:00:00Z\n"` + none,
		"9999-12-31T23:30:00-01:00/9999-12-31T23:45:00-01:00": `"9999-12-31T23:30:00-01:00"` + none,
		"9999-12-31T23:30:00Z/9999-12-31T23:30:00-01:00":      `"9999-12-31T23:30:00-01:00"` + none,
		"0000-01-01T00:00:00+01:00/2027-03-04T08:00:00Z":      `"0000-01-01T00:00:00+01:00"` + none,
		"\x1b[31m\xff\u202e/" + strings.Repeat("x", 1000):     `"\x1b[31m\xff\u202e"` + none,
		strings.Repeat("x", 1000):                             `"` + strings.Repeat("x", 64) + `"` + two,
		"2027-03-04T08:00:00Z/2027-03-01T08:00:00Z": "its end 2027-03-01T08:00:00Z is not after its start " +
			"2027-03-04T08:00:00Z",
		"2027-03-01T08:00:00Z/2027-03-01T08:00:00Z": "its end 2027-03-01T08:00:00Z is not after its start " +
			"2027-03-01T08:00:00Z",
		"2027-03-01T08:00:00Z/2027-03-01T09:00:00+01:00": "its end 2027-03-01T08:00:00Z is not after its start " +
			"2027-03-01T08:00:00Z",
		"2027-03-01T08:00:00.1Z/2027-03-01T08:00:00.9Z": "its end 2027-03-01T08:00:00Z is not after its start " +
			"2027-03-01T08:00:00Z",
		"2027-03-01T08:00:00." + strings.Repeat("0", 1000) +
			"Z/2027-03-01T08:00:00Z": "its end 2027-03-01T08:00:00Z is not after its start " +
			"2027-03-01T08:00:00Z",
	} {
		got, err := restriction.PauseOf(annotated(value, "change freeze"))
		if got != nil || err == nil {
			t.Errorf("%.100q: got %v, %v", value, got, err)
			continue
		}
		want = "annotation license-operator.io/restriction-pause is ignored: " + want +
			" (use kubectl license pause)"
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%.100q: -want +got:\n%s", value, diff)
		}
	}
}

func TestPauseAnnotation(t *testing.T) {
	since, until := time.Date(2027, 3, 1, 9, 0, 0, 999, time.FixedZone("", 3600)),
		time.Date(2027, 3, 4, 8, 0, 0, 0, time.UTC)
	value := restriction.PauseAnnotation(since, until)
	if want := "2027-03-01T08:00:00Z/2027-03-04T08:00:00Z"; value != want {
		t.Errorf("got %s, want %s", value, want)
	}
	want := &api.RestrictionPause{
		SinceTime: new(metav1.NewTime(since.Truncate(time.Second))),
		UntilTime: new(metav1.NewTime(until)), Reason: "change freeze",
	}
	got, err := restriction.PauseOf(annotated(value, "change freeze"))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestNextBoundary(t *testing.T) {
	const value = "2027-03-01T08:00:00Z/2027-03-04T08:00:00Z"
	since, until := instant(t, "2027-03-01T08:00:00Z"), instant(t, "2027-03-04T08:00:00Z")
	for name, test := range map[string]struct {
		value     string
		now, want time.Time
	}{
		"to begin":         {value, since.Add(-time.Hour), since},
		"about to begin":   {value, since.Add(-1), since},
		"begun":            {value, since, until},
		"about to end":     {value, until.Add(-1), until},
		"ended":            {value, until, time.Time{}},
		"ended long since": {value, until.Add(1000 * time.Hour), time.Time{}},
		"too long": {
			"2027-03-01T08:00:00Z/2028-03-01T08:00:00Z", since.Add(time.Hour),
			since.Add(14 * 24 * time.Hour),
		},
		"too long, and ended": {
			"2027-03-01T08:00:00Z/2028-03-01T08:00:00Z", since.Add(14 * 24 * time.Hour),
			time.Time{},
		},
		"not a pause":            {"72h", since, time.Time{}},
		"now in another zone":    {value, since.Add(-1).In(time.FixedZone("", -8*3600)), since},
		"fractions do not count": {"2027-03-01T08:00:00.5Z/2027-03-04T08:00:00Z", since.Add(-1), since},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restriction.NextBoundary(annotated(test.value, ""), test.now); !got.Equal(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := restriction.NextBoundary(&api.LicensedProduct{}, since); !got.IsZero() {
		t.Errorf("without an annotation: %s", got)
	}
}
