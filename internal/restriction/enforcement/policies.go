// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/license-operator/license-operator/internal/restriction"
)

const (
	// FieldManager is the name under which pass policies are written.
	FieldManager = "license-operator"
	// writeTimeout bounds each request, at more than the minute after which an API server itself gives up: a webhook
	// that hangs is waited for, since it may be one of those that are ignored in the end.
	writeTimeout = 65 * time.Second
)

// errAltered is what an API server says that stores something else than it was given: a webhook has changed it, or it
// does not know a field.
var errAltered = errors.New("what was stored is not what the operator wrote: something changes it on the way")

// Enforcer writes to a cluster.
type Enforcer struct {
	policies          dynamic.ResourceInterface
	operatorNamespace string
}

// New returns an Enforcer that writes with client, of an operator that runs in this namespace.
func New(client dynamic.Interface, operatorNamespace string) *Enforcer {
	return &Enforcer{policies: client.Resource(restriction.GlobalNetworkPolicies), operatorNamespace: operatorNamespace}
}

// Made is what a policy that the operator has made is compared by.
type Made struct {
	UID             types.UID
	ResourceVersion string
	// Neutral tells whether its spec is that of the pass policy of Tier.
	Neutral             bool
	Tier                string
	Labels, Annotations map[string]string
	Owners              []metav1.OwnerReference
	// Deleting is true while its deletion has been asked for, and a finalizer holds it.
	Deleting bool
}

// MadeOf is what to compare a policy by, of which the plan sees that.
func MadeOf(policy *unstructured.Unstructured, seen restriction.Policy) *Made {
	return &Made{
		UID: policy.GetUID(), ResourceVersion: policy.GetResourceVersion(), Neutral: seen.Neutral, Tier: seen.Tier,
		Labels: policy.GetLabels(), Annotations: policy.GetAnnotations(), Owners: policy.GetOwnerReferences(),
		Deleting: policy.GetDeletionTimestamp() != nil,
	}
}

// Is tells whether the policy is as wanted. What others have labeled and annotated it with is their affair.
func (m *Made) Is(wanted *restriction.PassPolicy, owners []metav1.OwnerReference) bool {
	return m.Neutral && m.Tier == wanted.Tier && has(m.Labels, wanted.Labels) &&
		has(m.Annotations, wanted.Annotations) &&
		slices.EqualFunc(sorted(m.Owners), sorted(owners), func(a, b metav1.OwnerReference) bool {
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
		return cmp.Compare(a.UID,
			b.UID)
	})
}

// Put sees to it that a pass policy is as wanted, with these owners. Made is what is there under its name; nil:
// nothing. It writes only if something is to be changed.
func (e *Enforcer) Put(
	ctx context.Context, wanted *restriction.PassPolicy, owners []metav1.OwnerReference, made *Made,
) error {
	if made != nil && made.Is(wanted, owners) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var stored *unstructured.Unstructured
	var err error
	if made == nil {
		stored, err = e.policies.Create(ctx, e.object(wanted, owners), metav1.CreateOptions{FieldManager: FieldManager})
		if apierrors.IsAlreadyExists(err) {
			// Most likely its creation a moment ago, of which the cache has yet to hear.
			if found, errGet := e.policies.Get(ctx, wanted.Name, metav1.GetOptions{}); errGet == nil &&
				e.made(found).Is(wanted, owners) {
				return nil
			}
		}
	} else {
		stored, err = e.repair(ctx, wanted, owners, made)
	}
	if err != nil {
		return fmt.Errorf("writing the pass policy of tier %s: %w", wanted.Tier, err)
	}
	if e.made(stored).Is(wanted, owners) {
		return nil
	}
	if seen := e.seen(stored); !seen.IsOurs() {
		// Nobody would know it again as the operator's, and so take it away.
		err = e.policies.Delete(ctx, wanted.Name,
			metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: new(stored.GetUID())}})
	}
	return fmt.Errorf("writing the pass policy of tier %s: %w", wanted.Tier, errors.Join(errAltered, err))
}

func (e *Enforcer) seen(policy *unstructured.Unstructured) restriction.Policy {
	return restriction.PolicyOf(restriction.GlobalNetworkPolicy, policy, e.operatorNamespace)
}

func (e *Enforcer) made(policy *unstructured.Unstructured) *Made {
	return MadeOf(policy, e.seen(policy))
}

func (e *Enforcer) object(wanted *restriction.PassPolicy, owners []metav1.OwnerReference) *unstructured.Unstructured {
	policy := &unstructured.Unstructured{Object: map[string]any{"spec": wanted.Spec}}
	policy.SetGroupVersionKind(restriction.Version.WithKind(string(restriction.GlobalNetworkPolicy)))
	policy.SetName(wanted.Name)
	policy.SetLabels(wanted.Labels)
	policy.SetAnnotations(wanted.Annotations)
	policy.SetOwnerReferences(owners)
	return policy
}

// repair replaces the whole spec: a patch would leave in place what somebody has added to it.
func (e *Enforcer) repair(
	ctx context.Context, wanted *restriction.PassPolicy, owners []metav1.OwnerReference, made *Made,
) (*unstructured.Unstructured, error) {
	policy, err := e.policies.Get(ctx, wanted.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if policy.GetUID() != made.UID {
		return nil, apierrors.NewConflict(restriction.GlobalNetworkPolicies.GroupResource(), wanted.Name,
			errors.New("there is another one of that name now"))
	}
	labels, annotations := policy.GetLabels(), policy.GetAnnotations()
	policy.SetLabels(merged(labels, wanted.Labels))
	policy.SetAnnotations(merged(annotations, wanted.Annotations))
	policy.SetOwnerReferences(owners)
	policy.Object["spec"] = wanted.Spec
	return e.policies.Update(ctx, policy, metav1.UpdateOptions{FieldManager: FieldManager})
}

func merged(all, some map[string]string) map[string]string {
	result := maps.Clone(all)
	if result == nil {
		result = map[string]string{}
	}
	maps.Copy(result, some)
	return result
}

// Delete takes a policy away that the operator has made. One that is gone, or another one of that name, is none of its
// business; one that finalizers hold is an error.
func (e *Enforcer) Delete(ctx context.Context, name string, made *Made) error {
	if made.Deleting {
		return fmt.Errorf("%s is being deleted, and its finalizers hold it", name)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := e.policies.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &made.UID}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting the pass policy %s: %w", name, err)
	}
	return nil
}
