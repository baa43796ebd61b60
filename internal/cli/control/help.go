// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package control

// pauseLong is the help of pause.
const pauseLong = `Put the restriction of a product off for a while: one that is in force is lifted, one that would
come meanwhile does not. Talks to the cluster.

A pause is for the cluster owner, for the day when a renewal is late and the restriction comes at the
worst time. It begins now and lasts 14 days at most. When it is over the restriction is in force by
itself, unless a license covers the product by then. It is no license: keys and products have the
states that they have without it, and alerts go on.

It sets two annotations on the LicensedProduct, and waits until the operator has taken them up. The
product's status says who waits for what: status.restriction.pause has the reason. You need the
permissions get and patch on the LicensedProduct.`

// pauseExample is the help of pause: how it is used.
const pauseExample = `  # Three days for the renewal to arrive
  kubectl license pause acme-mesh --for 72h --reason "Renewal is signed, key expected on Monday"

  # What would the restriction do once the pause is over?
  kubectl license simulate acme-mesh

  # End the pause early
  kubectl license resume acme-mesh`

// resumeLong is the help of resume.
const resumeLong = `End the pause of a product's restriction, and show how the restriction stands then: in force, if it
is due. Talks to the cluster.

It removes the annotations that pause has set, and waits until the operator has seen that. A product
that is not paused is left as it is. You need the permissions get and patch on the LicensedProduct.`

// resumeExample is the help of resume: how it is used.
const resumeExample = `  # What would that put into force?
  kubectl license simulate acme-mesh

  kubectl license resume acme-mesh`

// clockLong is the help of clock reset.
const clockLong = `Make the operator believe its clock again for one product. Talks to the cluster.

Time never runs backwards for a license: the operator records a recent time in status.timeMark of the
LicensedProduct, and takes that for the time while its own clock is behind. If the clocks were once
set wrong, into the future, the mark is wrong too. Once they are right, this command puts the mark
back to the present. Keys that expired only by the wrong time are in force again.

It sets an annotation on the LicensedProduct, and waits until the operator has acted upon it. The
operator does so only while its own clock and the API server's agree. You need the permissions get
and patch on the LicensedProduct.`

// clockExample is the help of clock reset: how it is used.
const clockExample = `  # What does the operator say about its clock?
  kubectl get lprod acme-mesh -o jsonpath='{.status.conditions[?(@.type=="ClockSkewed")].message}'

  # Correct the clocks of the nodes first, then
  kubectl license clock reset acme-mesh`
