// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"fmt"
	"strconv"
	"strings"
)

// limitFlags are the limits that several flags add up to.
type limitFlags map[string]int64

// any is the flag that takes a limit's name and value.
func (l *limitFlags) any() *limitFlag { return &limitFlag{limits: l} }

// named is the flag of one limit.
func (l *limitFlags) named(name string) *limitFlag { return &limitFlag{limits: l, name: name} }

// limitFlag is one flag that sets limits. A limit that is set twice is a mistake: which one would count?
type limitFlag struct {
	limits *limitFlags
	// name of the one limit that the flag sets; empty for any.
	name string
}

func (f *limitFlag) String() string { return "" }

// Type is how the help calls the value.
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
	if *f.limits == nil {
		*f.limits = limitFlags{}
	}
	if _, exists := (*f.limits)[name]; exists {
		return fmt.Errorf("limit %q is set twice", name)
	}
	(*f.limits)[name] = value
	return nil
}
