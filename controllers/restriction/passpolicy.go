// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"context"
	"errors"
	"reflect"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/backoff"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

const (
	// passPolicyWorkers is how many tiers are worked on at a time: a webhook may delay each of them for a minute, and
	// must not delay the others.
	passPolicyWorkers = 32
	// doneTrust is for how long an action counts as done while the cache does not show it. After that someone has
	// undone it unseen.
	doneTrust = 10 * time.Second
)

// passPolicyRetry is when the actions in a tier are tried again after a failure.
var passPolicyRetry = backoff.Policy{First: 500 * time.Millisecond, Last: time.Minute}

// tierResult is what has come of the actions in a tier.
type tierResult struct {
	action tierAction
	// done is when, on the clock of timers.
	done time.Time
	// err is why they failed; nil: they are done, though the cache may not show it yet.
	err error
}

// passPolicyReconciler carries out what a plan asks for, tier by tier.
type passPolicyReconciler struct {
	enforcer             *enforcement.Enforcer
	reviewer             *apierror.Reviewer
	state                *state
	trigger, planTrigger *reconcile.Trigger
}

// Reconcile does what the latest plan asks for in one tier.
func (r *passPolicyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	tier := request.Name
	action, isWanted := r.state.plan().actions[tier]
	if !isWanted {
		return ctrl.Result{}, nil
	}
	before, known := r.state.results.Get(tier)
	now := time.Now() //nolint:forbidigo // to measure a delay; licenses are judged by another clock
	if trusted := doneTrust - now.Sub(before.done); known && before.err == nil && trusted > 0 &&
		reflect.DeepEqual(before.action, action) {
		return ctrl.Result{RequeueAfter: trusted}, nil
	}
	result := tierResult{action: action, err: r.do(ctx, &action), done: now}
	isSame := known && result.err != nil && apierror.Same(before.err, result.err)
	if isSame {
		result.err = before.err // the same failure reads the same
	}
	r.state.results.Set(tier, result)
	if !isSame {
		r.planTrigger.Add(reconcile.All, reconcile.CacheDelay)
	}
	if result.err != nil {
		return ctrl.Result{}, result.err
	}
	return ctrl.Result{RequeueAfter: doneTrust}, nil
}

func (r *passPolicyReconciler) do(ctx context.Context, action *tierAction) error {
	if action.pass != nil {
		verbs := []string{"create"}
		if action.existing != nil {
			verbs = []string{"get", "update"}
		}
		if err := r.enforcer.Ensure(ctx, action.pass, action.owners, action.existing); err != nil {
			return r.reviewer.OfWrite(ctx, err, needed(action.pass.Tier, verbs...)...)
		}
	}
	var errs []error
	for name, existing := range action.deletes {
		if err := r.enforcer.Delete(ctx, name, existing); err != nil {
			errs = append(errs, r.reviewer.OfWrite(ctx, err, needed(existing.Tier, "delete")...))
		}
	}
	return errors.Join(errs...)
}

// needed are the permissions for policies in a tier: those that the API server checks, and those that Calico checks.
func needed(tier string, verbs ...string) []authorizationv1.ResourceAttributes {
	permission := func(resource, name, verb string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{
			Group: calico.Version.Group, Version: calico.Version.Version, Resource: resource, Verb: verb, Name: name,
		}
	}
	all := []authorizationv1.ResourceAttributes{permission(calico.Tiers.Resource, tier, "get")}
	for _, verb := range verbs {
		policies := calico.GlobalNetworkPolicies.Resource
		all = append(all, permission(policies, "", verb), permission("tier."+policies, "", verb))
	}
	return all
}

// request forgets the results of actions that a new plan does not ask for, and requests those that are new.
func (r *passPolicyReconciler) request(actions map[string]tierAction) {
	r.state.results.DeleteFunc(func(tier string, _ tierResult) bool {
		_, isWanted := actions[tier]
		return !isWanted
	})
	for tier, action := range actions {
		if result, known := r.state.results.Get(tier); !known || !reflect.DeepEqual(result.action, action) {
			r.trigger.Add(tier, 0)
		}
	}
}
