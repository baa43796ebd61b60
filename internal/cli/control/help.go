// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package control

const pauseLong = `Pause the restriction of a product for some time: one that is in force ends, and one that is
scheduled for that time does not start. Talks to the cluster.

A pause is for the cluster owner, if a renewal is late and the restriction comes at the worst time.
It starts now and lasts at most 14 days. When it is over, the restriction is in force again, unless
a license covers the product by then. A pause is not a license: it does not change the states of
keys and products, or their alerts.

It sets two annotations on the LicensedProduct, and waits for the operator. The product's
status.restriction.pause shows the reason. You need the permissions get and patch on the
LicensedProduct.`

const pauseExample = `  # Three days for the renewal to arrive
  kubectl license pause acme-mesh --for 72h --reason "Renewal is signed, key expected on Monday"

  # What would the restriction do after the pause?
  kubectl license simulate acme-mesh

  # End the pause early
  kubectl license resume acme-mesh`

const resumeLong = `End the pause of a product's restriction, and show the state of the restriction after that: in
force, if it is due. Talks to the cluster.

It removes the annotations of kubectl license pause, and waits for the operator. It does not change
a product that is not paused. You need the permissions get and patch on the LicensedProduct.`

const resumeExample = `  # What would that put into force?
  kubectl license simulate acme-mesh

  kubectl license resume acme-mesh`

const clockLong = `Make the operator trust its clock again for one product. Talks to the cluster.

Time never runs backwards for a license: the operator records a recent time in status.timeMark of
the LicensedProduct, and uses it while its own clock is behind. If the clocks were once wrong, in
the future, the mark is wrong too. When they are right again, this command sets the mark to the
present. Keys that expired only by the wrong time are valid again.

It sets an annotation on the LicensedProduct, and waits for the operator, which acts only while its
own clock and the API server's agree. You need the permissions get and patch on the LicensedProduct.`

const clockExample = `  # What does the operator say about its clock?
  kubectl get lprod acme-mesh -o jsonpath='{.status.conditions[?(@.type=="ClockSkewed")].message}'

  # Correct the clocks of the nodes first, then
  kubectl license clock reset acme-mesh`
