// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import licensereport "github.com/license-operator/license-operator/internal/report"

const long = `Fetch the license report from the operator: licenses, usage, and facts about the cluster that a
vendor asks for, as JSON or as a tar archive that contains it as response.json. The operator makes
it for this request. Talks to the cluster; it is not sent to anyone, so give it to the vendor
yourself. It does not contain tokens of keys, or names of nodes, namespaces or users.

It comes from a ready pod of the operator, through the API server as with kubectl port-forward, but
without a port on this machine. The operator must know the user, and the API server does not pass
credentials on. So your bearer token goes to that pod: the one of the kubeconfig (token, token file,
a program, an identity provider) or of --token. With --token, the API server still uses the
credentials of the kubeconfig, if it has any. If you do not have a token, as with a client
certificate, it says how to get one. --as does not reach the operator.

The token only goes to pods of --namespace with the operator's labels. Anyone who can create pods
there could read it, and use all of your permissions. A token that is made for this, by kubectl
create token, has fewer. The pod makes its own certificate, which is not verified inside the tunnel:
the API server makes sure that it is the pod.

You need the permissions list on pods and create on pods/portforward in that namespace, and get on
the nonResourceURL ` + licensereport.Path + `, as from ClusterRole
` + readerRole + `.

A file is never overwritten, and only its owner can read it. The report is verified before it is
written. For the fields see docs/license-report.md.`

const example = `  # The report of the only product
  kubectl license report

  # For the vendor of one of several products, as a tar archive with the usual name, in this folder
  kubectl license report --product acme-mesh -o tar --out .

  # All products, for yourself: a vendor should not see the contract of another
  kubectl license report --product '*' --out licenses.json

  # With a client certificate, which is not a token: make a token that is valid for ten minutes
  kubectl license report --token \
    "$(kubectl create token license-report -n license-operator-system --duration 10m)"`

const verifyLong = `Compute the checksum of a license report again, and compare it with the one in the report. Works
offline.

FILE is the report as JSON, or a tar archive that contains it as response.json. The checksum does
not depend on the layout or the order of fields, so the report may have been formatted again.

If the checksum matches, the report was not damaged or changed by accident. That does not prove who
wrote it: anyone can compute a checksum.

Exit codes:
  0  the checksum matches
  1  a mistake on the command line, or a file that is not a license report
  3  the checksum does not match`

const verifyExample = `  kubectl license report verify report-2026_11_22_10_05_AM.tar

  # Does the vendor have the same report?
  kubectl license report verify - < response.json`
