// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

const long = `Verify a license key against its product as the cluster has it, show what applying it would change,
ask, apply it, and wait until the operator confirms it. Talks to the cluster.

FILE is a LicenseKey manifest, a Secret with a token in it, only a token, or one of these with the
changes that mail programs make. A manifest names its product; otherwise give --product, or the key is
for the only product that accepts it. The name of the LicenseKey is from the manifest, from --name, or
made of the product and the license ID, as 'kubectl license issue' does it. If a LicenseKey of that name
exists, it gets the new token, and keeps its labels and annotations. If it changes during the question,
nothing is applied. For a token from a pipe the command cannot ask: use --yes or --dry-run.

A key that does not verify is not applied. The preview comes from the same code that the operator runs.
A key can begin in the future, or be older than the active one: the preview says so. Tokens are never
printed.

It uses server-side apply, with the field manager kubectl-license. If another manager than kubectl has
set the token, GitOps for example, it changes nothing and names that manager.

You need the permissions get on licensedproducts (list, to find the product by the key), list on
licensekeys, and get, create and patch on the LicenseKey; also get on the namespace kube-system, whose
uid a key can be bound to: without it, only the operator checks that the key is for this cluster.

Exit codes:
  0  the key has the effect of the preview, whether applied now or before, or it is a dry run
  1  a mistake on the command line, a missing permission, you said no, or the operator does not confirm
     the preview: the message says whether the key is applied
  2  FILE does not contain exactly one readable license key
  3  the key does not verify: nothing was applied

With -o json or yaml the fields are:
  licenseKeyName, productName, licenseID, customer
  change            Created, TokenReplaced (then replacedLicenseID), Changed (its certificate, labels or
                    annotations), Unchanged
  applied           false for a dry run, and if there was nothing to do
  state, active     of the key, as soon as it is applied
  clusterUnknown    true if the key is for certain clusters, and you are not allowed to see whether this
                    is one
  before, after     the product now, and as soon as the key is applied: state, activeLicenseKeyName,
                    expiryTime, graceEndTime, coverageEndTime, features, limits (name, value),
                    restriction (state, effectiveTime)
  takeoverTime      when the key becomes the active one, if that is later, and atTakeover: the product
                    then
  restrictionStartTime: when the restriction next takes effect with the key applied
  usage             what is in use now (name, value)`

const example = `  # See what a renewal changes, confirm it, and wait until it is in force
  kubectl license apply key.yaml

  # A token alone
  kubectl license apply license.jwt --product acme-mesh

  # Only see what it would change
  kubectl license apply key.yaml --dry-run=server

  # In a pipeline: the token from a vault, without a question
  vault kv get -field=token licenses/acme | kubectl license apply - --product acme-mesh --yes`
