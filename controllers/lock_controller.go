// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

const (
	// The lock is asked for again soon at first: the API server hears of a restriction within a second, and of a new
	// kind within half a minute.
	firstProbeRetry = 250 * time.Millisecond
	lastProbeRetry  = 5 * time.Minute
	// lockPatience is how many times the lock may be found wanting, within some 30 seconds, before it is said that it
	// is.
	lockPatience = 8
)

// errNotProved is what is known of a lock before it has been asked for.
var errNotProved = errors.New("the lock has yet to be asked for")

// lockProof is what is known of the lock in a tier.
type lockProof struct {
	// notices of the products that have a restriction in force there, when it was asked for.
	notices []string
	// err is why it is not proved, after so many attempts; nil: it is.
	err      error
	attempts int
}

// isFor tells whether it is a proof for the products that have these notices: where one of several is renewed, that of
// the others stands.
func (p *lockProof) isFor(notices []string) bool {
	return !slices.ContainsFunc(notices, func(notice string) bool { return !slices.Contains(p.notices, notice) })
}

// isWanting tells whether the lock has been asked for often enough to say that it is not in force.
func (p *lockProof) isWanting() bool { return p.err != nil && p.attempts >= lockPatience }

// lockReconciler proves that the lock is in force, when a restriction comes into force. Of several products that
// restrict the same tiers one proof does.
type lockReconciler struct {
	enforcer *enforcement.Enforcer
	// noticesIn are those of the products that have a restriction in force in a tier, as of the latest plan.
	noticesIn func(tier string) []string
	// policies are what the operator applies itself; nil: whoever installed it does.
	policies *admissionPolicies
	// changed is called when what is known of a lock is another than before.
	changed func()
	changes *reconcile.Trigger

	mu     sync.Mutex
	proofs map[string]lockProof
}

// Reconcile asks for the lock in one tier, unless it is proved.
func (r *lockReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	tier := request.Name
	notices := r.noticesIn(tier)
	proof := r.proofFor(tier, notices)
	if len(notices) == 0 || proof.err == nil {
		return ctrl.Result{}, nil
	}
	proof.err = r.enforcer.Probe(ctx, tier, notices...)
	proof.attempts++
	r.keep(tier, proof)
	if proof.err == nil {
		r.changed()
		return ctrl.Result{}, nil
	}
	if r.policies != nil {
		// Somebody may have taken them away.
		if err := r.policies.apply(ctx); err != nil {
			logf.FromContext(ctx).Error(err, "Failed to apply the admission policies")
		}
	}
	if proof.attempts == lockPatience {
		logf.FromContext(ctx).Error(proof.err,
			"Changes in a restricted tier are not refused, asking again less and less often", "tier", tier)
		r.changed()
	}
	return ctrl.Result{RequeueAfter: min(firstProbeRetry<<min(proof.attempts-1, 12), lastProbeRetry)}, nil
}

// proofFor is what is known of the lock in a tier, for the products that have these notices.
func (r *lockReconciler) proofFor(tier string, notices []string) lockProof {
	r.mu.Lock()
	defer r.mu.Unlock()
	if proof, known := r.proofs[tier]; known && proof.isFor(notices) {
		return proof
	}
	return lockProof{notices: notices, err: errNotProved}
}

func (r *lockReconciler) keep(tier string, proof lockProof) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proofs[tier] = proof
}

// planned is called with the notices of a new plan, by the tiers in which the lock has to be proved.
func (r *lockReconciler) planned(notices map[string][]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tier := range r.proofs {
		if notices[tier] == nil {
			delete(r.proofs, tier)
		}
	}
	for tier, n := range notices {
		if proof, known := r.proofs[tier]; !known || !proof.isFor(n) {
			r.changes.Add(tier, 0)
		}
	}
}

func (r *lockReconciler) setup(mgr ctrl.Manager) error {
	return reconcile.NewController(mgr, "lock", reconcile.Options{}).
		WatchesRawSource(r.changes).
		Complete(r)
}
