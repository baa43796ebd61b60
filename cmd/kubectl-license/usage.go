// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// connectionFlag marks the flags that every kubectl command has, so that the help can keep a command's own ones apart
// from them.
const connectionFlag = "license-operator.io/connection-flag"

// helpWidth is how wide the help is: it fits most terminals, and looks the same everywhere.
const helpWidth = 100

// printUsage is the help of a command below its description: examples first, since most readers need nothing else.
func printUsage(command *cobra.Command) error {
	var text strings.Builder
	if command.HasExample() {
		fmt.Fprintf(&text, "Examples:\n%s\n\n", command.Example)
	}
	writeCommands(&text, command)
	own, connection := splitFlags(command)
	writeFlags(&text, "Flags:", own)
	writeFlags(&text, "Connection, as with any kubectl command:", connection)
	text.WriteString("Usage:\n")
	if !command.HasAvailableSubCommands() || takesMore(command) {
		fmt.Fprintf(&text, "  %s\n", command.UseLine())
	}
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "  %s COMMAND\n\nSee '%s COMMAND --help' for each command.\n", command.CommandPath(),
			command.CommandPath())
	}
	_, err := fmt.Fprint(command.OutOrStdout(), text.String())
	return err
}

// takesMore tells of a command that does something by itself, whether or not it has commands below it: its line of use
// has more than its name.
func takesMore(command *cobra.Command) bool { return strings.Contains(command.Use, " ") }

func writeCommands(text *strings.Builder, command *cobra.Command) {
	if len(command.Groups()) == 0 && command.HasAvailableSubCommands() {
		writeGroup(text, command, &cobra.Group{Title: "Commands:"})
	}
	for _, group := range command.Groups() {
		writeGroup(text, command, group)
	}
}

func writeGroup(text *strings.Builder, command *cobra.Command, group *cobra.Group) {
	fmt.Fprintln(text, group.Title)
	for _, child := range command.Commands() {
		if child.GroupID == group.ID && (child.IsAvailableCommand() || child.Name() == "help") {
			fmt.Fprintf(text, "  %-*s  %s\n", child.NamePadding(), child.Name(), child.Short)
		}
	}
	text.WriteString("\n")
}

func splitFlags(command *cobra.Command) (own, connection *pflag.FlagSet) {
	own = pflag.NewFlagSet("own", pflag.ContinueOnError)
	connection = pflag.NewFlagSet("connection", pflag.ContinueOnError)
	own.SortFlags = command.Flags().SortFlags
	command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		if _, marked := flag.Annotations[connectionFlag]; marked {
			connection.AddFlag(flag)
		} else {
			own.AddFlag(flag)
		}
	})
	return own, connection
}

func writeFlags(text *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(text, "%s\n%s\n", title, flags.FlagUsagesWrapped(helpWidth))
	}
}
