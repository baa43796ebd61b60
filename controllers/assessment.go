// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// assessor reads a product with its keys, verifies them, and evaluates the whole. Both reconcilers judge by it, so that
// they agree without either trusting what the other wrote.
type assessor struct {
	reader     client.Reader
	clock      *clock.Clock
	verifier   *token.Verifier
	namespace  string
	clusterUID string
}

// assessment is what one look at a product and its keys has found.
type assessment struct {
	// time that counts: by the product's reckoning, where there is a product.
	time license.Reckoning
	// product is nil where there is none of that name, and evaluation is then empty.
	product *api.LicensedProduct
	// terms are nil where the trust anchors cannot be used and never could; termsErr says why the present ones cannot.
	terms      *token.Terms
	termsErr   error
	findings   map[string]finding
	evaluation license.Evaluation
}

// finding is what is to be said of one key.
type finding struct {
	license.Key
	// reason and message of the condition Ready.
	reason, message string
	// shown are the claims of a key whose signature holds, even where it is not accepted.
	shown *license.Claims
}

func (a *assessor) assess(ctx context.Context, productName string) (*assessment, error) {
	reading := a.clock.Read()
	found := &assessment{findings: map[string]finding{}}
	product := &api.LicensedProduct{}
	switch err := a.reader.Get(ctx, types.NamespacedName{Name: productName}, product); {
	case apierrors.IsNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("reading LicensedProduct %s: %w", productName, err)
	default:
		found.product = product
		found.terms, found.termsErr = a.terms(product)
	}
	found.time = license.Reckon(reading, found.product)

	var keys api.LicenseKeyList
	if err := a.reader.List(ctx, &keys, client.MatchingFields{productNameIndex: productName},
		client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the LicenseKeys of LicensedProduct %s: %w", productName, err)
	}
	judged := make([]license.Key, 0, len(keys.Items))
	for i := range keys.Items {
		f, err := a.judge(ctx, &keys.Items[i], found)
		if err != nil {
			return nil, err
		}
		found.findings[f.Name] = f
		judged = append(judged, f.Key)
	}
	if found.product != nil {
		found.evaluation = license.Evaluate(found.time, product, judged)
	}
	return found, nil
}

// isRenewed tells whether the product stays covered beyond the grace period of the active key.
func (found *assessment) isRenewed() bool {
	e := &found.evaluation
	return license.Usable(e.State) && e.CoverageEnd.After(e.GraceEnd)
}

// terms are those of a product. Where its trust anchors cannot be used, and err says why, they are the last that could
// be: a slip of an editor takes nobody's license away, and lets a renewal in. Its revocations always count.
func (a *assessor) terms(product *api.LicensedProduct) (terms *token.Terms, err error) {
	terms, err = a.verifier.Terms(product)
	if err == nil || product.Status.TrustAnchors == "" {
		return terms, err
	}
	before := product.DeepCopy()
	before.Spec.TrustAnchors = product.Status.TrustAnchors
	if terms, errBefore := a.verifier.Terms(before); errBefore == nil {
		return terms, err
	}
	return nil, err
}

// judge finds out what is to be said of one key. Its error is that of a read which told nothing: what was said before
// stands.
func (a *assessor) judge(ctx context.Context, key *api.LicenseKey, of *assessment) (finding, error) {
	f := finding{Key: license.Key{Name: key.Name}}
	if of.product == nil {
		f.reason = api.ReasonProductNotFound
		f.message = fmt.Sprintf("There is no LicensedProduct %q: apply the one that comes with the product, or "+
			"correct spec.productName in a new LicenseKey.", key.Spec.ProductName)
		return f, nil
	}
	jws, missing, err := a.readToken(ctx, key)
	if err != nil {
		return f, err
	}
	switch {
	case missing != "":
		f.reason, f.message = api.ReasonSecretNotFound, missing
		return f, nil
	case of.terms == nil:
		f.reason = api.ReasonUntrustedCertificate
		f.message = fmt.Sprintf("The trust anchors of LicensedProduct %q cannot be used: mend spec.trustAnchors as "+
			"the product's condition Ready says.", of.product.Name)
		return f, nil
	}
	f.settle(a.verifier.Verify(jws, key.Spec.Certificate, of.terms, a.clusterUID, of.time.Now))
	return f, nil
}

func (f *finding) settle(result token.Result) {
	f.shown, f.RecheckTime = result.Claims, result.RecheckTime
	if result.Err != nil {
		f.reason, f.message = result.Err.Reason, result.Err.Message
		return
	}
	f.Claims = result.Claims
	f.reason = api.ReasonVerified
	f.message = fmt.Sprintf("License %q, issued to %q, verifies.", result.Claims.ID, result.Claims.Customer)
}

// readToken reads the token of a key, or tells what is missing.
func (a *assessor) readToken(ctx context.Context, key *api.LicenseKey) (jws, missing string, err error) {
	ref := key.Spec.TokenSecretRef
	if ref == nil {
		return key.Spec.Token, "", nil
	}
	var secret corev1.Secret
	switch err := a.reader.Get(ctx, types.NamespacedName{Namespace: a.namespace, Name: ref.Name}, &secret,
		client.UnsafeDisableDeepCopy); {
	case apierrors.IsNotFound(err):
		return "", fmt.Sprintf("There is no Secret %q in the operator's namespace %q: create it there, with the "+
			"token under the key %q.", ref.Name, a.namespace, ref.Key), nil
	case err != nil:
		return "", "", fmt.Errorf("reading Secret %s in namespace %s: %w", ref.Name, a.namespace, err)
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", fmt.Sprintf("The Secret %q in namespace %q has no key %q: add the token under it, or correct "+
			"spec.tokenSecretRef.key.", ref.Name, a.namespace, ref.Key), nil
	}
	return string(value), "", nil
}
