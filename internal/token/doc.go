// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package token signs license keys and verifies them offline: compact JWS tokens (RFC 7515) whose payload are JWT
// claims (RFC 7519), signed by the leaf of an X.509 chain (RFC 5280) that leads to a trust anchor of the product.
// docs/token-format.md describes the format for those who issue keys.
//
// The package is pure. It has no clock (now is a parameter), does no I/O and never follows a reference in a token.
// Whatever it is given, it returns; what it refuses, it refuses with one reason, that of the first step of the
// verification that failed:
//
//	parse, algorithm, chain (ignoring time), signature, claims, nested time, audience, cluster, revocation
//
// The first five depend on nothing but the token, its certificates and the trust anchors. A Verifier remembers their
// outcome by content. The other four are comparisons, made anew each time.
package token
