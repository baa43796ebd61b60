// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeclient

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// Unreachable is the failure where the kubeconfig leads to no API server.
func Unreachable(err error) error {
	return command.FailWithHint("Choose a cluster as with kubectl: KUBECONFIG, --kubeconfig, --context.", "%v", err)
}

// NotLoggedIn is the failure of whom the API server does not know, any more perhaps.
func NotLoggedIn(err error) error {
	return command.FailWithHint("Log in again, or see whether kubectl itself gets through: kubectl auth whoami",
		"the API server does not know you: %v", err)
}

// NotInstalled is the failure where the cluster does not know our kinds.
func NotInstalled() error {
	return command.FailWithHint("Install it, or choose another cluster with --context.",
		"license-operator is not installed in this cluster: it has no LicensedProducts")
}

// NoSuchProduct is the failure where there is no LicensedProduct of a name.
func NoSuchProduct(name string) error {
	return command.FailWithHint("See which there are: kubectl get lprod", "there is no LicensedProduct %s", name)
}

// namesObject tells a missing object from a path that the API server does not know.
func namesObject(err error, name string) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Name == name
}

// IsNotServed tells of a list that the cluster has no such kind.
func IsNotServed(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// ListError puts an API server's answer to a list of a resource into words.
func ListError(resource string, err error) error {
	switch {
	case IsNotServed(err) && (resource == Products || resource == Keys):
		return NotInstalled()
	case apierrors.IsForbidden(err):
		return command.FailWithHint("Ask a cluster administrator for list on "+resource+", or to do this for you.",
			"%v", err)
	case apierrors.IsUnauthorized(err):
		return NotLoggedIn(err)
	default:
		return command.FailWithHint("Check the connection with: kubectl get "+resource, "cannot list %s: %v", resource,
			err)
	}
}

// ProductError puts an API server's answer about one product into words. rights are what the command needs.
func ProductError(name, verb, rights string, err error) error {
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && !namesObject(err, name):
		return NotInstalled()
	case apierrors.IsNotFound(err):
		return NoSuchProduct(name)
	case apierrors.IsForbidden(err):
		return command.FailWithHint(fmt.Sprintf("Ask a cluster administrator for %s on %s, or to do this for you.",
			rights, Products), "%v", err)
	case apierrors.IsUnauthorized(err):
		return NotLoggedIn(err)
	default:
		return command.FailWithHint("Check the connection with: kubectl get lprod "+name,
			"cannot %s LicensedProduct %s: %v", verb, name, err)
	}
}
