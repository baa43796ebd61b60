// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

// long is the help of simulate.
const long = `Show what will be restricted at a time, as things are now: the state of each product, and by name
every tier and policy that stops being applied or can no longer be changed. Talks to the cluster, and
changes nothing.

Without --at that is the time when the first restriction to come starts. It comes from the same code
that the operator runs, from the keys, terms, pauses, tiers and policies that there are now. Whoever
changes one of these should look again.

A restriction of mode DefaultTierOnly opens and closes: what policies of its tiers deny passes, and
what they allow is for later tiers to decide. Where something closes, the policies are listed by which
the default tier denies by default, Kubernetes' own among them. No selector is evaluated for that.

You need the permission list on licensedproducts and licensekeys, and, in projectcalico.org, on tiers,
globalnetworkpolicies and networkpolicies. Without it on nodes (does one run Windows?) and on the
networkpolicies of networking.k8s.io, it says what it assumes.

With -o json or yaml the fields are:
  time             and timeReason: Asked (--at), RestrictionStarts, PauseEnds (of timeProducts), Now
  products         name, state, activeLicenseKeyName, expiryTime, graceEndTime, and
    restriction    state, reason (of the condition Restricted), inForce, askedMode, mode, modeReason,
                   effectiveTime, sinceTime, pause, sparedTiers (name, reason), tiers: those that the
                   product by itself restricts or, if inForce is false, would
  tiers            that are in fact restricted, by all products together; products are those that do
    each tier      name, mode, modeReason, defaultAction, policies (kind, namespace, name, opens,
                   closes), bypasses (kind, namespace, name, tier, reason)
  sparedNamespace  the operator's own, whose pods keep everything
  defaultDenials   namespace (absent: all), directions, apiVersion, kind, name, pods (in words)`

// example is the help of simulate: how it is used.
const example = `  # What happens if nobody renews anything, and when?
  kubectl license simulate

  # One product, at the end of its grace period
  kubectl license simulate acme-mesh --at 2028-01-31T00:00:00Z

  # Every policy that stops being applied
  kubectl license simulate -o json | jq -r \
    '.tiers[] | select(.mode == "DefaultTierOnly").policies[] | [.kind, .namespace, .name] | @tsv'`
