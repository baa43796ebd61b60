// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/reconcile"
)

const (
	firstAdmissionRetry = time.Second
	lastAdmissionRetry  = 5 * time.Minute
)

// admissionPolicies are the lock and its like, which the operator applies itself where whoever installs it cannot. It
// is a manager.Runnable of the leader, and applies them when that begins: another release may have others.
type admissionPolicies struct {
	client client.Client
}

// Start applies the policies, again and again until it could or ctx ends.
func (a *admissionPolicies) Start(ctx context.Context) error {
	log := logf.FromContext(ctx).WithName("admission-policies")
	for failures := 0; ; failures++ {
		err := a.apply(ctx)
		if err == nil {
			log.Info("Applied the admission policies")
			return nil
		}
		if failures == 0 {
			log.Error(err, "Failed to apply the admission policies, trying again less and less often")
		}
		select {
		case <-time.After(min(firstAdmissionRetry<<min(failures, 10), lastAdmissionRetry)):
		case <-ctx.Done():
			return nil
		}
	}
}

// NeedLeaderElection has the manager start it on the leader alone.
func (*admissionPolicies) NeedLeaderElection() bool { return true }

func (a *admissionPolicies) apply(ctx context.Context) error {
	for _, object := range admission.Objects() {
		if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), reconcile.FieldOwner,
			client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
