// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Kind is something that the operator counts on nodes and that a license may limit.
type Kind struct {
	// Name in limits and usage, and within the names of metrics: license_NAME_used.
	Name string
	// Title within the names of alerts: LicenseTITLEExceeded.
	Title string
	// Unit in texts, in the plural.
	Unit string
	// Scope completes a sentence that begins with the unit: what of it is counted.
	Scope string

	// of returns how many parts of the unit a node has, and partsPerUnit parts are one. A sum is rounded up.
	of           func(*corev1.Node) int64
	partsPerUnit int64
}

// kinds are all kinds. To count something else, add it here: metrics, alerts, limits, the report and the plugin follow.
// Its alerts need pages in docs/runbooks.
var kinds = [...]Kind{
	{
		Name: api.UsageNodes, Title: "Nodes", Unit: "nodes",
		Scope: "that spec.usage.nodeSelector selects, ready or not",
		of:    func(*corev1.Node) int64 { return 1 }, partsPerUnit: 1,
	},
	{
		Name: api.UsageCores, Title: "Cores", Unit: "CPU cores",
		Scope: "of the nodes that spec.usage.nodeSelector selects, rounded up",
		of:    millicoresOf, partsPerUnit: millicoresPerCore,
	},
}

// parts are how much of each kind a node has.
type parts [len(kinds)]int64

// Kinds returns all kinds that are counted, in the order of metrics, alerts and columns.
func Kinds() []Kind { return kinds[:] }

// Names returns the names of all kinds.
func Names() []string {
	names := make([]string, len(kinds))
	for i := range kinds {
		names[i] = kinds[i].Name
	}
	return names
}

// IsCounted reports whether there is a kind of that name. A license may have other limits, which are only shown.
func IsCounted(name string) bool { return slices.Contains(Names(), name) }

// UsedMetric is the name of the metric of what is in use.
func (k *Kind) UsedMetric() string { return "license_" + k.Name + "_used" }

// LimitMetric is the name of the metric of the limit.
func (k *Kind) LimitMetric() string { return "license_" + k.Name + "_limit" }

// AvailableMetric is the name of the metric of the limit minus what is in use.
func (k *Kind) AvailableMetric() string { return "license_" + k.Name + "_available" }

// NearLimitAlert is the name of the alert that warns before the limit is reached.
func (k *Kind) NearLimitAlert() string { return "License" + k.Title + "NearLimit" }

// ExceededAlert is the name of the alert for a limit that is exceeded.
func (k *Kind) ExceededAlert() string { return "License" + k.Title + "Exceeded" }
