// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

const caLong = `Make a vendor's root and a first signer. A vendor does this once. Works offline.

It writes these files into the folder, which is created if it is missing. Files are never
overwritten.
  ca.crt      the root's certificate, valid for 20 years: for the LicensedProduct
  ca.key      its private key: keep it offline
  signer.crt  the first signer's certificate, valid for 10 years, followed by the root's
  signer.key  its private key: it issues licenses

A license cannot end after its signer, including the grace period. Make another signer in time with
'kubectl license signer create'.`

const caExample = `  kubectl license ca create --dir acme-ca --vendor Acme`

const signerLong = `Make another signer: signer.crt, valid for 10 years but not longer than the root, and signer.key.
Works offline.

Its keys verify in each product that trusts the root: products need no change. Do this before the
current signer expires, for each team or machine that issues licenses, and if a signer.key may have
been stolen: then revoke the old signer by its fingerprint in the LicensedProduct (spec.revocations,
certificateSHA256).

Files are never overwritten.`

const signerExample = `  # With ca.crt and ca.key in acme-ca
  kubectl license signer create --ca acme-ca --out acme-signer-2`

const issueLong = `Issue a license key: a LicenseKey manifest for the customer to apply, or only the token. Works
offline.

It prints the key to the standard output, and a summary to the standard error. The key starts now or
at --not-before, and expires at --expires, or --valid-for after its start. Everything still works
until its grace period ends. It cannot end after its signer, including the grace period.

Revocations use the license ID. Without --id it is the product, the date and random characters. The
manifest's name comes from the product and the ID: a key that is issued again with the same --id
replaces the one before, other keys do not.`

const issueExample = `  # A year from now, for 100 nodes
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --valid-for 365d --nodes 100 > key.yaml

  # Through the last day of 2027 in UTC
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --expires 2027-12-31 > key.yaml

  # A renewal without a gap, which can be applied at any time before it starts
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --not-before 2028-01-01 --expires 2028-12-31 > renewal.yaml

  # Only the token, for the cluster whose namespace kube-system has this uid
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --valid-for 90d --grace 7d --feature federation --limit gateways=5 \
    --cluster 5d1f1c3a-7f0e-4c1b-9a53-0f3a9a6f2f10 -o token > license.jwt`
