// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// statusOptions are what status was asked.
type statusOptions struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	watch   bool
	output  string

	client client.WithWatch
	// keysWarning has been given: once is enough for a watch.
	keysWarning string
}

// statusLong is the help of status.
const statusLong = `Show how the licenses of all products stand, or of one: state, active key, what is in use of what is
licensed, and what is restricted. Below that stands what to do next, where something is to be done.
Talks to the cluster, and changes nothing.

DAYS LEFT is until the active key expires or, marked so, until its grace period ends; whole days, <1 on
the last. Its colors go by the thresholds of the product's alerts, which go by all keys that are
applied. Bars end in ! where more is in use than is licensed; without a limit there is no bar.
RESTRICTED is how many tiers are, Paused where a pause puts that off, or when a restriction comes. All
of that is what the operator has written into the status; only distances go by this machine's clock.

With --watch it prints the table and then, until Ctrl-C, each product anew that changes; one that is
gone has the state Deleted. What to do next is not among that. A connection that is lost is made again.

You need the permission list on licensedproducts, and watch for --watch. Without list on licensekeys it
cannot tell of keys that do not verify.

Exit codes:
  0  every product that is shown is licensed: Valid, or in its GracePeriod; or --watch was ended
  1  a mistake on the command line, or the cluster cannot be asked
  4  a product is not: Unlicensed, Expired, or the operator has not looked at it yet

With -o json or yaml the fields are, in products:
  name, vendor, renewalURL, state, activeLicenseKeyName, expiryTime, graceEndTime, coverageEndTime
  daysLeft         whole days until expiryTime, 0 from then on; graceDaysLeft, in the grace period
  limits, usage    name and value of each, limits of what the operator does not count among them
  restriction      state, mode, effectiveTime, sinceTime, pause (sinceTime, untilTime, reason),
                   restrictedTiers and bypasses (how many)
  next             reason, message and command of each thing to do. The reasons: StatusOutdated,
                   TermsNotAccepted, ClockSkewed, Unlicensed, Expired, GracePeriod, ExpiresSoon,
                   KeyInvalid, LimitExceeded, NearLimit, Restricted, RestrictionPaused,
                   RestrictionComing, RestrictionBypassed, RestrictionNotReady, AlertsNotReady
With --watch each product is a document of its own, one that is gone with name and deleted: true.`

// statusExample is the help of status: how it is used.
const statusExample = `  # How do things stand?
  kubectl license status

  # One product, and more columns
  kubectl license status acme-mesh -o wide

  # In a script: go on only with a license
  kubectl license status acme-mesh > /dev/null && ./deploy.sh

  # What is to be done, in a line each
  kubectl license status -o json | jq -r '.products[] | .name as $p | .next[] | [$p, .reason, .message] | @tsv'

  # See a renewal take over
  kubectl license status --watch`

func newStatusCommand(env environment) *cobra.Command {
	o := &statusOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:               "status [PRODUCT] [flags]",
		Short:             "Show how the licenses stand, and what to do next",
		Long:              statusLong,
		Example:           statusExample,
		Args:              atMostOneArgument("PRODUCT"),
		RunE:              inSteps(o),
		ValidArgsFunction: completeProduct(o.connection),
	}
	o.command = command
	command.Flags().SortFlags = false
	command.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on, and show each product that changes")
	addListOutput(command, &o.output)
	addConnectionFlags(command, o.connection)
	return command
}

// addListOutput is the flag for the formats that lists have.
func addListOutput(command *cobra.Command, output *string) {
	command.Flags().StringVarP(output, "output", "o", "",
		"print `FORMAT` json, yaml or name instead of a table, or wide for one with more columns")
	completeWith(command, "output", listOutputs...)
}

// listOutputs are the formats that lists have, besides their table.
var listOutputs = []string{outputJSON, outputYAML, outputWide, outputName}

func (o *statusOptions) complete(args []string) error {
	if len(args) > 0 {
		o.product = args[0]
	}
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *statusOptions) validate() error { return checkOutput(o.command, o.output, listOutputs...) }

func (o *statusOptions) run(ctx context.Context) error {
	if o.watch {
		return o.follow(ctx)
	}
	var products api.LicensedProductList
	if err := o.client.List(ctx, &products, selectProduct(o.product)...); err != nil {
		return explainList(licensedProducts, err)
	}
	if len(products.Items) == 0 && o.product != "" {
		return noSuchProduct(o.product)
	}
	if err := o.print(ctx, products.Items); err != nil {
		return err
	}
	if len(products.Items) == 0 {
		sayNoProducts(o.ErrOut)
	}
	return judgeLicenses(products.Items, o.output)
}

// selectProduct narrows a list or a watch to one product; empty: all. The right to list or watch this one alone is
// enough then.
func selectProduct(name string) []client.ListOption {
	if name == "" {
		return nil
	}
	return []client.ListOption{client.MatchingFields{"metadata.name": name}}
}

func sayNoProducts(out io.Writer) {
	_, _ = fmt.Fprintln(out,
		"No LicensedProducts found.\nApply the one that came with your product: kubectl apply -f FILE")
}

func (o *statusOptions) print(ctx context.Context, products []api.LicensedProduct) error {
	now := o.now()
	if o.output == outputName {
		return printNames(o.Out, products)
	}
	keys := o.keys(ctx)
	summaries := make([]*productSummary, len(products))
	table := newStatusListing()
	for i := range products {
		summaries[i] = summarize(&products[i], keys, now)
		table.add(statusRow(&products[i], now)...)
	}
	if o.output == outputJSON || o.output == outputYAML {
		return writeEncoded(o.Out, o.output, map[string]any{"products": summaries})
	}
	if len(products) == 0 {
		return nil
	}
	out := screenOf(o.Out)
	if err := table.write(out, o.output == outputWide); err != nil {
		return err
	}
	return writeNextSteps(out, summaries)
}

func printNames(out io.Writer, products []api.LicensedProduct) error {
	for i := range products {
		if _, err := fmt.Fprintln(out, productReference(products[i].Name)); err != nil {
			return err
		}
	}
	return nil
}

// productReference is what kubectl calls a product with -o name.
func productReference(name string) string {
	return "licensedproduct." + api.GroupVersion.Group + "/" + name
}

// keys are those of all products: which of them do not verify is worth knowing, and no more than that.
func (o *statusOptions) keys(ctx context.Context) []api.LicenseKey {
	var keys api.LicenseKeyList
	if err := o.client.List(ctx, &keys); err != nil {
		if warning := fmt.Sprintf("nothing is told of keys that do not verify: %v", err); warning != o.keysWarning {
			o.keysWarning = warning
			warnf(o.ErrOut, "%s", warning)
		}
		return nil
	}
	return keys.Items
}

// judgeLicenses turns what is shown in a format into the exit code.
func judgeLicenses(products []api.LicensedProduct, format string) error {
	var without, names []string
	for i := range products {
		product := &products[i]
		switch state := product.Status.State; state {
		case api.LicensedProductValid, api.LicensedProductGracePeriod:
			continue
		case "":
			without = append(without, product.Name+" (not looked at yet)")
		default:
			without = append(without, fmt.Sprintf("%s (%s)", product.Name, state))
		}
		names = append(names, product.Name)
	}
	if len(without) == 0 {
		return nil
	}
	next := "What to do is said below the table."
	switch {
	case format == "" || format == outputWide:
	case len(names) == 1:
		next = "See what to do: kubectl license status " + names[0]
	default:
		next = "See what to do: kubectl license status"
	}
	const few = 5
	return verdict(exitNotUsable, next, "not licensed: %s", firstOf(without, few))
}

// follow shows the products, and each of them anew that changes, until it is interrupted.
func (o *statusOptions) follow(ctx context.Context) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	w := &productWatch{client: o.client, product: o.product, warnings: o.ErrOut, retry: time.Second,
		show: o.newPrinter()}
	err := w.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
