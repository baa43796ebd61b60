// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inspect

const long = `Show what a license key says, whether it verifies, and its state now or at another time.
Works offline.

FILE is a LicenseKey manifest, a Secret with a token in it, a token alone, or one of these with the
changes that mail programs make: quoted, or with line breaks. Of several keys, the first one is shown.

A key is verified with the vendor's certificates: those in a LicensedProduct (--product) or in a PEM
file (--trust-anchor). Without them the key is shown without verification: anyone can have written it.

Exit codes:
  0  the key is usable: Valid, or in its GracePeriod
  1  a mistake on the command line, or a file that cannot be read
  2  FILE does not contain a readable license key
  3  the key does not verify
  4  the key is not usable at that time: NotYetValid, or Expired
  5  the key is usable, but not Valid for as long as --require-valid-for requires
Codes 0, 4 and 5 say that the key is genuine only if --product or --trust-anchor was given.

With -o json or yaml the fields are: verification (result: Verified, Failed or NotChecked; reason;
message), state, checkedTime, licenseID, customer, issuer, audience, productName (of the manifest),
issuedTime, notBeforeTime, expiryTime, graceEndTime, features, limits (name, value), clusterUIDs,
signer (subject, certificateSHA256, notBeforeTime, notAfterTime), and repaired (true if the token had
line breaks or spaces). What a key does not have is absent. The state of a key that does not verify is
Invalid.`

const example = `  # Show what the key in this manifest says, and verify it
  kubectl license inspect key.yaml --product product.yaml

  # The same, with the terms that are in the cluster now
  kubectl get lprod acme-mesh -o yaml > product.yaml
  kubectl license inspect key.yaml --product product.yaml

  # A key from the cluster
  kubectl get lk acme-mesh-2027 -o yaml | kubectl license inspect -

  # Show its state at the end of next year
  kubectl license inspect key.yaml --at 2027-12-31T23:59:59Z

  # In a pipeline: fail if the key is not genuine, or not valid for another 60 days
  kubectl license inspect key.yaml --product product.yaml --require-valid-for 60d`
