// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli is the kubectl plugin kubectl license: the tree of its commands, whose packages are below.
package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/license-operator/license-operator/internal/cli/apply"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/control"
	"github.com/license-operator/license-operator/internal/cli/doctor"
	"github.com/license-operator/license-operator/internal/cli/explain"
	"github.com/license-operator/license-operator/internal/cli/inspect"
	"github.com/license-operator/license-operator/internal/cli/issuer"
	"github.com/license-operator/license-operator/internal/cli/report"
	"github.com/license-operator/license-operator/internal/cli/request"
	"github.com/license-operator/license-operator/internal/cli/simulate"
	"github.com/license-operator/license-operator/internal/cli/status"
	"github.com/license-operator/license-operator/internal/version"
)

// The groups of commands in the help.
const (
	groupCustomers = "customers"
	groupVendors   = "vendors"
	groupOthers    = "others"
)

// completionName is the program that kubectl runs to complete this plugin. It can be a link to this binary.
const completionName = "kubectl_complete-license"

// Run runs the program, and returns its exit code. args are those of the process, with its name first.
func Run(ctx context.Context, env command.Environment, args []string) int {
	root := NewCommand(env)
	root.SetArgs(commandArgs(args))
	return command.PrintError(env.ErrOut, root.ExecuteContext(ctx))
}

func commandArgs(args []string) []string {
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == completionName {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}

// NewCommand is kubectl license with all its commands.
func NewCommand(env command.Environment) *cobra.Command {
	root := &cobra.Command{
		Use:         "kubectl-license",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl license"},
		Short:       "See, apply, check and issue license keys",
		Long: `See how the licenses of a cluster stand, apply keys, and check what they do; issue keys, and inspect
them. For clusters that run license-operator.

What is for vendors works offline, and so do inspect and report verify. The other commands talk to
the cluster, and say what permissions they need.`,
		Version: version.Long(), SilenceErrors: true, SilenceUsage: true,
		Args: command.UnknownCommand, RunE: command.ShowHelp,
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.ErrOut)
	// Cobra has other texts for both, and a shorthand -v for --version, which is verbosity in kubectl.
	root.PersistentFlags().BoolP("help", "h", false, "show the help of any command")
	root.Flags().Bool("version", false, "show the version of this plugin")
	root.SetVersionTemplate("kubectl-license {{.Version}}\n")
	root.SetUsageFunc(command.PrintUsage)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return command.UsageError(cmd, "%v%s", err, flagHint(cmd, err))
	})
	root.AddGroup(
		&cobra.Group{ID: groupCustomers, Title: "For customers:"},
		&cobra.Group{ID: groupVendors, Title: "For vendors:"},
		&cobra.Group{ID: groupOthers, Title: "Other commands:"},
	)
	root.SetHelpCommandGroupID(groupOthers)
	root.SetCompletionCommandGroupID(groupOthers)
	addCommands(root, groupCustomers, inspect.NewCommand(env), apply.NewCommand(env), status.NewCommand(env),
		status.NewKeysCommand(env), request.NewCommand(env), explain.NewCommand(env), simulate.NewCommand(env),
		control.NewPauseCommand(env), control.NewResumeCommand(env), report.NewCommand(env),
		control.NewClockCommand(env), doctor.NewCommand(env))
	addCommands(root, groupVendors,
		issuer.NewCACommand(env), issuer.NewSignerCommand(env), issuer.NewIssueCommand(env))
	addCommands(root, groupOthers, newVersionCommand(env))
	return root
}

func addCommands(root *cobra.Command, group string, children ...*cobra.Command) {
	for _, child := range children {
		child.GroupID = group
	}
	root.AddCommand(children...)
}

func newVersionCommand(env command.Environment) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version of this plugin", Args: command.NoArguments,
		Long: "Show the version of the plugin, the commit it was built from, the toolchain and the platform.",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.Out, "kubectl-license", version.Long())
			return err
		},
	}
}

// flagHint says what to use instead of a flag that kubectl has and this plugin does not.
func flagHint(cmd *cobra.Command, err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return ""
	}
	switch unknown.GetSpecifiedName() {
	case "f", "filename":
		if strings.Contains(cmd.Use, "FILE") {
			return "; give the file without a flag: " + cmd.CommandPath() + " FILE"
		}
	case "n", "namespace", "A", "all-namespaces":
		return "; products and keys are not in a namespace"
	}
	return ""
}
