// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package restriction restricts network policies to the default tier. One reconcile plans the restrictions of all
// products; others carry the plan out, tier by tier, and test that the admission policies hold it.
package restriction

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/dynamic"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// Nodes says what nodes the cluster has.
type Nodes interface {
	// Ready tells whether all nodes have been seen.
	Ready() bool
	// HasWindows tells whether any node runs Windows.
	HasWindows() bool
}

// Options of New.
type Options struct {
	// Namespace is the operator's own: its pods are exempt.
	Namespace string
	// MaxMode is the strongest mode of any product's restriction. A value that is not a mode restricts nothing.
	MaxMode api.RestrictionMode
	// ManageAdmissionPolicies makes the operator apply the policies of config/admission itself.
	ManageAdmissionPolicies bool
	Nodes                   Nodes
	// Assessments are the latest of each product.
	Assessments *reconcile.Board[*assess.Assessment]
	// Trigger requests a plan, and ProductTrigger an assessment of a product.
	Trigger, ProductTrigger *reconcile.Trigger
}

// Reconciler plans the restrictions of all products. It starts one only once the product's status has announced it, and
// ends one whatever the status says. It waits for nothing: others carry the plan out, at their own pace.
type Reconciler struct {
	reader client.Reader
	tiers  *tiers
	state  *state
	// primed tells whether every product has been assessed once since the operator started.
	primed bool
	Options

	passes *passPolicyReconciler
	locks  *lockReconciler
	// admission applies the admission policies; nil: the installer does.
	admission *admissionPolicies
}

// state is what the controllers of restrictions share. It is passive: the controller that changes it pulls a trigger.
type state struct {
	// plans has the latest plan, under reconcile.All.
	plans reconcile.Board[*plan]
	// results are what has come of the actions in each tier, and proofs what is known of the lock in each.
	results reconcile.Board[tierResult]
	proofs  reconcile.Board[lockProof]
	// outcomes are what the restriction of each product comes to.
	outcomes reconcile.Board[*restriction.Outcome]
}

// plan is the latest; an empty one before the first.
func (s *state) plan() *plan {
	if latest, ok := s.plans.Get(reconcile.All); ok {
		return latest
	}
	return &plan{}
}

// Calico checks the permission to get the tier of a policy, and those on policies as tier.POLICIES, besides the
// ordinary ones.
//
// +kubebuilder:rbac:groups=projectcalico.org,resources=tiers,verbs=get;list;watch
// +kubebuilder:rbac:groups=projectcalico.org,resources=globalnetworkpolicies;tier.globalnetworkpolicies,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=projectcalico.org,resources=networkpolicies;tier.networkpolicies,verbs=list;watch

// New returns the reconciler of restrictions, with those that carry them out.
func New(mgr ctrl.Manager, options Options) (*Reconciler, error) {
	dynamicClient, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("creating a client for network policies: %w", err)
	}
	enforcer := enforcement.New(dynamicClient, options.Namespace)
	shared := &state{}
	r := &Reconciler{
		reader: mgr.GetClient(), tiers: newTiers(dynamicClient, options.Namespace, options.Trigger), state: shared,
		Options: options,
		passes: &passPolicyReconciler{
			enforcer: enforcer, reviewer: apierror.NewReviewer(dynamicClient), state: shared,
			trigger: reconcile.NewTrigger(), planTrigger: options.Trigger,
		},
		locks: &lockReconciler{
			enforcer: enforcer, state: shared, trigger: reconcile.NewTrigger(), planTrigger: options.Trigger,
		},
	}
	if options.ManageAdmissionPolicies {
		r.admission = &admissionPolicies{client: mgr.GetClient()}
		r.locks.admission = r.admission
	}
	return r, nil
}

// SetupWithManager adds the reconcilers of restrictions to the manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.admission != nil {
		if err := mgr.Add(r.admission); err != nil {
			return err
		}
	}
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{reconcile.Request(reconcile.All)}
	})
	return errors.Join(
		reconcile.NewController(mgr, "restriction", reconcile.Options{}).
			Watches(&api.LicensedProduct{}, all, builder.WithPredicates(announcementChanged)).
			WatchesRawSource(r.Trigger).Complete(r),
		reconcile.NewController(mgr, "passpolicy",
			reconcile.Options{Workers: passPolicyWorkers, Retry: passPolicyRetry}).
			WatchesRawSource(r.passes.trigger).Complete(r.passes),
		reconcile.NewController(mgr, "lock", reconcile.Options{Retry: missingLockRetry}).
			WatchesRawSource(r.locks.trigger).Complete(r.locks))
}

// announcementChanged passes changes of what a product's status announces. All else that restrictions follow from is
// assessed first.
var announcementChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, wasProduct := e.ObjectOld.(*api.LicensedProduct)
		after, isProduct := e.ObjectNew.(*api.LicensedProduct)
		return wasProduct && isProduct && (before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
			!equality.Semantic.DeepEqual(restriction.Announced(before), restriction.Announced(after)))
	},
}

// Kinds are the kinds that restrictions need, which the cluster may have or not.
func (r *Reconciler) Kinds() []*optional.Kind { return r.tiers.kinds() }

// Decided tells whether it is known whether the cluster has tiers and policies.
func (r *Reconciler) Decided() bool { return r.tiers.areDecided() }

// Caps are those of all products.
func (r *Reconciler) Caps() restriction.Caps {
	return restriction.Caps{MaxMode: r.MaxMode, WindowsNode: r.Nodes.HasWindows(), OperatorNamespace: r.Namespace}
}

// Outcome is what the restriction of a product, as it is now, comes to; nil where that is not known yet.
func (r *Reconciler) Outcome(product *api.LicensedProduct) *restriction.Outcome {
	outcome, _ := r.state.outcomes.Get(product.Name)
	if outcome == nil || !outcome.IsFor(product) {
		return nil
	}
	return outcome
}

// Reconcile plans all restrictions, and requests that the plan is carried out.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	if !r.Nodes.Ready() || !r.tiers.areDecided() {
		return ctrl.Result{RequeueAfter: reconcile.CacheDelay}, nil
	}
	products, err := r.products(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	seen := r.tiers.observe()
	if !r.primed || seen.isPending() {
		return ctrl.Result{}, nil // what is still missing requests a plan when it is there
	}
	next := makePlan(seen, products, r.Caps())
	r.state.plans.Set(reconcile.All, next)
	r.passes.request(next.actions)
	r.locks.request(next.notices)
	r.publish(next)
	return ctrl.Result{}, nil
}

// products are all products that have been assessed, sorted by name as plans have them. One that has not been assessed
// yet is new, and restricts nothing yet; before all have been assessed once there is no plan.
func (r *Reconciler) products(ctx context.Context) ([]product, error) {
	var list api.LicensedProductList
	if err := r.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing LicensedProducts in the cache: %w", err)
	}
	all := make([]product, 0, len(list.Items))
	isComplete := true
	for i := range list.Items {
		object := &list.Items[i]
		found, isAssessed := r.Assessments.Get(object.Name)
		isComplete = isComplete && isAssessed
		if !isAssessed || found.Product == nil || found.Product.UID != object.UID {
			continue
		}
		all = append(all, productOf(object, found.Product, &found.Evaluation))
	}
	r.primed = r.primed || isComplete
	slices.SortFunc(all, func(a, b product) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// productOf is what the restriction of a product is planned by: its terms as they were assessed, and the announcement
// in its status as it is now.
func productOf(object, assessed *api.LicensedProduct, evaluation *license.Evaluation) product {
	terms := *assessed
	terms.Status, terms.DeletionTimestamp = object.Status, object.DeletionTimestamp
	p := product{Product: restriction.ProductOf(&terms, evaluation), object: object}
	if mode := restriction.Announced(object).Mode; mode != "" {
		p.Mode = restriction.Gentler(p.Mode, mode) // a stronger mode is announced first, too
	}
	return p
}

// publish sets the outcome of each product's restriction, and requests an assessment of the products whose outcome
// changed.
func (r *Reconciler) publish(latest *plan) {
	outcomes := r.outcomesOf(latest)
	r.state.outcomes.DeleteFunc(func(name string, _ *restriction.Outcome) bool { return outcomes[name] == nil })
	for name, outcome := range outcomes {
		if before, ok := r.state.outcomes.Get(name); !ok || !reflect.DeepEqual(before, outcome) {
			r.state.outcomes.Set(name, outcome)
			r.ProductTrigger.Add(name, reconcile.CacheDelay)
		}
	}
}
