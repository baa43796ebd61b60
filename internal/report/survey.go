// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/paging"
)

// surveyTimeout is how long the API server may take for all of it.
const surveyTimeout = 10 * time.Second

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=list
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings;clusterrolebindings,verbs=list

// surveyor asks the API server what reports say of the cluster. None of it grows with the number of nodes.
type surveyor struct {
	// reader asks the API server, and version for its version.
	reader  client.Reader
	version discovery.ServerVersionInterfaceWithContext
	flights singleflight.Group
}

// survey finds out about the cluster; callers at the same time share one. What the operator may not read is missing,
// with a warning.
func (s *surveyor) survey(ctx context.Context) (Cluster, error) {
	found := s.flights.DoChan("cluster", func() (any, error) {
		// Others wait for it as well: it does not end with the caller who happened to be first.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), surveyTimeout)
		defer cancel()
		return s.ask(asking)
	})
	select {
	case <-ctx.Done():
		return Cluster{}, ctx.Err()
	case result := <-found:
		cluster, _ := result.Val.(Cluster)
		return cluster, result.Err
	}
}

func (s *surveyor) ask(ctx context.Context) (cluster Cluster, err error) {
	version, err := s.version.ServerVersionWithContext(ctx)
	if err == nil {
		cluster.Version = version.GitVersion
	} else if err := cluster.warnMissing("kubernetes_version and db_version", "get /version", err); err != nil {
		return Cluster{}, err
	}
	for _, counted := range []struct {
		into          **int64
		count         func(context.Context) (int64, error)
		fields, right string
	}{
		{&cluster.Namespaces, s.countNamespaces, "workspaces_count", "list namespaces"},
		{&cluster.Users, s.countUsers, "rbac_users", "list rolebindings and clusterrolebindings"},
	} {
		count, err := counted.count(ctx)
		if err == nil {
			*counted.into = &count
		} else if err := cluster.warnMissing(counted.fields, counted.right, err); err != nil {
			return Cluster{}, err
		}
	}
	return cluster, nil
}

// warnMissing warns of fields that are missing since the operator lacks a right. It returns any other error.
func (c *Cluster) warnMissing(fields, right string, err error) error {
	if !apierrors.IsForbidden(err) {
		return fmt.Errorf("asking the API server to %s: %w", right, err)
	}
	// Not the error itself: it names the operator's account and namespace.
	c.Warnings = append(c.Warnings, fmt.Sprintf("%s: missing, since the operator is not allowed to %s.", fields, right))
	return nil
}

func (s *surveyor) countNamespaces(ctx context.Context) (count int64, err error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
	err = paging.Each(ctx, s.reader, list, func(*metav1.PartialObjectMetadata) { count++ })
	return count, err
}

// countUsers counts each subject once that any role binding names.
func (s *surveyor) countUsers(ctx context.Context) (int64, error) {
	users := map[rbacv1.Subject]struct{}{}
	add := func(subjects []rbacv1.Subject) {
		for _, subject := range subjects {
			users[canonical(subject)] = struct{}{}
		}
	}
	if err := paging.Each(ctx, s.reader, &rbacv1.ClusterRoleBindingList{},
		func(b *rbacv1.ClusterRoleBinding) { add(b.Subjects) }); err != nil {
		return 0, err
	}
	if err := paging.Each(ctx, s.reader, &rbacv1.RoleBindingList{},
		func(b *rbacv1.RoleBinding) { add(b.Subjects) }); err != nil {
		return 0, err
	}
	return int64(len(users)), nil
}

// canonical is a subject in the one way to write it: a service account can also be named as the user that it is.
func canonical(subject rbacv1.Subject) rbacv1.Subject {
	account, isAccount := strings.CutPrefix(subject.Name, "system:serviceaccount:")
	namespace, name, isWhole := strings.Cut(account, ":")
	if subject.Kind == rbacv1.UserKind && isAccount && isWhole {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	subject.APIGroup = ""
	return subject
}
