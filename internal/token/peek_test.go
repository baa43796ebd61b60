// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"crypto/x509"
	"reflect"
	"testing"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

func TestPeekUnverified(t *testing.T) {
	w := newWorld(t)
	token := w.token(t)
	bare := sealed(t, w.signer.key, toJSON(t, w.header().plus(members{"x5c": absent})), toJSON(t, w.payload()))
	for name, test := range map[string]struct {
		token, certificate string
		claims             *license.Claims
		chain              []*x509.Certificate
		reason             string
	}{
		"good":            {token: token, claims: w.claims(), chain: chainOf(w.signer)},
		"wrong signature": {token: token[:len(token)-4] + "AAAA", claims: w.claims(), chain: chainOf(w.signer)},
		"chain beside it": {
			token: bare, certificate: pemOf(w.signer.certificate), claims: w.claims(),
			chain: chainOf(w.signer)[:1],
		},
		"no chain":           {token: bare, claims: w.claims()},
		"chain not readable": {token: bare, certificate: "?", claims: w.claims()},
		"not a token":        {token: "hunter2", reason: api.ReasonTokenMalformed},
		"claims out of bounds": {
			token: sealed(t, w.signer.key, toJSON(t, w.header()), "{}"), chain: chainOf(w.signer),
			reason: api.ReasonClaimsInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			claims, chain, failure := PeekUnverified(test.token, test.certificate)
			reason := ""
			if failure != nil {
				reason = failure.Reason
			}
			if !reflect.DeepEqual(claims, test.claims) || !reflect.DeepEqual(chain, test.chain) ||
				reason != test.reason {
				t.Errorf("got %+v, %v, %v", claims, chain, failure)
			}
		})
	}
}
