// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeclient

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// Unreachable is the error for a kubeconfig that does not lead to an API server.
func Unreachable(err error) error {
	return command.FailWithHint("Choose a cluster as with kubectl: KUBECONFIG, --kubeconfig, --context.", "%v", err)
}

// NotLoggedIn is the error for a user that the API server does not know, or not any more.
func NotLoggedIn(err error) error {
	return command.FailWithHint("Log in again, or check whether kubectl works: kubectl auth whoami",
		"the API server does not know you: %v", err)
}

// NotInstalled is the error for a cluster without our kinds.
func NotInstalled() error {
	return command.FailWithHint("Install it, or choose another cluster with --context.",
		"license-operator is not installed in this cluster: it has no LicensedProducts")
}

// NoSuchProduct is the error for a LicensedProduct that does not exist.
func NoSuchProduct(name string) error {
	return command.FailWithHint("List them: kubectl get lprod", "there is no LicensedProduct %s", name)
}

// namesObject tells a missing object from a path that the API server does not know.
func namesObject(err error, name string) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Name == name
}

// IsNotServed tells whether a list failed because the cluster does not have the kind.
func IsNotServed(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// Explain explains an error of the API server, for "cannot <what>". rights are those that the command needs, and check
// is a kubectl command that shows whether the connection works.
func Explain(err error, what, rights, check string) error {
	switch {
	case apierrors.IsForbidden(err):
		return command.FailWithHint("Ask a cluster administrator for "+rights+", or to do this for you.", "%v", err)
	case apierrors.IsUnauthorized(err):
		return NotLoggedIn(err)
	default:
		return command.FailWithHint("Check the connection with: "+check, "cannot %s: %v", what, err)
	}
}

// ListError explains why the API server did not list a resource.
func ListError(resource string, err error) error {
	if IsNotServed(err) && (resource == Products || resource == Keys) {
		return NotInstalled()
	}
	return Explain(err, "list "+resource, "list on "+resource, "kubectl get "+resource)
}

// ProductError explains an error of the API server about one product. rights are those that the command needs.
func ProductError(name, verb, rights string, err error) error {
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && !namesObject(err, name):
		return NotInstalled()
	case apierrors.IsNotFound(err):
		return NoSuchProduct(name)
	default:
		return Explain(err, verb+" LicensedProduct "+name, rights+" on "+Products, "kubectl get lprod "+name)
	}
}
