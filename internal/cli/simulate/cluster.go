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

// Calico's kinds that simulate reads.
const (
	kindTier                = "Tier"
	kindGlobalNetworkPolicy = string(calico.GlobalNetworkPolicy)
	kindNetworkPolicy       = string(calico.NetworkPolicy)
)

// cluster has the objects that a simulation needs.
type cluster struct {
	products []api.LicensedProduct
	keys     []api.LicenseKey
	// withoutTiers is true if the cluster does not have Calico's tiers. tiers and policies are Calico's.
	withoutTiers                    bool
	tiers, globalPolicies, policies []unstructured.Unstructured
	// kubernetesPolicies are Kubernetes' own; kubernetesPoliciesErr says why they are missing.
	kubernetesPolicies    []networkingv1.NetworkPolicy
	kubernetesPoliciesErr error
	// windowsNode tells whether a node runs Windows; nodesErr says why that is unknown.
	windowsNode bool
	nodesErr    error
}

// readCluster lists what a simulation needs. For lists that it can do without, it keeps the error.
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
	var policies networkingv1.NetworkPolicyList
	c.kubernetesPoliciesErr = reader.List(ctx, &policies)
	c.kubernetesPolicies = policies.Items
	// The label of a node says what it runs.
	windowsNodes := &metav1.PartialObjectMetadataList{}
	windowsNodes.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "NodeList"})
	windows := client.MatchingLabels{corev1.LabelOSStable: "windows"}
	c.nodesErr = reader.List(ctx, windowsNodes, windows, client.Limit(1))
	c.windowsNode = len(windowsNodes.Items) > 0
	return c, nil
}

func (c *cluster) readTiers(ctx context.Context, reader client.Reader) error {
	for _, list := range []struct {
		kind     string
		resource schema.GroupVersionResource
		items    *[]unstructured.Unstructured
	}{
		{kindTier, calico.Tiers, &c.tiers},
		{kindGlobalNetworkPolicy, calico.GlobalNetworkPolicies, &c.globalPolicies},
		{kindNetworkPolicy, calico.NetworkPolicies, &c.policies},
	} {
		found := &unstructured.UnstructuredList{}
		found.SetGroupVersionKind(calico.Version.WithKind(list.kind + "List"))
		err := reader.List(ctx, found)
		if kubeclient.IsNotServed(err) && list.kind == kindTier {
			c.withoutTiers = true
			return nil
		}
		if err != nil {
			return kubeclient.ListError(list.resource.GroupResource().String(), err)
		}
		*list.items = found.Items
	}
	return nil
}
