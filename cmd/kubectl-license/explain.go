// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/paging"
	"github.com/license-operator/license-operator/internal/usage"
)

// explainOptions are what explain was asked.
type explainOptions struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	output  string

	client client.Client
}

// explainLong is the help of explain.
const explainLong = `Show which nodes are counted for a product and which are not, by which rule, and what they add up to.
Talks to the cluster, and changes nothing.

The rule is spec.usage.nodeSelector of the LicensedProduct; without it every node counts. Nodes that
are not ready, or not schedulable, count too. A node that is not counted is shown with what the rule
wants of its labels. CORES is its CPU capacity; all of them are added up in thousandths, and rounded
up once. A node whose capacity cannot be true counts as a node without cores.

It counts with the code that the operator runs. The operator's own count, in the product's status,
follows the nodes within seconds.

You need the permissions get on licensedproducts and list on nodes.

With -o wide there are also READY, CAPACITY (of CPU, as the node states it) and LABELS (those that the
rule is about). With -o name the nodes that are counted are printed, as node/NAME. With -o json or
yaml the fields are:
  productName   and nodeSelector (absent: every node)
  nodes         name, counted, ready, millicores (what counts of its capacity), capacity, reason
                (of a node that is not counted, or that counts without cores)
  usage         name (nodes, cores), value: what they add up to now
  statusUsage   the same, as the operator has counted it; absent: it has not yet
  state         of the product, activeLicenseKeyName and limits (name, value): as its status has them`

// explainExample is the help of explain: how it is used.
const explainExample = `  # Why are there more nodes in use than we have bought?
  kubectl license explain acme-mesh

  # Which nodes are counted?
  kubectl license explain acme-mesh -o name

  # The nodes that are not, and why not
  kubectl license explain acme-mesh -o json | jq -r \
    '.nodes[] | select(.counted | not) | [.name, .reason] | @tsv'`

func newExplainCommand(env environment) *cobra.Command {
	o := &explainOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:               "explain PRODUCT [flags]",
		Short:             "Show which nodes are counted for a product, and why",
		Long:              explainLong,
		Example:           explainExample,
		Args:              oneArgument("PRODUCT"),
		RunE:              inSteps(o),
		ValidArgsFunction: completeProduct(o.connection),
	}
	o.command = command
	command.Flags().SortFlags = false
	addOutputFlag(command, &o.output, "the table", outputJSON, outputYAML, outputName, outputWide)
	addConnectionFlags(command, o.connection)
	return command
}

func (o *explainOptions) complete(args []string) error {
	o.product = args[0]
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *explainOptions) validate() error {
	return checkOutput(o.command, o.output, outputJSON, outputYAML, outputName, outputWide)
}

func (o *explainOptions) run(ctx context.Context) error {
	product := &api.LicensedProduct{}
	if err := o.client.Get(ctx, types.NamespacedName{Name: o.product}, product); err != nil {
		return explainProduct(o.product, "read", "get", err)
	}
	selector, err := usage.Selector(product)
	if err != nil {
		return failf("Nothing is counted for it until its vendor mends the terms.",
			"spec.usage.nodeSelector of LicensedProduct %s is none: %v", o.product, err)
	}
	var nodes []seenNode
	newPage := func() *corev1.NodeList { return &corev1.NodeList{} }
	if err := paging.Each(ctx, o.client, newPage, func(page *corev1.NodeList) {
		for i := range page.Items {
			nodes = append(nodes, newSeenNode(&page.Items[i]))
		}
	}); err != nil {
		return explainList("nodes", err)
	}
	return explain(product, selector, nodes).print(screenOf(o.Out), o.output)
}
