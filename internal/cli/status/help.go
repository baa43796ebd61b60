// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

// statusLong is the help of status.
const statusLong = `Show how the licenses of all products stand, or of one: state, active key, what is in use of what is
licensed, and what is restricted. Below that stands what to do next, where something is to be done.
Talks to the cluster, and changes nothing.

DAYS LEFT is until the active key expires or, marked so, until its grace period ends; whole days, <1 on
the last. Its colors go by the thresholds of the product's alerts, which go by all keys that are
applied. Bars end in ! where more is in use than is licensed; without a limit there is no bar.
RESTRICTED is how many tiers are, Paused where a pause puts that off, or when a restriction comes. All
of that is what the operator has written into the status; only distances go by this machine's clock.

With --watch it prints the table and then, until Ctrl-C, each product anew that changes; one that is
gone has the state Deleted. What to do next is not among that. A connection that is lost is made again.

You need the permission list on licensedproducts, and watch for --watch. Without list on licensekeys it
cannot tell of keys that do not verify.

Exit codes:
  0  every product that is shown is licensed: Valid, or in its GracePeriod; or --watch was ended
  1  a mistake on the command line, or the cluster cannot be asked
  4  a product is not: Unlicensed, Expired, or the operator has not looked at it yet

With -o json or yaml the fields are, in products:
  name, vendor, renewalURL, state, activeLicenseKeyName, expiryTime, graceEndTime, coverageEndTime
  daysLeft         whole days until expiryTime, 0 from then on; graceDaysLeft, in the grace period
  limits, usage    name and value of each, limits of what the operator does not count among them
  restriction      state, mode, effectiveTime, sinceTime, pause (sinceTime, untilTime, reason),
                   restrictedTiers and bypasses (how many)
  next             reason, message and command of each thing to do. The reasons: StatusOutdated,
                   TermsNotAccepted, ClockSkewed, Unlicensed, Expired, GracePeriod, ExpiresSoon,
                   KeyInvalid, LimitExceeded, NearLimit, Restricted, RestrictionPaused,
                   RestrictionComing, RestrictionBypassed, RestrictionNotReady, AlertsNotReady
With --watch each product is a document of its own, one that is gone with name and deleted: true.`

// statusExample is the help of status: how it is used.
const statusExample = `  # How do things stand?
  kubectl license status

  # One product, and more columns
  kubectl license status acme-mesh -o wide

  # In a script: go on only with a license
  kubectl license status acme-mesh > /dev/null && ./deploy.sh

  # What is to be done, in a line each
  kubectl license status -o json | jq -r '.products[] | .name as $p | .next[] | [$p, .reason, .message] | @tsv'

  # See a renewal take over
  kubectl license status --watch`

// keysLong is the help of keys.
const keysLong = `Show the license keys of all products, or of one: the state of each, whether it is the active one, and
why. Talks to the cluster, and changes nothing.

The active key of a product, which decides its state, comes first. REASON is why a key does not verify
or, if it does, why it is active or not. ProductNotFound: there is no LicensedProduct of that name. All
of it is what the operator has written into the status. With -o wide the message is there as well.

You need the permission list on licensekeys. Tokens are not printed in any format.

With -o json or yaml the fields are, in keys: name, productName, state, active, reason, message,
customer, licenseID, issuedTime, notBeforeTime, expiryTime, graceEndTime, features, limits (name,
value). What a key does not have is absent.`

// keysExample is the help of keys: how it is used.
const keysExample = `  kubectl license keys

  # Why does the new key of this product not count?
  kubectl license keys acme-mesh -o wide

  # Delete the keys that have expired for good
  kubectl license keys -o json | jq -r '.keys[] | select(.state == "Expired" and (.active | not)).name' |
    xargs -r kubectl delete lk`
