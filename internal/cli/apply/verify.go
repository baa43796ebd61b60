// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

// acceptance is a key's product, and what the key says, having been verified against it.
type acceptance struct {
	product *api.LicensedProduct
	claims  *license.Claims
	// clusterErr is why nobody knows whether the key is for this cluster; nil: it is.
	clusterErr error
}

// verify finds the key's product in the cluster, and verifies the key as the operator will.
func (o *options) verify(ctx context.Context, key *input) (*acceptance, error) {
	uid, uidErr := kubeclient.ClusterUID(ctx, o.client)
	if uidErr != nil && !apierrors.IsForbidden(uidErr) {
		return nil, uidErr
	}
	product, verified, err := o.examine(ctx, key, uid)
	if err != nil {
		return nil, err
	}
	if verified.Err != nil {
		return nil,
			command.ExitError(command.ExitUnverified,
				"Nothing was applied. See what the key says: kubectl license inspect "+text.ShellQuote(o.File),
				"the key does not verify against LicensedProduct %s: %s. %s", product.Name, verified.Err.Reason,
				verified.Err.Message)
	}
	accepted := &acceptance{product: product, claims: verified.Claims}
	if len(verified.Claims.ClusterUIDs) > 0 {
		accepted.clusterErr = uidErr
	}
	return accepted, nil
}

// examine verifies the key against its product or, where nobody says which that is, finds the one that accepts it.
func (o *options) examine(
	ctx context.Context, key *input, clusterUID string,
) (*api.LicensedProduct, *token.Result, error) {
	if key.ProductName != "" {
		product := &api.LicensedProduct{}
		if err := o.client.Get(ctx, types.NamespacedName{Name: key.ProductName}, product); err != nil {
			return nil, nil, kubeclient.ProductError(key.ProductName, "read", "get", err)
		}
		verified, err := o.verifyFor(product, key, clusterUID)
		return product, verified, err
	}
	var products api.LicensedProductList
	if err := o.client.List(ctx, &products); err != nil {
		return nil, nil, kubeclient.ListError(kubeclient.Products, err)
	}
	if len(products.Items) == 1 {
		verified, err := o.verifyFor(&products.Items[0], key, clusterUID)
		return &products.Items[0], verified, err
	}
	return o.search(products.Items, key, clusterUID)
}

// search finds the one product among several that a key is for: that which accepts it.
func (o *options) search(
	products []api.LicensedProduct, key *input, clusterUID string,
) (*api.LicensedProduct, *token.Result, error) {
	var product *api.LicensedProduct
	var verified *token.Result
	var accepting, all []string
	for i := range products {
		all = append(all, products[i].Name)
		// Terms that cannot be used accept nothing.
		if result, err := o.verifyFor(&products[i], key, clusterUID); err == nil && result.Err == nil {
			product, verified = &products[i], result
			accepting = append(accepting, products[i].Name)
		}
	}
	const few = 5
	const name = "Name the product with --product to see why."
	switch {
	case len(all) == 0:
		return nil, nil,
			command.FailWithHint("Apply the LicensedProduct first that comes with the product.",
				"no LicensedProducts found in the cluster, so the key cannot be verified")
	case len(accepting) == 0:
		return nil, nil,
			command.ExitError(command.ExitUnverified, "Nothing was applied. "+name,
				"the key does not verify against any of the LicensedProducts %s", text.List(all, few))
	case len(accepting) > 1:
		return nil, nil,
			command.UsageError(o.command, "the key is valid for several LicensedProducts, %s: name one with --product",
				text.List(accepting, few))
	}
	return product, verified, nil
}

// verifyFor verifies the key by the terms of a product, at the time that counts for it.
func (o *options) verifyFor(
	product *api.LicensedProduct, key *input, clusterUID string,
) (*token.Result, error) {
	terms, err := termsOf(product)
	if err != nil {
		return nil,
			command.FailWithHint("See its condition Ready: kubectl describe lprod "+product.Name,
				"LicensedProduct %s has invalid terms: %v", product.Name, err)
	}
	trusted := license.ResolveTime(license.ClockReading{Now: o.now, Agreement: license.ClocksAgree}, product)
	result := token.Verify(key.Token, key.Certificate, terms, clusterUID, trusted.Now)
	return &result, nil
}

// termsOf are those of a product. Where its trust anchors cannot be used, those that last could be count, as with the
// operator.
func termsOf(product *api.LicensedProduct) (*token.Terms, error) {
	terms, err := token.NewTerms(product)
	if err == nil || product.Status.TrustAnchors == "" {
		return terms, err
	}
	before := product.DeepCopy()
	before.Spec.TrustAnchors = product.Status.TrustAnchors
	if terms, errBefore := token.NewTerms(before); errBefore == nil {
		return terms, nil
	}
	return nil, err
}
