// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package restriction works out what the restrictions of all products come to: which policy tiers are restricted and
// how, which objects have to exist for that and which have to go, whom that affects, and what gets around it. It is
// pure: it knows no client and no clock, and what it is told of policies is little enough to be kept for tens of
// thousands of them.
//
// The tiers are Calico's (projectcalico.org/v3). What is assumed of them here is tested by test/tiers, which evaluates
// tiers on its own account.
package restriction
