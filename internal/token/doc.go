// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package token signs license keys and verifies them offline. A key is a compact JWS (RFC 7515) with JWT claims (RFC
// 7519), signed with the first certificate of an X.509 chain (RFC 5280) to a trust anchor of the product. The format is
// documented for issuers in docs/token-format.md.
//
// The package is pure. It has no clock (now is a parameter), does no I/O and never follows a reference in a token. A
// key that does not verify has one reason, that of the first step that failed:
//
//	parse, algorithm, chain (ignoring time), signature, claims, certificate validity, audience, cluster, revocation
//
// The first five steps depend only on the token, its certificates and the trust anchors. A Verifier caches their
// result. The other four are comparisons, which are made each time.
package token
