// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/license-operator/license-operator/internal/version"
)

// The groups of commands in the help.
const (
	groupCustomers = "customers"
	groupVendors   = "vendors"
	groupOthers    = "others"
)

// completionName is the name under which kubectl looks for a plugin's completion: a link of that name to this binary is
// all it takes.
const completionName = "kubectl_complete-license"

// run is the whole program but for what only a process can do. args are those of the process, its name first.
func run(ctx context.Context, env environment, args []string) int {
	root := newRootCommand(env)
	root.SetArgs(commandArgs(args))
	return report(env.ErrOut, root.ExecuteContext(ctx))
}

func commandArgs(args []string) []string {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name == completionName {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}

func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:         "kubectl-license",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl license"},
		Short:       "See, apply, check and issue license keys",
		Long: `See how the licenses of a cluster stand, apply keys, and check what they do; issue keys, and inspect
them. For clusters that run license-operator.

What is for vendors works offline, and so do inspect and report verify. The other commands talk to
the cluster, and say what permissions they need.`,
		Version:       version.Long(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          showHelp,
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.ErrOut)
	// Both would have words of cobra's otherwise, and --version a shorthand that is kubectl's for verbosity.
	root.PersistentFlags().BoolP("help", "h", false, "show the help of any command")
	root.Flags().Bool("version", false, "show which build this is")
	root.SetVersionTemplate("kubectl-license {{.Version}}\n")
	root.SetUsageFunc(printUsage)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return misused(command, "%v%s", err, insteadOf(command, err))
	})
	root.AddGroup(
		&cobra.Group{ID: groupCustomers, Title: "For customers:"},
		&cobra.Group{ID: groupVendors, Title: "For vendors:"},
		&cobra.Group{ID: groupOthers, Title: "Besides:"},
	)
	root.SetHelpCommandGroupID(groupOthers)
	root.SetCompletionCommandGroupID(groupOthers)
	root.AddCommand(
		inGroup(groupCustomers, newInspectCommand(env)),
		inGroup(groupCustomers, newApplyCommand(env)),
		inGroup(groupCustomers, newStatusCommand(env)),
		inGroup(groupCustomers, newKeysCommand(env)),
		inGroup(groupCustomers, newRequestCommand(env)),
		inGroup(groupCustomers, newExplainCommand(env)),
		inGroup(groupCustomers, newSimulateCommand(env)),
		inGroup(groupCustomers, newPauseCommand(env)),
		inGroup(groupCustomers, newResumeCommand(env)),
		inGroup(groupCustomers, newReportCommand(env)),
		inGroup(groupCustomers, newClockCommand(env)),
		inGroup(groupCustomers, newDoctorCommand(env)),
		inGroup(groupVendors, newCACommand(env)),
		inGroup(groupVendors, newSignerCommand(env)),
		inGroup(groupVendors, newIssueCommand(env)),
		inGroup(groupOthers, newVersionCommand(env)),
	)
	return root
}

func inGroup(id string, command *cobra.Command) *cobra.Command {
	command.GroupID = id
	return command
}

func newVersionCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		Long:  "Show the version of the plugin, the commit it was built from, the toolchain and the platform.",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.Out, "kubectl-license", version.Long())
			return err
		},
	}
}

// newParentCommand is a command that only has commands below it.
func newParentCommand(name, short string, children ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: name, Short: short, Long: short + ".", Args: noSuchCommand, RunE: showHelp}
	parent.AddCommand(children...)
	return parent
}

func showHelp(command *cobra.Command, _ []string) error { return command.Help() }

// steps are those of a command, as kubectl's commands have them: fill in what was asked, check it, do it.
type steps interface {
	complete(args []string) error
	validate() error
	run(ctx context.Context) error
}

func inSteps(o steps) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		if err := o.complete(args); err != nil {
			return err
		}
		if err := o.validate(); err != nil {
			return err
		}
		return o.run(command.Context())
	}
}

// misused is a mistake on the command line. It points to the help and does not print all of it: the message would be
// lost in it.
func misused(command *cobra.Command, format string, args ...any) *failure {
	return failf(fmt.Sprintf("See '%s --help'.", command.CommandPath()), format, args...)
}

// insteadOf says what takes the place of a flag that those are used to who use kubectl.
func insteadOf(command *cobra.Command, err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return ""
	}
	switch unknown.GetSpecifiedName() {
	case "f", "filename":
		if strings.Contains(command.Use, "FILE") {
			return "; the file stands by itself: " + command.CommandPath() + " FILE"
		}
	case "n", "namespace", "A", "all-namespaces":
		return "; products and keys are in no namespace"
	}
	return ""
}

// noSuchCommand refuses what is left over where a command was expected.
func noSuchCommand(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("there is no command %q in '%s'", args[0], command.CommandPath())
	command.SuggestionsMinimumDistance = 2
	if similar := command.SuggestionsFor(args[0]); len(similar) > 0 {
		message += fmt.Sprintf("; did you mean %s?", strings.Join(similar, " or "))
	}
	return misused(command, "%s", message)
}

func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused(command, "unexpected argument %q", args[0])
	}
	return nil
}

// oneArgument demands exactly one argument, and calls it by its name where it is missing.
func oneArgument(name string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return misused(command, "%s is missing", name)
		case 1:
			return nil
		default:
			return misused(command, "unexpected argument %q after %s", args[1], name)
		}
	}
}

// atMostOneArgument takes one argument or none.
func atMostOneArgument(name string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) > 1 {
			return misused(command, "unexpected argument %q after %s", args[1], name)
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

// requireFlags is the check of flags that a command cannot do without.
func requireFlags(command *cobra.Command, names ...string) error {
	absent := missing(command.Flags(), names...)
	switch len(absent) {
	case 0:
		return nil
	case 1:
		return misused(command, "%s is missing", absent[0])
	default:
		last := len(absent) - 1
		return misused(command, "%s and %s are missing", strings.Join(absent[:last], ", "), absent[last])
	}
}
