// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrule

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// errNameTaken means that the rule of that name does not belong to the product.
var errNameTaken = errors.New("another PrometheusRule has this name: rename it, or set --alerts-namespace")

// rules writes the PrometheusRules of products.
type rules struct {
	client   dynamic.ResourceInterface
	reviewer *apierror.Reviewer
	options  alerting.Options
}

// observedRule is what is kept of a rule.
type observedRule struct {
	metav1.ObjectMeta
	digest [sha256.Size]byte
}

// observe returns what is kept of a rule.
func (r *rules) observe(rule *unstructured.Unstructured) metav1.ObjectMetaAccessor {
	return &observedRule{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rule.GetNamespace(), Name: rule.GetName(), UID: rule.GetUID(),
			ResourceVersion: rule.GetResourceVersion(), OwnerReferences: rule.GetOwnerReferences(),
		},
		digest: r.digest(rule),
	}
}

// digest is that of everything that the operator decides about a rule. It ignores labels that others add.
func (r *rules) digest(rule *unstructured.Unstructured) [sha256.Size]byte {
	labels, ours := rule.GetLabels(), alerting.RuleLabels(r.options)
	maps.DeleteFunc(labels, func(name, _ string) bool {
		_, isOurs := ours[name]
		return !isOurs
	})
	content, err := json.Marshal([]any{rule.Object["spec"], labels, rule.GetOwnerReferences()})
	if err != nil {
		return [sha256.Size]byte{} // like no other: what cannot be encoded was not read from an API server
	}
	return sha256.Sum256(content)
}

// ensure makes the rule of a product as wanted, and returns its resource version. observed is the rule in the cache,
// nil if there is none, and written the version of the rule as it was last written. It writes only if something
// differs.
func (r *rules) ensure(
	ctx context.Context, product *api.LicensedProduct, observed *observedRule, written string,
) (resourceVersion string, err error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(alerting.Rule(product, r.options))
	if err != nil {
		return "", fmt.Errorf("encoding the PrometheusRule: %w", err)
	}
	rule := &unstructured.Unstructured{Object: content}
	if observed != nil && (observed.ResourceVersion == written || observed.digest == r.digest(rule)) {
		return observed.ResourceVersion, nil
	}
	stored, err := r.write(ctx, product, rule, observed)
	if err != nil {
		return "", fmt.Errorf("writing PrometheusRule %q in namespace %q: %w", rule.GetName(), r.options.Namespace, err)
	}
	return stored.GetResourceVersion(), nil
}

// write creates or patches the whole rule. It does not apply server-side: that would take over another object of the
// same name, and would keep what others have added to the rule's groups.
func (r *rules) write(
	ctx context.Context, product *api.LicensedProduct, rule *unstructured.Unstructured, observed *observedRule,
) (*unstructured.Unstructured, error) {
	var owner *metav1.OwnerReference
	if observed != nil {
		owner = metav1.GetControllerOf(observed)
	} else {
		created, err := r.client.Create(ctx, rule, metav1.CreateOptions{FieldManager: string(reconcile.FieldOwner)})
		if !apierrors.IsAlreadyExists(err) {
			return created, r.explain(ctx, err, "create", "")
		}
		// It does not have the operator's label: it is not the operator's, or someone removed the label.
		found, err := r.client.Get(ctx, rule.GetName(), metav1.GetOptions{})
		if err != nil {
			return nil, apierror.OfRead(err)
		}
		if owner = metav1.GetControllerOf(found); owner == nil {
			return nil, errNameTaken
		}
	}
	if owner != nil && (!license.IsProduct(*owner) || owner.Name != product.Name) {
		return nil, errNameTaken
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"labels": rule.GetLabels(), "ownerReferences": rule.GetOwnerReferences()},
		"spec":     rule.Object["spec"],
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a patch: %w", err)
	}
	patched, err := r.client.Patch(ctx, rule.GetName(), types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: string(reconcile.FieldOwner)})
	return patched, r.explain(ctx, err, "patch", rule.GetName())
}

// explain returns the error of a write, as an apierror.MissingPermissionError where the permission is missing.
func (r *rules) explain(ctx context.Context, err error, verb, name string) error {
	return r.reviewer.OfWrite(ctx, err, authorizationv1.ResourceAttributes{
		Group: prometheusRules.Group, Version: prometheusRules.Version, Resource: prometheusRules.Resource,
		Namespace: r.options.Namespace, Verb: verb, Name: name,
	})
}
