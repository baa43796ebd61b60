// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enforcement applies a plan of restrictions to a cluster: it writes pass policies, deletes those that are no
// longer wanted, and probes whether the admission policies reject what they have to.
package enforcement
