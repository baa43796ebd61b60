// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package request

// long is the help of request.
const long = `Print what a vendor needs to know to renew the license of a product: the cluster's uid, the current
license, what it allows, what is in use now, and the most that was in each of the last months. Talks to
the cluster, and changes nothing.

Nothing is sent. What is on the standard output is ready to be: it has no names of nodes, namespaces or
users, and no token. Where to send it is said on the standard error.

You need the permission get on licensedproducts and licensekeys and, for the cluster's uid, on the
namespace kube-system. Without the latter two it says what it leaves out.

With -o json or yaml the fields are: time, productName, vendor, renewalURL, clusterUID, state, customer,
licenseID, expiryTime, graceEndTime, limits and usage (name, value), monthlyPeaks (month, usage). What
is not known is absent; limits are known only of a license that is Valid or in its GracePeriod.`

// example is the help of request: how it is used.
const example = `  kubectl license request acme-mesh

  # As a file to attach
  kubectl license request acme-mesh -o json > renewal.json`
