// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/backoff"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// lockPatience is how many tests may fail, within some 30 seconds, before the lock counts as missing.
const lockPatience = 8

var (
	// lockRetry is when the lock is tested again after it did not reject: soon at first, since the API server learns of
	// a restriction within a second, and of a new kind within half a minute.
	lockRetry = backoff.Policy{First: 250 * time.Millisecond, Last: 5 * time.Minute}
	// missingLockRetry goes on from there: then it is a failure.
	missingLockRetry = backoff.Policy{First: lockRetry.Delay(lockPatience), Last: lockRetry.Last}
)

// errNotTested is what is known of a lock before its first test.
var errNotTested = errors.New("admission policy not tested yet")

// lockProof is what is known of the lock in a tier.
type lockProof struct {
	// notices of the products that had a restriction in force there, when it was tested.
	notices []string
	// err is why it is not proven, after so many attempts; nil: it is.
	err      error
	attempts int
}

// isFor tells whether it is a proof for the products that have these notices: where one of several is renewed, that of
// the others still holds.
func (p *lockProof) isFor(notices []string) bool {
	return !slices.ContainsFunc(notices, func(notice string) bool { return !slices.Contains(p.notices, notice) })
}

// isMissing tells whether the lock was tested often enough to say that it is not in force.
func (p *lockProof) isMissing() bool { return p.err != nil && p.attempts >= lockPatience }

// lockReconciler tests that the lock is in force when a restriction comes into force. One proof is enough for several
// products that restrict the same tiers.
type lockReconciler struct {
	enforcer *enforcement.Enforcer
	// admission applies the admission policies; nil: the installer does.
	admission            *admissionPolicies
	state                *state
	trigger, planTrigger *reconcile.Trigger
}

// Reconcile tests the lock in one tier, unless it is proven.
func (r *lockReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	tier := request.Name
	notices := r.state.plan().notices[tier]
	proof := r.proofFor(tier, notices)
	if len(notices) == 0 || proof.err == nil {
		return ctrl.Result{}, nil
	}
	if err := r.enforcer.Probe(ctx, tier, notices...); !apierror.Same(err, proof.err) {
		proof.err = err // the same failure reads the same
	}
	proof.attempts++
	r.state.proofs.Set(tier, proof)
	if proof.err == nil {
		r.planTrigger.Add(reconcile.All, reconcile.CacheDelay)
		return ctrl.Result{}, nil
	}
	if r.admission != nil {
		// Someone may have deleted them.
		if err := r.admission.apply(ctx); err != nil {
			logf.FromContext(ctx).Error(err, "Failed to apply the admission policies")
		}
	}
	if !proof.isMissing() {
		return ctrl.Result{RequeueAfter: lockRetry.Delay(proof.attempts)}, nil
	}
	if proof.attempts == lockPatience {
		r.planTrigger.Add(reconcile.All, reconcile.CacheDelay)
	}
	return ctrl.Result{}, fmt.Errorf("admission policies are not enforced: %w", proof.err)
}

// proofFor is what is known of the lock in a tier, for the products that have these notices.
func (r *lockReconciler) proofFor(tier string, notices []string) lockProof {
	if proof, known := r.state.proofs.Get(tier); known && proof.isFor(notices) {
		return proof
	}
	return lockProof{notices: notices, err: errNotTested}
}

// request forgets what is known of the lock in tiers that a new plan does not need, and requests tests in new ones.
func (r *lockReconciler) request(notices map[string][]string) {
	r.state.proofs.DeleteFunc(func(tier string, _ lockProof) bool { return notices[tier] == nil })
	for tier, n := range notices {
		if proof, known := r.state.proofs.Get(tier); !known || !proof.isFor(n) {
			r.trigger.Add(tier, 0)
		}
	}
}
