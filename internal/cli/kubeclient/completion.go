// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeclient

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// completionTimeout is how long a shell waits for names from the cluster: longer than that, and people press the key
// again.
const completionTimeout = 3 * time.Second

// ProductNames are the LicensedProducts of the cluster, for completion; none where it cannot be asked.
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

// CompleteProduct offers the LicensedProducts of the cluster for a command's first argument.
func CompleteProduct(connection *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ProductNames(cmd.Context(), connection), cobra.ShellCompDirectiveNoFileComp
	}
}
