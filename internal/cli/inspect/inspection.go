// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"crypto/x509"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

// Results of a verification.
const (
	verificationPassed     = "Verified"
	verificationFailed     = "Failed"
	verificationNotChecked = "NotChecked"
)

// inspection is what is known of a key. Its JSON form is an interface: fields are added, never renamed, and have
// the names of the API.
type inspection struct {
	Verification  verification        `json:"verification"`
	State         api.LicenseKeyState `json:"state"`
	CheckedTime   metav1.Time         `json:"checkedTime"`
	LicenseID     string              `json:"licenseID,omitempty"`
	Customer      string              `json:"customer,omitempty"`
	Issuer        string              `json:"issuer,omitempty"`
	Audience      []string            `json:"audience,omitempty"`
	ProductName   string              `json:"productName,omitempty"`
	IssuedTime    *metav1.Time        `json:"issuedTime,omitempty"`
	NotBeforeTime *metav1.Time        `json:"notBeforeTime,omitempty"`
	ExpiryTime    *metav1.Time        `json:"expiryTime,omitempty"`
	GraceEndTime  *metav1.Time        `json:"graceEndTime,omitempty"`
	Features      []string            `json:"features,omitempty"`
	Limits        []api.Limit         `json:"limits,omitempty"`
	ClusterUIDs   []string            `json:"clusterUIDs,omitempty"`
	Signer        *signerInfo         `json:"signer,omitempty"`
	Repaired      bool                `json:"repaired,omitempty"`

	claims *license.Claims
	now    time.Time
	// anchor is the end of the chain of a key that verifies.
	anchor *x509.Certificate
}

// verification is whether a key is genuine, and why not.
type verification struct {
	Result  string `json:"result"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// signerInfo is the certificate of the key that signed a license.
type signerInfo struct {
	Subject           string      `json:"subject"`
	CertificateSHA256 string      `json:"certificateSHA256"`
	NotBeforeTime     metav1.Time `json:"notBeforeTime"`
	NotAfterTime      metav1.Time `json:"notAfterTime"`
}

// newInspection is the inspection of a key. The result can lack claims and chain; checked is false if the key was
// decoded but not verified.
func newInspection(now time.Time, key keyfile.Key, result token.Result, checked bool) *inspection {
	claims, chain := result.Claims, result.Chain
	found := &inspection{
		CheckedTime: metav1.Time{Time: now.UTC()}, ProductName: key.ProductName, Repaired: key.Repaired,
		claims: claims, now: now,
	}
	if claims != nil {
		found.LicenseID, found.Customer, found.Issuer = claims.ID, claims.Customer, claims.Issuer
		found.Audience, found.Features, found.ClusterUIDs = claims.Audience, claims.Features, claims.ClusterUIDs
		found.Limits = license.LimitList(claims.Limits)
		found.IssuedTime = &metav1.Time{Time: claims.IssuedTime}
		found.NotBeforeTime = &metav1.Time{Time: claims.NotBefore}
		found.ExpiryTime = &metav1.Time{Time: claims.Expiry}
		found.GraceEndTime = &metav1.Time{Time: claims.GraceEnd()}
	}
	if len(chain) > 0 {
		found.Signer = &signerInfo{
			Subject: chain[0].Subject.String(), CertificateSHA256: token.CertificateSHA256(chain[0].Raw),
			NotBeforeTime: metav1.Time{Time: chain[0].NotBefore}, NotAfterTime: metav1.Time{Time: chain[0].NotAfter},
		}
	}
	switch {
	case result.Err != nil:
		found.Verification = verification{verificationFailed, result.Err.Reason, result.Err.Message}
		found.State = api.LicenseKeyInvalid
		return found
	case checked:
		found.Verification = verification{Result: verificationPassed, Reason: api.ReasonVerified}
		found.anchor = chain[len(chain)-1]
	default:
		found.Verification = verification{Result: verificationNotChecked}
	}
	found.State = claims.StateAt(now)
	return found
}

// print prints the inspection, as text or in a format for programs. All text is printable: the key can be forged.
func (i *inspection) print(out io.Writer, format string) error {
	if format != "" {
		return output.Write(out, format, i)
	}
	var t term.Table
	if i.claims != nil {
		issuer := ""
		if i.Issuer != "" {
			issuer = " by " + text.Printable(i.Issuer)
		}
		t.Add("License ID:", text.Printable(i.LicenseID))
		t.Add("Customer:", text.Printable(i.Customer))
		t.Add("Product:", i.productText())
		t.Add("Issued:", text.Time(i.IssuedTime.Time)+issuer)
		t.Add("Begins:", text.TimeAway(i.now, i.NotBeforeTime.Time))
		t.Add("Expires:", text.TimeAway(i.now, i.ExpiryTime.Time))
		t.Add("Grace ends:", text.TimeAway(i.now, i.GraceEndTime.Time))
		t.Add("Features:", text.PrintableList(i.Features, "none"))
		t.Add("Limits:", overview.LimitsText(i.Limits))
		t.Add("Clusters:", text.PrintableList(i.ClusterUIDs, "any"))
	}
	if i.Signer != nil {
		t.Add("Signer:", text.Printable(i.Signer.Subject))
		t.Add("", "SHA-256 "+i.Signer.CertificateSHA256)
		t.Add("", fmt.Sprintf("valid from %s to %s", text.Time(i.Signer.NotBeforeTime.Time),
			text.Time(i.Signer.NotAfterTime.Time)))
	}
	state := string(i.State) + " at " + text.Time(i.now)
	switch i.Verification.Result {
	case verificationPassed:
		t.Add("Verified:", "yes, by "+text.Printable(i.anchor.Subject.String()))
	case verificationFailed:
		t.Add("Verified:", "no: "+i.Verification.Reason)
	default:
		t.Add("Verified:", "not checked: anyone can have written this; give --product or --trust-anchor")
		state += ", if it is genuine"
	}
	t.Add("State:", state)
	return t.Write(out)
}

// productText is the product that the key was issued for, and the manifest's product if that has another name.
func (i *inspection) productText() string {
	words := text.PrintableList(i.Audience, "")
	if i.ProductName != "" && (len(i.Audience) != 1 || i.Audience[0] != i.ProductName) {
		words += fmt.Sprintf(" (the manifest's product: %s)", text.Printable(i.ProductName))
	}
	return words
}
