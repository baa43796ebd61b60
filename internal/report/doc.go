// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report makes the license report: what is licensed and what is in use, for an administrator to share with a
// vendor. It is made only on request, from the statuses of products and keys at that moment, and goes to the caller and
// nowhere else.
package report

// Where the operator serves the report, and metrics beside it.
const (
	Path = "/license/report"
	// PortName is the name of the container port, and DefaultPort its number unless --metrics-bind-address changes it.
	PortName    = "https"
	DefaultPort = 8443
)
