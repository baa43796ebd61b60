// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package license is the state machine of licenses. From the claims of a product's keys, the product's past and the
// time it computes the state of each, the active key and the time at which a restriction takes effect. The package is
// pure: it has no clock, no client and no cryptography.
package license
