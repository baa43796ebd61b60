// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

// acceptance is a key's product, and what the verified key says.
type acceptance struct {
	product *api.LicensedProduct
	claims  *license.Claims
	// clusterErr says why it is unknown whether the key is for this cluster; nil if it is.
	clusterErr error
}

// verify finds the key's product in the cluster, and verifies the key as the operator does.
func (o *options) verify(ctx context.Context, key *input) (*acceptance, error) {
	uid, uidErr := kubeclient.ClusterUID(ctx, o.client)
	if uidErr != nil && !apierrors.IsForbidden(uidErr) {
		return nil, uidErr
	}
	products, err := o.candidates(ctx, key)
	if err != nil {
		return nil, err
	}
	product, verified, err := o.choose(products, key, uid)
	if err != nil {
		return nil, err
	}
	if verified.Err != nil {
		return nil, command.ExitError(command.ExitUnverified,
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

// candidates is the key's product or, if the key does not name one, all products.
func (o *options) candidates(ctx context.Context, key *input) ([]api.LicensedProduct, error) {
	if key.ProductName != "" {
		var product api.LicensedProduct
		if err := o.client.Get(ctx, types.NamespacedName{Name: key.ProductName}, &product); err != nil {
			return nil, kubeclient.ProductError(key.ProductName, "read", "get", err)
		}
		return []api.LicensedProduct{product}, nil
	}
	var products api.LicensedProductList
	if err := o.client.List(ctx, &products); err != nil {
		return nil, kubeclient.ListError(kubeclient.Products, err)
	}
	return products.Items, nil
}

// choose verifies the key against the only product or, if there are several, against the one that accepts it.
func (o *options) choose(
	products []api.LicensedProduct, key *input, clusterUID string,
) (product *api.LicensedProduct, verified *token.Result, err error) {
	if len(products) == 1 {
		verified, err = o.verifyFor(&products[0], key, clusterUID)
		return &products[0], verified, err
	}
	var accepting, all []string
	for i := range products {
		all = append(all, products[i].Name)
		// A product with invalid terms does not accept any key.
		if result, err := o.verifyFor(&products[i], key, clusterUID); err == nil && result.Err == nil {
			product, verified = &products[i], result
			accepting = append(accepting, products[i].Name)
		}
	}
	const maxListed = 5
	switch {
	case len(all) == 0:
		return nil, nil, command.FailWithHint("Apply the LicensedProduct first that comes with the product.",
			"no LicensedProducts found in the cluster, so the key cannot be verified")
	case len(accepting) == 0:
		return nil, nil, command.ExitError(command.ExitUnverified,
			"Nothing was applied. Name the product with --product to see why.",
			"the key does not verify against any of the LicensedProducts %s", text.List(all, maxListed))
	case len(accepting) > 1:
		return nil, nil, command.UsageError(o.command, "the key is valid for several LicensedProducts, %s: name one "+
			"with --product", text.List(accepting, maxListed))
	}
	return product, verified, nil
}

// verifyFor verifies the key by the terms of a product, at the time that the operator would use for it.
func (o *options) verifyFor(product *api.LicensedProduct, key *input, clusterUID string) (*token.Result, error) {
	terms, err := assess.Terms(product, token.NewTerms)
	if terms == nil {
		return nil, command.FailWithHint("See its condition Ready: kubectl describe lprod "+product.Name,
			"LicensedProduct %s has invalid terms: %v", product.Name, err)
	}
	trusted := license.ResolveTime(license.ClockReading{Now: o.now, Agreement: license.ClocksAgree}, product)
	result := token.Verify(key.Token, key.Certificate, terms, clusterUID, trusted.Now)
	return &result, nil
}
