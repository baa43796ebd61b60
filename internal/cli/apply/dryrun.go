// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"slices"

	"github.com/license-operator/license-operator/internal/text"
)

// Values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
)

var dryRunModes = []string{dryRunNone, dryRunClient, "server"}

// dryRunFlag is one of these modes. It is checked when it is read: otherwise "--dry-run -o json" would be an error
// about a missing argument.
type dryRunFlag string

func (f *dryRunFlag) Type() string { return "MODE" }

func (f *dryRunFlag) String() string { return string(*f) }

// Set reads the flag's value.
func (f *dryRunFlag) Set(words string) error {
	if !slices.Contains(dryRunModes, words) {
		return fmt.Errorf("want %s", text.Or(dryRunModes))
	}
	*f = dryRunFlag(words)
	return nil
}
