// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// UserConfig returns the configuration of a client with the identity of a ServiceAccount in the namespace default, which it creates and grants these rights. The API
// server may take a moment to know of them.
func (c *ControlPlane) UserConfig(ctx context.Context, name string, rules ...rbacv1.PolicyRule) (*rest.Config, error) {
	admin, err := client.New(c.admin, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	for _, object := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceDefault, Name: name}},
		},
	} {
		if err := admin.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("creating user %s: %w", name, err)
		}
	}
	return c.AccountConfig(ctx, metav1.NamespaceDefault, name)
}
