// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"strconv"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Of returns how much of something is in use; nil if that is not known.
func Of(used []api.Usage, name string) *int64 {
	for i := range used {
		if used[i].Name == name {
			return used[i].Value
		}
	}
	return nil
}

// LimitOf returns the limit of that name; nil if there is none.
func LimitOf(limits []api.Limit, name string) *int64 {
	for i := range limits {
		if limits[i].Name == name {
			return limits[i].Value
		}
	}
	return nil
}

// Amount is how much of something is in use and how much of it is licensed; nil if that is not known.
type Amount struct{ Used, Limit *int64 }

// AmountOf returns the amount of that name in the status of a product.
func AmountOf(status *api.LicensedProductStatus, name string) Amount {
	return Amount{Used: Of(status.Usage, name), Limit: LimitOf(status.Limits, name)}
}

// IsExceeded reports whether more is in use than is licensed.
func (a Amount) IsExceeded() bool { return a.Used != nil && a.Limit != nil && *a.Used > *a.Limit }

// IsNear reports whether at least that percentage of the limit is in use, and no more than the limit. A limit of zero
// has no percentage.
func (a Amount) IsNear(percent int32) bool {
	return a.Used != nil && a.Limit != nil && *a.Limit > 0 && !a.IsExceeded() &&
		100*float64(*a.Used) >= float64(percent)*float64(*a.Limit)
}

// String is the amount in numbers: "7/10", or "-" if nothing is known.
func (a Amount) String() string {
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

// Excess is a limit that is exceeded.
type Excess struct {
	// Name of the limit.
	Name string
	// Used is how much is in use, and Limit how much is licensed.
	Used, Limit int64
}

// String is the excess within a sentence: "7 of 5 nodes".
func (e Excess) String() string { return fmt.Sprintf("%d of %d %s", e.Used, e.Limit, e.Name) }

// Compare returns how many of the limits are limits of what is in use, and which of these are exceeded.
func Compare(limits []api.Limit, used []api.Usage) (counted int, exceeded []Excess) {
	for _, limit := range limits {
		amount := Amount{Used: Of(used, limit.Name), Limit: limit.Value}
		if amount.Used == nil || amount.Limit == nil {
			continue
		}
		counted++
		if amount.IsExceeded() {
			exceeded = append(exceeded, Excess{limit.Name, *amount.Used, *amount.Limit})
		}
	}
	return counted, exceeded
}
