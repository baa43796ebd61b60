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

	"github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// assessor reads a product with its keys, verifies them, and evaluates the whole. Both reconcilers judge by it, so that they agree without either trusting what
// the other wrote.
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
	product    *v1alpha1.LicensedProduct
	terms      *token.Terms
	termsErr   error
	findings   map[string]finding
	evaluation license.Evaluation
}

// finding is what is to be said of one key.
type finding struct {
	license.Key
	// reason and message of the condition Ready; reason is empty for a key that only the product's terms keep from being judged.
	reason, message string
	// claims of a key whose signature holds, even where it is not accepted.
	claims *license.Claims
}

func (a *assessor) assess(ctx context.Context, productName string) (*assessment, error) {
	clock := a.clock.Read()
	found := &assessment{findings: map[string]finding{}}
	product := &v1alpha1.LicensedProduct{}
	switch err := a.reader.Get(ctx, types.NamespacedName{Name: productName}, product); {
	case apierrors.IsNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("reading LicensedProduct %s: %w", productName, err)
	default:
		found.product = product
		found.terms, found.termsErr = a.verifier.Terms(product)
	}
	found.time = license.Reckon(clock, found.product)

	var keys v1alpha1.LicenseKeyList
	if err := a.reader.List(ctx, &keys, client.MatchingFields{productNameIndex: productName}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the LicenseKeys of LicensedProduct %s: %w", productName, err)
	}
	judged := make([]license.Key, 0, len(keys.Items))
	for i := range keys.Items {
		f := a.judge(ctx, &keys.Items[i], found)
		found.findings[f.Name] = f
		judged = append(judged, f.Key)
	}
	if found.product != nil {
		found.evaluation = license.Evaluate(found.time, product, judged)
	}
	return found, nil
}

func (a *assessor) judge(ctx context.Context, key *v1alpha1.LicenseKey, of *assessment) finding {
	f := finding{Key: license.Key{Name: key.Name}}
	if of.product == nil {
		f.reason = v1alpha1.ReasonProductNotFound
		f.message = fmt.Sprintf("There is no LicensedProduct %q: apply the one that comes with the product, or correct spec.productName in a new LicenseKey.", key.Spec.ProductName)
		return f
	}
	jws, failure := a.readToken(ctx, key)
	if failure != nil {
		f.Unjudged = failure.reason == v1alpha1.ReasonSecretReadFailed
		f.reason, f.message = failure.reason, failure.message
		return f
	}
	if of.termsErr != nil {
		f.Unjudged = true
		return f
	}
	result := a.verifier.Verify(jws, key.Spec.Certificate, of.terms, a.clusterUID, of.time.Now)
	f.claims, f.RecheckTime = result.Claims, result.RecheckTime
	if result.Err != nil {
		f.reason, f.message = result.Err.Reason, result.Err.Message
		return f
	}
	f.Claims = result.Claims
	f.reason = v1alpha1.ReasonVerified
	f.message = fmt.Sprintf("License %q, issued to %q, verifies.", result.Claims.ID, result.Claims.Customer)
	return f
}

// readFailure says why a token could not be read from its Secret.
type readFailure struct{ reason, message string }

func (a *assessor) readToken(ctx context.Context, key *v1alpha1.LicenseKey) (string, *readFailure) {
	ref := key.Spec.TokenSecretRef
	if ref == nil {
		return key.Spec.Token, nil
	}
	var secret corev1.Secret
	name := types.NamespacedName{Namespace: a.namespace, Name: ref.Name}
	switch err := a.reader.Get(ctx, name, &secret, client.UnsafeDisableDeepCopy); {
	case apierrors.IsNotFound(err):
		return "", &readFailure{
			v1alpha1.ReasonSecretNotFound,
			fmt.Sprintf("There is no Secret %q in the operator's namespace %q: create it there, with the token under the key %q.", ref.Name, a.namespace, ref.Key),
		}
	case err != nil:
		return "", &readFailure{
			v1alpha1.ReasonSecretReadFailed,
			fmt.Sprintf("The Secret %q in namespace %q could not be read, so what was last verified stands: check the operator's Role there. The error was: %v", ref.Name, a.namespace, err),
		}
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", &readFailure{
			v1alpha1.ReasonSecretNotFound,
			fmt.Sprintf("The Secret %q in namespace %q has no key %q: add the token under it, or correct spec.tokenSecretRef.key.", ref.Name, a.namespace, ref.Key),
		}
	}
	return string(value), nil
}
