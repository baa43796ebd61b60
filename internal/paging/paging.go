// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package paging has client-go's pager list with a client of controller-runtime.
package paging

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Size is how many objects are in a page, as with kubectl.
const Size = 500

// Each visits the objects of a kind, of which list is an empty list and O the type. One page is in memory, and the
// next. The reader asks the API server: a cache has no pages.
func Each[O runtime.Object](
	ctx context.Context, reader client.Reader, list client.ObjectList, visit func(O), options ...client.ListOption,
) error {
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		page := list.DeepCopyObject().(client.ObjectList)
		of := append(slices.Clone(options), client.Limit(o.Limit), client.Continue(o.Continue))
		return page, reader.List(ctx, page, of...)
	})
	pages.PageSize, pages.PageBufferSize = Size, 0
	return pages.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		visit(object.(O))
		return nil
	})
}
