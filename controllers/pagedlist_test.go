// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

func nameOf(o *unstructured.Unstructured) metav1.ObjectMetaAccessor {
	return &observedPolicy{resourceVersion: o.GetResourceVersion() + " of " + o.GetName()}
}

func TestPagedList(t *testing.T) {
	for count, continues := range map[int][]string{0: {""}, 2: {""}, 5: {"", "from-2", "from-4"}} {
		server := &pages{count: count}
		objects := &pagedList{objects: server, selector: "a=b", transform: nameOf}
		// Whichever version was asked for, a cache would have ignored the limit.
		list, err := toolscache.ToListerWatcherWithContext(objects.listerWatcher()).ListWithContext(t.Context(),
			metav1.ListOptions{ResourceVersion: "0", Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, item := range list.(*metav1.List).Items {
			got = append(got, item.Object.(*listedObject).ObjectMetaAccessor.(*observedPolicy).resourceVersion)
		}
		for i := range count {
			want = append(want, fmt.Sprintf("4 of policy-%d", i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of %d objects: -want +got:\n%s", count, diff)
		}
		if version := list.(*metav1.List).ResourceVersion; version != "7" {
			t.Errorf("of %d objects: version %s", count, version)
		}
		var asked []metav1.ListOptions
		for _, from := range continues {
			asked = append(asked, metav1.ListOptions{LabelSelector: "a=b", Limit: pageSize, Continue: from})
		}
		if diff := cmp.Diff(asked, server.asked); diff != "" {
			t.Errorf("asked for, of %d objects: -want +got:\n%s", count, diff)
		}
	}
}

// An error is told as it is: client-go begins anew where a list took longer than the API server remembers.
func TestPagedListThatExpires(t *testing.T) {
	objects := &pagedList{objects: &pages{count: 5, expires: true}, transform: nameOf}
	if _, err := objects.list(t.Context(), metav1.ListOptions{}); !apierrors.IsResourceExpired(err) {
		t.Errorf("got %v", err)
	}
}

func TestListsAreNotStreamed(t *testing.T) {
	if !watchlist.DoesClientNotSupportWatchListSemantics((&pagedList{}).listerWatcher()) {
		t.Error("client-go would ask for a streamed list")
	}
}
