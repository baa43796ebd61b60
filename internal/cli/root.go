// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli is kubectl license, the kubectl plugin: the tree of its commands, each of which has a package below, and
// what turns a command line into an exit code.
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

// completionName is the name under which kubectl looks for a plugin's completion: a link of that name to this binary is
// all it takes.
const completionName = "kubectl_complete-license"

// Run is the whole program but for what only a process can do. args are those of the process, its name first.
func Run(ctx context.Context, env command.Environment, args []string) int {
	root := NewCommand(env)
	root.SetArgs(commandArgs(args))
	return command.PrintError(env.ErrOut, root.ExecuteContext(ctx))
}

func commandArgs(args []string) []string {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name == completionName {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}

// NewCommand is kubectl license with all commands below it.
func NewCommand(env command.Environment) *cobra.Command {
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
		Args:          command.UnknownCommand,
		RunE:          command.ShowHelp,
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.ErrOut)
	// Both would have words of cobra's otherwise, and --version a shorthand that is kubectl's for verbosity.
	root.PersistentFlags().BoolP("help", "h", false, "show the help of any command")
	root.Flags().Bool("version", false, "show which build this is")
	root.SetVersionTemplate("kubectl-license {{.Version}}\n")
	root.SetUsageFunc(command.PrintUsage)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return command.UsageError(cmd, "%v%s", err, flagHint(cmd, err))
	})
	root.AddGroup(
		&cobra.Group{ID: groupCustomers, Title: "For customers:"},
		&cobra.Group{ID: groupVendors, Title: "For vendors:"},
		&cobra.Group{ID: groupOthers, Title: "Besides:"},
	)
	root.SetHelpCommandGroupID(groupOthers)
	root.SetCompletionCommandGroupID(groupOthers)
	root.AddCommand(
		inGroup(groupCustomers, inspect.NewCommand(env)),
		inGroup(groupCustomers, apply.NewCommand(env)),
		inGroup(groupCustomers, status.NewCommand(env)),
		inGroup(groupCustomers, status.NewKeysCommand(env)),
		inGroup(groupCustomers, request.NewCommand(env)),
		inGroup(groupCustomers, explain.NewCommand(env)),
		inGroup(groupCustomers, simulate.NewCommand(env)),
		inGroup(groupCustomers, control.NewPauseCommand(env)),
		inGroup(groupCustomers, control.NewResumeCommand(env)),
		inGroup(groupCustomers, report.NewCommand(env)),
		inGroup(groupCustomers, control.NewClockCommand(env)),
		inGroup(groupCustomers, doctor.NewCommand(env)),
		inGroup(groupVendors, issuer.NewCACommand(env)),
		inGroup(groupVendors, issuer.NewSignerCommand(env)),
		inGroup(groupVendors, issuer.NewIssueCommand(env)),
		inGroup(groupOthers, newVersionCommand(env)),
	)
	return root
}

func inGroup(id string, cmd *cobra.Command) *cobra.Command {
	cmd.GroupID = id
	return cmd
}

func newVersionCommand(env command.Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		Long:  "Show the version of the plugin, the commit it was built from, the toolchain and the platform.",
		Args:  command.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.Out, "kubectl-license", version.Long())
			return err
		},
	}
}

// flagHint says what takes the place of a flag that those are used to who use kubectl.
func flagHint(cmd *cobra.Command, err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return ""
	}
	switch unknown.GetSpecifiedName() {
	case "f", "filename":
		if strings.Contains(cmd.Use, "FILE") {
			return "; the file stands by itself: " + cmd.CommandPath() + " FILE"
		}
	case "n", "namespace", "A", "all-namespaces":
		return "; products and keys are in no namespace"
	}
	return ""
}
