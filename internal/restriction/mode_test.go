// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

const (
	observe         = api.RestrictionObserve
	readOnly        = api.RestrictionReadOnly
	defaultTierOnly = api.RestrictionDefaultTierOnly
)

func TestEffectiveMode(t *testing.T) {
	type outcome struct {
		Mode   api.RestrictionMode
		Reason api.RestrictionModeReason
	}
	for name, test := range map[string]struct {
		asked, most api.RestrictionMode
		windows     bool
		want        outcome
	}{
		"none asked for":                      {"", defaultTierOnly, false, outcome{}},
		"none asked for, with a mode at most": {"", observe, true, outcome{}},
		"as asked": {
			defaultTierOnly, defaultTierOnly, false,
			outcome{Mode: defaultTierOnly},
		},
		"gentler than at most": {readOnly, defaultTierOnly, false, outcome{Mode: readOnly}},
		"Observe":              {observe, defaultTierOnly, true, outcome{Mode: observe}},
		"at most ReadOnly": {
			defaultTierOnly, readOnly, false,
			outcome{readOnly, api.ModeReasonMaxRestriction},
		},
		"at most Observe": {
			defaultTierOnly, observe, false,
			outcome{observe, api.ModeReasonMaxRestriction},
		},
		"ReadOnly, at most Observe": {
			readOnly, observe, false,
			outcome{observe, api.ModeReasonMaxRestriction},
		},
		"no cap at all restricts nothing": {
			defaultTierOnly, "", false,
			outcome{observe, api.ModeReasonMaxRestriction},
		},
		"an unknown cap restricts nothing": {
			readOnly, "Everything", false,
			outcome{observe, api.ModeReasonMaxRestriction},
		},
		"an unknown mode restricts nothing": {"Everything", defaultTierOnly, false, outcome{Mode: observe}},
		"a Windows node": {
			defaultTierOnly, defaultTierOnly, true,
			outcome{readOnly, api.ModeReasonWindowsNode},
		},
		"a Windows node, at most ReadOnly": {
			defaultTierOnly, readOnly, true,
			outcome{readOnly, api.ModeReasonMaxRestriction},
		},
		"a Windows node minds no ReadOnly": {readOnly, defaultTierOnly, true, outcome{Mode: readOnly}},
	} {
		t.Run(name, func(t *testing.T) {
			mode, reason := restriction.EffectiveMode(test.asked,
				restriction.Caps{MaxMode: test.most, WindowsNode: test.windows})
			if diff := cmp.Diff(test.want, outcome{mode, reason}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever mode is added: each is stronger than the one before, and has words for what it does if it restricts
// anything.
func TestModes(t *testing.T) {
	type does struct {
		Restricts, Freezes, Suspends bool
		Effect                       string
	}
	const frozen = "cannot be created or changed; existing ones stay in effect"
	const suspended = "are no longer applied to pods; those in the default tier still are"
	got := map[api.RestrictionMode]does{}
	for _, mode := range append(api.RestrictionModes(), "", "Everything") {
		got[mode] = does{mode.Restricts(), mode.Freezes(), mode.Suspends(), restriction.Effect(mode)}
	}
	want := map[api.RestrictionMode]does{
		"": {}, "Everything": {}, observe: {},
		readOnly:        {Restricts: true, Freezes: true, Effect: frozen},
		defaultTierOnly: {Restricts: true, Suspends: true, Effect: suspended},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	modes := api.RestrictionModes()
	for i, mode := range modes[1:] {
		if restriction.Gentler(mode, modes[i]) != modes[i] || restriction.Gentler(modes[i], mode) != modes[i] {
			t.Errorf("%s is not stronger than %s", mode, modes[i])
		}
	}
}
