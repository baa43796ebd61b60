// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// products are those in the cache.
type products struct {
	client.Reader
	all []api.LicensedProduct
}

func (p products) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	into.(*api.LicensedProductList).Items = p.all
	return nil
}

// product counts the nodes of a pool.
func product(name, pool string) api.LicensedProduct {
	return api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{Usage: &api.UsageSpec{
			NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"pool": pool}},
		}},
	}
}

// nodeIn is a node of a pool, as the cache keeps it.
func nodeIn(t *testing.T, name, pool, os, cores string) any {
	t.Helper()
	kept, err := Counted(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pool": pool, "kubernetes.io/os": os}},
		Status:     corev1.NodeStatus{Capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cores)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// requested starts a trigger, and returns what was requested with it since the last call.
func requested(t *testing.T, trigger *reconcile.Trigger) func() []string {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
	t.Cleanup(queue.ShutDown)
	if err := trigger.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		time.Sleep(2 * recountDelay) // in a bubble
		names := []string{}
		for range queue.Len() {
			request, _ := queue.Get()
			names = append(names, request.Name)
			queue.Done(request)
		}
		slices.Sort(names)
		return names
	}
}

func used(c *Counter, p api.LicensedProduct) string {
	text := ""
	for _, u := range c.Of(&p) {
		text += fmt.Sprintf("%s %v ", u.Name, *u.Value)
	}
	return text
}

func TestNodesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blue, green := product("blue", "blue"), product("green", "green")
		toProducts, toPlans := reconcile.NewTrigger(), reconcile.NewTrigger()
		r := New(products{all: []api.LicensedProduct{blue, green}}, toProducts, toPlans)
		c := r.Counter()
		counts, assessed, planned := requested(t, r.trigger), requested(t, toProducts), requested(t, toPlans)
		small := nodeIn(t, "b", "blue", "linux", "2")
		for _, step := range []struct {
			name    string
			do      func()
			counts  []string
			plans   []string
			assess  []string
			blue    string
			windows bool
		}{
			{
				"at the start", func() {},
				[]string{"all"},
				[]string{},
				[]string{"blue", "green"},
				"nodes 0 cores 0 ",
				false,
			},
			{
				"two nodes", func() {
					c.OnAdd(nodeIn(t, "a", "blue", "linux", "4"), true)
					c.OnAdd(small, true)
				}, []string{"all"}, []string{}, []string{"blue"}, "nodes 2 cores 6 ", false,
			},
			{
				"a heartbeat", func() { c.OnUpdate(small, nodeIn(t, "b", "blue", "linux", "2")) },
				[]string{},
				[]string{},
				[]string{},
				"nodes 2 cores 6 ", false,
			},
			{
				"a node that runs Windows", func() { c.OnAdd(nodeIn(t, "w", "none", "windows", "1"), false) },
				[]string{"all"},
				[]string{"all"},
				[]string{"blue", "green"},
				"nodes 2 cores 6 ", true,
			},
			{
				"it is gone, unseen", func() {
					c.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: nodeIn(t, "w", "none", "windows", "1")})
				}, []string{"all"}, []string{"all"}, []string{"blue", "green"}, "nodes 2 cores 6 ", false,
			},
			{
				"a node is gone", func() { c.OnDelete(small) },
				[]string{"all"},
				[]string{},
				[]string{"blue"},
				"nodes 1 cores 4 ", false,
			},
			{
				"something else", func() {
					c.OnAdd("a tombstone", false)
					c.OnDelete("a tombstone")
				}, []string{}, []string{}, []string{}, "nodes 1 cores 4 ", false,
			},
		} {
			step.do()
			if diff := cmp.Diff(step.counts, counts()); diff != "" {
				t.Errorf("%s: counts: -want +got:\n%s", step.name, diff)
			}
			if _, err := r.Reconcile(t.Context(), reconcile.Request(reconcile.All)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.assess, assessed()); diff != "" {
				t.Errorf("%s: products: -want +got:\n%s", step.name, diff)
			}
			if diff := cmp.Diff(step.plans, planned()); diff != "" {
				t.Errorf("%s: plans: -want +got:\n%s", step.name, diff)
			}
			if got := used(c, blue); got != step.blue || c.HasWindows() != step.windows {
				t.Errorf("%s: %s, Windows %t", step.name, got, c.HasWindows())
			}
		}
	})
}

func TestReady(t *testing.T) {
	c := newCounter(reconcile.NewTrigger())
	if c.Ready() {
		t.Error("ready before it knows of an informer")
	}
	c.synced = func() bool { return true }
	if !c.Ready() {
		t.Error("not ready")
	}
}

func TestAnInvalidSelectorCountsNothing(t *testing.T) {
	c := newCounter(reconcile.NewTrigger())
	c.OnAdd(nodeIn(t, "a", "blue", "linux", "4"), true)
	invalid := product("invalid", "not a value!")
	if got := c.Of(&invalid); got != nil || len(c.recount([]api.LicensedProduct{invalid})) > 0 {
		t.Errorf("got %v", got)
	}
}
