// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
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

// reader reads products with their keys from the cache.
type reader struct {
	client.Reader
	// namespace is the operator's own, the only one in which it reads Secrets.
	namespace string
}

// keys are those that ask for the product of that name, with their tokens.
func (r reader) keys(ctx context.Context, product string) ([]assess.Key, error) {
	var list api.LicenseKeyList
	err := r.List(ctx, &list, client.MatchingFields{productNameIndex: product}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the LicenseKeys of LicensedProduct %s: %w", product, err)
	}
	keys := make([]assess.Key, 0, len(list.Items))
	for i := range list.Items {
		key, err := r.withToken(ctx, &list.Items[i])
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// withToken reads the token of a key. It fails if the cache cannot be read; a Secret that is missing is not an error.
func (r reader) withToken(ctx context.Context, key *api.LicenseKey) (assess.Key, error) {
	read := assess.Key{LicenseKey: key, Token: key.Spec.Token}
	ref := key.Spec.TokenSecretRef
	if ref == nil {
		return read, nil
	}
	var secret corev1.Secret
	name := types.NamespacedName{Namespace: r.namespace, Name: ref.Name}
	switch err := r.Get(ctx, name, &secret, client.UnsafeDisableDeepCopy); {
	case apierrors.IsNotFound(err):
		read.Missing = fmt.Sprintf("Secret %q not found in the operator's namespace %q. Create it with the token "+
			"under the key %q.", ref.Name, r.namespace, ref.Key)
		return read, nil
	case err != nil:
		return read, fmt.Errorf("reading Secret %s in namespace %s: %w", ref.Name, r.namespace, err)
	}
	if value, ok := secret.Data[ref.Key]; ok {
		read.Token, read.SecretVersion = string(value), string(secret.UID)+"/"+secret.ResourceVersion
	} else {
		read.Missing = fmt.Sprintf("Secret %q in namespace %q has no key %q. Add the token under that key, or correct "+
			"spec.tokenSecretRef.key.", ref.Name, r.namespace, ref.Key)
	}
	return read, nil
}

// productOfKey maps a key to the product that it asks for, whether there is one or not.
func productOfKey(_ context.Context, o client.Object) []ctrl.Request {
	return []ctrl.Request{reconcile.Request(o.(*api.LicenseKey).Spec.ProductName)}
}

// productsOfSecret maps a Secret to the products that have a key whose token is in it.
func (r reader) productsOfSecret(ctx context.Context, o client.Object) []ctrl.Request {
	return r.productsOfKeys(ctx, client.MatchingFields{secretNameIndex: o.GetName()})
}

// everyProduct maps anything to all products, including those that only keys name.
func (r reader) everyProduct(ctx context.Context, _ client.Object) []ctrl.Request {
	all := r.productsOfKeys(ctx)
	var products api.LicensedProductList
	if err := r.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "Failed to list LicensedProducts in the cache")
	}
	for i := range products.Items {
		all = append(all, reconcile.Request(products.Items[i].Name))
	}
	return all
}

func (r reader) productsOfKeys(ctx context.Context, options ...client.ListOption) []ctrl.Request {
	var keys api.LicenseKeyList
	if err := r.List(ctx, &keys, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		logf.FromContext(ctx).Error(err, "Failed to list LicenseKeys in the cache")
		return nil
	}
	products := make([]ctrl.Request, len(keys.Items)) // the queue ignores duplicates
	for i := range keys.Items {
		products[i] = reconcile.Request(keys.Items[i].Spec.ProductName)
	}
	return products
}
