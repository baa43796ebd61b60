// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
)

// outcomesOf are what has come of each product's restriction.
func (r *Reconciler) outcomesOf(latest *plan) map[string]*restriction.Outcome {
	outcomes := map[string]*restriction.Outcome{}
	for i, p := range latest.products {
		planned := &latest.Products[i]
		outcome := &restriction.Outcome{
			UID: p.object.UID, Generation: p.object.Generation, Mode: planned.Mode, InForce: planned.InForce,
			Readiness: r.readiness(latest, planned),
		}
		if latest.unseen == nil || isGone(latest.unseen) {
			outcome.Effects = new(planned.Effects())
		}
		outcomes[p.Name] = outcome
	}
	return outcomes
}

// because is a readiness with a formatted message.
func because(reason, format string, args ...any) restriction.Readiness {
	return restriction.Readiness{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// readiness is what the condition RestrictionReady says of a product: the first that holds, the worst first.
func (r *Reconciler) readiness(latest *plan, planned *restriction.ProductPlan) restriction.Readiness {
	if latest.unseen != nil {
		return unseenReadiness(latest.unseen)
	}
	if ready, isDone := r.progress(latest, planned); !isDone {
		return ready
	}
	bypasses := planned.Bypasses()
	if tier := lockedTier(planned); tier != "" {
		switch proof := r.locks.proofFor(tier, latest.notices[tier]); {
		case proof.isMissing():
			ready := because(api.ReasonLockNotInForce, "Admission policies are not enforced: %s. Install "+
				"config/admission, or set --manage-admission-policies.", reconcile.SingleLine(proof.err))
			if bypasses != nil {
				ready.Message += " " + bypassedMessage
			}
			return ready
		case proof.err != nil:
			return restriction.Readiness{
				Reason: api.ReasonApplying, Message: restriction.ApplyingMessage, IsProving: true,
			}
		}
	}
	switch {
	case planned.InForce && bypasses != nil:
		return because(api.ReasonBypassed, bypassedMessage)
	case planned.InForce && len(planned.Affects) > api.MaxListedTiers:
		return because(api.ReasonLockNotInForce, "%d tiers are restricted, but only the first %d are protected by "+
			"admission policies. Narrow tierSelector.", len(planned.Affects), api.MaxListedTiers)
	case planned.InForce:
		return because(api.ReasonComplete, "Restriction fully applied.")
	default:
		return because(api.ReasonComplete, "No restriction in force.")
	}
}

const bypassedMessage = "Some policies are still applied to pods: see status.restriction.bypasses."

// unseenReadiness is that of a plan for which something could not be read.
func unseenReadiness(unseen error) restriction.Readiness {
	switch {
	case errors.Is(unseen, optional.ErrNotServed):
		return because(api.ReasonAPINotInstalled, "The API server does not serve all of projectcalico.org/v3. "+
			"Restrictions in force stay in force until it does.")
	case errors.Is(unseen, optional.ErrNotInstalled):
		return because(api.ReasonAPINotInstalled, "The cluster does not have all of projectcalico.org/v3: there are "+
			"no tiers to restrict. They are restricted as soon as it has.")
	case apierror.IsPermissionMissing(unseen):
		return because(api.ReasonForbidden, "Missing permission to read tiers and policies: %s. Grant the permissions "+
			"in config/rbac.", reconcile.SingleLine(unseen))
	default:
		return because(api.ReasonApplyFailed, "Failed to read tiers and policies: %s.", reconcile.SingleLine(unseen))
	}
}

// progress tells whether the actions are done in the tiers that concern a product: those that it selects, or once
// restricted. If they are not done, it returns why.
func (r *Reconciler) progress(latest *plan, planned *restriction.ProductPlan) (why restriction.Readiness, isDone bool) {
	concerned := map[string]bool{}
	for i := range planned.Affects {
		concerned[planned.Affects[i].Tier] = true
	}
	for name, existing := range latest.existing {
		if latest.isOwner(planned.Name, name) {
			concerned[existing.Tier] = true
		}
	}
	var first error
	failures, isPending := 0, false
	for _, tier := range slices.Sorted(maps.Keys(latest.actions)) {
		result, known := r.state.results.Get(tier)
		switch {
		case !concerned[tier]:
		case known && result.err != nil:
			if failures++; first == nil {
				first = result.err
			}
		case !known || !reflect.DeepEqual(result.action, latest.actions[tier]):
			isPending = true
		}
	}
	switch {
	case apierror.IsPermissionMissing(first):
		return because(api.ReasonForbidden, "Missing permission to write pass policies: %s. Tiers affected: %d. Grant "+
			"the permissions in config/rbac.", reconcile.SingleLine(first), failures), false
	case failures > 0:
		return because(api.ReasonApplyFailed, "Failed to write pass policies: %s. Tiers affected: %d. The operator "+
			"retries.", reconcile.SingleLine(first), failures), false
	case isPending:
		return because(api.ReasonApplying, restriction.ApplyingMessage), false
	}
	return restriction.Readiness{}, true
}
