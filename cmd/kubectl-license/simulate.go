// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// simulateOptions are what simulate was asked.
type simulateOptions struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	at      instantFlag
	output  string

	now    time.Time
	client client.Client
}

// simulateLong is the help of simulate.
const simulateLong = `Show what will be restricted at a time, as things are now: the state of each product, and by name
every tier and policy that stops being applied or can no longer be changed. Talks to the cluster, and
changes nothing.

Without --at that is the time when the first restriction to come starts. It comes from the same code
that the operator runs, from the keys, terms, pauses, tiers and policies that there are now. Whoever
changes one of these should look again.

A restriction of mode DefaultTierOnly opens and closes: what policies of its tiers deny passes, and
what they allow is for later tiers to decide. Where something closes, the policies are listed by which
the default tier denies by default, Kubernetes' own among them. No selector is evaluated for that.

You need the permission list on licensedproducts and licensekeys, and, in projectcalico.org, on tiers,
globalnetworkpolicies and networkpolicies. Without it on nodes (does one run Windows?) and on the
networkpolicies of networking.k8s.io, it says what it assumes.

With -o json or yaml the fields are:
  time             and timeReason: Asked (--at), RestrictionStarts, PauseEnds (of timeProducts), Now
  products         name, state, activeLicenseKeyName, expiryTime, graceEndTime, and
    restriction    state, reason (of the condition Restricted), inForce, askedMode, mode, modeReason,
                   effectiveTime, sinceTime, pause, sparedTiers (name, reason), tiers: those that the
                   product by itself restricts or, if inForce is false, would
  tiers            that are in fact restricted, by all products together; products are those that do
    each tier      name, mode, modeReason, defaultAction, policies (kind, namespace, name, opens,
                   closes), bypasses (kind, namespace, name, tier, reason)
  sparedNamespace  the operator's own, whose pods keep everything
  defaultDenials   namespace (absent: all), directions, apiVersion, kind, name, pods (in words)`

// simulateExample is the help of simulate: how it is used.
const simulateExample = `  # What happens if nobody renews anything, and when?
  kubectl license simulate

  # One product, at the end of its grace period
  kubectl license simulate acme-mesh --at 2028-01-31T00:00:00Z

  # Every policy that stops being applied
  kubectl license simulate -o json | jq -r \
    '.tiers[] | select(.mode == "DefaultTierOnly").policies[] | [.kind, .namespace, .name] | @tsv'`

func newSimulateCommand(env environment) *cobra.Command {
	o := &simulateOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:               "simulate [PRODUCT] [flags]",
		Short:             "Show what a restriction will do, to which policies, and when",
		Long:              simulateLong,
		Example:           simulateExample,
		Args:              atMostOneArgument("PRODUCT"),
		RunE:              inSteps(o),
		ValidArgsFunction: completeProduct(o.connection),
	}
	o.command = command
	flags := command.Flags()
	flags.SortFlags = false
	flags.Var(&o.at, "at", "what is restricted at this time or, for a date, the date's beginning in UTC (default "+
		"when the first restriction to come starts)")
	addOutputFlag(command, &o.output, "text", outputJSON, outputYAML)
	completeWith(command, "at")
	addConnectionFlags(command, o.connection)
	return command
}

func (o *simulateOptions) complete(args []string) error {
	if len(args) > 0 {
		o.product = args[0]
	}
	o.now = o.thisSecond()
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *simulateOptions) validate() error {
	if !o.at.IsZero() && o.at.Before(o.now) {
		return misused(o.command, "--at %s is in the past: a simulation begins with what there is now", o.at.text)
	}
	return checkOutput(o.command, o.output, outputJSON, outputYAML)
}

func (o *simulateOptions) run(ctx context.Context) error {
	seen, err := readCluster(ctx, o.client)
	if err != nil {
		return err
	}
	found, err := simulate(seen, o.product, o.at.Time, o.now)
	if err != nil {
		return err
	}
	for _, note := range found.notes {
		warnf(o.ErrOut, "%s", note)
	}
	return found.print(o.Out, o.output)
}
