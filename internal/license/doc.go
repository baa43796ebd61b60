// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package license is the state machine of licenses: what a key's claims and a product's keys amount to at an instant,
// which key is active, when that changes next, and when a restriction takes effect. It is pure: it knows no clock, no
// client and no cryptography.
package license
