// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest reads and makes manifests of the plugin's kinds, and knows which names objects can have.
package manifest

import (
	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Kinds that a file can have.
const (
	KindLicenseKey      = "LicenseKey"
	KindLicensedProduct = "LicensedProduct"
	KindSecret          = "Secret"
)

// New is a manifest of one of our kinds, without the fields that only a cluster sets.
func New(kind, name string, spec any) map[string]any {
	return map[string]any{
		"apiVersion": api.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}
}
