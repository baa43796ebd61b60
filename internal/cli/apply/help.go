// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

// long is the help of apply.
const long = `Verify a license key against its product as the cluster has it, show what applying it would change,
ask, apply it, and wait until the operator says that it counts. Talks to the cluster.

FILE is a LicenseKey manifest, a Secret with a token in it, a token alone, or one of these as a mail
program left it. A manifest names its product; without one, --product does, or the key is for the one
product that accepts it. The LicenseKey has the name of the manifest, or of --name, or one made of the
product and the license ID, as 'kubectl license issue' makes it. A LicenseKey of that name that is
there gets the new token, and keeps its labels and annotations. If that has changed while you were
asked, nothing is applied. A token through a pipe leaves nobody to ask: it takes --yes or --dry-run.

A key that does not verify is not applied. What it would change comes from the same code that the
operator runs. A key may begin in the future, and it may be older than the one that counts: it says so.
Tokens are never printed.

It applies on the server's side, as field manager kubectl-license. Where another manager that is not
kubectl has set the token, GitOps for example, it changes nothing and says who that is.

You need the permissions get on licensedproducts (list, where the product is to be found by the key),
list on licensekeys, and get, create and patch on the LicenseKey; get on the namespace kube-system, whose
uid a key may be bound to: without it, whether it is bound to this cluster remains for the operator.

Exit codes:
  0  the key counts as was foretold, whether applied now or before, or it is a dry run
  1  a mistake on the command line, no permission, you said no, or the operator does not say what was
     foretold, or nothing: the message tells whether the key is applied
  2  FILE holds nothing that can be read as one license key
  3  the key does not verify: nothing was applied

With -o json or yaml the fields are:
  licenseKeyName, productName, licenseID, customer
  change            Created, TokenReplaced (then replacedLicenseID), Changed (its certificate, labels or
                    annotations), Unchanged
  applied           false of a dry run, and where nothing was to be done
  state, active     of the key, as soon as it is applied
  clusterUnknown    true where the key is for certain clusters, and you may not see whether this is one
  before, after     the product now, and as soon as the key is applied: state, activeLicenseKeyName,
                    expiryTime, graceEndTime, coverageEndTime, features, limits (name, value),
                    restriction (state, effectiveTime)
  takeoverTime      when the key becomes the active one, where that is later, and atTakeover: the product
                    then
  restrictionStartTime: when the restriction next comes into force with the key applied, as things are
  usage             what is in use now (name, value)`

// example is the help of apply: how it is used.
const example = `  # See what a renewal changes, say yes or no, and wait until it is in force
  kubectl license apply key.yaml

  # A token alone
  kubectl license apply license.jwt --product acme-mesh

  # Only see what it would change
  kubectl license apply key.yaml --dry-run=server

  # In a pipeline: the token from a vault, without a question
  vault kv get -field=token licenses/acme | kubectl license apply - --product acme-mesh --yes`
