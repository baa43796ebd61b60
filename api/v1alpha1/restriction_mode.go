// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// RestrictionModes returns all modes, from the gentlest to the strongest.
func RestrictionModes() []RestrictionMode {
	return []RestrictionMode{RestrictionObserve, RestrictionReadOnly, RestrictionDefaultTierOnly}
}

// Restricts reports whether the mode restricts anything. Observe does not, nor does a value that is not a mode.
func (m RestrictionMode) Restricts() bool { return m.Freezes() || m.Suspends() }

// Freezes reports whether the policies of a restricted tier stay applied, but can be neither created nor changed.
func (m RestrictionMode) Freezes() bool { return m == RestrictionReadOnly }

// Suspends reports whether the policies of a restricted tier are not applied to pods.
func (m RestrictionMode) Suspends() bool { return m == RestrictionDefaultTierOnly }
