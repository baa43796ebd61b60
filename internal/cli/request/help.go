// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package request

const long = `Print what a vendor needs to know to renew the license of a product: the cluster's uid, the current
license, its limits, what is in use now, and the peak of each of the last months. Talks to the cluster,
and changes nothing.

Nothing is sent. The standard output is ready to be sent: it does not have names of nodes, namespaces or
users, or a token. The standard error says where to send it.

You need the permission get on licensedproducts and licensekeys and, for the cluster's uid, on the
namespace kube-system. Without the last two it says what it leaves out.

With -o json or yaml the fields are: time, productName, vendor, renewalURL, clusterUID, state, customer,
licenseID, expiryTime, graceEndTime, limits and usage (name, value), monthlyPeaks (month, usage). What
is not known is absent; limits are known only of a license that is Valid or in its GracePeriod.`

const example = `  kubectl license request acme-mesh

  # As a file to attach
  kubectl license request acme-mesh -o json > renewal.json`
