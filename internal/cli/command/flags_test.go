// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"testing"

	"github.com/license-operator/license-operator/internal/text"
)

func TestTimeFlag(t *testing.T) {
	for _, test := range []struct {
		text         string
		begins, ends string
	}{
		{"2027-12-31", "2027-12-31T00:00:00Z", "2028-01-01T00:00:00Z"},
		{"2028-02-28", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"2027-03-28", "2027-03-28T00:00:00Z", "2027-03-29T00:00:00Z"}, // daylight saving begins: not in UTC
		{"2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z"},
		{"2027-12-31T23:30:00-02:00", "2028-01-01T01:30:00Z", "2028-01-01T01:30:00Z"},
		{"2027-12-31T12:00:00.000Z", "2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z"},
	} {
		begins, ends := TimeFlag{}, TimeFlag{ThroughDay: true}
		if err := begins.Set(test.text); err != nil || text.Time(begins.Time) != test.begins {
			t.Errorf("%s begins at %s, %v", test.text, text.Time(begins.Time), err)
		}
		if err := ends.Set(test.text); err != nil || text.Time(ends.Time) != test.ends {
			t.Errorf("%s ends at %s, %v", test.text, text.Time(ends.Time), err)
		}
	}
	for _, text := range []string{
		"", "2027", "2027-12", "2027-13-01", "2027-02-29", "31.12.2027", "12/31/2027", "20271231",
		"2027-12-31 12:00:00", "2027-12-31T12:00Z",
		"2027-12-31T12:00:00", "2027-12-31T12:00:00.5Z", "2027-12-31T24:00:00Z", "10000-01-01", "now", "365d",
	} {
		if err := new(TimeFlag).Set(text); err == nil {
			t.Errorf("%q was taken for an instant", text)
		}
	}
}
