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
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
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
	product := restriction.ProductOf(found.Product, &found.Evaluation)
	v := &restrictionView{Product: product, caps: caps, outcome: outcome}
	v.mode, v.modeReason = restriction.EffectiveMode(v.Mode, caps)
	v.state, v.reason = v.StateUnder(caps)
	return v
}

func (v *restrictionView) isInForce() bool { return v.state == api.RestrictionActive }

// restrictionStatus is what the status of a product says of its restriction, without what the evaluation records.
func restrictionStatus(found *assess.Assessment, v *restrictionView) *api.RestrictionStatus {
	status := &api.RestrictionStatus{State: v.state}
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
			Mode: v.mode, ModeReason: v.modeReason, Tiers: effects.Tiers, Policies: effects.Policies,
		}
		return status
	}
	status.Bypasses = effects.Bypasses
	since := cmp.Or(license.Instant(v.Since), new(transitionTime(found)))
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
				"restriction (%s) is only observed.", cmp.Or(v.caps.MaxMode, api.RestrictionObserve), v.Mode)
		}
	case api.ReasonPaused:
		restricted.Message = "Restriction paused until " + text.Time(status.Pause.UntilTime.Time)
		if status.Pause.Reason != "" {
			restricted.Message += fmt.Sprintf(" (%s)", status.Pause.Reason)
		}
		restricted.Message += fmt.Sprintf(". kubectl license resume %s ends the pause.", found.Product.Name)
	case api.ReasonClockDisputed:
		restricted.Message = "Restriction is due, but the clocks of the operator and the API server disagree. It " +
			"starts when they agree: see condition ClockSkewed."
	case api.ReasonNotDue:
		restricted.Message = fmt.Sprintf("Restriction (%s) takes effect at %s unless the license is renewed "+
			"(preview: kubectl license simulate %s).",
			v.mode, text.Time(found.Evaluation.EffectiveTime), found.Product.Name)
	case api.ReasonReadOnly:
		restricted.Message = fmt.Sprintf("Since %s, policies in restricted tiers can only be read and deleted. %s",
			text.Time(status.InForce.SinceTime.Time), renewal(found.Product))
	default:
		restricted.Message = fmt.Sprintf("Since %s, only policies in the default tier are applied to pods. %s",
			text.Time(status.InForce.SinceTime.Time), renewal(found.Product))
	}
	switch v.modeReason {
	case api.ModeReasonWindowsNode:
		restricted.Message += " Windows nodes limit the mode to ReadOnly."
	case api.ModeReasonMaxRestriction:
		if v.mode != api.RestrictionObserve {
			restricted.Message += fmt.Sprintf(" --max-restriction limits the mode to %s.", v.caps.MaxMode)
		}
	default: // The mode is the one in the terms.
	}
	if _, err := restriction.PauseOf(found.Product); err != nil {
		restricted.Message += fmt.Sprintf(" The %v.", err)
	} else if restriction.IsPauseCut(found.Product) {
		restricted.Message += fmt.Sprintf(" The pause is cut to the maximum of %d days.", api.MaxRestrictionPauseDays)
	}
	return restricted
}

// restrictionReadyCondition tells whether the restriction is in force, or lifted, completely. It is nil if that is not
// known yet, and has no type if there is nothing to tell.
func restrictionReadyCondition(found *assess.Assessment, v *restrictionView) *metav1.Condition {
	ready := &metav1.Condition{
		Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse,
		Reason: api.ReasonApplying, Message: restriction.ApplyingMessage,
	}
	wasInForce := restriction.Announced(found.Product).SinceTime != nil
	if v.outcome == nil {
		if wasInForce == v.isInForce() {
			return nil
		}
		return ready
	}
	if v.outcome.IsProving && v.isInForce() && wasInForce {
		switch reconcile.FindCondition(found.Product.Status.Conditions, api.ConditionRestrictionReady).Reason {
		case api.ReasonComplete, api.ReasonBypassed, api.ReasonLockNotInForce:
			return nil // the lock is only tested again, for example after a restart of the operator
		}
	}
	if v.outcome.Reason == api.ReasonAPINotInstalled || v.isInForce() == v.outcome.InForce {
		ready.Reason, ready.Message = v.outcome.Reason, v.outcome.Message
		ready.Status = reconcile.ConditionStatus(ready.Reason == api.ReasonComplete)
	}
	toldAnyway := []string{api.ReasonForbidden, api.ReasonApplyFailed, api.ReasonApplying}
	if v.Mode == "" && !slices.Contains(toldAnyway, ready.Reason) {
		return &metav1.Condition{}
	}
	return ready
}

// addRestriction adds the events of going from one restriction to another.
func (t *transitions) addRestriction() {
	was, is, changed := t.of(api.ConditionRestricted)
	switch {
	case !changed:
	case is.Status == metav1.ConditionTrue:
		t.add(true, "Restricted", is.Message)
	case is.Reason == api.ReasonPaused:
		t.add(false, "RestrictionPaused", is.Message)
	case was.Status == metav1.ConditionTrue:
		t.add(false, "RestrictionLifted", "Restriction ended. "+is.Message)
	case is.Reason == api.ReasonClockDisputed:
		t.add(true, "RestrictionClockDisputed", is.Message)
	}
	wasReady, ready, changed := t.of(api.ConditionRestrictionReady)
	told := []string{api.ReasonForbidden, api.ReasonApplyFailed, api.ReasonBypassed, api.ReasonLockNotInForce}
	switch {
	case !changed:
	case slices.Contains(told, ready.Reason):
		t.add(true, "RestrictionNotReady", ready.Message)
	case wasReady.Reason != "" && ready.Reason == api.ReasonComplete:
		t.add(false, "RestrictionComplete", ready.Message)
	}
}
