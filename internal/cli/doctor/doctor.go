// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package doctor has the command that checks an installation of the operator, and says how to fix it.
package doctor

import (
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/version"
)

type options struct {
	command.Environment
	connection *genericclioptions.ConfigFlags

	namespace, output string
}

// NewCommand is kubectl license doctor.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use:     "doctor [flags]",
		Short:   "Check an installation of the operator, and show how to fix it",
		Long:    long,
		Example: example,
		Args:    command.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.Check(cmd, o.output, output.JSON, output.YAML); err != nil {
				return err
			}
			if err := operator.CheckNamespace(cmd, o.namespace); err != nil {
				return err
			}
			config, err := kubeclient.NewConfig(o.connection, o.ErrOut)
			if err != nil {
				return err
			}
			seen, err := collect(cmd.Context(), config, o.namespace, o.Now)
			if err != nil {
				return err
			}
			seen.plugin = version.Get()
			found := seen.check()
			if err := found.print(term.NewScreen(o.Out), o.output); err != nil {
				return err
			}
			return found.failure()
		},
	}
	cmd.Flags().SortFlags = false
	operator.AddNamespaceFlag(cmd, &o.namespace)
	output.AddFlag(cmd, &o.output, "text", output.JSON, output.YAML)
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}
