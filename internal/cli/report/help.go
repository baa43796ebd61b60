// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	licensereport "github.com/license-operator/license-operator/internal/report"
)

// long is the help of report.
const long = `Fetch the license report from the operator: what is licensed, what is in use, and the cluster's facts
that a vendor asks for, as JSON or as a tar archive that holds it as response.json. It is made for
this request alone. Talks to the cluster; nothing is sent to anybody else, so give it to the vendor
yourself. It has neither keys' tokens nor names of nodes, namespaces or users.

It comes from a ready pod of the operator, through the API server as with kubectl port-forward, but
without a port on this machine. The operator has to know who asks, and the API server strips
credentials from what it proxies: so your own bearer token goes to that pod, as the kubeconfig has it
(token, token file, a program that it runs, an identity provider), or that of --token: the API server
goes on knowing you by the kubeconfig, where it has credentials. Where you have no token, as with a
client certificate, it says how to get one. --as does not reach the operator.

The token goes to pods of --namespace that have the operator's labels, and nowhere else; whoever may
create pods there could read it, and it is good for all that you may do. One that is made for this,
by kubectl create token, is good for less. The pod's certificate is its own, so inside the tunnel it
is not verified: that it is the pod, the API server vouches for.

You need the permissions list on pods and create on pods/portforward in that namespace, and get on
the nonResourceURL ` + licensereport.Path + `, as from ClusterRole
` + readerRole + `.

A file is never overwritten, and only its owner can read it. What was received is checked before it
is written. For the fields see docs/license-report.md.`

// example is the help of report: how it is used.
const example = `  # The report of the only product
  kubectl license report

  # For the vendor of one of several, as a tar archive with the usual name, in this folder
  kubectl license report --product acme-mesh -o tar --out .

  # All products, for yourself: a vendor should not see another's contract
  kubectl license report --product '*' --out licenses.json

  # With a client certificate there is no token to send: have one made that is good for ten minutes
  kubectl license report --token \
    "$(kubectl create token license-report -n license-operator-system --duration 10m)"`

// verifyLong is the help of report verify.
const verifyLong = `Compute the checksum of a license report anew, and compare it with the one in it. Works offline.

FILE is the report as JSON, or a tar archive that holds it as response.json. Its layout and the order
of its fields do not count, so that it may have been formatted anew.

A checksum that matches shows that nothing was lost or changed by accident. It does not prove who
wrote the report: anybody can compute it.

Exit codes:
  0  the checksum matches
  1  a mistake on the command line, or a file that is no license report
  3  the checksum does not match`

// verifyExample is the help of report verify: how it is used.
const verifyExample = `  kubectl license report verify report-2026_11_22_10_05_AM.tar

  # Is what was fetched the same as what the vendor has?
  kubectl license report verify - < response.json`
