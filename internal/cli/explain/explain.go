// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package explain has the command that shows which nodes are counted for a product, and why.
package explain

import (
	"context"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/paging"
	"github.com/license-operator/license-operator/internal/usage"
)

type options struct {
	command.Environment
	connection *genericclioptions.ConfigFlags
	client     client.Client
	output     string
}

// NewCommand is kubectl license explain.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use:               "explain PRODUCT [flags]",
		Short:             "Show which nodes are counted for a product, and why",
		Long:              long,
		Example:           example,
		Args:              command.OneArgument("PRODUCT"),
		ValidArgsFunction: kubeclient.CompleteProduct(o.connection),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.client, err = kubeclient.New(o.connection, o.ErrOut); err != nil {
				return err
			}
			if err := output.Check(cmd, o.output, output.JSON, output.YAML, output.Name, output.Wide); err != nil {
				return err
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().SortFlags = false
	output.AddFlag(cmd, &o.output, "the table", output.JSON, output.YAML, output.Name, output.Wide)
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}

func (o *options) run(ctx context.Context, name string) error {
	product := &api.LicensedProduct{}
	if err := o.client.Get(ctx, types.NamespacedName{Name: name}, product); err != nil {
		return kubeclient.ProductError(name, "read", "get", err)
	}
	selector, err := usage.Selector(product)
	if err != nil {
		return command.FailWithHint("Nothing is counted for it until its vendor fixes the terms.",
			"LicensedProduct %s has an invalid nodeSelector: %v", name, err)
	}
	explained, err := explain(product, selector, func(visit func(*corev1.Node)) error {
		return paging.Each(ctx, o.client, &corev1.NodeList{}, visit)
	})
	if err != nil {
		return kubeclient.ListError("nodes", err)
	}
	return explained.print(term.NewScreen(o.Out), o.output)
}
