// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package simulate has the command that shows what restrictions will do, to which policies, and when.
package simulate

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
)

// options are what simulate was asked.
type options struct {
	command.Environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	at      command.TimeFlag
	output  string

	now    time.Time
	client client.Client
}

// NewCommand is kubectl license simulate.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use: "simulate [PRODUCT] [flags]", Short: "Show what a restriction will do, to which policies, and when",
		Long: long, Example: example, Args: command.AtMostOneArgument("PRODUCT"),
		RunE:              command.InSteps(o.complete, o.validate, o.run),
		ValidArgsFunction: kubeclient.CompleteProduct(o.connection),
	}
	o.command = cmd
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&o.at, "at", "what is restricted at this time or, for a date, the date's beginning in UTC (default "+
		"when the first restriction to come starts)")
	output.AddFlag(cmd, &o.output, "text", output.JSON, output.YAML)
	command.CompleteFlag(cmd, "at")
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}

func (o *options) complete(args []string) error {
	if len(args) > 0 {
		o.product = args[0]
	}
	o.now = o.ThisSecond()
	var err error
	o.client, err = kubeclient.New(o.connection, o.ErrOut)
	return err
}

func (o *options) validate() error {
	if !o.at.IsZero() && o.at.Before(o.now) {
		return command.UsageError(o.command, "--at %s is in the past: a simulation begins with what there is now",
			o.at.Text)
	}
	return output.Check(o.command, o.output, output.JSON, output.YAML)
}

func (o *options) run(ctx context.Context) error {
	seen, err := readCluster(ctx, o.client)
	if err != nil {
		return err
	}
	found, err := simulate(seen, o.product, o.at.Time, o.now)
	if err != nil {
		return err
	}
	for _, note := range found.notes {
		term.Warnf(o.ErrOut, "%s", note)
	}
	return found.print(o.Out, o.output)
}
