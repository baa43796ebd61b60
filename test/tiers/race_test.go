// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package tiers_test

// defaultClusters is how many random clusters are restricted. Under the race detector everything takes several times as
// long.
const defaultClusters = 25_000
