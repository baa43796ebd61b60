// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package simulate has the command that shows what restrictions will do, to which policies, and when.
package simulate

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
)

type options struct {
	kubeclient.ProductCommand
	at     command.TimeFlag
	output string
	now    time.Time
}

// NewCommand is kubectl license simulate.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{ProductCommand: kubeclient.ProductCommand{Environment: env}}
	cmd := &cobra.Command{
		Use: "simulate [PRODUCT] [flags]", Short: "Show what a restriction will do, to which policies, and when",
		Long: long, Example: example, Args: command.AtMostOneArgument("PRODUCT"),
		RunE: command.InSteps(o.complete, o.validate, o.run),
	}
	cmd.Flags().Var(&o.at, "at",
		"the time to simulate, or a date, which starts at 00:00 UTC (default when the next restriction starts)")
	output.AddFlag(cmd, &o.output, "text", output.JSON, output.YAML)
	command.CompleteFlag(cmd, "at")
	o.Attach(cmd)
	return cmd
}

func (o *options) complete(args []string) error {
	o.now = o.ThisSecond()
	return o.Complete(args)
}

func (o *options) validate() error {
	if !o.at.IsZero() && o.at.Before(o.now) {
		return command.UsageError(o.Command, "--at %s is in the past: a simulation starts now", o.at.Text)
	}
	return output.Check(o.Command, o.output, output.JSON, output.YAML)
}

func (o *options) run(ctx context.Context) error {
	seen, err := readCluster(ctx, o.Client)
	if err != nil {
		return err
	}
	found, err := simulate(seen, o.Product, o.at.Time, o.now)
	if err != nil {
		return err
	}
	for _, note := range found.notes {
		term.Warnf(o.ErrOut, "%s", note)
	}
	return found.print(o.Out, o.output)
}
