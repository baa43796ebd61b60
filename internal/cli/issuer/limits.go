// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"fmt"
	"strconv"
	"strings"
)

// limitFlag is a flag that sets limits. A limit must not be set twice.
type limitFlag struct {
	// limits of all flags together; must not be nil.
	limits map[string]int64
	// name of the limit that the flag sets; empty: the value has the name.
	name string
}

func (f *limitFlag) String() string { return "" }

// Type is the name of the value in the help.
func (f *limitFlag) Type() string {
	if f.name != "" {
		return "N"
	}
	return "NAME=N"
}

// Set reads the flag's value.
func (f *limitFlag) Set(text string) error {
	name := f.name
	if name == "" {
		var found bool
		if name, text, found = strings.Cut(text, "="); !found || name == "" {
			return fmt.Errorf("want NAME=N, such as gateways=5")
		}
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 {
		return fmt.Errorf("want a whole number, 0 or more")
	}
	if _, exists := f.limits[name]; exists {
		return fmt.Errorf("limit %q is set twice", name)
	}
	f.limits[name] = value
	return nil
}
