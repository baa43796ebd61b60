// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enforcement applies a plan of restrictions to a cluster: it puts pass policies, takes away those that are not
// wanted any more, and proves that the lock refuses what it has to.
package enforcement
