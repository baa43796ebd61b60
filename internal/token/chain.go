// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// maxChainCertificates bounds how many certificates a key may present.
const maxChainCertificates = 10

// chain leads from a signer to a trust anchor. The anchor need not have been presented.
type chain struct {
	certificates []*x509.Certificate
	// fingerprints has, for each certificate, the fingerprints that revoke it.
	fingerprints [][]fingerprint
}

// signerInfo is the outcome of the certificates that a token presents, under some trust anchors and at any time.
type signerInfo struct {
	// key is that of the first certificate; nil if the certificate or the key cannot be read.
	key crypto.PublicKey
	// readable is set if all certificates could be read, trusted or not.
	readable bool
	// chains lead to trust anchors. There is at least one unless err is set. There are more if one anchor issued
	// another, or two anchors have the same key.
	chains []*chain
	// err has reason UntrustedCertificate.
	err *Error
}

// presentedCertificates are the certificates of a token as text.
type presentedCertificates struct {
	// pem is spec.certificate of the LicenseKey.
	pem string
	// x5c is the header of that name: the entries are DER in base64.
	x5c []string
}

// findCertificates returns the certificates of a token. Its error has reason UntrustedCertificate.
func findCertificates(pem string, header map[string]any) (presentedCertificates, *Error) {
	found := presentedCertificates{pem: pem}
	value, isPresent := header[headerChain]
	entries, _ := value.([]any)
	switch {
	case len(pem) > MaxCertificateBytes:
		return found, untrusted(fmt.Errorf("spec.certificate is larger than %d bytes", MaxCertificateBytes))
	case !isPresent && pem == "":
		return found, untrusted(errors.New("no certificates in spec.certificate or x5c of the token"))
	case isPresent && len(entries) == 0:
		return found, untrusted(errors.New("x5c of the token is not a list of certificates"))
	case len(entries) > maxChainCertificates:
		return found, untrusted(fmt.Errorf("x5c of the token has more than %d certificates", maxChainCertificates))
	}
	for i, entry := range entries {
		encoded, ok := entry.(string)
		if !ok {
			return found, untrusted(fmt.Errorf("x5c entry %d is not a string", i+1))
		}
		found.x5c = append(found.x5c, encoded)
	}
	return found, nil
}

// signerLoader reads the presented certificates and builds all chains to trust anchors.
type signerLoader func(presentedCertificates, *anchors) *signerInfo

func loadSigner(presented presentedCertificates, anchors *anchors) *signerInfo {
	certificates, err := presented.parse()
	if err != nil {
		return &signerInfo{err: untrusted(err)}
	}
	found := &signerInfo{readable: true, key: certificates[0].PublicKey}
	if err = checkPresented(certificates, anchors); err == nil {
		found.chains, err = buildChains(certificates, anchors)
	}
	if err != nil {
		found.err = untrusted(err)
	}
	return found
}

// parse returns the certificates of the chain, at least one. If both pem and x5c are there, pem has the chain.
func (p presentedCertificates) parse() ([]*x509.Certificate, error) {
	var fromToken []*x509.Certificate
	for i, encoded := range p.x5c {
		certificate, err := parseX5C(encoded)
		if err != nil {
			return nil, fmt.Errorf("x5c entry %d %w", i+1, err)
		}
		fromToken = append(fromToken, certificate)
	}
	if p.pem == "" {
		return fromToken, nil
	}
	certificates, err := parseCertificates(p.pem, maxChainCertificates)
	if err != nil {
		return nil, fmt.Errorf("spec.certificate: %w", err)
	}
	if len(fromToken) > 0 && !sameCertificate(certificates[0], fromToken[0]) {
		return nil, fmt.Errorf("the first certificate of spec.certificate, %s, is not the first one of x5c, %s",
			describe(certificates[0]), describe(fromToken[0]))
	}
	return certificates, nil
}

// parseX5C reads an entry of x5c (RFC 7515, section 4.1.6).
func parseX5C(encoded string) (*x509.Certificate, error) {
	if strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("contains line breaks")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("is not standard base64 with padding")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("is not a certificate (%s)", printable(err))
	}
	return certificate, nil
}

// checkPresented checks what crypto/x509 does not: key sizes (before anything expensive), the encoding, the signer's
// profile and the order.
func checkPresented(certificates []*x509.Certificate, anchors *anchors) error {
	if err := checkEach(certificates); err != nil {
		return err
	}
	leaf := certificates[0]
	if _, isAnchor := anchors.originals[fingerprintOf(leaf)]; isAnchor {
		return fmt.Errorf("the signer, %s, is itself a trust anchor: a chain needs at least two certificates",
			describe(leaf))
	}
	if err := checkSignerProfile(leaf); err != nil {
		return fmt.Errorf("the signer, %s, %w", describe(leaf), err)
	}
	return checkOrder(certificates)
}

// buildChains is the path validation of crypto/x509 without time, limited to the order in which the certificates were
// presented: each chain consists of the first few of them and a trust anchor.
func buildChains(certificates []*x509.Certificate, anchors *anchors) ([]*chain, error) {
	intermediates := x509.NewCertPool()
	for _, certificate := range certificates[1:] {
		intermediates.AddCert(withoutValidity(certificate))
	}
	paths, err := withoutValidity(certificates[0]).Verify(x509.VerifyOptions{
		Roots:         anchors.pool,
		Intermediates: intermediates,
		CurrentTime:   fixedTime,
		// All certificates up to the anchor are checked: a CA for TLS servers only must not issue signers of licenses.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	if err != nil {
		return nil, explainPath(err)
	}
	var chains []*chain
	for _, path := range paths {
		// Up to the anchor, the path has to be in the order in which the certificates were presented.
		last := len(path) - 1
		if !slices.EqualFunc(path[:last], certificates[:min(last, len(certificates))], sameCertificate) {
			continue
		}
		chain, err := restore(path, certificates, anchors)
		if err != nil {
			return nil, err
		}
		chains = append(chains, chain)
	}
	if len(chains) == 0 {
		return nil, errors.New("its order does not lead to a trust anchor of the product")
	}
	return chains, nil
}

func sameCertificate(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }

// restore replaces the certificates of a path by the originals with their validity periods. An anchor is revoked only
// by its own fingerprint: it is the product's text, not the key's.
func restore(path, certificates []*x509.Certificate, anchors *anchors) (*chain, error) {
	last := len(path) - 1
	anchor := anchors.originals[fingerprintOf(path[last])]
	restored := &chain{certificates: append(slices.Clone(certificates[:last]), anchor)}
	for i, certificate := range certificates[:last] {
		fingerprints, err := fingerprintsOf(certificate, restored.certificates[i+1])
		if err != nil {
			return nil, err
		}
		restored.fingerprints = append(restored.fingerprints, fingerprints)
	}
	restored.fingerprints = append(restored.fingerprints, []fingerprint{fingerprintOf(anchor)})
	return restored, nil
}

// fixedTime is the time of path validation, and both ends of each validity period in it.
var fixedTime = time.Unix(0, 0).UTC()

// withoutValidity returns a copy of a certificate for path validation at fixedTime.
func withoutValidity(certificate *x509.Certificate) *x509.Certificate {
	copied := *certificate
	copied.NotBefore, copied.NotAfter = fixedTime, fixedTime
	return &copied
}

// explainPath translates an error of crypto/x509 into a message for users.
func explainPath(err error) error {
	var unknown x509.UnknownAuthorityError
	var unhandled x509.UnhandledCriticalExtension
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return errors.New("it does not lead to a trust anchor of the product (incomplete, altered or another vendor's)")
	case errors.As(err, &unhandled):
		return errors.New("a certificate has an unknown critical extension")
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return errors.New("a CA must not issue certificates for code signing (extended key usage)")
	case errors.As(err, &invalid) && invalid.Reason == x509.TooManyIntermediates:
		return fmt.Errorf("too many CAs below %s (path length)", describe(invalid.Cert))
	default:
		return errors.New(printable(err))
	}
}

func untrusted(err error) *Error {
	return fail(api.ReasonUntrustedCertificate, "Certificate chain not trusted: %v. "+
		"Check the product's spec.trustAnchors, or ask the vendor for another key.", err)
}
