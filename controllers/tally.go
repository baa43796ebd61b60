// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	toolscache "k8s.io/client-go/tools/cache"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/usage"
)

// tally is what is in use, by node selector. It is counted once for all products that have the same selector, and again
// only when nodes change: products look at it far more often than that. It handles the events of the informer of nodes.
type tally struct {
	// changed is called when a count may have changed.
	changed func()

	mu sync.Mutex
	// synced tells whether all nodes have been seen.
	synced func() bool
	nodes  map[string]*usage.Node
	// windows is how many of them run Windows.
	windows int
	used    map[string][]api.Usage
}

func newTally(changed func()) *tally {
	return &tally{changed: changed, synced: func() bool { return false }, nodes: map[string]*usage.Node{},
		used: map[string][]api.Usage{}}
}

// Ready tells whether all nodes have been seen.
func (t *tally) Ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.synced()
}

// Of is what is in use of a product; nil where its selector is none, of which its condition Ready tells.
func (t *tally) Of(product *api.LicensedProduct) []api.Usage {
	selector, err := usage.Selector(product)
	if err != nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := selector.String()
	if _, ok := t.used[key]; !ok {
		t.used[key] = usage.Count(maps.Values(t.nodes), selector)
	}
	return t.used[key]
}

// HasWindows tells whether any node runs Windows.
func (t *tally) HasWindows() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.windows > 0
}

// recount counts the nodes again, and tells of which of the products more or less is in use than before.
func (t *tally) recount(products []api.LicensedProduct) (changed []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	used := map[string][]api.Usage{}
	for i := range products {
		selector, err := usage.Selector(&products[i])
		if err != nil {
			continue
		}
		key := selector.String()
		if _, ok := used[key]; !ok {
			used[key] = usage.Count(maps.Values(t.nodes), selector)
		}
		if !equality.Semantic.DeepEqual(used[key], t.used[key]) {
			changed = append(changed, products[i].Name)
		}
	}
	t.used = used
	return changed
}

// OnAdd implements toolscache.ResourceEventHandler.
func (t *tally) OnAdd(object any, _ bool) { t.put(object) }

// OnUpdate implements toolscache.ResourceEventHandler.
func (t *tally) OnUpdate(_, object any) { t.put(object) }

// OnDelete implements toolscache.ResourceEventHandler.
func (t *tally) OnDelete(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if node, ok := object.(*usage.Node); ok {
		t.mu.Lock()
		t.windows -= windowsNodes(t.nodes[node.Name()])
		delete(t.nodes, node.Name())
		t.mu.Unlock()
		t.changed()
	}
}

// put takes a node, and its heartbeats cause nothing.
func (t *tally) put(object any) {
	node, ok := object.(*usage.Node)
	if !ok {
		return
	}
	t.mu.Lock()
	before := t.nodes[node.Name()]
	// Even where nothing has changed: the informer holds the new one, and one is enough.
	t.nodes[node.Name()] = node
	t.windows += windowsNodes(node) - windowsNodes(before)
	t.mu.Unlock()
	if before == nil || !before.CountsAs(node) {
		t.changed()
	}
}

// windowsNodes is 1 for a node that runs Windows, and 0 for any other, and for none.
func windowsNodes(node *usage.Node) int {
	if node != nil && node.RunsWindows() {
		return 1
	}
	return 0
}
