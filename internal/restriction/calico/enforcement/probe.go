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

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// probeTimeout bounds a probe: only a condition waits for its answer, and other probes wait for their turn.
const probeTimeout = 3 * time.Second

// Probe submits, as a dry run, a policy that the lock has to reject in a restricted tier, whichever the mode: one of
// the lowest order that does something. It returns nil if the API server rejects it with one of the notices, the
// messages of the restrictions in force there. (If several restrictions reject it, the API server quotes any one of
// them.) Otherwise the error says what happened instead.
func (e *Enforcer) Probe(ctx context.Context, tier string, notices ...string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	options := metav1.CreateOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}}
	_, err := e.policies.Create(ctx, probe(tier), options)
	switch {
	case err == nil:
		return fmt.Errorf("testing tier %s: the API server accepted a policy that it must reject", tier)
	case slices.ContainsFunc(notices, func(notice string) bool { return strings.Contains(err.Error(), notice) }):
		return nil
	default:
		return fmt.Errorf("testing tier %s: %w", tier, err)
	}
}

// probe is a policy that selects nothing, should it ever be stored.
func probe(tier string) *unstructured.Unstructured {
	policy := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"tier":     tier,
		"order":    float64(calico.PassOrder),
		"selector": "has(license-operator.io/probe) && !has(license-operator.io/probe)",
		"types":    []any{"Ingress"},
		"ingress":  []any{map[string]any{"action": "Pass"}},
	}}}
	policy.SetGroupVersionKind(calico.Version.WithKind(string(calico.GlobalNetworkPolicy)))
	policy.SetName(calico.NamePrefix(tier) + ".license-operator-probe")
	return policy
}
