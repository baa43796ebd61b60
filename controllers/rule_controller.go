// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
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
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
)

const (
	// After a failure the rule is tried again, less and less often.
	firstRuleRetry = time.Second
	lastRuleRetry  = 5 * time.Minute
)

var prometheusRules = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1",
	Resource: "prometheusrules"}

// ruleReconciler keeps the PrometheusRule of each product, where the cluster has that kind. It has a queue of its own,
// since a webhook that is slow to admit a rule must not delay the state of a product, and tells the product's
// reconciler, the one writer of its status, what has come of it.
type ruleReconciler struct {
	reader  client.Reader
	client  dynamic.Interface
	kind    *optional.Kind
	options alerting.Options
	// changes is the queue of this controller, and products that of products.
	changes, products *reconcile.Trigger

	mu   sync.Mutex
	kept map[string]keptRule
}

// keptRule is what has come of the rule of a product.
type keptRule struct {
	// product and generation that it is for.
	product    types.UID
	generation int64
	// resourceVersion of the rule that is as it should be.
	resourceVersion string
	// err is why it could not be written, for so many times by now.
	err      error
	failures int
}

// observedRule is what is kept of a rule.
type observedRule struct {
	metav1.ObjectMeta
	digest [sha256.Size]byte
}

// +kubebuilder:rbac:groups=monitoring.coreos.com,namespace=system,resources=prometheusrules,verbs=get;list;watch;create;patch

func newRuleReconciler(
	mgr ctrl.Manager, options alerting.Options, products *reconcile.Trigger,
) (*ruleReconciler, error) {
	rules, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	r := &ruleReconciler{
		reader: mgr.GetClient(), client: rules, options: options, changes: reconcile.NewTrigger(), products: products,
		kept: map[string]keptRule{},
	}
	r.kind = optional.New(optional.Options{
		Client:        rules,
		Resource:      prometheusRules,
		DefinedBy:     []optional.Definition{optional.CustomResourceDefinition},
		Namespace:     options.Namespace,
		LabelSelector: alerting.Selector,
		Transform:     r.observe,
		KindChanged:   r.requestAll,
		ObjectChanged: func(rule metav1.ObjectMetaAccessor) {
			if owner := metav1.GetControllerOf(rule.GetObjectMeta()); owner != nil {
				r.changes.Add(owner.Name, reconcile.RepairDelay)
			}
		},
	})
	return r, nil
}

// requestAll forgets what has come of the rules, and requests all of them again: the kind is another now, or gone.
func (r *ruleReconciler) requestAll() {
	r.forgetAll()
	var products api.LicensedProductList
	if err := r.reader.List(context.Background(), &products, client.UnsafeDisableDeepCopy); err != nil {
		logf.Log.Error(err, "Failed to list LicensedProducts in the cache")
	}
	for i := range products.Items {
		r.changes.Add(products.Items[i].Name, 0)
		r.products.Add(products.Items[i].Name, 0)
	}
}

// Decided implements licensing.Alerts.
func (r *ruleReconciler) Decided() bool { return r.kind.IsDecided() }

// Reconcile sees to it that the rule of one product is as it should be.
func (r *ruleReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	product := &api.LicensedProduct{}
	if err := r.reader.Get(ctx, request.NamespacedName, product); apierrors.IsNotFound(err) {
		// The rule goes with its owner.
		r.keep(request.Name, nil)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	object, err := r.kind.Get(alerting.RuleName(product.Name))
	if err != nil {
		return ctrl.Result{},
			nil //nolint:nilerr // the condition AlertsReady tells of it, and when it changes, all products are looked at again
	}
	observed, _ := object.(*observedRule)
	rule, err := r.desired(product)
	if err != nil {
		return ctrl.Result{}, err
	}
	was := r.keptOf(product)
	now := keptRule{product: product.UID, generation: product.Generation}
	var result ctrl.Result
	if observed != nil && (observed.ResourceVersion == was.resourceVersion || observed.digest == r.digest(rule)) {
		now.resourceVersion = observed.ResourceVersion
	} else if now.resourceVersion, now.err = r.write(ctx, product, rule, observed); now.err != nil {
		now.failures = was.failures + 1
		result.RequeueAfter = min(firstRuleRetry<<min(was.failures, 10), lastRuleRetry)
		if was.failures == 0 {
			logf.FromContext(ctx).Error(now.err, "Failed to write the PrometheusRule, trying again less and less often",
				"namespace", r.options.Namespace)
		}
	}
	r.keep(product.Name, &now)
	r.products.Add(product.Name, reconcile.CacheDelay)
	return result, nil
}

// Condition implements licensing.Alerts.
func (r *ruleReconciler) Condition(product *api.LicensedProduct) *metav1.Condition {
	if _, err := r.kind.Get(alerting.RuleName(product.Name)); errors.Is(err, optional.ErrUnknown) {
		return nil
	} else if err != nil {
		return new(r.condition(product, err))
	}
	kept := r.keptOf(product)
	if kept.product == "" {
		return nil
	}
	return new(r.condition(product, kept.err))
}

// keptOf is what has come of the rule of a product as it is now; empty where that has yet to be seen.
func (r *ruleReconciler) keptOf(product *api.LicensedProduct) keptRule {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept := r.kept[product.Name]; kept.product == product.UID && kept.generation == product.Generation {
		return kept
	}
	return keptRule{}
}

// keep remembers what has come of the rule of a product; nil: there is no such product any more.
func (r *ruleReconciler) keep(product string, rule *keptRule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rule == nil {
		delete(r.kept, product)
	} else {
		r.kept[product] = *rule
	}
}

// forgetAll forgets what has come of all rules: the kind they are of is another now, or gone.
func (r *ruleReconciler) forgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.kept)
}

func (r *ruleReconciler) desired(product *api.LicensedProduct) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(alerting.Rule(product, r.options))
	return &unstructured.Unstructured{Object: content}, err
}

// observe makes of a rule what is kept of it.
func (r *ruleReconciler) observe(rule *unstructured.Unstructured) metav1.ObjectMetaAccessor {
	return &observedRule{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rule.GetNamespace(), Name: rule.GetName(), UID: rule.GetUID(),
			ResourceVersion: rule.GetResourceVersion(), OwnerReferences: rule.GetOwnerReferences(),
		},
		digest: r.digest(rule),
	}
}

// digest is that of all that the operator decides of a rule: what others have labeled it with is their affair.
func (r *ruleReconciler) digest(rule *unstructured.Unstructured) [sha256.Size]byte {
	labels := rule.GetLabels()
	ours := map[string]string{}
	for name := range alerting.RuleLabels(r.options) {
		if value, ok := labels[name]; ok {
			ours[name] = value
		}
	}
	content, err := json.Marshal([]any{rule.Object["spec"], ours, rule.GetOwnerReferences()})
	if err != nil {
		return [sha256.Size]byte{} // like no other: what cannot be encoded has not come from an API server
	}
	return sha256.Sum256(content)
}

// write writes the whole rule, and returns its resource version.
//
// It creates or patches, and is no server-side apply: that would take over an object of the same name that is somebody
// else's, and would leave in place what others have added to the rule's groups.
func (r *ruleReconciler) write(
	ctx context.Context, product *api.LicensedProduct, rule *unstructured.Unstructured, observed *observedRule,
) (resourceVersion string, err error) {
	rules := r.client.Resource(prometheusRules).Namespace(r.options.Namespace)
	var owner *metav1.OwnerReference
	if observed != nil {
		owner = metav1.GetControllerOf(observed)
	} else {
		created, err := rules.Create(ctx, rule, metav1.CreateOptions{FieldManager: string(reconcile.FieldOwner)})
		if err == nil {
			return created.GetResourceVersion(), nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return "", err
		}
		// One that is not labeled as the operator's: by somebody else, or by somebody who took the label away.
		found, err := rules.Get(ctx, rule.GetName(), metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if owner = metav1.GetControllerOf(found); owner == nil {
			return "", r.nameTaken(rule)
		}
	}
	if owner != nil && !reconcile.IsProduct(owner, product.Name) {
		return "", r.nameTaken(rule)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"labels": rule.GetLabels(), "ownerReferences": rule.GetOwnerReferences()},
		"spec":     rule.Object["spec"],
	})
	if err != nil {
		return "", err
	}
	patched, err := rules.Patch(ctx, rule.GetName(), types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: string(reconcile.FieldOwner)})
	if err != nil {
		return "", err
	}
	return patched.GetResourceVersion(), nil
}

func (r *ruleReconciler) nameTaken(rule *unstructured.Unstructured) error {
	return fmt.Errorf("there is a PrometheusRule %q in namespace %q already, and it is not this product's: rename "+
		"it, or have the operator write to another namespace (--alerts-namespace)",
		rule.GetName(), r.options.Namespace)
}

func (r *ruleReconciler) condition(product *api.LicensedProduct, err error) metav1.Condition {
	ready := metav1.Condition{Type: api.ConditionAlertsReady, Status: metav1.ConditionFalse}
	switch {
	case err == nil:
		ready.Status, ready.Reason = metav1.ConditionTrue, api.ReasonRuleApplied
		ready.Message = fmt.Sprintf("PrometheusRule %q in namespace %q has the product's alerts.",
			alerting.RuleName(product.Name), r.options.Namespace)
	case errors.Is(err, optional.ErrNotInstalled):
		ready.Reason = api.ReasonAPINotInstalled
		ready.Message = "The cluster has no PrometheusRules (" + r.kind.Name() + "), so nobody is alerted: " +
			"install prometheus-operator, or that CustomResourceDefinition alone, and the rule is there within seconds."
	case isForbiddenByRBAC(err):
		ready.Reason = api.ReasonForbidden
		ready.Message = fmt.Sprintf("The operator may not keep the PrometheusRule in namespace %q, or there is no "+
			"such namespace: %v. Grant it there what config/rbac grants it in its own.",
			r.options.Namespace, err)
	default:
		ready.Reason = api.ReasonApplyFailed
		ready.Message = fmt.Sprintf("The PrometheusRule could not be written: %v.", err)
	}
	return ready
}

// isForbiddenByRBAC tells whether a right is missing: a webhook, a quota and a namespace that is being deleted forbid
// as well, and a Role would not help.
func isForbiddenByRBAC(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ")
}

func (r *ruleReconciler) setup(mgr ctrl.Manager) error {
	return reconcile.NewController(mgr, "prometheusrule", reconcile.Options{}).
		For(&api.LicensedProduct{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.changes).
		Complete(r)
}
