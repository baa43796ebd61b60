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

// productWatch tells how products are and become. API servers end every watch after a while, and forget what was: so it
// lists again each time, and shows what is different.
type productWatch struct {
	client client.WithWatch
	// product that is watched; empty: all.
	product  string
	warnings io.Writer
	// retry is how long it waits before it lists again.
	retry time.Duration
	show  productPrinter

	// known are the names of those that were there last.
	known []string
	// connected tells whether the API server has ever answered in a way that one can go on from, and complaint what was
	// wrong since the last watch.
	connected bool
	complaint string
}

// productPrinter shows products.
type productPrinter interface {
	// all shows those that there are, at first and each time that they are listed again.
	all(ctx context.Context, products []api.LicensedProduct) error
	// changed shows one that is new or different.
	changed(ctx context.Context, product *api.LicensedProduct) error
	// deleted shows one that is gone.
	deleted(name string) error
}

// outputError is one of the standard output: there is no point in going on.
type outputError struct{ error }

func (e outputError) Unwrap() error { return e.error }

// run goes on until the context ends. What does not work at the first attempt is an error; after that it tries again,
// as often as it takes.
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

// complain tells of a problem once, however often it is tried again.
func (w *productWatch) complain(err error) {
	if w.complaint == err.Error() {
		return
	}
	w.complaint = err.Error()
	term.Warnf(w.warnings, "%v; trying again", err)
}

// once lists the products, and watches them until the API server ends that.
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
		// The list was answered: what is wrong now passes, unless it is a right that is missing.
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
	return command.FailWithHint("Check the connection with: kubectl get lprod --watch", "cannot watch %s: %v",
		kubeclient.Products, err)
}

// listed shows what there is, and what is gone since the last time.
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
		return nil // The watch ends with that, and what there is now is listed again.
	}
	product, ok := event.Object.(*api.LicensedProduct)
	if !ok {
		return nil
	}
	err := w.changed(ctx, event.Type, product)
	if err != nil {
		return outputError{err}
	}
	return nil
}

func (w *productWatch) changed(ctx context.Context, what watch.EventType, product *api.LicensedProduct) error {
	w.known = slices.DeleteFunc(w.known, func(name string) bool { return name == product.Name })
	if what == watch.Deleted {
		return w.show.deleted(product.Name)
	}
	w.known = append(w.known, product.Name)
	return w.show.changed(ctx, product)
}
