// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest reads and makes manifests of the plugin's kinds, and knows which names objects may have.
package manifest

import (
	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Kinds that a file may hold.
const (
	KindLicenseKey      = "LicenseKey"
	KindLicensedProduct = "LicensedProduct"
	KindSecret          = "Secret"
)

// Manifest is an object of ours without what only a cluster adds: a status, a time of creation.
type Manifest struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       any      `json:"spec"`
}

// Metadata of a manifest.
type Metadata struct {
	Name string `json:"name"`
}

// New is a manifest of one of our kinds.
func New(kind, name string, spec any) Manifest {
	return Manifest{
		APIVersion: api.GroupVersion.String(), Kind: kind, Metadata: Metadata{Name: name},
		Spec: spec,
	}
}
