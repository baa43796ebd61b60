// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

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

// recountDelay is how long a change of nodes waits for others to be counted with it: nodes come and go in crowds, and
// each count may be a write to every product.
const recountDelay = time.Second

// allNodes is the one request of the node controller: how many nodes have changed makes no difference to the work.
const allNodes = "all"

// nodeReconciler counts nodes again when they change, and has the products looked at that this concerns.
type nodeReconciler struct {
	reader client.Reader
	tally  *tally
	// recount is the queue of this controller, and products that of products.
	recount, products *reconcile.Trigger
	// restrictions requests a plan when the first Windows node has come, or the last has gone.
	restrictions *reconcile.Trigger
	hadWindows   bool
}

// +kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch

func newNodeReconciler(
	reader client.Reader, products, restrictions *reconcile.Trigger,
) *nodeReconciler {
	recount := reconcile.NewTrigger(allNodes)
	return &nodeReconciler{
		reader: reader, products: products, restrictions: restrictions, recount: recount,
		tally: newTally(func() { recount.Add(allNodes, recountDelay) }),
	}
}

// Reconcile counts all nodes.
func (r *nodeReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	var products api.LicensedProductList
	if err := r.reader.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing LicensedProducts in the cache: %w", err)
	}
	for _, name := range r.tally.recount(products.Items) {
		r.products.Add(name, 0)
	}
	if has := r.tally.HasWindows(); has != r.hadWindows {
		r.hadWindows = has
		// The mode of every restriction may be another now, whatever counts as use of its product.
		for i := range products.Items {
			r.products.Add(products.Items[i].Name, 0)
		}
		r.restrictions.Add(reconcile.All, 0)
	}
	return ctrl.Result{}, nil
}

func (r *nodeReconciler) setup(ctx context.Context, mgr ctrl.Manager) error {
	informer, err := mgr.GetCache().GetInformer(ctx, &corev1.Node{})
	if err != nil {
		return fmt.Errorf("watching nodes: %w", err)
	}
	nodes, err := informer.AddEventHandler(r.tally)
	if err != nil {
		return fmt.Errorf("watching nodes: %w", err)
	}
	r.tally.synced = nodes.HasSynced
	return reconcile.NewController(mgr, "node", reconcile.Options{}).
		WatchesRawSource(r.recount).
		Complete(r)
}

// countedNode has the cache keep of a node what is counted. The typed client cannot read that: nobody but the tally has
// a use for nodes.
func countedNode(object any) (any, error) {
	if node, ok := object.(*corev1.Node); ok {
		return usage.NodeOf(node), nil
	}
	return object, nil
}
