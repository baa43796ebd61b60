// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package explain

const long = `Show which nodes are counted for a product and which are not, by which rule, and the totals.
Talks to the cluster, and changes nothing.

The rule is spec.usage.nodeSelector of the LicensedProduct; without it every node counts. Nodes that
are not ready, or not schedulable, count too. A node that is not counted is shown with the labels that
the rule wants. CORES is its CPU capacity; the total is computed in thousandths, and rounded up once. A
node whose capacity cannot be true counts as a node without cores.

It counts with the code that the operator runs. The operator's own count, in the product's status,
follows the nodes within seconds.

You need the permissions get on licensedproducts and list on nodes.

With -o wide there are also READY, CAPACITY (of CPU, as the node states it) and LABELS (those that the
rule is about). With -o name the nodes that are counted are printed, as node/NAME. With -o json or
yaml the fields are:
  productName   and nodeSelector (absent: every node)
  nodes         name, counted, ready, millicores (what counts of its capacity), capacity, reason
                (of a node that is not counted, or that counts without cores)
  usage         name (nodes, cores), value: the totals now
  statusUsage   the same, as the operator has counted it; absent: it has not yet
  state         of the product, activeLicenseKeyName and limits (name, value): as its status has them`

const example = `  # See why more nodes are in use than licensed
  kubectl license explain acme-mesh

  # The nodes that are counted
  kubectl license explain acme-mesh -o name

  # The nodes that are not, and why not
  kubectl license explain acme-mesh -o json | jq -r \
    '.nodes[] | select(.counted | not) | [.name, .reason] | @tsv'`
