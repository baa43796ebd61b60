// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// NewParent is a command that only has commands below it.
func NewParent(name, short string, children ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: name, Short: short, Long: short + ".", Args: UnknownCommand, RunE: ShowHelp}
	parent.AddCommand(children...)
	return parent
}

// ShowHelp shows the help of a command that does nothing by itself.
func ShowHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// InSteps runs a command as kubectl's commands run: fill in what was asked, check it, do it.
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

// UnknownCommand refuses what is left over where a command was expected.
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

// OneArgument demands exactly one argument, and calls it by its name where it is missing.
func OneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return UsageError(cmd, "%s is missing", name)
		case 1:
			return nil
		default:
			return UsageError(cmd, "unexpected argument %q after %s", args[1], name)
		}
	}
}

// AtMostOneArgument takes one argument or none.
func AtMostOneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return UsageError(cmd, "unexpected argument %q after %s", args[1], name)
		}
		return nil
	}
}

// missing lists the flags that were needed and are empty, all at once.
func missing(flags *pflag.FlagSet, names ...string) []string {
	var absent []string
	for _, name := range names {
		if flags.Lookup(name).Value.String() == "" {
			absent = append(absent, "--"+name)
		}
	}
	return absent
}

// RequireFlags is the check of flags that a command cannot do without.
func RequireFlags(cmd *cobra.Command, names ...string) error {
	absent := missing(cmd.Flags(), names...)
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
