// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ConnectionFlag marks the flags that every kubectl command has. The help lists them below a command's own flags.
const ConnectionFlag = "license-operator.io/connection-flag"

// HelpWidth is the width of the help, in columns.
const HelpWidth = 100

// PrintUsage prints the help of a command below its description. Examples come first: most readers need only them.
func PrintUsage(cmd *cobra.Command) error {
	var text strings.Builder
	if cmd.HasExample() {
		fmt.Fprintf(&text, "Examples:\n%s\n\n", cmd.Example)
	}
	writeCommands(&text, cmd)
	own, connection := splitFlags(cmd)
	writeFlags(&text, "Flags:", own)
	writeFlags(&text, "Connection, as with any kubectl command:", connection)
	text.WriteString("Usage:\n")
	// A command with subcommands that takes arguments itself has more than its name in Use.
	if !cmd.HasAvailableSubCommands() || strings.Contains(cmd.Use, " ") {
		fmt.Fprintf(&text, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "  %[1]s COMMAND\n\nSee '%[1]s COMMAND --help' for each command.\n", cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), text.String())
	return err
}

func writeCommands(text *strings.Builder, cmd *cobra.Command) {
	groups := cmd.Groups()
	if len(groups) == 0 && cmd.HasAvailableSubCommands() {
		groups = []*cobra.Group{{Title: "Commands:"}}
	}
	for _, group := range groups {
		fmt.Fprintln(text, group.Title)
		for _, child := range cmd.Commands() {
			if child.GroupID == group.ID && (child.IsAvailableCommand() || child.Name() == "help") {
				fmt.Fprintf(text, "  %-*s  %s\n", child.NamePadding(), child.Name(), child.Short)
			}
		}
		text.WriteString("\n")
	}
}

func splitFlags(cmd *cobra.Command) (own, connection *pflag.FlagSet) {
	own = pflag.NewFlagSet("own", pflag.ContinueOnError)
	connection = pflag.NewFlagSet("connection", pflag.ContinueOnError)
	own.SortFlags = cmd.Flags().SortFlags
	cmd.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		if _, marked := flag.Annotations[ConnectionFlag]; marked {
			connection.AddFlag(flag)
		} else {
			own.AddFlag(flag)
		}
	})
	return own, connection
}

func writeFlags(text *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(text, "%s\n%s\n", title, flags.FlagUsagesWrapped(HelpWidth))
	}
}
