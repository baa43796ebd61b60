// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package tiers_test

// defaultClusters is how many random clusters are restricted.
const defaultClusters = 100_000
