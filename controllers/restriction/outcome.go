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

// readiness is what the condition RestrictionReady says of a product: the first that holds, the worst first.
func (r *Reconciler) readiness(latest *plan, planned *restriction.ProductPlan) restriction.Readiness {
	if latest.unseen != nil {
		return unseenReadiness(latest.unseen)
	}
	if ready, isDone := r.progress(latest, planned).readiness(); !isDone {
		return ready
	}
	bypasses := planned.Bypasses()
	if tier := lockedTier(planned); tier != "" {
		switch proof := r.locks.proofFor(tier, latest.notices[tier]); {
		case proof.isMissing():
			message := fmt.Sprintf("Admission policies are not enforced: %s. Install config/admission, or run the "+
				"operator with --manage-admission-policies.", reconcile.SingleLine(proof.err))
			if bypasses != nil {
				message += " " + bypassedMessage
			}
			return restriction.Readiness{Reason: api.ReasonLockNotInForce, Message: message}
		case proof.err != nil:
			return restriction.Readiness{
				Reason: api.ReasonApplying, Message: restriction.ApplyingMessage,
				IsProving: true,
			}
		}
	}
	switch {
	case planned.InForce && bypasses != nil:
		return restriction.Readiness{Reason: api.ReasonBypassed, Message: bypassedMessage}
	case planned.InForce && len(planned.Affects) > api.MaxListedTiers:
		return restriction.Readiness{Reason: api.ReasonLockNotInForce, Message: fmt.Sprintf("%d tiers are restricted, "+
			"but only the first %d are protected by admission policies. Narrow tierSelector.",
			len(planned.Affects), api.MaxListedTiers)}
	case planned.InForce:
		return restriction.Readiness{Reason: api.ReasonComplete, Message: "Restriction fully applied."}
	default:
		return restriction.Readiness{Reason: api.ReasonComplete, Message: "No restriction in force."}
	}
}

const bypassedMessage = "Some policies are still applied to pods: see status.restriction.bypasses."

// unseenReadiness is that of a plan for which something could not be read.
func unseenReadiness(unseen error) restriction.Readiness {
	switch {
	case errors.Is(unseen, optional.ErrNotServed):
		return restriction.Readiness{Reason: api.ReasonAPINotInstalled, Message: "The API server does not serve all " +
			"of projectcalico.org/v3. Restrictions in force stay in force until it does."}
	case errors.Is(unseen, optional.ErrNotInstalled):
		return restriction.Readiness{Reason: api.ReasonAPINotInstalled, Message: "The cluster does not have all of " +
			"projectcalico.org/v3: there are no tiers to restrict. They are restricted as soon as it has."}
	case apierror.IsPermissionMissing(unseen):
		return restriction.Readiness{Reason: api.ReasonForbidden, Message: fmt.Sprintf("Missing permission to read "+
			"tiers and policies: %s. Grant the permissions in config/rbac.", reconcile.SingleLine(unseen))}
	default:
		return restriction.Readiness{Reason: api.ReasonApplyFailed, Message: fmt.Sprintf("Failed to read tiers and "+
			"policies: %s.", reconcile.SingleLine(unseen))}
	}
}

// progress is how far the actions are that concern a product.
type progress struct {
	isPending bool
	// failures is in how many tiers they failed, and err why in the first.
	failures int
	err      error
}

// progress is how far the actions are in the tiers that concern a product: those that it selects or once restricted.
func (r *Reconciler) progress(latest *plan, planned *restriction.ProductPlan) (p progress) {
	concerned := map[string]bool{}
	for i := range planned.Affects {
		concerned[planned.Affects[i].Tier] = true
	}
	for name, existing := range latest.existing {
		if latest.isOwner(planned.Name, name) {
			concerned[existing.Tier] = true
		}
	}
	for _, tier := range slices.Sorted(maps.Keys(latest.actions)) {
		if !concerned[tier] {
			continue
		}
		result, known := r.state.results.Get(tier)
		switch {
		case known && result.err != nil:
			if p.failures++; p.err == nil {
				p.err = result.err
			}
		case !known || !reflect.DeepEqual(result.action, latest.actions[tier]):
			p.isPending = true
		}
	}
	return p
}

// readiness is that of actions that are not done; true: they are.
func (p progress) readiness() (ready restriction.Readiness, isDone bool) {
	switch {
	case p.failures > 0 && apierror.IsPermissionMissing(p.err):
		return restriction.Readiness{Reason: api.ReasonForbidden, Message: fmt.Sprintf("Missing permission to write "+
			"pass policies: %s. Tiers affected: %d. Grant the permissions in config/rbac.",
			reconcile.SingleLine(p.err), p.failures)}, false
	case p.failures > 0:
		return restriction.Readiness{Reason: api.ReasonApplyFailed, Message: fmt.Sprintf("Failed to write pass "+
			"policies: %s. Tiers affected: %d. The operator retries.", reconcile.SingleLine(p.err), p.failures)}, false
	case p.isPending:
		return restriction.Readiness{Reason: api.ReasonApplying, Message: restriction.ApplyingMessage}, false
	default:
		return restriction.Readiness{}, true
	}
}
