// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeclient

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
)

// Our own resources, as kubectl and permissions name them.
const (
	Products = "licensedproducts.license-operator.io"
	Keys     = "licensekeys.license-operator.io"
)

// ProductReference is what kubectl calls a product with -o name.
func ProductReference(name string) string {
	return "licensedproduct." + api.GroupVersion.Group + "/" + name
}

// KeyReference is what kubectl calls a key with -o name.
func KeyReference(name string) string {
	return "licensekey." + api.GroupVersion.Group + "/" + name
}

// ClusterUID is what tokens name clusters by: the uid of the namespace kube-system. That somebody may not read it is
// told as it is: callers can do without.
func ClusterUID(ctx context.Context, reader client.Reader) (string, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := reader.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, namespace)
	switch {
	case apierrors.IsUnauthorized(err):
		return "", NotLoggedIn(err)
	case err != nil && !apierrors.IsForbidden(err):
		return "", command.FailWithHint("Check the connection with: kubectl get namespace "+metav1.NamespaceSystem,
			"cannot read the cluster's uid: %v", err)
	}
	return string(namespace.UID), err
}
