// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status has the commands that list products and license keys: status, with what to do next, and keys.
package status

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/text"
)

// options are what status was asked.
type options struct {
	command.Environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	watch   bool
	output  string

	client client.WithWatch
	// keysWarning has been given: once is enough for a watch.
	keysWarning string
}

// NewCommand is kubectl license status.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use: "status [PRODUCT] [flags]", Short: "Show how the licenses stand, and what to do next", Long: statusLong,
		Example: statusExample, Args: command.AtMostOneArgument("PRODUCT"),
		RunE:              command.InSteps(o.complete, o.validate, o.run),
		ValidArgsFunction: kubeclient.CompleteProduct(o.connection),
	}
	o.command = cmd
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on, and show each product that changes")
	output.AddListFlag(cmd, &o.output)
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}

func (o *options) complete(args []string) error {
	if len(args) > 0 {
		o.product = args[0]
	}
	var err error
	o.client, err = kubeclient.New(o.connection, o.ErrOut)
	return err
}

func (o *options) validate() error { return output.Check(o.command, o.output, output.ListFormats...) }

func (o *options) run(ctx context.Context) error {
	if o.watch {
		return o.follow(ctx)
	}
	var products api.LicensedProductList
	if err := o.client.List(ctx, &products, selectProduct(o.product)...); err != nil {
		return kubeclient.ListError(kubeclient.Products, err)
	}
	if len(products.Items) == 0 && o.product != "" {
		return kubeclient.NoSuchProduct(o.product)
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

func (o *options) print(ctx context.Context, products []api.LicensedProduct) error {
	now := o.Now()
	if o.output == output.Name {
		return printNames(o.Out, products)
	}
	keys := o.keys(ctx)
	summaries := make([]*overview.Product, len(products))
	table := newListing()
	for i := range products {
		summaries[i] = overview.Of(&products[i], keys, now)
		table.Add(statusRow(&products[i], now)...)
	}
	if o.output == output.JSON || o.output == output.YAML {
		return output.Write(o.Out, o.output, map[string]any{"products": summaries})
	}
	if len(products) == 0 {
		return nil
	}
	out := term.NewScreen(o.Out)
	if err := table.Write(out, o.output == output.Wide); err != nil {
		return err
	}
	return writeNextSteps(out, summaries)
}

func printNames(out io.Writer, products []api.LicensedProduct) error {
	for i := range products {
		if _, err := fmt.Fprintln(out, kubeclient.ProductReference(products[i].Name)); err != nil {
			return err
		}
	}
	return nil
}

// keys are those of all products: which of them do not verify is worth knowing, and no more than that.
func (o *options) keys(ctx context.Context) []api.LicenseKey {
	var keys api.LicenseKeyList
	if err := o.client.List(ctx, &keys); err != nil {
		if warning := fmt.Sprintf("nothing is told of keys that do not verify: %v", err); warning != o.keysWarning {
			o.keysWarning = warning
			term.Warnf(o.ErrOut, "%s", warning)
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
	case format == "" || format == output.Wide:
	case len(names) == 1:
		next = "See what to do: kubectl license status " + names[0]
	default:
		next = "See what to do: kubectl license status"
	}
	const few = 5
	return command.ExitError(command.ExitNotUsable, next, "not licensed: %s", text.List(without, few))
}

// follow shows the products, and each of them anew that changes, until it is interrupted.
func (o *options) follow(ctx context.Context) error {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	w := &productWatch{
		client: o.client, product: o.product, warnings: o.ErrOut, retry: time.Second, show: o.newPrinter(),
	}
	err := w.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
