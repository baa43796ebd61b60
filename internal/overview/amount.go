// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// NamedAmount is a number of something; ? stands for one that is missing, which an API server does not let in.
func NamedAmount(name string, value *int64) string {
	if value == nil {
		return name + " ?"
	}
	return fmt.Sprintf("%s %d", name, *value)
}

// LimitsText is limits in words.
func LimitsText(limits []api.Limit) string {
	texts := make([]string, len(limits))
	for i, limit := range limits {
		texts[i] = NamedAmount(limit.Name, limit.Value)
	}
	return text.PrintableList(texts, "none")
}

// UsageText is what is in use in words.
func UsageText(usage []api.Usage) string {
	texts := make([]string, len(usage))
	for i, used := range usage {
		texts[i] = NamedAmount(used.Name, used.Value)
	}
	return text.PrintableList(texts, "-")
}
