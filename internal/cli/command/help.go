// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ConnectionFlag marks the flags that every kubectl command has, so that the help can keep a command's own ones apart
// from them.
const ConnectionFlag = "license-operator.io/connection-flag"

// HelpWidth is how wide the help is: it fits most terminals, and looks the same everywhere.
const HelpWidth = 100

// PrintUsage is the help of a command below its description: examples first, since most readers need nothing else.
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
	if !cmd.HasAvailableSubCommands() || takesMore(cmd) {
		fmt.Fprintf(&text, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "  %s COMMAND\n\nSee '%s COMMAND --help' for each command.\n", cmd.CommandPath(),
			cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), text.String())
	return err
}

// takesMore tells of a command that does something by itself, whether or not it has commands below it: its line of use
// has more than its name.
func takesMore(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, " ") }

func writeCommands(text *strings.Builder, cmd *cobra.Command) {
	if len(cmd.Groups()) == 0 && cmd.HasAvailableSubCommands() {
		writeGroup(text, cmd, &cobra.Group{Title: "Commands:"})
	}
	for _, group := range cmd.Groups() {
		writeGroup(text, cmd, group)
	}
}

func writeGroup(text *strings.Builder, cmd *cobra.Command, group *cobra.Group) {
	fmt.Fprintln(text, group.Title)
	for _, child := range cmd.Commands() {
		if child.GroupID == group.ID && (child.IsAvailableCommand() || child.Name() == "help") {
			fmt.Fprintf(text, "  %-*s  %s\n", child.NamePadding(), child.Name(), child.Short)
		}
	}
	text.WriteString("\n")
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
