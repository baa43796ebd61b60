// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

const statusLong = `Show the licenses of all products, or of one: state, active key, usage and limits, and restrictions.
Below the table it says what to do next. Talks to the cluster, and changes nothing.

DAYS LEFT are whole days until the active key expires or, if marked so, until its grace period ends;
<1 on the last day. Its colors use the thresholds of the product's alerts, and the end of all
applied keys. A bar that ends in ! means that more is in use than is licensed. Without a limit there
is no bar. RESTRICTED is the number of restricted tiers, Paused, or the time when a restriction
starts. All of it is from the status that the operator writes; only distances in time use this
machine's clock.

With --watch it prints the table and then, until Ctrl-C, each product that changes, without what to
do next. A product that is deleted has the state Deleted. If the connection is lost, it connects
again.

You need the permission list on licensedproducts, and watch for --watch. Without list on licensekeys
it cannot show invalid keys.

Exit codes:
  0  every product that is shown is licensed: Valid or GracePeriod; or --watch was ended
  1  a mistake on the command line, or an error of the cluster
  4  a product is not licensed: Unlicensed, Expired, or not reconciled yet

With -o json or yaml the fields are, in products:
  name, vendor, renewalURL, state, activeLicenseKeyName, expiryTime, graceEndTime, coverageEndTime
  daysLeft         whole days until expiryTime, then 0; graceDaysLeft, in the grace period
  limits, usage    name and value of each; limits also of what the operator does not count
  restriction      state, mode, effectiveTime, sinceTime, pause (sinceTime, untilTime, reason),
                   restrictedTiers and bypasses (how many)
  next             reason, message and command of each thing to do. The reasons: StatusOutdated,
                   TermsNotAccepted, ClockSkewed, Unlicensed, Expired, GracePeriod, ExpiresSoon,
                   KeyInvalid, LimitExceeded, NearLimit, Restricted, RestrictionPaused,
                   RestrictionComing, RestrictionBypassed, RestrictionNotReady, AlertsNotReady
With --watch each product is a document of its own; a deleted one has name and deleted: true.`

const statusExample = `  # All products
  kubectl license status

  # One product, with more columns
  kubectl license status acme-mesh -o wide

  # In a script: continue only with a license
  kubectl license status acme-mesh > /dev/null && ./deploy.sh

  # What to do next, one line each
  kubectl license status -o json | jq -r '.products[] | .name as $p | .next[] | [$p, .reason, .message] | @tsv'

  # Wait for a renewal
  kubectl license status --watch`

const keysLong = `Show the license keys of all products, or of one: the state of each, whether it is active, and why.
Talks to the cluster, and changes nothing.

The active key of a product, which decides the product's state, comes first. REASON is why a key
does not verify or, if it does, why it is active or not. ProductNotFound: there is no
LicensedProduct with that name. All of it is from the status that the operator writes. -o wide also
shows the message.

You need the permission list on licensekeys. It never prints tokens.

With -o json or yaml the fields are, in keys: name, productName, state, active, reason, message,
customer, licenseID, issuedTime, notBeforeTime, expiryTime, graceEndTime, features, limits (name,
value). Fields that a key does not have are absent.`

const keysExample = `  kubectl license keys

  # Why is the new key of this product not used?
  kubectl license keys acme-mesh -o wide

  # Delete the keys that have expired and are not active
  kubectl license keys -o json | jq -r '.keys[] | select(.state == "Expired" and (.active | not)).name' |
    xargs -r kubectl delete lk`
