// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	toolscache "k8s.io/client-go/tools/cache"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/usage"
)

// Counter counts what is in use, by node selector. It counts once for all products that have the same selector, and
// again only when nodes change: products need it far more often. It handles the events of the informer of nodes.
type Counter struct {
	// trigger requests a recount.
	trigger *reconcile.Trigger

	mu sync.Mutex
	// synced reports whether all nodes have been seen.
	synced func() bool
	nodes  map[string]*usage.Node
	// windows is how many of them run Windows.
	windows int
	used    map[string][]api.Usage
}

func newCounter(trigger *reconcile.Trigger) *Counter {
	return &Counter{trigger: trigger, synced: func() bool { return false }, nodes: map[string]*usage.Node{}}
}

// Ready implements licensing.Usage and restriction.Nodes: it reports whether all nodes have been seen.
func (c *Counter) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.synced()
}

// Of implements licensing.Usage: it is what is in use of a product, nil if its selector is invalid.
func (c *Counter) Of(product *api.LicensedProduct) []api.Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used == nil {
		c.used = map[string][]api.Usage{}
	}
	used, _ := c.count(product, c.used)
	return used
}

// count returns what is in use of a product, from counts by selector, to which it adds; nil if its selector is invalid.
func (c *Counter) count(product *api.LicensedProduct, counts map[string][]api.Usage) (used []api.Usage, key string) {
	selector, err := usage.Selector(product)
	if err != nil {
		return nil, ""
	}
	key = selector.String()
	if _, ok := counts[key]; !ok {
		counts[key] = usage.Count(maps.Values(c.nodes), selector)
	}
	return counts[key], key
}

// HasWindows implements restriction.Nodes: it reports whether any node runs Windows.
func (c *Counter) HasWindows() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.windows > 0
}

// recount counts the nodes again, and returns the products of which more or less is in use than before.
func (c *Counter) recount(products []api.LicensedProduct) (changed []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := map[string][]api.Usage{}
	for i := range products {
		now, key := c.count(&products[i], used)
		if now != nil && !equality.Semantic.DeepEqual(now, c.used[key]) {
			changed = append(changed, products[i].Name)
		}
	}
	c.used = used
	return changed
}

// OnAdd implements toolscache.ResourceEventHandler.
func (c *Counter) OnAdd(object any, _ bool) { c.put(object) }

// OnUpdate implements toolscache.ResourceEventHandler.
func (c *Counter) OnUpdate(_, object any) { c.put(object) }

// OnDelete implements toolscache.ResourceEventHandler.
func (c *Counter) OnDelete(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if node, ok := object.(*usage.Node); ok {
		c.mu.Lock()
		c.windows -= windowsNodes(c.nodes[node.Name()])
		delete(c.nodes, node.Name())
		c.mu.Unlock()
		c.trigger.Add(reconcile.All, recountDelay)
	}
}

// put takes a node. Its heartbeats cause nothing.
func (c *Counter) put(object any) {
	node, ok := object.(*usage.Node)
	if !ok {
		return
	}
	c.mu.Lock()
	before := c.nodes[node.Name()]
	// Even if nothing has changed: the informer keeps the new one, and one is enough.
	c.nodes[node.Name()] = node
	c.windows += windowsNodes(node) - windowsNodes(before)
	c.mu.Unlock()
	if before == nil || !before.CountsAs(node) {
		c.trigger.Add(reconcile.All, recountDelay)
	}
}

// windowsNodes is 1 for a node that runs Windows, and 0 for any other, and for none.
func windowsNodes(node *usage.Node) int {
	if node != nil && node.RunsWindows() {
		return 1
	}
	return 0
}
