// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package node counts what nodes add up to, and counts again when they change.
package node

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/usage"
)

// recountDelay is how long a change of a node waits for others to be counted with it: nodes come and go in crowds, and
// each count may be a write to every product.
const recountDelay = time.Second

// Reconciler counts nodes again when they change, and requests the products that this concerns.
type Reconciler struct {
	reader  client.Reader
	counter *Counter
	// trigger requests a count, products an assessment of a product, and plans a plan of all restrictions.
	trigger, products, plans *reconcile.Trigger
	hadWindows               bool
}

// +kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch

// New returns the reconciler of nodes. It requests products whose usage has changed, and a plan of all restrictions
// when the first node that runs Windows appears, or the last is gone.
func New(reader client.Reader, products, plans *reconcile.Trigger) *Reconciler {
	trigger := reconcile.NewTrigger(reconcile.All)
	return &Reconciler{
		reader: reader, counter: newCounter(trigger), trigger: trigger, products: products, plans: plans,
	}
}

// SetupWithManager adds the reconciler to the manager, whose cache transforms nodes with Counted.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	informer, err := mgr.GetCache().GetInformer(ctx, &corev1.Node{})
	if err != nil {
		return fmt.Errorf("watching nodes: %w", err)
	}
	nodes, err := informer.AddEventHandler(r.counter)
	if err != nil {
		return fmt.Errorf("watching nodes: %w", err)
	}
	r.counter.synced = nodes.HasSynced
	return reconcile.NewController(mgr, "node", reconcile.Options{}).WatchesRawSource(r.trigger).Complete(r)
}

// Counter is what the nodes add up to.
func (r *Reconciler) Counter() *Counter { return r.counter }

// Reconcile counts all nodes: how many of them have changed makes no difference to the work.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	var products api.LicensedProductList
	if err := r.reader.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing LicensedProducts in the cache: %w", err)
	}
	for _, name := range r.counter.recount(products.Items) {
		r.products.Add(name, 0)
	}
	if has := r.counter.HasWindows(); has != r.hadWindows {
		r.hadWindows = has
		// The mode of every restriction may have changed, whichever nodes count for its product.
		for i := range products.Items {
			r.products.Add(products.Items[i].Name, 0)
		}
		r.plans.Add(reconcile.All, 0)
	}
	return ctrl.Result{}, nil
}

// Counted is a transformer of the cache that keeps what is counted of a node. The typed client cannot read nodes then,
// and only the Counter needs them.
func Counted(object any) (any, error) {
	if node, ok := object.(*corev1.Node); ok {
		return usage.NodeOf(node), nil
	}
	return object, nil
}
