// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is the name under which the operator writes.
const fieldOwner = client.FieldOwner("license-operator")

// writeStatus makes the status of an object what it is in changed, provided that nobody has changed the object since from was read.
//
// It is a patch against what was read, and no server-side apply: an apply leaves in place what others have written into a status, and a status is the
// operator's alone.
func writeStatus(ctx context.Context, c client.Client, changed, from client.Object) error {
	patch := client.MergeFromWithOptions(from, client.MergeFromWithOptimisticLock{})
	// An object that is gone needs no status. A conflict is tried again as other failures are: soon at first, and then less often.
	if err := client.IgnoreNotFound(c.Status().Patch(ctx, changed, patch, fieldOwner)); err != nil {
		return fmt.Errorf("writing the status of %T %s: %w", from, from.GetName(), err)
	}
	return nil
}
