// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package calico is what restrictions know of Calico's policy tiers (projectcalico.org/v3): which tiers and policies
// there are, which tiers are exempt from restrictions, and which policy suspends the others in its tier (the pass
// policy). It is pure: it has no client and no clock. Package enforcement applies to a cluster what it describes.
//
// The tests of test/tiers verify the assumptions with a tier evaluator of their own.
package calico
