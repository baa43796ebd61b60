// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package restriction plans the restrictions of all products: which policy tiers are restricted and how, which objects
// have to exist for that and which have to be deleted, whom that affects, and which policies bypass it. It is pure: it
// has no client and no clock, and it needs to know so little of a policy that tens of thousands can be kept.
//
// What depends on Calico is in package calico.
package restriction
