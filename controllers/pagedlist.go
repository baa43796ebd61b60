// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
)

// pageSize is how many objects are asked for at a time: as they arrive they take a hundred times what is kept of them.
// With 500, ten thousand policies take twice the memory.
const pageSize = 100

// pagedList lists objects page by page, and of each page no more than what is kept stays until the next.
type pagedList struct {
	objects   dynamic.ResourceInterface
	selector  string
	transform func(*unstructured.Unstructured) metav1.ObjectMetaAccessor
}

// listerWatcher lists in pages, and watches. It has no list streamed: Calico's aggregated API server does not end such
// a stream (projectcalico/calico#11114), others refuse it, and pages are as small.
func (l *pagedList) listerWatcher() toolscache.ListerWatcher {
	return toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{ListWithContextFunc: l.list,
		WatchFuncWithContext: l.watch}, l)
}

// IsWatchListSemanticsUnSupported tells client-go not to ask for a streamed list.
func (*pagedList) IsWatchListSemanticsUnSupported() bool { return true }

// list asks for the latest version, whichever the options name: to any other the API server answers from its cache, all
// at once.
func (l *pagedList) list(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	options := metav1.ListOptions{LabelSelector: l.selector, Limit: pageSize}
	list := &metav1.List{}
	for {
		page, err := l.objects.List(ctx, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			list.Items = append(list.Items, runtime.RawExtension{Object: &listedObject{l.transform(&page.Items[i])}})
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			list.ResourceVersion = page.GetResourceVersion()
			return list, nil
		}
	}
}

func (l *pagedList) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.LabelSelector = l.selector
	return l.objects.Watch(ctx, options)
}

// listedObject is what is kept of an object, on its way from a list to the store.
type listedObject struct{ metav1.ObjectMetaAccessor }

// GetObjectKind implements runtime.Object.
func (*listedObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. Nobody changes what is kept.
func (o *listedObject) DeepCopyObject() runtime.Object { return o }
