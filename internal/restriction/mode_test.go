// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

const (
	observe         = v1alpha1.RestrictionObserve
	readOnly        = v1alpha1.RestrictionReadOnly
	defaultTierOnly = v1alpha1.RestrictionDefaultTierOnly
)

func TestEffectiveMode(t *testing.T) {
	type outcome struct {
		Mode   v1alpha1.RestrictionMode
		Reason v1alpha1.RestrictionModeReason
	}
	for name, test := range map[string]struct {
		asked, most v1alpha1.RestrictionMode
		windows     bool
		want        outcome
	}{
		"none asked for":                      {"", defaultTierOnly, false, outcome{}},
		"none asked for, with a mode at most": {"", observe, true, outcome{}},
		"as asked":                            {defaultTierOnly, defaultTierOnly, false, outcome{Mode: defaultTierOnly}},
		"gentler than at most":                {readOnly, defaultTierOnly, false, outcome{Mode: readOnly}},
		"Observe":                             {observe, defaultTierOnly, true, outcome{Mode: observe}},
		"at most ReadOnly":                    {defaultTierOnly, readOnly, false, outcome{readOnly, v1alpha1.ModeReasonMaxRestriction}},
		"at most Observe":                     {defaultTierOnly, observe, false, outcome{observe, v1alpha1.ModeReasonMaxRestriction}},
		"ReadOnly, at most Observe":           {readOnly, observe, false, outcome{observe, v1alpha1.ModeReasonMaxRestriction}},
		"no brake at all restricts nothing":   {defaultTierOnly, "", false, outcome{observe, v1alpha1.ModeReasonMaxRestriction}},
		"an unknown brake restricts nothing":  {readOnly, "Everything", false, outcome{observe, v1alpha1.ModeReasonMaxRestriction}},
		"an unknown mode restricts nothing":   {"Everything", defaultTierOnly, false, outcome{Mode: observe}},
		"a Windows node":                      {defaultTierOnly, defaultTierOnly, true, outcome{readOnly, v1alpha1.ModeReasonWindowsNode}},
		"a Windows node, at most ReadOnly":    {defaultTierOnly, readOnly, true, outcome{readOnly, v1alpha1.ModeReasonMaxRestriction}},
		"a Windows node minds no ReadOnly":    {readOnly, defaultTierOnly, true, outcome{Mode: readOnly}},
	} {
		t.Run(name, func(t *testing.T) {
			mode, reason := restriction.EffectiveMode(test.asked, restriction.Brakes{MaxMode: test.most, WindowsNode: test.windows})
			if diff := cmp.Diff(test.want, outcome{mode, reason}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
