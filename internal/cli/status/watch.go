// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/term"
)

// productWatch shows products and their changes. An API server ends every watch after some time and does not keep old
// versions: so it lists the products again each time, and shows those that are different.
type productWatch struct {
	client client.WithWatch
	// product to watch; empty: all.
	product  string
	warnings io.Writer
	// retry is the time before it lists again.
	retry time.Duration
	show  productPrinter

	// known are the names of the products that existed last.
	known []string
	// connected tells whether a list or a watch has worked, and complaint is the last warning since then.
	connected bool
	complaint string
}

// productPrinter shows products.
type productPrinter interface {
	// all shows the products of a list, which is the first one or a later one.
	all(ctx context.Context, products []api.LicensedProduct) error
	// changed shows a product that is new or different.
	changed(ctx context.Context, product *api.LicensedProduct) error
	// deleted shows that a product was deleted.
	deleted(name string) error
}

// outputError is an error of the standard output, after which it does not try again.
type outputError struct{ error }

// run watches until the context ends. The first attempt must work; after that it tries again after each error.
func (w *productWatch) run(ctx context.Context) error {
	for {
		err := w.once(ctx)
		var broken outputError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &broken):
			return broken.error
		case err != nil && !w.connected:
			return err
		case err != nil:
			w.complain(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(w.retry):
		}
	}
}

// complain warns of an error, once for all attempts.
func (w *productWatch) complain(err error) {
	if w.complaint == err.Error() {
		return
	}
	w.complaint = err.Error()
	term.Warnf(w.warnings, "%v; trying again", err)
}

// once lists the products, and watches them until the API server ends the watch.
func (w *productWatch) once(ctx context.Context) error {
	var products api.LicensedProductList
	options := selectProduct(w.product)
	if err := w.client.List(ctx, &products, options...); err != nil {
		return kubeclient.ListError(kubeclient.Products, err)
	}
	if err := w.listed(ctx, products.Items); err != nil {
		return err
	}
	raw := &metav1.ListOptions{ResourceVersion: products.ResourceVersion}
	watcher, err := w.client.Watch(ctx, &api.LicensedProductList{}, append(options, &client.ListOptions{Raw: raw})...)
	if err != nil {
		// The list has worked, so this error is temporary, unless a permission is missing.
		w.connected = w.connected || !apierrors.IsForbidden(err)
		return explainWatch(err)
	}
	defer watcher.Stop()
	w.connected, w.complaint = true, ""
	for event := range watcher.ResultChan() {
		if err := w.happened(ctx, event); err != nil {
			return err
		}
	}
	return nil
}

func explainWatch(err error) error {
	if apierrors.IsForbidden(err) {
		return command.FailWithHint("Ask a cluster administrator for watch on "+kubeclient.Products+
			", or leave out --watch.", "%v", err)
	}
	return kubeclient.Explain(err, "watch "+kubeclient.Products, "", "kubectl get lprod --watch")
}

// listed shows the products, and those that were deleted since the last list.
func (w *productWatch) listed(ctx context.Context, products []api.LicensedProduct) error {
	if len(products) == 0 && !w.connected {
		if w.product != "" {
			return kubeclient.NoSuchProduct(w.product)
		}
		sayNoProducts(w.warnings)
	}
	before := w.known
	w.known = nil
	for i := range products {
		w.known = append(w.known, products[i].Name)
	}
	for _, name := range before {
		if !slices.Contains(w.known, name) {
			if err := w.show.deleted(name); err != nil {
				return outputError{err}
			}
		}
	}
	if err := w.show.all(ctx, products); err != nil {
		return outputError{err}
	}
	return nil
}

func (w *productWatch) happened(ctx context.Context, event watch.Event) error {
	if event.Type == watch.Error {
		if err := apierrors.FromObject(event.Object); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			return explainWatch(err)
		}
		return nil // That is the end of the watch, after which the products are listed again.
	}
	product, ok := event.Object.(*api.LicensedProduct)
	if !ok {
		return nil
	}
	w.known = slices.DeleteFunc(w.known, func(name string) bool { return name == product.Name })
	var err error
	if event.Type == watch.Deleted {
		err = w.show.deleted(product.Name)
	} else {
		w.known = append(w.known, product.Name)
		err = w.show.changed(ctx, product)
	}
	if err != nil {
		return outputError{err}
	}
	return nil
}
