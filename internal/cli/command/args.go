// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// NewParent returns a command that only has subcommands.
func NewParent(name, short string, children ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: name, Short: short, Long: short + ".", Args: UnknownCommand, RunE: ShowHelp}
	parent.AddCommand(children...)
	return parent
}

// ShowHelp prints the help of a command that does nothing itself.
func ShowHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// InSteps runs a command in the steps of kubectl's commands: complete the options, validate them, run.
func InSteps(
	complete func(args []string) error, validate func() error, run func(ctx context.Context) error,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := complete(args); err != nil {
			return err
		}
		if err := validate(); err != nil {
			return err
		}
		return run(cmd.Context())
	}
}

// UnknownCommand refuses any argument, as an unknown subcommand.
func UnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("unknown command %q for '%s'", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		message += fmt.Sprintf("; did you mean %s?", strings.Join(similar, " or "))
	}
	return UsageError(cmd, "%s", message)
}

// NoArguments refuses any argument.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return UsageError(cmd, "unexpected argument %q", args[0])
	}
	return nil
}

// OneArgument requires exactly one argument; name is for error messages.
func OneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return UsageError(cmd, "%s is missing", name)
		}
		return AtMostOneArgument(name)(cmd, args)
	}
}

// AtMostOneArgument allows one argument or none; name is for error messages.
func AtMostOneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return UsageError(cmd, "unexpected argument %q after %s", args[1], name)
		}
		return nil
	}
}

// RequireFlags refuses flags that are missing or empty, all of them in one error.
func RequireFlags(cmd *cobra.Command, names ...string) error {
	var absent []string
	for _, name := range names {
		if cmd.Flags().Lookup(name).Value.String() == "" {
			absent = append(absent, "--"+name)
		}
	}
	switch len(absent) {
	case 0:
		return nil
	case 1:
		return UsageError(cmd, "%s is missing", absent[0])
	default:
		last := len(absent) - 1
		return UsageError(cmd, "%s and %s are missing", strings.Join(absent[:last], ", "), absent[last])
	}
}
