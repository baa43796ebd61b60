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

// chain leads from a signer, which comes first, to a trust anchor, which comes last and need not have been presented.
type chain struct {
	certificates []*x509.Certificate
	// fingerprints has those under which each of the certificates may be revoked.
	fingerprints [][]fingerprint
}

// signer is what the certificates presented with a token amount to under some trust anchors, whatever the time.
type signer struct {
	// key of the first certificate; nil if there is none that can be read, or its key cannot.
	key crypto.PublicKey
	// readable: all certificates could be read, trusted or not.
	readable bool
	// chains to trust anchors: one or more, unless err is set. More than one where an anchor was issued by another, or
	// twice for the same key.
	chains []*chain
	// err has reason UntrustedCertificate.
	err *Error
}

// presentation is the certificates that come with a token, as text.
type presentation struct {
	// certificate is spec.certificate of the key: PEM.
	certificate string
	// header is x5c of the token, each entry base64 of DER; empty where the token has none.
	header []string
}

// presented finds the certificates of a token. Its error has reason UntrustedCertificate.
func presented(certificate string, header map[string]any) (presentation, *Error) {
	found := presentation{certificate: certificate}
	if len(certificate) > MaxCertificateBytes {
		return found, untrusted(fmt.Errorf("spec.certificate is larger than %d bytes", MaxCertificateBytes))
	}
	value, present := header[headerChain]
	if !present {
		if certificate == "" {
			return found,
				untrusted(errors.New("the key has no certificates, neither in spec.certificate nor in x5c of the " +
					"token's header"))
		}
		return found, nil
	}
	entries, ok := value.([]any)
	if !ok || len(entries) == 0 {
		return found, untrusted(errors.New("x5c in the token's header is not a list of certificates"))
	}
	if len(entries) > maxChainCertificates {
		return found,
			untrusted(fmt.Errorf("x5c in the token's header has more than %d certificates", maxChainCertificates))
	}
	for i, entry := range entries {
		text, ok := entry.(string)
		if !ok {
			return found, untrusted(fmt.Errorf("x5c entry %d in the token's header is not a string", i+1))
		}
		found.header = append(found.header, text)
	}
	return found, nil
}

// signerSource reads the certificates and builds every chain to a trust anchor.
type signerSource func(presentation, *anchors) *signer

func newSigner(presentation presentation, anchors *anchors) *signer {
	certificates, err := presentation.parse()
	if err != nil {
		return &signer{err: untrusted(err)}
	}
	found := &signer{readable: true, key: certificates[0].PublicKey}
	if err := checkPresented(certificates, anchors); err != nil {
		found.err = untrusted(err)
		return found
	}
	if found.chains, err = buildChains(certificates, anchors); err != nil {
		found.err = untrusted(err)
	}
	return found
}

// parse returns the certificates that are to be the chain, one or more.
func (p presentation) parse() ([]*x509.Certificate, error) {
	var fromHeader []*x509.Certificate
	for i, text := range p.header {
		certificate, err := parseHeaderEntry(text)
		if err != nil {
			return nil, fmt.Errorf("x5c entry %d in the token's header %w", i+1, err)
		}
		fromHeader = append(fromHeader, certificate)
	}
	if p.certificate == "" {
		return fromHeader, nil
	}
	certificates, err := parseCertificates(p.certificate, maxChainCertificates)
	if err != nil {
		return nil, fmt.Errorf("in spec.certificate, %w", err)
	}
	if len(fromHeader) > 0 && !bytes.Equal(certificates[0].Raw, fromHeader[0].Raw) {
		return nil,
			fmt.Errorf("the first certificate of spec.certificate, %s, is not the one in the token's header, %s",
				describe(certificates[0]), describe(fromHeader[0]))
	}
	return certificates, nil
}

// parseHeaderEntry reads one entry of x5c (RFC 7515, section 4.1.6).
func parseHeaderEntry(text string) (*x509.Certificate, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("has line breaks")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("is not base64 in the standard alphabet with padding")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("is not a certificate (%s)", printable(err))
	}
	return certificate, nil
}

// checkPresented checks what crypto/x509 does not: sizes before anything expensive, the encoding, the profile of the
// signer, and the order.
func checkPresented(certificates []*x509.Certificate, anchors *anchors) error {
	if err := checkEach(certificates); err != nil {
		return err
	}
	leaf := certificates[0]
	if _, isAnchor := anchors.originals[fingerprintOf(leaf)]; isAnchor {
		return fmt.Errorf("its signer %s is itself a trust anchor, and at least two certificates are needed",
			describe(leaf))
	}
	if err := checkSignerProfile(leaf); err != nil {
		return fmt.Errorf("its signer %s %w", describe(leaf), err)
	}
	return checkOrder(certificates)
}

// buildChains is path validation by crypto/x509 in all but time, limited to the order in which the certificates were
// presented: a chain is the first few of them and a trust anchor.
func buildChains(certificates []*x509.Certificate, anchors *anchors) ([]*chain, error) {
	intermediates := x509.NewCertPool()
	for _, certificate := range certificates[1:] {
		intermediates.AddCert(timeless(certificate))
	}
	paths, err := timeless(certificates[0]).Verify(x509.VerifyOptions{
		Roots:         anchors.pool,
		Intermediates: intermediates,
		CurrentTime:   anyTime,
		// Checked against every certificate up to the anchor: a CA for TLS servers alone cannot make a signer of
		// licenses.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	if err != nil {
		return nil, explainPath(err)
	}
	var chains []*chain
	for _, path := range paths {
		if !isPresented(path, certificates) {
			continue
		}
		chain, err := restore(path, certificates, anchors)
		if err != nil {
			return nil, err
		}
		chains = append(chains, chain)
	}
	if len(chains) == 0 {
		return nil,
			errors.New("it does not lead to a trust anchor of the product in the order in which it is presented")
	}
	return chains, nil
}

// isPresented tells whether a path to an anchor is in the order in which the certificates were presented.
func isPresented(path, certificates []*x509.Certificate) bool {
	for i, certificate := range path[:len(path)-1] {
		if !bytes.Equal(certificate.Raw, certificates[i].Raw) {
			return false
		}
	}
	return true
}

// restore replaces the timeless copies in a path by the certificates that they were made of. An anchor may be revoked
// under its own fingerprint only: it is the product's text, not the key's.
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

// anyTime lies in the validity of every timeless certificate.
var anyTime = time.Unix(0, 0).UTC()

// timeless is a copy of a certificate for path validation without its validity period.
func timeless(certificate *x509.Certificate) *x509.Certificate {
	copied := *certificate
	copied.NotBefore, copied.NotAfter = anyTime, anyTime
	return &copied
}

// explainPath puts an error of crypto/x509 into words for whoever applies a key.
func explainPath(err error) error {
	var unknown x509.UnknownAuthorityError
	var unhandled x509.UnhandledCriticalExtension
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return errors.New("it does not lead to a trust anchor of the product: it is incomplete, of another vendor, " +
			"or broken")
	case errors.As(err, &unhandled):
		return errors.New("a certificate has a critical extension that is not understood")
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return errors.New("a CA in it may not issue certificates for code signing (extended key usage)")
	case errors.As(err, &invalid) && invalid.Reason == x509.TooManyIntermediates:
		return fmt.Errorf("there are more CAs below %s than its path length allows", describe(invalid.Cert))
	default:
		return errors.New(printable(err))
	}
}

func untrusted(err error) *Error {
	return fail(api.ReasonUntrustedCertificate,
		"The key's certificate chain is not trusted: %v. Ask the vendor for a key with its complete chain, "+
			"or check that the product's spec.trustAnchors are the vendor's.", err)
}
