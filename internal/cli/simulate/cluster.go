// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// Kinds of the cluster that simulate reads and names.
const (
	kindTier                = "Tier"
	kindGlobalNetworkPolicy = string(calico.GlobalNetworkPolicy)
	kindNetworkPolicy       = string(calico.NetworkPolicy)
)

// cluster is what there is, as far as restrictions are concerned.
type cluster struct {
	products []api.LicensedProduct
	keys     []api.LicenseKey
	// withoutTiers is true where the cluster does not serve Calico's tiers; tiers and policies are Calico's.
	withoutTiers                    bool
	tiers, globalPolicies, policies []unstructured.Unstructured
	// kubernetesPolicies are Kubernetes' own; nil with an error where they may not be listed.
	kubernetesPolicies    []networkingv1.NetworkPolicy
	kubernetesPoliciesErr error
	// windowsNode tells whether there is one; nodesErr is why nobody knows.
	windowsNode bool
	nodesErr    error
}

// readCluster lists what a simulation needs. What it can do without is missing with the reason.
func readCluster(ctx context.Context, reader client.Reader) (*cluster, error) {
	var products api.LicensedProductList
	if err := reader.List(ctx, &products); err != nil {
		return nil, kubeclient.ListError(kubeclient.Products, err)
	}
	var keys api.LicenseKeyList
	if err := reader.List(ctx, &keys); err != nil {
		return nil, kubeclient.ListError(kubeclient.Keys, err)
	}
	c := &cluster{products: products.Items, keys: keys.Items}
	if err := c.readTiers(ctx, reader); err != nil {
		return nil, err
	}
	c.kubernetesPolicies, c.kubernetesPoliciesErr = listKubernetesPolicies(ctx, reader)
	c.windowsNode, c.nodesErr = hasWindowsNode(ctx, reader)
	return c, nil
}

func (c *cluster) readTiers(ctx context.Context, reader client.Reader) error {
	var err error
	c.tiers, err = listUnstructured(ctx, reader, kindTier)
	switch {
	case kubeclient.IsNotServed(err):
		c.withoutTiers = true
		return nil
	case err != nil:
		return kubeclient.ListError(calico.Tiers.GroupResource().String(), err)
	}
	if c.globalPolicies, err = listUnstructured(ctx, reader, kindGlobalNetworkPolicy); err != nil {
		return kubeclient.ListError(calico.GlobalNetworkPolicies.GroupResource().String(), err)
	}
	if c.policies, err = listUnstructured(ctx, reader, kindNetworkPolicy); err != nil {
		return kubeclient.ListError(calico.NetworkPolicies.GroupResource().String(), err)
	}
	return nil
}

func listUnstructured(ctx context.Context, reader client.Reader, kind string) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(calico.Version.WithKind(kind + "List"))
	if err := reader.List(ctx, list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

func listKubernetesPolicies(ctx context.Context, reader client.Reader) ([]networkingv1.NetworkPolicy, error) {
	var policies networkingv1.NetworkPolicyList
	if err := reader.List(ctx, &policies); err != nil {
		return nil, err
	}
	return policies.Items, nil
}

// hasWindowsNode asks for the metadata of one node: its label says what it runs.
func hasWindowsNode(ctx context.Context, reader client.Reader) (bool, error) {
	nodes := &metav1.PartialObjectMetadataList{}
	nodes.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "NodeList"})
	if err := reader.List(ctx, nodes, client.MatchingLabels{corev1.LabelOSStable: "windows"},
		client.Limit(1)); err != nil {
		return false, err
	}
	return len(nodes.Items) > 0, nil
}
