// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeclient

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
)

// completionTimeout is how long a shell waits for names from the cluster. After more, people press the key again.
const completionTimeout = 3 * time.Second

// ProductNames returns the LicensedProducts of the cluster, for completion; none if it cannot list them.
func ProductNames(ctx context.Context, connection *genericclioptions.ConfigFlags) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	reader, err := New(connection, io.Discard)
	if err != nil {
		return nil
	}
	var products api.LicensedProductList
	if err := reader.List(ctx, &products); err != nil {
		return nil
	}
	names := make([]string, len(products.Items))
	for i := range products.Items {
		names[i] = products.Items[i].Name
	}
	return names
}

// CompleteProduct completes the first argument of a command with the LicensedProducts of the cluster.
func CompleteProduct(connection *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ProductNames(cmd.Context(), connection), cobra.ShellCompDirectiveNoFileComp
	}
}

// ProductCommand is what commands share that have a product as their argument, and talk to the cluster.
type ProductCommand struct {
	command.Environment
	Command *cobra.Command
	Client  client.WithWatch
	// Product is the argument; empty: none.
	Product    string
	connection *genericclioptions.ConfigFlags
}

// Attach adds the completion of the argument and the flags of the connection, after the flags that cmd has already.
func (c *ProductCommand) Attach(cmd *cobra.Command) {
	c.Command, c.connection = cmd, NewFlags()
	cmd.ValidArgsFunction = CompleteProduct(c.connection)
	cmd.Flags().SortFlags = false
	AddFlags(cmd, c.connection)
}

// Complete reads the argument and the kubeconfig.
func (c *ProductCommand) Complete(args []string) (err error) {
	if len(args) > 0 {
		c.Product = args[0]
	}
	c.Client, err = New(c.connection, c.ErrOut)
	return err
}
