// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

const long = `Show what will be restricted at a time, as things are now: the state of each product, and the name
of every tier and policy that stops being applied or cannot be changed any more. Talks to the
cluster, and changes nothing.

Without --at that is the time when the next restriction starts. It runs the operator's own code on
the current keys, terms, pauses, tiers and policies. If one of these changes, run it again.

A restriction of mode DefaultTierOnly opens and closes. Opens: traffic that a policy denied goes on
to later tiers. Closes: traffic that a policy allowed goes on to later tiers, too. If a policy
closes, it lists the policies that make the default tier deny by default, including Kubernetes
NetworkPolicies. It does not evaluate their selectors.

You need the permission list on licensedproducts and licensekeys, and, in projectcalico.org, on
tiers, globalnetworkpolicies and networkpolicies. Without it on nodes (to see if one runs Windows)
and on the networkpolicies of networking.k8s.io, it says what it assumes.

With -o json or yaml the fields are:
  time             and timeReason: Asked (--at), RestrictionStarts, PauseEnds (of timeProducts), Now
  products         name, state, activeLicenseKeyName, expiryTime, graceEndTime, and
    restriction    state, reason (of the condition Restricted), inForce, askedMode, mode, modeReason,
                   effectiveTime, sinceTime, pause, sparedTiers (name, reason), tiers: those that the
                   product by itself restricts or, if inForce is false, would restrict
  tiers            that are restricted, with the result of all products together; and their products
    each tier      name, mode, modeReason, defaultAction, policies (kind, namespace, name, opens,
                   closes), bypasses (kind, namespace, name, tier, reason)
  sparedNamespace  the operator's own, whose pods are exempt
  defaultDenials   namespace (absent: all), directions, apiVersion, kind, name, pods (in words)`

const example = `  # What happens if no license is renewed, and when?
  kubectl license simulate

  # One product, at the end of its grace period
  kubectl license simulate acme-mesh --at 2028-01-31T00:00:00Z

  # Every policy that stops being applied
  kubectl license simulate -o json | jq -r \
    '.tiers[] | select(.mode == "DefaultTierOnly").policies[] | [.kind, .namespace, .name] | @tsv'`
