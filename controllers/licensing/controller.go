// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package licensing keeps the statuses of LicensedProducts and LicenseKeys. One reconcile per product assesses the
// product with all its keys; the statuses of all of them come from that one assessment.
package licensing

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/usage"
)

// Usage says what is in use.
type Usage interface {
	// Ready tells whether everything has been counted once.
	Ready() bool
	// Of is what is in use of a product; nil if its selector is invalid.
	Of(product *api.LicensedProduct) []api.Usage
}

// Alerts says what has come of the alerts of a product.
type Alerts interface {
	// Decided tells whether the operator knows if the cluster has the kind of the rules.
	Decided() bool
	// Condition is the condition AlertsReady of a product; nil where it is not known yet.
	Condition(product *api.LicensedProduct) *metav1.Condition
}

// Restrictions says what has come of the restriction of a product.
type Restrictions interface {
	// Decided tells whether the operator knows if the cluster has tiers and policies.
	Decided() bool
	// Caps are the limits to all restrictions.
	Caps() restriction.Caps
	// Outcome is what has come of the restriction of a product as it is now; nil where it is not known yet.
	Outcome(product *api.LicensedProduct) *restriction.Outcome
}

// Options of New.
type Options struct {
	// Clock is the operator's clock.
	Clock *clock.Clock
	// ClockChanges are told when the clock was set or is confirmed or disputed.
	ClockChanges <-chan event.GenericEvent
	// Namespace is the operator's own, the only one in which it reads Secrets.
	Namespace string
	// ClusterUID is the uid of the namespace kube-system.
	ClusterUID string
	// Usage, Alerts and Restrictions are what a product's status has from elsewhere.
	Usage        Usage
	Alerts       Alerts
	Restrictions Restrictions
	// Assessments is where the latest assessment of each product is put.
	Assessments *reconcile.Board[*assess.Assessment]
	// Trigger requests an assessment of a product, PlanTrigger a plan of all restrictions.
	Trigger, PlanTrigger *reconcile.Trigger
}

// Reconciler assesses products, and keeps their statuses.
type Reconciler struct {
	client   client.Client
	recorder events.EventRecorder
	reader   reader
	assessor *assess.Assessor
	pace     *pace
	// keys requests that the status of a key is written.
	keys *reconcile.Trigger
	Options
}

// +kubebuilder:rbac:groups=license-operator.io,resources=licensedproducts;licensekeys,verbs=list;watch
// +kubebuilder:rbac:groups=license-operator.io,resources=licensedproducts/status;licensekeys/status,verbs=patch
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// eventReporter is the reporting controller of the operator's events.
const eventReporter = "license-operator.io/license-operator"

// New returns the reconciler of products and their keys.
func New(mgr ctrl.Manager, options Options) *Reconciler {
	return &Reconciler{
		client: mgr.GetClient(), recorder: mgr.GetEventRecorder(eventReporter),
		reader: reader{mgr.GetClient(), options.Namespace}, assessor: assess.NewAssessor(options.ClusterUID),
		pace: newPace(), keys: reconcile.NewTrigger(), Options: options,
	}
}

// Reconcile assesses one product with its keys, has the statuses of the keys written, and writes that of the product.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Usage.Ready() || !r.Alerts.Decided() || !r.Restrictions.Decided() {
		// The operator has just started: a count of some nodes would be wrong, and what is not known yet would be
		// another write a moment later.
		return ctrl.Result{RequeueAfter: reconcile.CacheDelay}, nil
	}
	before, _ := r.Assessments.Get(request.Name)
	if result, waits := r.wait(request.Name, before); waits {
		return result, nil
	}
	found, err := r.assess(ctx, request.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	for _, key := range found.Changed(before) {
		r.keys.Add(key, 0)
	}
	if !restrictsTheSame(before, found) {
		r.PlanTrigger.Add(reconcile.All, 0)
	}
	if found.Product == nil {
		return ctrl.Result{}, nil // its keys change when it comes
	}
	next := reconcile.At(found.Time.Clock, nextLook(found))
	if err := r.writeProduct(ctx, found); err != nil {
		r.Trigger.Add(request.Name, next.RequeueAfter) // with an error the result does not count
		return reconcile.AfterFailedWrite(err)
	}
	return next, nil
}

// wait tells whether the next assessment of a product has to wait, and for how long. At a boundary it never does.
func (r *Reconciler) wait(product string, before *assess.Assessment) (ctrl.Result, bool) {
	now := r.Clock.Read().Now
	var next time.Time
	if before != nil && before.Product != nil {
		next = nextLook(before)
	}
	delay := r.pace.delay(product, !next.IsZero() && !now.Before(next))
	return reconcile.At(now, now.Add(delay), next), delay > 0
}

// nextLook is when a product has to be assessed again if nothing happens until then: at the next boundary of its
// licenses, when a pause begins or ends, and when another month begins.
func nextLook(found *assess.Assessment) time.Time {
	return license.Earliest(usage.MonthEnd(found.Time.Now), found.Evaluation.NextBoundary,
		restriction.NextBoundary(found.Product, found.Time.Now))
}

// restrictsTheSame tells whether a product's restriction follows from one assessment as from the other.
func restrictsTheSame(before, found *assess.Assessment) bool {
	if before == nil || before.Product == nil || found.Product == nil {
		return before != nil && before.Product == found.Product
	}
	return reflect.DeepEqual(restriction.ProductOf(before.Product, &before.Evaluation),
		restriction.ProductOf(found.Product, &found.Evaluation))
}

// assess assesses a product, and sets the assessment for its readers.
func (r *Reconciler) assess(ctx context.Context, name string) (*assess.Assessment, error) {
	product := &api.LicensedProduct{}
	if err := r.reader.Get(ctx, types.NamespacedName{Name: name}, product); apierrors.IsNotFound(err) {
		product = nil
	} else if err != nil {
		return nil, fmt.Errorf("reading LicensedProduct %s: %w", name, err)
	}
	keys, err := r.reader.keys(ctx, name)
	if err != nil {
		return nil, err
	}
	found := r.assessor.Assess(r.Clock.Read(), name, product, keys)
	if product == nil && len(keys) == 0 {
		r.Assessments.Delete(name)
		r.pace.forget(name)
	} else {
		r.Assessments.Set(name, found)
	}
	return found, nil
}

// writeProduct writes the status of a product, if it is another than before.
func (r *Reconciler) writeProduct(ctx context.Context, found *assess.Assessment) error {
	product := found.Product
	changed := product.DeepCopy()
	changed.Status = productStatus(found, observations{
		used: r.Usage.Of(product), alertsReady: r.Alerts.Condition(product),
		restriction: viewOf(found, r.Restrictions.Caps(), r.Restrictions.Outcome(product)),
	})
	if equality.Semantic.DeepEqual(product.Status, changed.Status) {
		return nil
	}
	if err := reconcile.WriteStatus(ctx, r.client, changed, product); err != nil {
		return err
	}
	reconcile.Record(r.recorder, product, productEvents(&product.Status, &changed.Status, found))
	return nil
}

// SetupWithManager adds the reconciler, and the one that writes the statuses of keys, to the manager.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	if err := indexKeys(ctx, mgr.GetFieldIndexer()); meta.IsNoMatchError(err) {
		return fmt.Errorf("the cluster does not have the CRDs of license-operator: run make install: %w", err)
	} else if err != nil {
		return fmt.Errorf("indexing LicenseKeys: %w", err)
	}
	keys := &keyReconciler{client: r.client, recorder: r.recorder, assessments: r.Assessments}
	if err := keys.setup(mgr, r.keys); err != nil {
		return err
	}
	everyProduct := handler.EnqueueRequestsFromMapFunc(r.reader.everyProduct)
	return reconcile.NewController(mgr, "licensing", reconcile.Options{}).
		For(&api.LicensedProduct{}).
		Watches(&api.LicenseKey{}, handler.EnqueueRequestsFromMapFunc(productOfKey), builder.WithPredicates(
			predicate.Or(predicate.GenerationChangedPredicate{}, replaced))).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.reader.productsOfSecret),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesRawSource(source.Channel(r.ClockChanges, everyProduct)).WatchesRawSource(r.Trigger).Complete(r)
}

// replaced passes updates in which another object has taken the place of the one before: a watch that begins again
// shows a deletion and a creation in between as an update.
var replaced = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
	UpdateFunc:  func(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() },
}
