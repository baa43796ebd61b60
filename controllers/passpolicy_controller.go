// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

const (
	// passPolicyWriters is how many tiers are worked on at a time: a webhook may hold each of them up for a minute, and
	// must not hold up the others.
	passPolicyWriters = 32
	// doneTrust is for how long what was done counts as done though the cache still has it otherwise. Should it be so
	// by then, somebody has undone it unseen.
	doneTrust = 10 * time.Second
	// After a failure a tier is worked on again, less and less often.
	firstPassRetry = 500 * time.Millisecond
	lastPassRetry  = time.Minute
)

// tierWork is what has to be done in one tier: put the pass policy there, then delete others of the operator's. While
// the name of a pass policy changes there are two, and never none.
type tierWork struct {
	// pass is nil where none has to be put; existing is what there is under its name.
	pass     *calico.PassPolicy
	owners   []metav1.OwnerReference
	existing *enforcement.Existing
	// deletes are those that have to go, by name.
	deletes map[string]*enforcement.Existing
}

// tierResult is what has come of the work in a tier.
type tierResult struct {
	work tierWork
	// done is when, on the clock of timers.
	done time.Time
	// err is why it could not be done, for so many times by now; nil: it is done, though the cache may have yet to hear
	// of it.
	err      error
	failures int
}

// passPolicyReconciler does what a plan wants done, tier by tier.
type passPolicyReconciler struct {
	enforcer *enforcement.Enforcer
	// workIn is what the latest plan wants done in a tier; false: nothing.
	workIn func(tier string) (tierWork, bool)
	// changed is called when what has come of the work is another than before.
	changed func()
	changes *reconcile.Trigger

	mu      sync.Mutex
	results map[string]tierResult
}

// Reconcile does what has to be done in one tier.
func (r *passPolicyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	tier := request.Name
	work, wanted := r.workIn(tier)
	was, known := r.resultOf(tier)
	if !wanted {
		return ctrl.Result{}, nil
	}
	now := time.Now() //nolint:forbidigo // for how long to wait; no instant that a license knows
	if trusted := doneTrust - now.Sub(was.done); known && was.err == nil && trusted > 0 &&
		reflect.DeepEqual(was.work, work) {
		return ctrl.Result{RequeueAfter: trusted}, nil
	}
	result := tierResult{work: work, err: r.do(ctx, &work), done: now}
	if result.err != nil {
		result.failures = 1
		if known && saysTheSame(was.err, result.err) {
			result.failures += was.failures
		}
	}
	r.keep(tier, result)
	if result.failures <= 1 {
		r.changed()
	}
	if result.err == nil {
		return ctrl.Result{RequeueAfter: doneTrust}, nil
	}
	if result.failures == 1 {
		logf.FromContext(ctx).Error(result.err,
			"Failed to put a restriction in order, trying again less and less often", "tier", tier)
	}
	return ctrl.Result{RequeueAfter: min(firstPassRetry<<min(result.failures-1, 10), lastPassRetry)}, nil
}

func (r *passPolicyReconciler) do(ctx context.Context, work *tierWork) error {
	if work.pass != nil {
		if err := r.enforcer.Ensure(ctx, work.pass, work.owners, work.existing); err != nil {
			return err
		}
	}
	var errs []error
	for name, existing := range work.deletes {
		errs = append(errs, r.enforcer.Delete(ctx, name, existing))
	}
	return errors.Join(errs...)
}

// resultOf is what has come of the work in a tier so far.
func (r *passPolicyReconciler) resultOf(tier string) (tierResult, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, known := r.results[tier]
	return result, known
}

func (r *passPolicyReconciler) keep(tier string, result tierResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[tier] = result
}

// planned is called with all the work of a new plan: what has come of any other is forgotten, and what is new is done.
func (r *passPolicyReconciler) planned(work map[string]tierWork) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tier := range r.results {
		if _, wanted := work[tier]; !wanted {
			delete(r.results, tier)
		}
	}
	for tier, w := range work {
		if result, known := r.results[tier]; !known || !reflect.DeepEqual(result.work, w) {
			r.changes.Add(tier, 0)
		}
	}
}

func (r *passPolicyReconciler) setup(mgr ctrl.Manager) error {
	return reconcile.NewController(mgr, "passpolicy", reconcile.Options{Workers: passPolicyWriters}).
		WatchesRawSource(r.changes).
		Complete(r)
}

// workOf is what has to be done for a plan, by tier.
func workOf(
	plan *restriction.Plan, existing map[string]*enforcement.Existing, uids map[string]types.UID,
) map[string]tierWork {
	work := map[string]tierWork{}
	for i := range plan.Tiers {
		pass := plan.Tiers[i].Pass
		if pass == nil {
			continue
		}
		w := tierWork{pass: pass, owners: ownersOf(pass, uids), existing: existing[pass.Name]}
		if w.existing == nil || !w.existing.Matches(w.pass, w.owners) {
			work[pass.Tier] = w
		}
	}
	for _, name := range plan.Delete {
		if m := existing[name]; m != nil {
			w := work[m.Tier]
			if w.deletes == nil {
				w.deletes = map[string]*enforcement.Existing{}
			}
			w.deletes[name] = m
			work[m.Tier] = w
		}
	}
	return work
}

// ownersOf are the products that a pass policy is there for: it goes with the last of them, even while the operator is
// down.
func ownersOf(pass *calico.PassPolicy, uids map[string]types.UID) []metav1.OwnerReference {
	owners := make([]metav1.OwnerReference, 0, len(pass.Owners))
	for _, product := range pass.Owners {
		owners = append(owners, metav1.OwnerReference{APIVersion: api.GroupVersion.String(), Kind: "LicensedProduct",
			Name: product, UID: uids[product]})
	}
	return owners
}
