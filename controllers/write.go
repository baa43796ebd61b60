// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is the name under which the operator writes.
const fieldOwner = client.FieldOwner("license-operator")

// writeStatus makes the status of an object what it is in changed, provided that nobody has changed the object since
// from was read.
//
// It is a patch against what was read, and no server-side apply: an apply leaves in place what others have written into
// a status, and a status is the operator's alone.
func writeStatus(ctx context.Context, c client.Client, changed, from client.Object) error {
	patch := client.MergeFromWithOptions(from, client.MergeFromWithOptimisticLock{})
	// An object that is gone needs no status.
	if err := client.IgnoreNotFound(c.Status().Patch(ctx, changed, patch, fieldOwner)); err != nil {
		return fmt.Errorf("writing the status of %T %s: %w", from, from.GetName(), err)
	}
	return nil
}

// conflictRetry is how long the cache is given to hear of a write that was quicker.
const conflictRetry = 200 * time.Millisecond

// afterFailedWrite is the result of a reconcile that could not write a status. A conflict is no failure to tell of.
func afterFailedWrite(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return ctrl.Result{}, err
}
