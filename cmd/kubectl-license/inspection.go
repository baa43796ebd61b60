// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// Results of a verification.
const (
	verificationPassed     = "Verified"
	verificationFailed     = "Failed"
	verificationNotChecked = "NotChecked"
)

// inspection is what is known of a key. Its JSON form is an interface: fields are added, never renamed. Where the API
// has the same thing, it has the same name.
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

// signerInfo is the certificate whose key signed a license.
type signerInfo struct {
	Subject           string      `json:"subject"`
	CertificateSHA256 string      `json:"certificateSHA256"`
	NotBeforeTime     metav1.Time `json:"notBeforeTime"`
	NotAfterTime      metav1.Time `json:"notAfterTime"`
}

// newInspection puts together what was found. claims and chain may be nil; failure is why the key does not verify, and
// nil where it does or nothing was checked.
func newInspection(
	now time.Time, key presentedKey, claims *license.Claims, chain []*x509.Certificate, failure *token.Error,
	checked bool,
) *inspection {
	found := &inspection{CheckedTime: metav1.Time{Time: now.UTC()}, ProductName: key.productName,
		Repaired: key.repaired, claims: claims, now: now}
	found.addClaims(claims)
	found.addSigner(chain)
	switch {
	case failure != nil:
		found.Verification = verification{Result: verificationFailed, Reason: failure.Reason, Message: failure.Message}
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

func (i *inspection) addClaims(claims *license.Claims) {
	if claims == nil {
		return
	}
	i.LicenseID, i.Customer, i.Issuer = claims.ID, claims.Customer, claims.Issuer
	i.Audience, i.Features, i.ClusterUIDs = claims.Audience, claims.Features, claims.ClusterUIDs
	i.Limits = license.LimitList(claims.Limits)
	i.IssuedTime = &metav1.Time{Time: claims.IssuedTime}
	i.NotBeforeTime = &metav1.Time{Time: claims.NotBefore}
	i.ExpiryTime = &metav1.Time{Time: claims.Expiry}
	i.GraceEndTime = &metav1.Time{Time: claims.GraceEnd()}
}

func (i *inspection) addSigner(chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	i.Signer = &signerInfo{
		Subject:           chain[0].Subject.String(),
		CertificateSHA256: token.CertificateSHA256(chain[0].Raw),
		NotBeforeTime:     metav1.Time{Time: chain[0].NotBefore},
		NotAfterTime:      metav1.Time{Time: chain[0].NotAfter},
	}
}

func (i *inspection) print(out io.Writer, format string) error {
	if format == "" {
		return i.table().write(out)
	}
	return writeEncoded(out, format, i)
}

// table is the inspection for humans. It comes without a single character that the vendor, or whoever forged the key,
// could play tricks with on a terminal.
func (i *inspection) table() *table {
	t := &table{}
	if i.claims != nil {
		i.addLicense(t)
	}
	if i.Signer != nil {
		t.add("Signer:", printable(i.Signer.Subject))
		t.add("", "SHA-256 "+i.Signer.CertificateSHA256)
		t.add("", fmt.Sprintf("valid from %s to %s", formatInstant(i.Signer.NotBeforeTime.Time),
			formatInstant(i.Signer.NotAfterTime.Time)))
	}
	i.addVerification(t)
	t.add("State:", i.stateText())
	return t
}

func (i *inspection) addLicense(t *table) {
	t.add("License ID:", printable(i.LicenseID))
	t.add("Customer:", printable(i.Customer))
	t.add("Product:", i.productText())
	t.add("Issued:", formatInstant(i.IssuedTime.Time)+i.issuerText())
	t.add("Begins:", withDistance(i.now, i.NotBeforeTime.Time))
	t.add("Expires:", withDistance(i.now, i.ExpiryTime.Time))
	t.add("Grace ends:", withDistance(i.now, i.GraceEndTime.Time))
	t.add("Features:", printableList(i.Features, "none"))
	t.add("Limits:", limitsText(i.Limits))
	t.add("Clusters:", printableList(i.ClusterUIDs, "any"))
}

// productText is what the key was issued for, and the manifest's product where that has another name.
func (i *inspection) productText() string {
	text := printableList(i.Audience, "")
	if i.ProductName != "" && (len(i.Audience) != 1 || i.Audience[0] != i.ProductName) {
		text += fmt.Sprintf(" (the manifest's product: %s)", printable(i.ProductName))
	}
	return text
}

func (i *inspection) issuerText() string {
	if i.Issuer == "" {
		return ""
	}
	return " by " + printable(i.Issuer)
}

func limitsText(limits []api.Limit) string {
	texts := make([]string, len(limits))
	for i, limit := range limits {
		texts[i] = namedAmount(limit.Name, limit.Value)
	}
	return printableList(texts, "none")
}

func (i *inspection) addVerification(t *table) {
	switch i.Verification.Result {
	case verificationPassed:
		t.add("Verified:", "yes, by "+printable(i.anchor.Subject.String()))
	case verificationFailed:
		t.add("Verified:", "no: "+i.Verification.Reason)
	default:
		t.add("Verified:", "not checked: anyone can have written this; give --product or --trust-anchor")
	}
}

func (i *inspection) stateText() string {
	text := string(i.State) + " at " + formatInstant(i.now)
	if i.Verification.Result == verificationNotChecked {
		text += ", if it is genuine"
	}
	return text
}
