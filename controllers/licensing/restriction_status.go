// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
)

// restrictionView is the restriction of a product as its status shows it.
type restrictionView struct {
	restriction.Product
	caps       restriction.Caps
	mode       api.RestrictionMode
	modeReason api.RestrictionModeReason
	state      api.RestrictionState
	// reason of the condition Restricted.
	reason string
	// outcome of the latest plan; nil where it is not known yet.
	outcome *restriction.Outcome
}

func viewOf(found *assess.Assessment, caps restriction.Caps, outcome *restriction.Outcome) *restrictionView {
	v := &restrictionView{
		Product: restriction.ProductOf(found.Product, &found.Evaluation), caps: caps,
		outcome: outcome,
	}
	v.mode, v.modeReason = restriction.EffectiveMode(v.Mode, caps)
	v.state, v.reason = v.StateUnder(caps)
	return v
}

func (v *restrictionView) isInForce() bool { return v.state == api.RestrictionActive }

// restrictionStatus is what the status of a product says of its restriction.
func restrictionStatus(found *assess.Assessment, v *restrictionView) *api.RestrictionStatus {
	e := &found.Evaluation
	status := &api.RestrictionStatus{
		State: v.state, EffectiveTime: instant(e.EffectiveTime), Basis: e.Basis,
		UsableUntilTime: instant(e.UsableUntil),
	}
	if v.Mode == "" {
		return status
	}
	effects := restriction.EffectsIn(found.Product.Status.Restriction)
	if v.outcome != nil && v.outcome.Effects != nil {
		effects = *v.outcome.Effects
	}
	status.MaxMode, status.SparedNamespace = v.caps.MaxMode, v.caps.OperatorNamespace
	status.SparedTiers = effects.Spared
	if pause, err := restriction.PauseOf(found.Product); err == nil && pause != nil &&
		found.Time.Now.Before(pause.UntilTime.Time) {
		status.Pause = pause
	}
	if !v.isInForce() {
		status.Preview = &api.RestrictionPreview{
			Mode: v.mode, ModeReason: v.modeReason, Tiers: effects.Tiers,
			Policies: effects.Policies,
		}
		return status
	}
	status.Bypasses = effects.Bypasses
	since := instant(v.Since)
	if since == nil {
		since = new(transitionTime(found))
	}
	status.InForce = &api.RestrictionInForce{
		Mode: v.mode, ModeReason: v.modeReason, SinceTime: since, Tiers: effects.Tiers, Policies: effects.Policies,
		Message: v.Notice(since.Time),
	}
	return status
}

// restrictedCondition tells whether a restriction is in force, and if not, why.
func restrictedCondition(found *assess.Assessment, v *restrictionView, status *api.RestrictionStatus) metav1.Condition {
	restricted := metav1.Condition{
		Type: api.ConditionRestricted, Status: reconcile.ConditionStatus(v.isInForce()), Reason: v.reason,
	}
	preview := fmt.Sprintf("kubectl license simulate %s shows its effects.", found.Product.Name)
	switch v.reason {
	case api.ReasonNotRequested:
		restricted.Message = "The product has no restriction."
		if found.Product.Spec.Restriction != nil {
			restricted.Message = "Product is being deleted; its restriction has been removed."
		}
	case api.ReasonObserved:
		restricted.Message = "Restriction is only observed (mode Observe)."
		if v.modeReason == api.ModeReasonMaxRestriction {
			restricted.Message = fmt.Sprintf("The operator runs with --max-restriction=%s: the product's "+
				"restriction (%s) is only observed.",
				cmp.Or(v.caps.MaxMode, api.RestrictionObserve), v.Mode)
		}
	case api.ReasonPaused:
		restricted.Message = fmt.Sprintf("Restriction paused until %s", rfc3339(status.Pause.UntilTime.Time))
		if status.Pause.Reason != "" {
			restricted.Message += fmt.Sprintf(" (%s)", status.Pause.Reason)
		}
		restricted.Message += fmt.Sprintf(". kubectl license resume %s ends the pause.", found.Product.Name)
	case api.ReasonClockDisputed:
		restricted.Message = "Restriction is due, but the clocks of the operator and the API server disagree. It is " +
			"not started until they agree: see condition ClockSkewed."
	case api.ReasonNotDue:
		restricted.Message = fmt.Sprintf("Restriction (%s) takes effect at %s unless the license is renewed. %s",
			v.mode, rfc3339(found.Evaluation.EffectiveTime), preview)
	case api.ReasonReadOnly:
		restricted.Message = fmt.Sprintf("Since %s, policies in restricted tiers can only be read and deleted. %s",
			rfc3339(status.InForce.SinceTime.Time), renewal(found.Product))
	default:
		restricted.Message = fmt.Sprintf("Since %s, only policies in the default tier are applied to pods; a "+
			"renewal restores the others. %s",
			rfc3339(status.InForce.SinceTime.Time), renewal(found.Product))
	}
	switch v.modeReason {
	case api.ModeReasonWindowsNode:
		restricted.Message += " Mode is ReadOnly: DefaultTierOnly would block traffic on Windows nodes."
	case api.ModeReasonMaxRestriction:
		if v.mode != api.RestrictionObserve {
			restricted.Message += fmt.Sprintf(" The product asks for %s; --max-restriction is %s.", v.Mode,
				v.caps.MaxMode)
		}
	default: // The mode is the one that the terms ask for.
	}
	if _, err := restriction.PauseOf(found.Product); err != nil {
		restricted.Message += fmt.Sprintf(" The %v.", err)
	} else if restriction.IsPauseCut(found.Product) {
		restricted.Message += fmt.Sprintf(" The pause is cut to %d days, the maximum.", api.MaxRestrictionPauseDays)
	}
	return restricted
}

// restrictionReadyCondition tells whether the restriction is in force, or lifted, completely; nil where that has yet to
// be seen, and a condition without a type where there is nothing to tell.
func restrictionReadyCondition(found *assess.Assessment, v *restrictionView) *metav1.Condition {
	if v.outcome == nil {
		if (restriction.Announced(found.Product).SinceTime != nil) == v.isInForce() {
			return nil
		}
		return &metav1.Condition{
			Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse,
			Reason: api.ReasonApplying, Message: restriction.ApplyingMessage,
		}
	}
	if v.outcome.IsProving && v.isInForce() && restriction.Announced(found.Product).SinceTime != nil {
		switch reconcile.FindCondition(found.Product.Status.Conditions, api.ConditionRestrictionReady).Reason {
		case api.ReasonComplete, api.ReasonBypassed, api.ReasonLockNotInForce:
			// The lock is asked for again, by an operator that has just started, say: that is no news of what holds
			// already.
			return nil
		}
	}
	ready := &metav1.Condition{
		Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse,
		Reason: v.outcome.Reason, Message: v.outcome.Message,
	}
	switch {
	case v.outcome.Reason == api.ReasonAPINotInstalled:
	case v.isInForce() && !v.outcome.InForce:
		ready.Reason, ready.Message = api.ReasonApplying, restriction.ApplyingMessage
	case !v.isInForce() && v.outcome.InForce:
		ready.Reason, ready.Message = api.ReasonApplying, restriction.ApplyingMessage
	case v.outcome.Reason == api.ReasonComplete:
		ready.Status = metav1.ConditionTrue
	}
	if v.Mode == "" && ready.Reason != api.ReasonForbidden && ready.Reason != api.ReasonApplyFailed &&
		ready.Reason != api.ReasonApplying {
		return &metav1.Condition{}
	}
	return ready
}

// restrictionEvents are the events of going from one restriction to another.
func restrictionEvents(from, to *api.LicensedProductStatus) []reconcile.Event {
	var events []reconcile.Event
	wasRestricted, restricted := reconcile.FindCondition(from.Conditions, api.ConditionRestricted),
		reconcile.FindCondition(to.Conditions, api.ConditionRestricted)
	switch {
	case wasRestricted.Reason == restricted.Reason:
	case restricted.Status == metav1.ConditionTrue:
		events = append(events, reconcile.Event{Warning: true, Reason: "Restricted", Note: restricted.Message})
	case restricted.Reason == api.ReasonPaused:
		events = append(events, reconcile.Event{Reason: "RestrictionPaused", Note: restricted.Message})
	case wasRestricted.Status == metav1.ConditionTrue:
		events = append(events,
			reconcile.Event{Reason: "RestrictionLifted", Note: "Restriction ended. " + restricted.Message})
	case restricted.Reason == api.ReasonClockDisputed:
		events = append(events, reconcile.Event{
			Warning: true, Reason: "RestrictionClockDisputed", Note: restricted.Message,
		})
	}
	wasReady, ready := reconcile.FindCondition(from.Conditions, api.ConditionRestrictionReady),
		reconcile.FindCondition(to.Conditions, api.ConditionRestrictionReady)
	told := []string{api.ReasonForbidden, api.ReasonApplyFailed, api.ReasonBypassed, api.ReasonLockNotInForce}
	switch {
	case wasReady.Reason == ready.Reason:
	case slices.Contains(told, ready.Reason):
		events = append(events, reconcile.Event{Warning: true, Reason: "RestrictionNotReady", Note: ready.Message})
	case wasReady.Reason != "" && ready.Reason == api.ReasonComplete:
		events = append(events, reconcile.Event{Reason: "RestrictionComplete", Note: ready.Message})
	}
	return events
}
