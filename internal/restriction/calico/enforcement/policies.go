// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enforcement applies a plan of restrictions to a cluster: it writes pass policies, deletes those that are no
// longer wanted, and tests that the admission policies reject what they must reject.
package enforcement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

const (
	// FieldManager is the name under which pass policies are written.
	FieldManager = "license-operator"
	// writeTimeout bounds each request. It is longer than the minute after which an API server gives up on a webhook:
	// one that hangs may be one whose failures are ignored in the end.
	writeTimeout = 65 * time.Second
)

var (
	// errAltered means that the API server stored another object than it was sent: a webhook changed it, or the API
	// server does not know a field.
	errAltered  = errors.New("object was modified on write (mutating webhook?)")
	errReplaced = errors.New("another object has this name now")
)

// Enforcer writes pass policies to a cluster.
type Enforcer struct {
	policies          dynamic.ResourceInterface
	operatorNamespace string
}

// New returns an Enforcer that writes with client, for an operator that runs in this namespace.
func New(client dynamic.Interface, operatorNamespace string) *Enforcer {
	return &Enforcer{policies: client.Resource(calico.GlobalNetworkPolicies), operatorNamespace: operatorNamespace}
}

// Existing is what is compared of a policy that the operator created.
type Existing struct {
	UID             types.UID
	ResourceVersion string
	// Neutral reports whether its spec is that of the pass policy of Tier.
	Neutral             bool
	Tier                string
	Labels, Annotations map[string]string
	Owners              []metav1.OwnerReference
	// Deleting is true if its deletion was requested and finalizers delay it.
	Deleting bool
}

// ExistingOf returns what is compared of a policy, of which the plan sees that.
func ExistingOf(policy *unstructured.Unstructured, seen calico.Policy) *Existing {
	return &Existing{
		UID: policy.GetUID(), ResourceVersion: policy.GetResourceVersion(), Neutral: seen.Neutral, Tier: seen.Tier,
		Labels: policy.GetLabels(), Annotations: policy.GetAnnotations(), Owners: policy.GetOwnerReferences(),
		Deleting: policy.GetDeletionTimestamp() != nil,
	}
}

// Matches reports whether the policy is as wanted. It ignores the labels and annotations that others have added.
func (e *Existing) Matches(wanted *calico.PassPolicy, owners []metav1.OwnerReference) bool {
	return e.Neutral && e.Tier == wanted.Tier && has(e.Labels, wanted.Labels) &&
		has(e.Annotations, wanted.Annotations) &&
		slices.EqualFunc(sorted(e.Owners), sorted(owners), func(a, b metav1.OwnerReference) bool {
			return a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Name == b.Name && a.UID == b.UID &&
				a.BlockOwnerDeletion == nil
		})
}

func has(all, some map[string]string) bool {
	for name, value := range some {
		if got, ok := all[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func sorted(owners []metav1.OwnerReference) []metav1.OwnerReference {
	return slices.SortedFunc(slices.Values(owners), func(a, b metav1.OwnerReference) int {
		return cmp.Compare(a.UID, b.UID)
	})
}

// Ensure makes a pass policy as wanted, with these owners. existing is the policy of that name; nil if there is none.
// It writes only if something differs.
func (e *Enforcer) Ensure(
	ctx context.Context, wanted *calico.PassPolicy, owners []metav1.OwnerReference, existing *Existing,
) error {
	if existing != nil && existing.Matches(wanted, owners) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var stored *unstructured.Unstructured
	var err error
	if existing == nil {
		stored, err = e.policies.Create(ctx, e.object(wanted, owners), metav1.CreateOptions{FieldManager: FieldManager})
		if apierrors.IsAlreadyExists(err) {
			// Most likely it was created a moment ago, and the cache is behind.
			found, errGet := e.policies.Get(ctx, wanted.Name, metav1.GetOptions{})
			if errGet == nil && e.existing(found).Matches(wanted, owners) {
				return nil
			}
		}
	} else {
		stored, err = e.repair(ctx, wanted, owners, existing)
	}
	if err != nil {
		return fmt.Errorf("writing the pass policy of tier %s: %w", wanted.Tier, err)
	}
	if e.existing(stored).Matches(wanted, owners) {
		return nil
	}
	if seen := e.seen(stored); !seen.IsOurs() {
		// The operator would not recognize it later, and so never delete it.
		err = e.policies.Delete(ctx, wanted.Name, onlyUID(stored.GetUID()))
	}
	return fmt.Errorf("writing the pass policy of tier %s: %w", wanted.Tier, errors.Join(errAltered, err))
}

func onlyUID(uid types.UID) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
}

func (e *Enforcer) seen(policy *unstructured.Unstructured) calico.Policy {
	return calico.PolicyOf(calico.GlobalNetworkPolicy, policy, e.operatorNamespace)
}

func (e *Enforcer) existing(policy *unstructured.Unstructured) *Existing {
	return ExistingOf(policy, e.seen(policy))
}

func (e *Enforcer) object(wanted *calico.PassPolicy, owners []metav1.OwnerReference) *unstructured.Unstructured {
	policy := &unstructured.Unstructured{Object: map[string]any{"spec": wanted.Spec}}
	policy.SetGroupVersionKind(calico.Version.WithKind(string(calico.GlobalNetworkPolicy)))
	policy.SetName(wanted.Name)
	policy.SetLabels(wanted.Labels)
	policy.SetAnnotations(wanted.Annotations)
	policy.SetOwnerReferences(owners)
	return policy
}

// repair replaces the whole spec: a patch would leave in place what others have added to it.
func (e *Enforcer) repair(
	ctx context.Context, wanted *calico.PassPolicy, owners []metav1.OwnerReference, existing *Existing,
) (*unstructured.Unstructured, error) {
	policy, err := e.policies.Get(ctx, wanted.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if policy.GetUID() != existing.UID {
		return nil, apierrors.NewConflict(calico.GlobalNetworkPolicies.GroupResource(), wanted.Name, errReplaced)
	}
	policy.SetLabels(labels.Merge(policy.GetLabels(), wanted.Labels))
	policy.SetAnnotations(labels.Merge(policy.GetAnnotations(), wanted.Annotations))
	policy.SetOwnerReferences(owners)
	policy.Object["spec"] = wanted.Spec
	return e.policies.Update(ctx, policy, metav1.UpdateOptions{FieldManager: FieldManager})
}

// Delete deletes a policy that the operator created. It ignores one that is gone or was replaced by another of that
// name. It fails for one that finalizers keep from being deleted.
func (e *Enforcer) Delete(ctx context.Context, name string, existing *Existing) error {
	if existing.Deleting {
		return fmt.Errorf("deleting the pass policy %s: its finalizers have not completed", name)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := e.policies.Delete(ctx, name, onlyUID(existing.UID))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting the pass policy %s: %w", name, err)
	}
	return nil
}
