// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/backoff"
	"github.com/license-operator/license-operator/internal/reconcile"
)

// admissionRetry is when the admission policies are applied again after a failure.
var admissionRetry = backoff.Policy{First: time.Second, Last: 5 * time.Minute}

// admissionPolicies are those of config/admission, which the operator applies itself where the installer cannot. It is
// a manager.Runnable of the leader, and applies them when that starts: another release may have others.
type admissionPolicies struct {
	client client.Client
}

// Start applies the policies, and tries until it succeeds or ctx ends.
func (a *admissionPolicies) Start(ctx context.Context) error {
	log := logf.FromContext(ctx).WithName("admission-policies")
	for failures := 1; ; failures++ {
		err := a.apply(ctx)
		if err == nil {
			log.Info("Applied the admission policies")
			return nil
		}
		if failures == 1 {
			log.Error(err, "Failed to apply the admission policies, retrying with growing delays")
		}
		select {
		case <-time.After(admissionRetry.Delay(failures)):
		case <-ctx.Done():
			return nil
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
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
