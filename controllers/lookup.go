// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// Indexes of LicenseKeys in the cache.
const (
	productNameIndex = "spec.productName"
	secretNameIndex  = "spec.tokenSecretRef.name"
)

func indexKeys(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &api.LicenseKey{}, productNameIndex, func(o client.Object) []string {
		return []string{o.(*api.LicenseKey).Spec.ProductName}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &api.LicenseKey{}, secretNameIndex, func(o client.Object) []string {
		if ref := o.(*api.LicenseKey).Spec.TokenSecretRef; ref != nil {
			return []string{ref.Name}
		}
		return nil
	})
}

// lookup finds in the cache what an object concerns.
type lookup struct{ reader client.Reader }

func productOfKey(_ context.Context, o client.Object) []ctrl.Request {
	return []ctrl.Request{reconcile.Request(o.(*api.LicenseKey).Spec.ProductName)}
}

func (l lookup) siblings(ctx context.Context, o client.Object) []ctrl.Request {
	return requests(l.keys(ctx, client.MatchingFields{productNameIndex: o.(*api.LicenseKey).Spec.ProductName}))
}

func (l lookup) keysOfProduct(ctx context.Context, o client.Object) []ctrl.Request {
	return requests(l.keys(ctx, client.MatchingFields{productNameIndex: o.GetName()}))
}

// keysOfSecret are the keys of every product that has a key whose token is in the Secret: which of a product's keys is
// active may depend on it.
func (l lookup) keysOfSecret(ctx context.Context, o client.Object) []ctrl.Request {
	var all []ctrl.Request
	for _, product := range l.productsOfSecret(ctx, o) {
		all = append(all, requests(l.keys(ctx, client.MatchingFields{productNameIndex: product.Name}))...)
	}
	return all
}

func (l lookup) productsOfSecret(ctx context.Context, o client.Object) []ctrl.Request {
	names := map[string]struct{}{}
	for _, key := range l.keys(ctx, client.MatchingFields{secretNameIndex: o.GetName()}) {
		names[key.Spec.ProductName] = struct{}{}
	}
	var products []ctrl.Request
	for name := range names {
		products = append(products, reconcile.Request(name))
	}
	return products
}

func (l lookup) everyKey(ctx context.Context, _ client.Object) []ctrl.Request {
	return requests(l.keys(ctx))
}

func (l lookup) everyProduct(ctx context.Context, _ client.Object) []ctrl.Request {
	var products api.LicensedProductList
	if err := l.reader.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "Failed to list LicensedProducts in the cache")
		return nil
	}
	all := make([]ctrl.Request, 0, len(products.Items))
	for i := range products.Items {
		all = append(all, reconcile.Request(products.Items[i].Name))
	}
	return all
}

func (l lookup) keys(ctx context.Context, options ...client.ListOption) []api.LicenseKey {
	var keys api.LicenseKeyList
	if err := l.reader.List(ctx, &keys, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		logf.FromContext(ctx).Error(err, "Failed to list LicenseKeys in the cache")
		return nil
	}
	return keys.Items
}

func requests(keys []api.LicenseKey) []ctrl.Request {
	all := make([]ctrl.Request, 0, len(keys))
	for i := range keys {
		all = append(all, reconcile.Request(keys[i].Name))
	}
	return all
}
