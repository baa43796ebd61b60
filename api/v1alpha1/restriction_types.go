// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// RestrictionMode says what a restriction does to the policies of the tiers that it selects.
// +kubebuilder:validation:Enum=Observe;ReadOnly;DefaultTierOnly
type RestrictionMode string

// The modes of a restriction, from the gentlest to the strongest. None ever touches a built-in or system tier.
const (
	// RestrictionObserve touches nothing and tells what would be touched.
	RestrictionObserve RestrictionMode = "Observe"
	// RestrictionReadOnly keeps applying the policies that are there, and refuses to create and to change any. Reading and deleting work.
	RestrictionReadOnly RestrictionMode = "ReadOnly"
	// RestrictionDefaultTierOnly does not apply the tiers' policies to pods any more. It changes none of them: a renewal applies them again as they are.
	RestrictionDefaultTierOnly RestrictionMode = "DefaultTierOnly"
)
