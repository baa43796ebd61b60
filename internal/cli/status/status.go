// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status has the commands that list products and license keys: status, with what to do next, and keys.
package status

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
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

type options struct {
	kubeclient.ProductCommand
	watch  bool
	output string
	// keysWarning is the last warning about keys: a watch does not repeat it.
	keysWarning string
}

// NewCommand is kubectl license status.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{ProductCommand: kubeclient.ProductCommand{Environment: env}}
	cmd := &cobra.Command{
		Use: "status [PRODUCT] [flags]", Short: "Show how the licenses stand, and what to do next", Long: statusLong,
		Example: statusExample, Args: command.AtMostOneArgument("PRODUCT"),
		RunE: command.InSteps(o.Complete, o.validate, o.run),
	}
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "keep running, and show each product that changes")
	output.AddListFlag(cmd, &o.output)
	o.Attach(cmd)
	return cmd
}

func (o *options) validate() error { return output.Check(o.Command, o.output, output.ListFormats...) }

func (o *options) run(ctx context.Context) error {
	if o.watch {
		return o.follow(ctx)
	}
	var products api.LicensedProductList
	if err := o.Client.List(ctx, &products, selectProduct(o.Product)...); err != nil {
		return kubeclient.ListError(kubeclient.Products, err)
	}
	if len(products.Items) == 0 && o.Product != "" {
		return kubeclient.NoSuchProduct(o.Product)
	}
	if err := o.print(ctx, products.Items); err != nil {
		return err
	}
	if len(products.Items) == 0 {
		sayNoProducts(o.ErrOut)
	}
	return judgeLicenses(products.Items, o.output)
}

// selectProduct limits a list or a watch to one product; empty: all. It then needs the permission for this one only.
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
	if o.output == output.Name {
		for i := range products {
			if _, err := fmt.Fprintln(o.Out, kubeclient.ProductReference(products[i].Name)); err != nil {
				return err
			}
		}
		return nil
	}
	now, keys := o.Now(), o.keys(ctx)
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

// keys returns the keys of all products, for those that do not verify. It only warns if it cannot list them.
func (o *options) keys(ctx context.Context) []api.LicenseKey {
	var keys api.LicenseKeyList
	if err := o.Client.List(ctx, &keys); err != nil {
		if warning := fmt.Sprintf("invalid keys are not shown: %v", err); warning != o.keysWarning {
			o.keysWarning = warning
			term.Warnf(o.ErrOut, "%s", warning)
		}
		return nil
	}
	return keys.Items
}

// judgeLicenses is the exit code for the products, which were printed in this format.
func judgeLicenses(products []api.LicensedProduct, format string) error {
	var without []string
	var next string
	for i := range products {
		product := &products[i]
		if state := product.Status.State; state != api.LicensedProductValid && state != api.LicensedProductGracePeriod {
			without = append(without, fmt.Sprintf("%s (%s)", product.Name, cmp.Or(state, "not reconciled yet")))
			next = "See what to do: kubectl license status " + product.Name
		}
	}
	switch {
	case len(without) == 0:
		return nil
	case format == "" || format == output.Wide:
		next = "See below the table what to do."
	case len(without) > 1:
		next = "See what to do: kubectl license status"
	}
	const few = 5
	return command.ExitError(command.ExitNotUsable, next, "not licensed: %s", text.List(without, few))
}

// follow shows the products, and then each product that changes, until Ctrl-C.
func (o *options) follow(ctx context.Context) error {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	w := &productWatch{
		client: o.Client, product: o.Product, warnings: o.ErrOut, retry: time.Second, show: o.newPrinter(),
	}
	err := w.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
