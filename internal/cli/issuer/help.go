// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

// caLong is the help of ca create.
const caLong = `Make a vendor's root and a first signer. A vendor does this once. Works offline.

These files are written into the folder, which is made where it is missing. Nothing is ever
overwritten.
  ca.crt      the root's certificate, valid for 20 years: it goes into the LicensedProduct
  ca.key      its private key: keep it offline
  signer.crt  the first signer's certificate, valid for 10 years, followed by the root's
  signer.key  its private key: it issues licenses

A license cannot outlive its signer, its grace period included. Make another signer in good time
with 'kubectl license signer create'.`

// caExample is the help of ca create: how it is used.
const caExample = `  kubectl license ca create --dir acme-ca --vendor Acme`

// signerLong is the help of signer create.
const signerLong = `Make another signer: signer.crt, valid for 10 years but not longer than the root, and signer.key.
Works offline.

Keys that it issues verify wherever the root is trusted; no product has to be changed. Do this
before the present signer comes to its end, for each team or machine that issues licenses, and when
a signer.key may have been stolen: then revoke the old signer by its fingerprint in the
LicensedProduct (spec.revocations, certificateSHA256).

Nothing is ever overwritten.`

// signerExample is the help of signer create: how it is used.
const signerExample = `  # With ca.crt and ca.key at hand
  kubectl license signer create --ca acme-ca --out acme-signer-2`

// issueLong is the help of issue.
const issueLong = `Issue a license key: a LicenseKey manifest for the customer to apply, or the bare token.
Works offline.

The key goes to the standard output, and what it says to the standard error. It is issued as of now.
It begins now or at --not-before, expires at --expires or --valid-for after its begin, and
everything goes on working until its grace period is over. It cannot outlive its signer, the grace
period included.

The license ID is what a revocation names. Without --id it is the product, the date and something
random. The manifest's name comes from the product and the ID: a key issued again with the same --id
takes the place of the one before, any other key stands beside it.`

// issueExample is the help of issue: how it is used.
const issueExample = `  # A year from now, for 100 nodes
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --valid-for 365d --nodes 100 > key.yaml

  # Through the last day of 2027 in UTC
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --expires 2027-12-31 > key.yaml

  # A renewal that follows on without a gap, to be applied at any time before
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --not-before 2028-01-01 --expires 2028-12-31 > renewal.yaml

  # The token alone, for the cluster whose namespace kube-system has this uid
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --valid-for 90d --grace 7d --feature federation --limit gateways=5 \
    --cluster 5d1f1c3a-7f0e-4c1b-9a53-0f3a9a6f2f10 -o token > license.jwt`
