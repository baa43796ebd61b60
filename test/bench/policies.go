// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

const (
	tierKind = "Tier"
	// policyNamespaces are what the policies that have a namespace are spread over.
	policyNamespaces = 20
	// nothing is a selector that selects nothing.
	nothing = "!all()"
)

func tierNamed(i int) string            { return fmt.Sprintf("team-%02d", i) }
func policyNamespaceNamed(i int) string { return fmt.Sprintf("shop-%02d", i) }

// policyKindOf alternates within each tier.
func policyKindOf(policy, tiers int) calico.PolicyKind {
	if policy/tiers%2 == 0 {
		return calico.GlobalNetworkPolicy
	}
	return calico.NetworkPolicy
}

// selectorOf a policy selects the pods of one component of an application.
func selectorOf(policy int) string {
	return fmt.Sprintf("app.kubernetes.io/name == 'component-%04d' && environment in {'production', 'staging'}", policy)
}

func calicoObject(kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetGroupVersionKind(calico.Version.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func newTier(i int) *unstructured.Unstructured {
	tier := calicoObject(tierKind, "", tierNamed(i))
	tier.SetLabels(map[string]string{"example.com/team": tierNamed(i)})
	tier.Object["spec"] = map[string]any{"order": int64(100 + i), "defaultAction": "Pass"}
	return tier
}

// policyNamed is a policy without anything but its name, one of as many tiers.
func policyNamed(i, tiers int) *unstructured.Unstructured {
	kind, namespace := policyKindOf(i, tiers), ""
	if kind == calico.NetworkPolicy {
		namespace = policyNamespaceNamed(i % policyNamespaces)
	}
	return calicoObject(string(kind), namespace, fmt.Sprintf("%s.component-%04d", tierNamed(i%tiers), i))
}

// newPolicy is as large and as varied as one that a delivery tool applies, about 2 kB. It has rules that allow and
// rules that deny.
func newPolicy(i, tiers int) *unstructured.Unstructured {
	policy := policyNamed(i, tiers)
	component, tier := fmt.Sprintf("component-%04d", i), tierNamed(i%tiers)
	policy.SetLabels(map[string]string{
		"app.kubernetes.io/managed-by": "Helm",
		"app.kubernetes.io/name":       component,
		"app.kubernetes.io/part-of":    "shop",
		"app.kubernetes.io/version":    fmt.Sprintf("1.%d.0", i%40),
		"example.com/team":             tier,
		"helm.sh/chart":                fmt.Sprintf("network-policies-3.%d.1", i%10),
	})
	policy.SetAnnotations(map[string]string{
		"argocd.argoproj.io/sync-wave": "-1",
		"argocd.argoproj.io/tracking-id": fmt.Sprintf("shop-production:projectcalico.org/%s:%s/%s", policy.GetKind(),
			policy.GetNamespace(), policy.GetName()),
		"example.com/ticket":             fmt.Sprintf("https://tickets.example.com/browse/NET-%05d", i),
		"meta.helm.sh/release-name":      "shop-network-policies",
		"meta.helm.sh/release-namespace": "shop-production",
		"kubernetes.io/description": fmt.Sprintf("What %s of %s may be asked by the gateway, and what it may "+
			"ask databases and partners.", component, tier),
	})
	allow := func(protocol, side string, peer map[string]any) map[string]any {
		return map[string]any{"action": "Allow", "protocol": protocol, side: peer}
	}
	const inNamespaces = "projectcalico.org/name in {'shop-frontend', 'shop-gateway', 'monitoring'}"
	gateway := allow("TCP", "source", map[string]any{
		"selector":          "app.kubernetes.io/name in {'gateway', 'frontend'}",
		"namespaceSelector": inNamespaces,
	})
	gateway["destination"] = map[string]any{"ports": []any{int64(8080), int64(8443), int64(9000 + i%100)}}
	partners := make([]any, 0, 8)
	for n := range cap(partners) {
		partners = append(partners, fmt.Sprintf("203.0.%d.%d/32", i>>8&255, (i+n)&255))
	}
	policy.Object["spec"] = map[string]any{
		"tier":     tier,
		"order":    float64(100 + i),
		"selector": selectorOf(i),
		"types":    []any{"Ingress", "Egress"},
		"ingress": []any{
			gateway,
			allow("TCP", "source",
				map[string]any{
					"selector":          "app.kubernetes.io/name == 'prometheus'",
					"namespaceSelector": "projectcalico.org/name == 'monitoring'",
				}),
			map[string]any{"action": "Deny"},
		},
		"egress": []any{
			allow("UDP", "destination", map[string]any{"selector": "k8s-app == 'kube-dns'", "ports": []any{int64(53)}}),
			allow("TCP", "destination",
				map[string]any{"selector": "app.kubernetes.io/name == 'postgresql'", "ports": []any{int64(5432)}}),
			allow("TCP", "destination", map[string]any{"nets": partners, "ports": []any{int64(443)}}),
			map[string]any{"action": "Deny"},
		},
	}
	return policy
}

// createTiers creates tiers, and the namespaces of the policies that have one.
func createTiers(ctx context.Context, c client.Client, tiers int) error {
	for i := range policyNamespaces {
		if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: policyNamespaceNamed(i)}}); err !=
			nil {
			return fmt.Errorf("creating a namespace: %w", err)
		}
	}
	for i := range tiers {
		if err := c.Create(ctx, newTier(i)); err != nil {
			return fmt.Errorf("creating a tier: %w", err)
		}
	}
	return nil
}

// createPolicies creates so many policies from one number on, several at a time.
func createPolicies(ctx context.Context, c client.Client, from, policies, tiers int) error {
	err := atOnce(ctx,
		policies, func(ctx context.Context, i int) error { return c.Create(ctx, newPolicy(from+i, tiers)) })
	if err != nil {
		return fmt.Errorf("creating policies: %w", err)
	}
	return nil
}

// patchPolicy merges a patch into a policy.
func patchPolicy(ctx context.Context, c client.Client, i, tiers int, patch string) error {
	if err := c.Patch(ctx, policyNamed(i, tiers), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("changing a policy: %w", err)
	}
	return nil
}

// selectEach gives each policy the selector that it is to have, several at a time.
func selectEach(ctx context.Context, c client.Client, policies, tiers int, selector func(policy int) string) error {
	return atOnce(ctx, policies, func(ctx context.Context, i int) error {
		return patchPolicy(ctx, c, i, tiers, fmt.Sprintf(`{"spec":{"selector":%q}}`, selector(i)))
	})
}

// versionsOfPolicies are the uid and the resource version of each policy that the operator did not make.
func versionsOfPolicies(ctx context.Context, c client.Client) (map[string]string, error) {
	found := map[string]string{}
	for _, kind := range []calico.PolicyKind{calico.GlobalNetworkPolicy, calico.NetworkPolicy} {
		list := metadataOf(kind)
		if err := c.List(ctx, list); err != nil {
			return nil, fmt.Errorf("listing policies: %w", err)
		}
		for i := range list.Items {
			if p := &list.Items[i]; p.Labels[calico.PassPolicyLabel] == "" {
				found[fmt.Sprintf("%s %s/%s", kind, p.Namespace, p.Name)] = string(p.UID) + " " + p.ResourceVersion
			}
		}
	}
	return found, nil
}

// metadataOf is an empty list of the metadata of policies.
func metadataOf(kind calico.PolicyKind) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(calico.Version.WithKind(string(kind) + "List"))
	return list
}

// changedPolicies counts what is in one of the two and not the same in the other.
func changedPolicies(before, after map[string]string) int {
	changed := 0
	for name, version := range after {
		if before[name] != version {
			changed++
		}
	}
	for name := range before {
		if _, isThere := after[name]; !isThere {
			changed++
		}
	}
	return changed
}
