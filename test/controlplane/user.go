// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// grantTimeout is how long the API server may take to hear of a role and its binding, and grantPoll how often it is
	// asked.
	grantTimeout = 30 * time.Second
	grantPoll    = 10 * time.Millisecond
)

// UserConfig returns the configuration of a client with the identity of a ServiceAccount in the namespace default,
// which it creates and grants these rights. The API server knows of them when it returns.
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
			Subjects: []rbacv1.Subject{{
				Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceDefault,
				Name: name,
			}},
		},
	} {
		if err := admin.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("creating user %s: %w", name, err)
		}
	}
	if len(rules) > 0 {
		// All of them are in one role, so that one tells of the others.
		if err := wait.PollUntilContextTimeout(ctx, grantPoll, grantTimeout,
			true, func(ctx context.Context) (bool, error) { return c.IsGranted(ctx, name, &rules[0]) }); err != nil {
			return nil, fmt.Errorf("waiting until the API server grants user %s its rights: %w", name, err)
		}
	}
	return c.AccountConfig(ctx, metav1.NamespaceDefault, name)
}

// IsGranted tells whether the API server grants to a ServiceAccount in the namespace default what comes first in a
// rule.
func (c *ControlPlane) IsGranted(ctx context.Context, name string, rule *rbacv1.PolicyRule) (bool, error) {
	admin, err := client.New(c.admin, client.Options{})
	if err != nil {
		return false, fmt.Errorf("creating a client: %w", err)
	}
	review := &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + metav1.NamespaceDefault + ":" + name,
		},
	}
	if len(rule.NonResourceURLs) > 0 {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{
			Verb: rule.Verbs[0],
			Path: rule.NonResourceURLs[0],
		}
	} else {
		resource, subresource, _ := strings.Cut(rule.Resources[0], "/")
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Verb:  rule.Verbs[0],
			Group: rule.APIGroups[0], Resource: resource, Subresource: subresource,
		}
		if len(rule.ResourceNames) > 0 {
			review.Spec.ResourceAttributes.Name = rule.ResourceNames[0]
		}
	}
	if err := admin.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking what user %s may: %w", name, err)
	}
	return review.Status.Allowed, nil
}
