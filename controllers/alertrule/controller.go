// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alertrule keeps the PrometheusRule of each product, where the cluster has that kind.
package alertrule

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/backoff"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// retry is how long to wait before a rule that could not be written is tried again.
var retry = backoff.Policy{First: time.Second, Last: 5 * time.Minute}

var prometheusRules = schema.GroupVersionResource{
	Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheusrules",
}

// Options of New.
type Options struct {
	alerting.Options
	// ProductTrigger requests that the status of a product is written.
	ProductTrigger *reconcile.Trigger
}

// Reconciler keeps the PrometheusRule of each product. It has a queue of its own: a webhook that is slow to admit a
// rule must not delay the state of a product. The licensing reconciler writes the status, and gets its Condition here.
type Reconciler struct {
	reader  client.Reader
	rules   *rules
	kind    *optional.Kind
	trigger *reconcile.Trigger
	// results are what has come of the rule of each product.
	results reconcile.Board[result]
	Options
}

// result is what has come of the rule of a product.
type result struct {
	// product and generation that it is for.
	product    types.UID
	generation int64
	// resourceVersion of the rule that is as wanted.
	resourceVersion string
	// err is why it could not be written.
	err error
}

// +kubebuilder:rbac:groups=monitoring.coreos.com,namespace=system,resources=prometheusrules,verbs=get;list;watch;create;patch

// New returns the reconciler of PrometheusRules.
func New(mgr ctrl.Manager, options Options) (*Reconciler, error) {
	dynamicClient, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("creating a client for PrometheusRules: %w", err)
	}
	return newReconciler(mgr.GetClient(), dynamicClient, options), nil
}

func newReconciler(reader client.Reader, dynamicClient dynamic.Interface, options Options) *Reconciler {
	r := &Reconciler{
		reader: reader, trigger: reconcile.NewTrigger(), Options: options,
		rules: &rules{
			client:   dynamicClient.Resource(prometheusRules).Namespace(options.Namespace),
			reviewer: apierror.NewReviewer(dynamicClient), options: options.Options,
		},
	}
	r.kind = optional.New(optional.Options{
		Client: dynamicClient, Resource: prometheusRules,
		DefinedBy: []optional.Definition{optional.CustomResourceDefinition},
		Namespace: options.Namespace, LabelSelector: alerting.Selector, Transform: r.rules.observe,
		KindChanged: r.requestAll,
		ObjectChanged: func(rule metav1.ObjectMetaAccessor) {
			if owner := metav1.GetControllerOf(rule.GetObjectMeta()); owner != nil {
				r.trigger.Add(owner.Name, reconcile.RepairDelay)
			}
		},
	})
	return r
}

// SetupWithManager adds the reconciler to the manager. Its Kind is left to the controllers of definitions.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return reconcile.NewController(mgr, "prometheusrule", reconcile.Options{Retry: retry}).
		For(&api.LicensedProduct{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.trigger).Complete(r)
}

// Kind is that of PrometheusRules.
func (r *Reconciler) Kind() *optional.Kind { return r.kind }

// Decided implements licensing.Alerts.
func (r *Reconciler) Decided() bool { return r.kind.IsDecided() }

// requestAll forgets what has come of the rules, and requests all of them: the kind has appeared, changed or gone.
func (r *Reconciler) requestAll() {
	r.results.DeleteFunc(func(string, result) bool { return true })
	var products api.LicensedProductList
	if err := r.reader.List(context.Background(), &products, client.UnsafeDisableDeepCopy); err != nil {
		logf.Log.Error(err, "Failed to list LicensedProducts in the cache")
	}
	for i := range products.Items {
		r.trigger.Add(products.Items[i].Name, 0)
		r.ProductTrigger.Add(products.Items[i].Name, 0)
	}
}

// Reconcile makes the rule of one product as wanted.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	product := &api.LicensedProduct{}
	if err := r.reader.Get(ctx, request.NamespacedName, product); apierrors.IsNotFound(err) {
		r.results.Delete(request.Name) // The rule goes with its owner.
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading LicensedProduct %s: %w", request.Name, err)
	}
	object, err := r.kind.Get(alerting.RuleName(product.Name))
	if err != nil {
		// The condition has the error, and when it changes all products are requested.
		return ctrl.Result{}, nil //nolint:nilerr // not a failure of this reconcile
	}
	observed, _ := object.(*observedRule)
	before := r.resultOf(product)
	after := result{product: product.UID, generation: product.Generation}
	after.resourceVersion, after.err = r.rules.ensure(ctx, product, observed, before.resourceVersion)
	if apierror.Same(after.err, before.err) {
		after.err = before.err // the same failure reads the same
	}
	r.results.Set(product.Name, after)
	r.ProductTrigger.Add(product.Name, reconcile.CacheDelay)
	return ctrl.Result{}, after.err
}

// resultOf is what has come of the rule of a product as it is now; an empty one where that is not known yet.
func (r *Reconciler) resultOf(product *api.LicensedProduct) result {
	latest, _ := r.results.Get(product.Name)
	if latest.product != product.UID || latest.generation != product.Generation {
		return result{}
	}
	return latest
}

// Condition implements licensing.Alerts.
func (r *Reconciler) Condition(product *api.LicensedProduct) *metav1.Condition {
	rule := alerting.RuleName(product.Name)
	_, err := r.kind.Get(rule)
	return r.condition(rule, err, r.resultOf(product))
}

// condition is that of a product whose rule could be read, or not, and what came of writing it.
func (r *Reconciler) condition(rule string, errRead error, latest result) *metav1.Condition {
	ready := func(reason, format string, args ...any) *metav1.Condition {
		return &metav1.Condition{
			Type: api.ConditionAlertsReady, Status: reconcile.ConditionStatus(reason == api.ReasonRuleApplied),
			Reason: reason, Message: fmt.Sprintf(format, args...),
		}
	}
	switch {
	case errors.Is(errRead, optional.ErrUnknown), errRead == nil && latest.product == "":
		return nil
	case errors.Is(errRead, optional.ErrNotServed):
		return ready(api.ReasonAPINotInstalled, "The API server does not serve version %s of %s. Alerts follow as "+
			"soon as it does.", prometheusRules.Version, r.kind.Name())
	case errors.Is(errRead, optional.ErrNotInstalled):
		return ready(api.ReasonAPINotInstalled, "The cluster does not have %s, so there are no alerts. Install "+
			"prometheus-operator, or this CustomResourceDefinition alone.", r.kind.Name())
	case apierror.IsPermissionMissing(errRead):
		return ready(api.ReasonForbidden, "Missing permission to read PrometheusRules in namespace %q: %s. Grant the "+
			"permissions in config/rbac there.", r.Namespace, reconcile.SingleLine(errRead))
	case errRead != nil:
		return ready(api.ReasonApplyFailed, "Failed to read PrometheusRules in namespace %q: %s. The "+
			"operator retries.", r.Namespace, reconcile.SingleLine(errRead))
	case apierror.IsPermissionMissing(latest.err):
		return ready(api.ReasonForbidden, "Missing permission, or no namespace %q: %s. Create the namespace, and "+
			"grant the permissions in config/rbac there.", r.Namespace, reconcile.SingleLine(latest.err))
	case latest.err != nil:
		return ready(api.ReasonApplyFailed, "Alerts are not applied: %s. The operator retries.",
			reconcile.SingleLine(latest.err))
	}
	return ready(api.ReasonRuleApplied, "PrometheusRule %q in namespace %q is applied.", rule, r.Namespace)
}
