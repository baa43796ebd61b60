// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// Terms and time are those that the operator uses.
func TestVerifyFor(t *testing.T) {
	authority, err := token.NewAuthority("Acme", clitest.Present.AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.NewSigner("Acme signer", clitest.Present.AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(licensed("L-1", 0, 0, 365, 100))
	if err != nil {
		t.Fatal(err)
	}
	anchors := string(authority.CertificatePEM())
	broken := func(product *api.LicensedProduct) { product.Spec.TrustAnchors = "an editing mistake" }
	for name, test := range map[string]struct {
		now    time.Time
		change func(product *api.LicensedProduct)
		// want is the reason of the failure; unusable means that the terms are invalid.
		want     string
		unusable bool
	}{
		"valid":                {now: clitest.Present, change: func(*api.LicensedProduct) {}},
		"trust anchors broken": {now: clitest.Present, change: broken, unusable: true},
		"trust anchors broken, with earlier ones": {now: clitest.Present, change: func(product *api.LicensedProduct) {
			broken(product)
			product.Status.TrustAnchors = anchors
		}},
		"trust anchors broken, and revoked": {
			now: clitest.Present, want: api.ReasonLicenseRevoked,
			change: func(product *api.LicensedProduct) {
				broken(product)
				product.Status.TrustAnchors, product.Spec.Revocations = anchors, []api.Revocation{{LicenseID: "L-1"}}
			},
		},
		"a clock that is behind": {
			now: clitest.Present.AddDate(0, 0, -1), change: func(*api.LicensedProduct) {},
			want: api.ReasonClaimsInvalid,
		},
		"a clock that is behind the time mark": {
			now: clitest.Present.AddDate(0, 0, -1),
			change: func(product *api.LicensedProduct) {
				product.Status.TimeMark = license.Instant(clitest.Present)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			product := &api.LicensedProduct{
				ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"},
				Spec:       api.LicensedProductSpec{TrustAnchors: anchors},
			}
			test.change(product)
			o := &options{now: test.now}
			result, err := o.verifyFor(product, &input{Key: keyfile.Key{Token: signed}}, "")
			if (err != nil) != test.unusable {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			reason := ""
			if result.Err != nil {
				reason = result.Err.Reason
			}
			if reason != test.want {
				t.Errorf("got %q, want %q", reason, test.want)
			}
		})
	}
}
