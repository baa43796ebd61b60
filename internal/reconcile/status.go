// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldOwner is the field manager of everything that the operator writes.
const FieldOwner = client.FieldOwner("license-operator")

// WriteStatus writes the status of changed, unless the object has changed since from was read. An object that is gone
// is no error.
//
// It patches instead of applying server-side: an apply keeps what others have written into a status, and a status is
// the operator's alone.
func WriteStatus(ctx context.Context, c client.Client, changed, from client.Object) error {
	patch := client.MergeFromWithOptions(from, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(c.Status().Patch(ctx, changed, patch, FieldOwner)); err != nil {
		return fmt.Errorf("writing the status of %T %s: %w", from, from.GetName(), err)
	}
	return nil
}

// AfterFailedWrite is the result of a reconcile whose WriteStatus failed. A conflict is no failure to report: the
// reconcile runs again once the cache has the other write.
func AfterFailedWrite(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictDelay}, nil
	}
	return ctrl.Result{}, err
}
