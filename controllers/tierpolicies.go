// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

const (
	// tierDelay is how long a tier that has come or changed waits for others to be planned with it.
	tierDelay = 100 * time.Millisecond
	// policyDelay is how long a policy of a user waits: it changes nothing but counts and what bypasses, and each count
	// may be a write to every product.
	policyDelay = 5 * time.Second
)

// tierPolicies follows the tiers and the policies that are in them.
type tierPolicies struct {
	tiers, global, namespaced *optionalKind
}

// observedTier is what is kept of a tier.
type observedTier struct {
	calico.Tier
	resourceVersion string
}

// GetObjectMeta implements metav1.ObjectMetaAccessor, for the store: it has the name and the resource version, and to
// change it changes nothing.
func (t *observedTier) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: t.Name, ResourceVersion: t.resourceVersion}
}

// observedPolicy is what is kept of a policy: there may be tens of thousands of them.
type observedPolicy struct {
	calico.Policy
	resourceVersion string
	// existing is set for policies that the operator created, or that have its mark.
	existing *enforcement.Existing
}

// GetObjectMeta implements metav1.ObjectMetaAccessor, as that of observedTier does.
func (p *observedPolicy) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, ResourceVersion: p.resourceVersion}
}

// newTierPolicies has planAgain called, with how long that may wait, when there is something else to plan with.
func newTierPolicies(
	client dynamic.Interface, operatorNamespace string, planAgain func(after time.Duration),
) *tierPolicies {
	kind := func(resource schema.GroupVersionResource,
		transform func(*unstructured.Unstructured) metav1.ObjectMetaAccessor,
		delay func(metav1.ObjectMetaAccessor) time.Duration) *optionalKind {
		return &optionalKind{
			client:        client,
			resource:      resource,
			definedBy:     []string{customResourceDefinition, apiService},
			transform:     transform,
			kindChanged:   func() { planAgain(0) },
			objectChanged: func(o metav1.ObjectMetaAccessor) { planAgain(delay(o)) },
		}
	}
	policy := func(kind calico.PolicyKind) func(*unstructured.Unstructured) metav1.ObjectMetaAccessor {
		return func(o *unstructured.Unstructured) metav1.ObjectMetaAccessor {
			p := &observedPolicy{Policy: calico.PolicyOf(kind, o, operatorNamespace),
				resourceVersion: o.GetResourceVersion()}
			if p.Marked || p.IsOurs() {
				p.existing = enforcement.ExistingOf(o, p.Policy)
			}
			return p
		}
	}
	policyChanged := func(o metav1.ObjectMetaAccessor) time.Duration {
		if p, ok := o.(*observedPolicy); ok && p.existing != nil {
			return reconcile.RepairDelay
		}
		return policyDelay
	}
	return &tierPolicies{
		tiers: kind(calico.Tiers, func(o *unstructured.Unstructured) metav1.ObjectMetaAccessor {
			return &observedTier{Tier: calico.TierOf(o), resourceVersion: o.GetResourceVersion()}
		}, func(metav1.ObjectMetaAccessor) time.Duration { return tierDelay }),
		global:     kind(calico.GlobalNetworkPolicies, policy(calico.GlobalNetworkPolicy), policyChanged),
		namespaced: kind(calico.NetworkPolicies, policy(calico.NetworkPolicy), policyChanged),
	}
}

func (t *tierPolicies) kinds() []*optionalKind {
	return []*optionalKind{t.tiers, t.global, t.namespaced}
}

// isDecided tells whether it has been found out of all kinds that the cluster has them or that it does not.
func (t *tierPolicies) isDecided() bool {
	return t.tiers.isDecided() && t.global.isDecided() && t.namespaced.isDecided()
}

// look is what there is, and the policies by name that bear the operator's mark. Its errors say what could not be seen:
// where that is the tiers, or the global policies, there is nothing to plan with; without the namespaced ones a plan
// lacks some counts.
func (t *tierPolicies) look() (
	seen restriction.Seen, existing map[string]*enforcement.Existing, tiersErr, globalErr, namespacedErr error,
) {
	existing = map[string]*enforcement.Existing{}
	var objects []any
	objects, tiersErr = t.tiers.list()
	for _, o := range objects {
		if tier, ok := o.(*observedTier); ok {
			seen.Tiers = append(seen.Tiers, tier.Tier)
		}
	}
	global, globalErr := t.global.list()
	namespaced, namespacedErr := t.namespaced.list()
	seen.Policies = make([]calico.Policy, 0, len(global)+len(namespaced))
	for _, policies := range [][]any{global, namespaced} {
		for _, o := range policies {
			p, ok := o.(*observedPolicy)
			if !ok {
				continue
			}
			seen.Policies = append(seen.Policies, p.Policy)
			if p.existing != nil {
				existing[p.Name] = p.existing
			}
		}
	}
	return seen, existing, tiersErr, globalErr, namespacedErr
}

// isPending tells whether an obstacle is that it will be known in a moment.
func isPending(err error) bool { return errors.Is(err, errNotKnownYet) }
