// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package optional

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
)

// pageSize is how many objects are requested at a time: as they arrive they take a hundred times the memory of what is
// kept of them. With 500, ten thousand policies take twice the memory.
const pageSize = 100

// pagedList lists objects page by page, and keeps of each page only what Transform returns.
type pagedList struct {
	objects   dynamic.ResourceInterface
	selector  string
	transform func(*unstructured.Unstructured) metav1.ObjectMetaAccessor
	// watching is called when a watch begins.
	watching func()
}

// listerWatcher lists in pages, and watches. It does not stream lists: Calico's aggregated API server does not end such
// a stream (projectcalico/calico#11114), others refuse it, and pages are as small.
func (l *pagedList) listerWatcher() toolscache.ListerWatcher {
	return toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{
		ListWithContextFunc: l.list, WatchFuncWithContext: l.watch,
	}, l)
}

// IsWatchListSemanticsUnSupported tells client-go not to stream lists.
func (*pagedList) IsWatchListSemanticsUnSupported() bool { return true }

// list requests the latest version, whichever the options name: a request for any other version an API server answers
// from its cache, all at once. That is why the pager of the informer, which names one, does not do.
func (l *pagedList) list(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	// Where pages expire the informer begins again, with pages: a full list would take too much memory.
	pages := pager.ListPager{PageSize: pageSize, PageFn: l.page, FullListIfExpired: false}
	list, _, err := pages.List(ctx, metav1.ListOptions{LabelSelector: l.selector})
	return list, err
}

func (l *pagedList) page(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	page, err := l.objects.List(ctx, options)
	if err != nil {
		return nil, err
	}
	kept := &metav1.List{ListMeta: metav1.ListMeta{
		ResourceVersion: page.GetResourceVersion(), Continue: page.GetContinue(),
	}}
	for i := range page.Items {
		kept.Items = append(kept.Items, runtime.RawExtension{Object: &listedObject{l.transform(&page.Items[i])}})
	}
	return kept, nil
}

func (l *pagedList) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.LabelSelector = l.selector
	events, err := l.objects.Watch(ctx, options)
	if err == nil {
		l.watching()
	}
	return events, err
}

// listedObject is what is kept of an object, on its way from a list to the store.
type listedObject struct{ metav1.ObjectMetaAccessor }

// GetObjectKind implements runtime.Object.
func (*listedObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. What is kept is not changed.
func (o *listedObject) DeepCopyObject() runtime.Object { return o }
