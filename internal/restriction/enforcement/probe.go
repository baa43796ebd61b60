// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/license-operator/license-operator/internal/restriction"
)

// probeTimeout bounds a probe: nothing waits for its answer but a condition, and others wait for their turn.
const probeTimeout = 3 * time.Second

// probeName is the second half of the name of what Probe asks for.
const probeName = "license-operator-probe"

// Probe asks the API server, in a dry run, for what the lock has to refuse in a tier that is restricted, in whichever
// mode: a policy of the least order that does something. Nil is the proof: it was refused, with one of the notices in
// the refusal, which are the messages of the restrictions that are in force there. Of several that refuse the same the
// API server quotes one, whichever that is. Otherwise the error says what happened instead.
func (e *Enforcer) Probe(ctx context.Context, tier string, notices ...string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := e.policies.Create(ctx, probe(tier),
		metav1.CreateOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil:
		return fmt.Errorf("the API server would have accepted a policy in tier %s that it has to refuse", tier)
	case slices.ContainsFunc(notices, func(notice string) bool { return strings.Contains(err.Error(), notice) }):
		return nil
	default:
		return fmt.Errorf("asking the API server for a policy in tier %s that the lock has to refuse: %w", tier, err)
	}
}

// probe is a policy that acts on nothing, should anybody ever store it.
func probe(tier string) *unstructured.Unstructured {
	policy := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"tier":     tier,
		"order":    float64(restriction.PassOrder),
		"selector": "has(license-operator.io/probe) && !has(license-operator.io/probe)",
		"types":    []any{"Ingress"},
		"ingress":  []any{map[string]any{"action": "Pass"}},
	}}}
	policy.SetGroupVersionKind(restriction.Version.WithKind(string(restriction.GlobalNetworkPolicy)))
	policy.SetName(restriction.NamePrefix(tier) + "." + probeName)
	return policy
}
