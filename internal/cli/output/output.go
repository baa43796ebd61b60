// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package output has the formats of -o, and writes values as JSON or YAML that is safe for a terminal.
package output

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/text"
)

// Formats of output, as kubectl has them.
const (
	JSON = "json"
	YAML = "yaml"
	Wide = "wide"
	Name = "name"
)

// ListFormats are the formats that lists have, besides their table.
var ListFormats = []string{JSON, YAML, Wide, Name}

// AddFlag is the flag for formats of output, in place of what the command prints without it.
func AddFlag(cmd *cobra.Command, output *string, instead string, formats ...string) {
	cmd.Flags().StringVarP(output, "output", "o", "",
		fmt.Sprintf("print `FORMAT` %s instead of %s", text.Or(formats), instead))
	command.CompleteFlag(cmd, "output", formats...)
}

// AddListFlag is the flag for the formats that lists have.
func AddListFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "",
		"print `FORMAT` json, yaml or name instead of a table, or wide for one with more columns")
	command.CompleteFlag(cmd, "output", ListFormats...)
}

// Check refuses what is none of the formats that a command has; empty is its text for humans.
func Check(cmd *cobra.Command, format string, formats ...string) error {
	if format == "" || slices.Contains(formats, format) {
		return nil
	}
	return command.UsageError(cmd, "--output %q: want %s", format, text.Or(formats))
}
