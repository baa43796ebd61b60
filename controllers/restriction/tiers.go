// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

const (
	// tierDelay is how long a tier that has come or changed waits for others to be planned with it.
	tierDelay = 100 * time.Millisecond
	// policyDelay is how long a policy of a user waits: it changes nothing but counts and bypasses, and each count may
	// be a write to every product.
	policyDelay = 5 * time.Second
)

// tiers follows the tiers and the policies that are in them.
type tiers struct {
	tiers, global, namespaced *optional.Kind
}

// observedTier is what is kept of a tier.
type observedTier struct {
	calico.Tier
	resourceVersion string
}

// GetObjectMeta implements metav1.ObjectMetaAccessor for the store: it has the name and the resource version, and to
// change it changes nothing.
func (t *observedTier) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: t.Name, ResourceVersion: t.resourceVersion}
}

// observedPolicy is what is kept of a policy: there may be tens of thousands of them.
type observedPolicy struct {
	calico.Policy
	resourceVersion string
	// existing is set for those that the operator created, or that have its mark.
	existing *enforcement.Existing
}

// GetObjectMeta implements metav1.ObjectMetaAccessor, as that of observedTier does.
func (p *observedPolicy) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, ResourceVersion: p.resourceVersion}
}

// newTiers returns tiers that request a plan when something has changed, after a delay that depends on what it is.
func newTiers(client dynamic.Interface, operatorNamespace string, trigger *reconcile.Trigger) *tiers {
	kind := func(
		resource schema.GroupVersionResource, transform func(*unstructured.Unstructured) metav1.ObjectMetaAccessor,
		delay func(metav1.ObjectMetaAccessor) time.Duration,
	) *optional.Kind {
		return optional.New(optional.Options{
			Client: client, Resource: resource, Transform: transform,
			DefinedBy:     []optional.Definition{optional.CustomResourceDefinition, optional.APIService},
			KindChanged:   func() { trigger.Add(reconcile.All, 0) },
			ObjectChanged: func(o metav1.ObjectMetaAccessor) { trigger.Add(reconcile.All, delay(o)) },
		})
	}
	policy := func(kind calico.PolicyKind) func(*unstructured.Unstructured) metav1.ObjectMetaAccessor {
		return func(o *unstructured.Unstructured) metav1.ObjectMetaAccessor {
			p := &observedPolicy{
				Policy: calico.PolicyOf(kind, o, operatorNamespace), resourceVersion: o.GetResourceVersion(),
			}
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
	return &tiers{
		tiers: kind(calico.Tiers, func(o *unstructured.Unstructured) metav1.ObjectMetaAccessor {
			return &observedTier{Tier: calico.TierOf(o), resourceVersion: o.GetResourceVersion()}
		}, func(metav1.ObjectMetaAccessor) time.Duration { return tierDelay }),
		global:     kind(calico.GlobalNetworkPolicies, policy(calico.GlobalNetworkPolicy), policyChanged),
		namespaced: kind(calico.NetworkPolicies, policy(calico.NetworkPolicy), policyChanged),
	}
}

func (t *tiers) kinds() []*optional.Kind { return []*optional.Kind{t.tiers, t.global, t.namespaced} }

// areDecided tells whether it is known of all kinds whether the cluster has them.
func (t *tiers) areDecided() bool {
	return !slices.ContainsFunc(t.kinds(), func(k *optional.Kind) bool { return !k.IsDecided() })
}

// observation is what there is to plan with.
type observation struct {
	restriction.Seen
	// existing are the policies with the operator's mark, by name.
	existing map[string]*enforcement.Existing
	// tiersErr, globalErr and namespacedErr say why the objects of a kind could not be read. Without the tiers or the
	// global policies there is nothing to plan with; without the namespaced ones a plan lacks some counts.
	tiersErr, globalErr, namespacedErr error
}

// err is everything that could not be read.
func (o *observation) err() error { return errors.Join(o.tiersErr, o.globalErr, o.namespacedErr) }

// isPending tells whether something will be known in a moment.
func (o *observation) isPending() bool { return errors.Is(o.err(), optional.ErrUnknown) }

// observe reads what there is.
func (t *tiers) observe() observation {
	o := observation{existing: map[string]*enforcement.Existing{}}
	tiers, tiersErr := t.tiers.List()
	global, globalErr := t.global.List()
	namespaced, namespacedErr := t.namespaced.List()
	o.tiersErr, o.globalErr, o.namespacedErr = tiersErr, globalErr, namespacedErr
	if errors.Is(namespacedErr, optional.ErrNotInstalled) {
		o.namespacedErr = nil // there are no policies of a kind that does not exist
	}
	o.Policies = make([]calico.Policy, 0, len(global)+len(namespaced))
	for _, object := range slices.Concat(tiers, global, namespaced) {
		switch object := object.(type) {
		case *observedTier:
			o.Tiers = append(o.Tiers, object.Tier)
		case *observedPolicy:
			o.Policies = append(o.Policies, object.Policy)
			if object.existing != nil {
				o.existing[object.Name] = object.existing
			}
		}
	}
	return o
}
