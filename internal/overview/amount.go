// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"strconv"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// Amount is how much of one thing is in use, and how much of it is licensed; nil: nobody says.
type Amount struct{ Used, Limit *int64 }

// AmountOf is what a product's status says of one thing.
func AmountOf(status *api.LicensedProductStatus, name string) Amount {
	return Amount{Used: UsageOf(status.Usage, name), Limit: LimitOf(status.Limits, name)}
}

// NamedAmount is a number of something; ? stands for one that is missing, which an API server does not let in.
func NamedAmount(name string, value *int64) string {
	if value == nil {
		return name + " ?"
	}
	return fmt.Sprintf("%s %d", name, *value)
}

// IsExceeded tells whether more is in use than is licensed.
func (a Amount) IsExceeded() bool { return a.Used != nil && a.Limit != nil && *a.Used > *a.Limit }

// IsNear tells whether so many percent of the limit are in use, and no more than the limit. A limit of zero has no
// share.
func (a Amount) IsNear(percent int32) bool {
	return a.Used != nil && a.Limit != nil && *a.Limit > 0 && !a.IsExceeded() &&
		100*float64(*a.Used) >= float64(percent)*float64(*a.Limit)
}

// Text is the amount in numbers.
func (a Amount) Text() string {
	switch {
	case a.Used == nil && a.Limit == nil:
		return "-"
	case a.Used == nil:
		return fmt.Sprintf("?/%d", *a.Limit)
	case a.Limit == nil:
		return strconv.FormatInt(*a.Used, 10)
	default:
		return fmt.Sprintf("%d/%d", *a.Used, *a.Limit)
	}
}

// UsageOf is how much of something is in use; nil: nobody says.
func UsageOf(used []api.Usage, name string) *int64 {
	for i := range used {
		if used[i].Name == name {
			return used[i].Value
		}
	}
	return nil
}

// LimitOf is a limit of that name; nil: there is none.
func LimitOf(limits []api.Limit, name string) *int64 {
	for _, limit := range limits {
		if limit.Name == name {
			return limit.Value
		}
	}
	return nil
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
