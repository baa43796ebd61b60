// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reconcile is what the controllers have in common: how they are set up and woken, how they write a status with
// its conditions, and how they record events.
package reconcile
