// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
)

// restrictionView is the state of a product's restriction, and what it follows from.
type restrictionView struct {
	restriction.Product
	caps       restriction.Caps
	mode       api.RestrictionMode
	modeReason api.RestrictionModeReason
	state      api.RestrictionState
	// reason of the condition Restricted.
	reason string
	// outcome of what was planned last; nil where that has yet to be seen.
	outcome *restrictionOutcome
}

func restrictionViewOf(found *assessment, caps restriction.Caps, outcome *restrictionOutcome) *restrictionView {
	s := &restrictionView{
		Product: restriction.ProductOf(found.product, &found.evaluation), caps: caps, outcome: outcome,
	}
	s.mode, s.modeReason = restriction.EffectiveMode(s.Mode, caps)
	s.state, s.reason = s.StateUnder(caps)
	return s
}

func (s *restrictionView) isInForce() bool { return s.state == api.RestrictionActive }

// restrictionStatus is what the status of a product says of its restriction.
func restrictionStatus(found *assessment, s *restrictionView) *api.RestrictionStatus {
	e := &found.evaluation
	status := &api.RestrictionStatus{
		State: s.state, EffectiveTime: instant(e.EffectiveTime), Basis: e.Basis,
		UsableUntilTime: instant(e.UsableUntil),
	}
	if s.Mode == "" {
		return status
	}
	effects := restriction.EffectsIn(found.product.Status.Restriction)
	if s.outcome != nil && s.outcome.effects != nil {
		effects = *s.outcome.effects
	}
	status.MaxMode, status.SparedNamespace = s.caps.MaxMode, s.caps.OperatorNamespace
	status.SparedTiers = effects.Spared
	if pause, err := restriction.PauseOf(found.product); err == nil && pause != nil &&
		found.time.Now.Before(pause.UntilTime.Time) {
		status.Pause = pause
	}
	if !s.isInForce() {
		status.Preview = &api.RestrictionPreview{Mode: s.mode, ModeReason: s.modeReason, Tiers: effects.Tiers,
			Policies: effects.Policies}
		return status
	}
	status.Bypasses = effects.Bypasses
	since := instant(s.Since)
	if since == nil {
		since = new(transitionTime(found))
	}
	status.InForce = &api.RestrictionInForce{
		Mode: s.mode, ModeReason: s.modeReason, SinceTime: since, Tiers: effects.Tiers, Policies: effects.Policies,
		Message: s.Notice(since.Time),
	}
	return status
}

// restrictedCondition tells whether a restriction is in force, and if not, why.
func restrictedCondition(found *assessment, s *restrictionView, status *api.RestrictionStatus) metav1.Condition {
	restricted := metav1.Condition{
		Type: api.ConditionRestricted, Status: reconcile.ConditionStatus(s.isInForce()), Reason: s.reason,
	}
	preview := fmt.Sprintf("kubectl license simulate %s tells what that would do.", found.product.Name)
	switch s.reason {
	case api.ReasonNotRequested:
		restricted.Message = "The product's terms have no restriction."
		if found.product.Spec.Restriction != nil {
			restricted.Message = "The product is being deleted, and restricts nothing any more."
		}
	case api.ReasonObserved:
		restricted.Message = "The product's terms have a restriction that is only observed: nothing is ever restricted."
		if s.modeReason == api.ModeReasonMaxRestriction {
			restricted.Message = fmt.Sprintf("The operator runs with --max-restriction=%s: nothing is ever "+
				"restricted, though the product's terms ask for %s.",
				cmp.Or(s.caps.MaxMode, api.RestrictionObserve), s.Mode)
		}
	case api.ReasonPaused:
		restricted.Message = fmt.Sprintf("The restriction is paused until %s", rfc3339(status.Pause.UntilTime.Time))
		if status.Pause.Reason != "" {
			restricted.Message += fmt.Sprintf(" (%s)", status.Pause.Reason)
		}
		restricted.Message += fmt.Sprintf(". kubectl license resume %s ends the pause.", found.product.Name)
	case api.ReasonClockDisputed:
		restricted.Message = "The restriction would be due, but the operator's clock and the API server's disagree, " +
			"and it does not start while they do: condition ClockSkewed tells what to mend."
	case api.ReasonNotDue:
		restricted.Message = fmt.Sprintf("A restriction (%s) takes effect at %s, unless the product is licensed for "+
			"longer by then. %s", s.mode, rfc3339(found.evaluation.EffectiveTime), preview)
	case api.ReasonReadOnly:
		restricted.Message = fmt.Sprintf("Since %s policies in the tiers of status.restriction.inForce can be "+
			"neither created nor changed. They can be read and deleted. %s",
			rfc3339(status.InForce.SinceTime.Time), renewal(found.product))
	default:
		restricted.Message = fmt.Sprintf("Since %s policies in the tiers of status.restriction.inForce are not "+
			"applied to pods; those in the default tier are. None of them is changed, and a renewal applies them "+
			"again. %s",
			rfc3339(status.InForce.SinceTime.Time), renewal(found.product))
	}
	switch s.modeReason {
	case api.ModeReasonWindowsNode:
		restricted.Message += " The cluster has a Windows node, on which DefaultTierOnly would block traffic, so " +
			"the mode is ReadOnly."
	case api.ModeReasonMaxRestriction:
		if s.mode != api.RestrictionObserve {
			restricted.Message += fmt.Sprintf(" The product's terms ask for %s; the operator runs with "+
				"--max-restriction=%s.", s.Mode, s.caps.MaxMode)
		}
	default: // The mode is the one that the terms ask for.
	}
	if _, err := restriction.PauseOf(found.product); err != nil {
		restricted.Message += fmt.Sprintf(" The %v.", err)
	} else if restriction.IsPauseCut(found.product) {
		restricted.Message += fmt.Sprintf(" The pause that is asked for is longer than the %d days that one may "+
			"last, and ends then.", api.MaxRestrictionPauseDays)
	}
	return restricted
}

// restrictionReadyCondition tells whether the restriction is in force, or lifted, completely; nil where that has yet to
// be seen, and a condition without a type where there is nothing to tell.
func restrictionReadyCondition(found *assessment, s *restrictionView) *metav1.Condition {
	if s.outcome == nil {
		if (announced(found.product).SinceTime != nil) == s.isInForce() {
			return nil
		}
		return &metav1.Condition{Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse,
			Reason: api.ReasonApplying, Message: applyingMessage}
	}
	if s.outcome.isProving && s.isInForce() && announced(found.product).SinceTime != nil {
		switch reconcile.FindCondition(found.product.Status.Conditions, api.ConditionRestrictionReady).Reason {
		case api.ReasonComplete, api.ReasonBypassed, api.ReasonLockNotInForce:
			// The lock is asked for again, by an operator that has just started, say: that is no news of what holds
			// already.
			return nil
		}
	}
	ready := &metav1.Condition{Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse,
		Reason: s.outcome.reason, Message: s.outcome.message}
	switch {
	case s.outcome.reason == api.ReasonAPINotInstalled:
	case s.isInForce() && !s.outcome.inForce:
		ready.Reason, ready.Message = api.ReasonApplying, applyingMessage
	case !s.isInForce() && s.outcome.inForce:
		ready.Reason, ready.Message = api.ReasonApplying, applyingMessage
	case s.outcome.reason == api.ReasonComplete:
		ready.Status = metav1.ConditionTrue
	}
	if s.Mode == "" && ready.Reason != api.ReasonForbidden && ready.Reason != api.ReasonApplyFailed &&
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
			reconcile.Event{Reason: "RestrictionLifted", Note: "The restriction has ended. " + restricted.Message})
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
