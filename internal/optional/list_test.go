// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package optional

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/watchlist"
)

// pages is an API server that answers with two objects at a time, and remembers what it was asked.
type pages struct {
	dynamic.ResourceInterface
	count   int
	expires bool
	asked   []metav1.ListOptions
}

func (p *pages) List(_ context.Context, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	p.asked = append(p.asked, options)
	if options.Continue != "" && p.expires {
		return nil, apierrors.NewResourceExpired("too late")
	}
	first := 0
	_, _ = fmt.Sscanf(options.Continue, "from-%d", &first)
	list := &unstructured.UnstructuredList{}
	for i := first; i < min(first+2, p.count); i++ {
		o := unstructured.Unstructured{}
		o.SetName(fmt.Sprintf("policy-%d", i))
		o.SetResourceVersion("4")
		o.Object["spec"] = map[string]any{"selector": "all()"}
		list.Items = append(list.Items, o)
	}
	list.SetResourceVersion("7")
	if first+2 < p.count {
		list.SetContinue(fmt.Sprintf("from-%d", first+2))
	}
	return list, nil
}

// observed is what is kept of an object.
type observed struct{ metav1.ObjectMeta }

func observe(o *unstructured.Unstructured) metav1.ObjectMetaAccessor {
	return &observed{metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), ResourceVersion: o.GetResourceVersion(), Labels: o.GetLabels(),
	}}
}

func TestPagedList(t *testing.T) {
	for count, continues := range map[int][]string{0: {""}, 2: {""}, 5: {"", "from-2", "from-4"}} {
		server := &pages{count: count}
		objects := &pagedList{objects: server, selector: "a=b", transform: observe}
		// Whichever version was asked for, a cache would have ignored the limit.
		list, err := toolscache.ToListerWatcherWithContext(objects.listerWatcher()).ListWithContext(t.Context(),
			metav1.ListOptions{ResourceVersion: "0", Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		items, err := meta.ExtractListWithAlloc(list)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, item := range items {
			o := item.(*listedObject).GetObjectMeta()
			got = append(got, o.GetResourceVersion()+" of "+o.GetName())
		}
		for i := range count {
			want = append(want, fmt.Sprintf("4 of policy-%d", i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of %d objects: -want +got:\n%s", count, diff)
		}
		if list, err := meta.ListAccessor(list); err != nil || list.GetResourceVersion() != "7" {
			t.Errorf("of %d objects: version %s, %v", count, list.GetResourceVersion(), err)
		}
		var asked []metav1.ListOptions
		for _, from := range continues {
			asked = append(asked, metav1.ListOptions{LabelSelector: "a=b", Limit: 100, Continue: from})
		}
		if diff := cmp.Diff(asked, server.asked); diff != "" {
			t.Errorf("asked for, of %d objects: -want +got:\n%s", count, diff)
		}
	}
}

// The error is returned as it is: client-go begins again where a list took longer than the API server remembers.
func TestPagedListThatExpires(t *testing.T) {
	server := &pages{count: 5, expires: true}
	objects := &pagedList{objects: server, transform: observe}
	_, err := objects.list(t.Context(), metav1.ListOptions{})
	if !apierrors.IsResourceExpired(err) || len(server.asked) != 2 {
		t.Errorf("got %v after %d requests", err, len(server.asked))
	}
}

func TestListsAreNotStreamed(t *testing.T) {
	if !watchlist.DoesClientNotSupportWatchListSemantics((&pagedList{}).listerWatcher()) {
		t.Error("client-go would stream the list")
	}
}
