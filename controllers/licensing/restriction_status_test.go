// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
)

const (
	observe         = api.RestrictionObserve
	readOnly        = api.RestrictionReadOnly
	defaultTierOnly = api.RestrictionDefaultTierOnly
)

// restricting is acme, restricted in every tier from day 30 on where no key covers it.
func restricting(mode api.RestrictionMode, changes ...func(*api.LicensedProduct)) *api.LicensedProduct {
	p := acme()
	p.Annotations = map[string]string{}
	p.Spec.Restriction = &api.RestrictionSpec{Mode: mode, TierSelector: &metav1.LabelSelector{}}
	for _, change := range changes {
		change(p)
	}
	return p
}

// pausing asks for a pause from one day to another.
func pausing(from, to int, reason string) func(*api.LicensedProduct) {
	return func(p *api.LicensedProduct) {
		p.Annotations[api.RestrictionPauseAnnotation] = restriction.PauseAnnotation(day(from), day(to))
		if reason != "" {
			p.Annotations[api.RestrictionPauseReasonAnnotation] = reason
		}
	}
}

func annotatedWith(value string) func(*api.LicensedProduct) {
	return func(p *api.LicensedProduct) { p.Annotations[api.RestrictionPauseAnnotation] = value }
}

// restrictedBefore is what the status of a product says by day 39 whose restriction came into force on day 35, in tiers
// that are not there any more.
func restrictedBefore(p *api.LicensedProduct) {
	p.Status = api.LicensedProductStatus{
		State: api.LicensedProductUnlicensed, TimeMark: on(39),
		Restriction: &api.RestrictionStatus{
			State: api.RestrictionActive, EffectiveTime: on(30), Basis: api.RestrictionBasisNeverLicensed,
			MaxMode:         defaultTierOnly,
			SparedNamespace: "license-operator-system",
			InForce: &api.RestrictionInForce{
				Mode: defaultTierOnly, SinceTime: on(35), Tiers: tiersOf(defaultTierOnly, "former"),
				Policies: counted(9, 8, 7), Message: "As it was.",
			},
			SparedTiers: []api.SparedTier{{Name: "kube-admin", Reason: api.TierSparedBuiltIn}},
			Bypasses:    bypassing("former", "former.first"),
		},
	}
}

// announcedBefore is what the status of a product says by day 29 whose restriction has yet to begin.
func announcedBefore(p *api.LicensedProduct) {
	p.Status = api.LicensedProductStatus{
		State: api.LicensedProductUnlicensed, TimeMark: on(29),
		Restriction: &api.RestrictionStatus{
			State: api.RestrictionScheduled, EffectiveTime: on(30), Basis: api.RestrictionBasisNeverLicensed,
			Preview: &api.RestrictionPreview{
				Mode: defaultTierOnly, Tiers: tiersOf(defaultTierOnly, "former"),
				Policies: counted(9, 8, 7),
			},
			SparedTiers: []api.SparedTier{{Name: "kube-admin", Reason: api.TierSparedBuiltIn}},
		},
	}
}

func tiersOf(mode api.RestrictionMode, names ...string) []api.RestrictedTier {
	var tiers []api.RestrictedTier
	for _, name := range names {
		tiers = append(tiers, api.RestrictedTier{Name: name, Mode: mode})
	}
	return tiers
}

func counted(total, allowing, denying int32) *api.AffectedPolicies {
	return &api.AffectedPolicies{Total: &total, Allowing: &allowing, Denying: &denying}
}

func bypassing(tier, name string) *api.RestrictionBypasses {
	return &api.RestrictionBypasses{Total: 1, Policies: []api.BypassingPolicy{
		{Kind: "GlobalNetworkPolicy", Name: name, Tier: tier, Reason: api.BypassSortsFirst},
	}}
}

var defaultSpared = []api.SparedTier{{Name: "default", Reason: api.TierSparedBuiltIn}}

// planned is the outcome of a plan in which tier security has three policies.
func planned(mode api.RestrictionMode, inForce bool, changes ...func(*restriction.Outcome)) *restriction.Outcome {
	tierMode := mode
	if mode == observe {
		tierMode = defaultTierOnly
	}
	o := &restriction.Outcome{
		Generation: 3, Mode: mode, InForce: inForce,
		Readiness: restriction.Readiness{Reason: api.ReasonComplete, Message: "So it is."},
		Effects: &restriction.Effects{
			Tiers: tiersOf(tierMode, "platform", "security"), Policies: counted(3, 1, 2),
			Spared: defaultSpared,
		},
	}
	for _, change := range changes {
		change(o)
	}
	return o
}

// upTo are the caps of an operator that allows this mode at most.
func upTo(mode api.RestrictionMode) restriction.Caps {
	return restriction.Caps{MaxMode: mode, OperatorNamespace: "license-operator-system"}
}

func TestRestrictionStatus(t *testing.T) {
	const (
		simulate = " (preview: kubectl license simulate acme-mesh)."
		renew    = " Get a license at https://acme.example/renew."
		stopped  = ", only policies in the default tier are applied to pods." + renew
		frozen   = ", policies in restricted tiers can only be read and deleted." + renew
		notice   = `No license covers LicensedProduct "acme-mesh" (Acme): restricted since `
		resume   = " kubectl license resume acme-mesh ends the pause."
	)
	windows := uncapped
	windows.WindowsNode = true
	k := verified("k", licenseOf("L1", 10, 100))

	// status is that of an unlicensed product, with what a plan says of it.
	status := func(state api.RestrictionState, changes ...func(*api.RestrictionStatus)) api.RestrictionStatus {
		s := api.RestrictionStatus{
			State: state, EffectiveTime: on(30), Basis: api.RestrictionBasisNeverLicensed, MaxMode: defaultTierOnly,
			SparedNamespace: "license-operator-system",
			SparedTiers:     defaultSpared,
		}
		for _, change := range changes {
			change(&s)
		}
		return s
	}
	preview := func(mode, tierMode api.RestrictionMode, reason api.RestrictionModeReason) func(*api.RestrictionStatus) {
		return func(s *api.RestrictionStatus) {
			s.Preview = &api.RestrictionPreview{
				Mode: mode, ModeReason: reason,
				Tiers: tiersOf(tierMode, "platform", "security"), Policies: counted(3, 1, 2),
			}
		}
	}
	inForce := func(mode api.RestrictionMode, reason api.RestrictionModeReason,
		since int,
	) func(*api.RestrictionStatus) {
		return func(s *api.RestrictionStatus) {
			s.InForce = &api.RestrictionInForce{
				Mode: mode, ModeReason: reason, SinceTime: on(since), Tiers: tiersOf(mode, "platform", "security"),
				Policies: counted(3, 1, 2),
				Message:  notice + text.Time(day(since)) + ". Get a license at https://acme.example/renew",
			}
		}
	}
	paused := func(from, to int, reason string) func(*api.RestrictionStatus) {
		return func(s *api.RestrictionStatus) {
			s.Pause = &api.RestrictionPause{SinceTime: on(from), UntilTime: on(to), Reason: reason}
		}
	}
	atMost := func(mode api.RestrictionMode) func(*api.RestrictionStatus) {
		return func(s *api.RestrictionStatus) { s.MaxMode = mode }
	}
	licensed := func(s *api.RestrictionStatus) {
		s.EffectiveTime, s.Basis, s.UsableUntilTime = on(110), api.RestrictionBasisCoverageEnd, on(110)
	}
	restricted := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: "Restricted", Status: status, Reason: reason, Message: message}
	}
	ready := func(status metav1.ConditionStatus, reason, message string) *metav1.Condition {
		return &metav1.Condition{Type: "RestrictionReady", Status: status, Reason: reason, Message: message}
	}
	complete := ready(isTrue, "Complete", "So it is.")
	nothing := &metav1.Condition{}
	as := func(mode api.RestrictionMode) func(*restriction.Outcome) {
		return func(o *restriction.Outcome) { o.Effects.Tiers = tiersOf(mode, "platform", "security") }
	}

	for name, test := range map[string]struct {
		product *api.LicensedProduct
		day     int
		clocks  license.ClockAgreement
		keys    []finding
		// caps are uncapped where there are none here.
		caps    *restriction.Caps
		outcome *restriction.Outcome

		want       api.RestrictionStatus
		restricted metav1.Condition
		// ready is nil where the condition stays as it was.
		ready *metav1.Condition
	}{
		"not requested": {
			product: acme(), day: 40,
			outcome: &restriction.Outcome{
				Generation: 3,
				Readiness:  restriction.Readiness{Reason: api.ReasonComplete, Message: "So it is."},
			},
			want: api.RestrictionStatus{
				State: api.RestrictionNone, EffectiveTime: on(30),
				Basis: api.RestrictionBasisNeverLicensed,
			},
			restricted: restricted(isFalse, "NotRequested", "The product has no restriction."),
			ready:      nothing,
		},
		"not requested any more": {
			product: restricting(defaultTierOnly,
				restrictedBefore, func(p *api.LicensedProduct) { p.Spec.Restriction = nil }), day: 40,
			want: api.RestrictionStatus{
				State: api.RestrictionNone, EffectiveTime: on(30),
				Basis: api.RestrictionBasisNeverLicensed,
			},
			restricted: restricted(isFalse, "NotRequested", "The product has no restriction."),
			ready:      ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"being deleted": {
			product: restricting(defaultTierOnly,
				restrictedBefore, func(p *api.LicensedProduct) { p.DeletionTimestamp = on(40) }), day: 40,
			want: api.RestrictionStatus{
				State: api.RestrictionNone, EffectiveTime: on(30),
				Basis: api.RestrictionBasisNeverLicensed,
			},
			restricted: restricted(isFalse, "NotRequested",
				"Product is being deleted; its restriction has been removed."),
			ready: ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"not requested, and an annotation that is not a pause": {
			product: restricting(observe,
				annotatedWith("72h"), func(p *api.LicensedProduct) { p.Spec.Restriction = nil }), day: 40,
			want: api.RestrictionStatus{
				State: api.RestrictionNone, EffectiveTime: on(30),
				Basis: api.RestrictionBasisNeverLicensed,
			},
			restricted: restricted(isFalse, "NotRequested",
				`The product has no restriction. The annotation license-operator.io/restriction-pause is `+
					`ignored: "72h" is not START/END (use kubectl license pause).`),
		},
		"observed by its terms": {
			product: restricting(observe), day: 40, outcome: planned(observe, false),
			want: status(api.RestrictionNone, preview(observe, defaultTierOnly, "")),
			restricted: restricted(isFalse, "Observed",
				"Restriction is only observed (mode Observe)."),
			ready: complete,
		},
		"observed by its terms, paused, and on a cluster with a Windows node": {
			product: restricting(observe, pausing(39, 41, "")), day: 40, caps: &windows,
			outcome: planned(observe, false, as(readOnly)),
			want:    status(api.RestrictionNone, preview(observe, readOnly, ""), paused(39, 41, "")),
			restricted: restricted(isFalse, "Observed",
				"Restriction is only observed (mode Observe)."),
			ready: complete,
		},
		"observed by --max-restriction": {
			product: restricting(defaultTierOnly), day: 40, caps: new(upTo(observe)),
			outcome: planned(observe, false),
			want: status(api.RestrictionNone, atMost(observe),
				preview(observe, defaultTierOnly, api.ModeReasonMaxRestriction)),
			restricted: restricted(isFalse, "Observed",
				"The operator runs with --max-restriction=Observe: the product's restriction (DefaultTierOnly) is "+
					"only observed."),
			ready: complete,
		},
		"observed by its terms and by --max-restriction": {
			product: restricting(observe), day: 40, caps: new(upTo(observe)), outcome: planned(observe, false),
			want: status(api.RestrictionNone, atMost(observe), preview(observe, defaultTierOnly, "")),
			restricted: restricted(isFalse, "Observed",
				"Restriction is only observed (mode Observe)."),
			ready: complete,
		},
		"observed by an operator that was told nothing": {
			product: restricting(readOnly), day: 40, caps: new(upTo("")),
			outcome: planned(observe, false, as(readOnly)),
			want:    status(api.RestrictionNone, atMost(""), preview(observe, readOnly, api.ModeReasonMaxRestriction)),
			restricted: restricted(isFalse, "Observed", "The operator runs with --max-restriction=Observe: the "+
				"product's restriction (ReadOnly) is only observed."),
			ready: complete,
		},

		"not due, unlicensed": {
			product: restricting(defaultTierOnly), day: 10, outcome: planned(defaultTierOnly, false),
			want: status(api.RestrictionScheduled, preview(defaultTierOnly, defaultTierOnly, "")),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (DefaultTierOnly) takes effect at 2026-01-31T00:00:00Z unless the license is renewed"+
					simulate),
			ready: complete,
		},
		"not due, licensed": {
			product: restricting(defaultTierOnly), day: 40, keys: []finding{k},
			outcome: planned(defaultTierOnly, false),
			want:    status(api.RestrictionScheduled, preview(defaultTierOnly, defaultTierOnly, ""), licensed),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (DefaultTierOnly) takes effect at 2026-04-21T00:00:00Z unless the license is renewed"+
					simulate),
			ready: complete,
		},
		"not due: what would bypass it bypasses nothing": {
			product: restricting(defaultTierOnly), day: 10,
			outcome: planned(defaultTierOnly,
				false, func(o *restriction.Outcome) { o.Effects.Bypasses = bypassing("security", "security.first") }),
			want: status(api.RestrictionScheduled, preview(defaultTierOnly, defaultTierOnly, "")),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (DefaultTierOnly) takes effect at 2026-01-31T00:00:00Z unless the license is renewed"+
					simulate),
			ready: complete,
		},
		"not due, and the clocks disagree": {
			product: restricting(defaultTierOnly), day: 10, clocks: license.ClocksDisagree,
			outcome: planned(defaultTierOnly, false),
			want:    status(api.RestrictionScheduled, preview(defaultTierOnly, defaultTierOnly, "")),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (DefaultTierOnly) takes effect at 2026-01-31T00:00:00Z unless the license is renewed"+
					simulate),
			ready: complete,
		},
		"not due, and a Windows node": {
			product: restricting(defaultTierOnly), day: 10, caps: &windows, outcome: planned(readOnly, false),
			want: status(api.RestrictionScheduled, preview(readOnly, readOnly, api.ModeReasonWindowsNode)),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (ReadOnly) takes effect at 2026-01-31T00:00:00Z unless the license is renewed"+simulate+
					" Windows nodes limit the mode to ReadOnly."),
			ready: complete,
		},
		"not due, and at most ReadOnly": {
			product: restricting(defaultTierOnly), day: 10, caps: new(upTo(readOnly)),
			outcome: planned(readOnly, false),
			want: status(api.RestrictionScheduled, atMost(readOnly),
				preview(readOnly, readOnly, api.ModeReasonMaxRestriction)),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (ReadOnly) takes effect at 2026-01-31T00:00:00Z unless the license is renewed"+simulate+
					" --max-restriction limits the mode to ReadOnly."),
			ready: complete,
		},
		"due, and the clocks disagree": {
			product: restricting(defaultTierOnly), day: 40, clocks: license.ClocksDisagree,
			outcome: planned(defaultTierOnly, false),
			want:    status(api.RestrictionScheduled, preview(defaultTierOnly, defaultTierOnly, "")),
			restricted: restricted(isFalse, "ClockDisputed",
				"Restriction is due, but the clocks of the operator and the API server disagree. It starts "+
					"when they agree: see condition ClockSkewed."),
			ready: complete,
		},

		"in force for the first time, and being applied": {
			product: restricting(defaultTierOnly), day: 40, outcome: planned(defaultTierOnly, false),
			want:       status(api.RestrictionActive, inForce(defaultTierOnly, "", 40)),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-10T00:00:00Z"+stopped),
			ready:      ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"in force in its first second": {
			product: restricting(readOnly,
				func(p *api.LicensedProduct) { p.Spec.UnlicensedGracePeriodDays = new(int32(0)) }), day: 0,
			want: api.RestrictionStatus{
				State: api.RestrictionActive, EffectiveTime: on(0), Basis: api.RestrictionBasisNeverLicensed,
				MaxMode:         defaultTierOnly,
				SparedNamespace: "license-operator-system",
				InForce: &api.RestrictionInForce{
					Mode: readOnly, SinceTime: on(0),
					Message: notice + "2026-01-01T00:00:00Z. Get a license at https://acme.example/renew",
				},
			},
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-01-01T00:00:00Z"+frozen),
			ready:      ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"in force since": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40, outcome: planned(defaultTierOnly, true),
			want:       status(api.RestrictionActive, inForce(defaultTierOnly, "", 35)),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-05T00:00:00Z"+stopped),
			ready:      complete,
		},
		"in force since, and the clocks have come to disagree": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40, clocks: license.ClocksDisagree,
			outcome:    planned(defaultTierOnly, true),
			want:       status(api.RestrictionActive, inForce(defaultTierOnly, "", 35)),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-05T00:00:00Z"+stopped),
			ready:      complete,
		},
		"in force, and bypassed": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40,
			outcome: planned(defaultTierOnly, true, func(o *restriction.Outcome) {
				o.Reason, o.Message, o.Effects.Bypasses = api.ReasonBypassed, "One does.",
					bypassing("security", "security.first")
			}),
			want: status(api.RestrictionActive, inForce(defaultTierOnly, "", 35), func(s *api.RestrictionStatus) {
				s.Bypasses = bypassing("security", "security.first")
			}),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-05T00:00:00Z"+stopped),
			ready:      ready(isFalse, "Bypassed", "One does."),
		},
		"in force: ReadOnly": {
			product: restricting(readOnly, restrictedBefore), day: 40, outcome: planned(readOnly, true),
			want:       status(api.RestrictionActive, inForce(readOnly, "", 35)),
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-02-05T00:00:00Z"+frozen),
			ready:      complete,
		},
		"in force, and a Windows node": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40, caps: &windows,
			outcome: planned(readOnly, true),
			want:    status(api.RestrictionActive, inForce(readOnly, api.ModeReasonWindowsNode, 35)),
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-02-05T00:00:00Z"+frozen+
				" Windows nodes limit the mode to ReadOnly."),
			ready: complete,
		},
		"in force, and at most ReadOnly": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40, caps: new(upTo(readOnly)),
			outcome: planned(readOnly, true),
			want: status(api.RestrictionActive, atMost(readOnly),
				inForce(readOnly, api.ModeReasonMaxRestriction, 35)),
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-02-05T00:00:00Z"+frozen+
				" --max-restriction limits the mode to ReadOnly."),
			ready: complete,
		},
		"in force, and an annotation that is not a pause": {
			product: restricting(defaultTierOnly, restrictedBefore, annotatedWith("2026-02-10/2026-02-12")), day: 40,
			outcome: planned(defaultTierOnly, true),
			want:    status(api.RestrictionActive, inForce(defaultTierOnly, "", 35)),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-05T00:00:00Z"+stopped+
				` The annotation license-operator.io/restriction-pause is ignored: "2026-02-10" is not a time in `+
				`RFC 3339 (use kubectl license pause).`),
			ready: complete,
		},
		"in force, and the product has no renewal URL": {
			product: restricting(readOnly, restrictedBefore, func(p *api.LicensedProduct) { p.Spec.RenewalURL = "" }),
			day:     40, outcome: planned(readOnly, true),
			want: status(api.RestrictionActive, inForce(readOnly, "", 35), func(s *api.RestrictionStatus) {
				s.InForce.Message = notice + "2026-02-05T00:00:00Z. Get a license from Acme"
			}),
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-02-05T00:00:00Z, policies in restricted tiers "+
				"can only be read and deleted. Get a license from Acme."),
			ready: complete,
		},
		"in force by a status that another has written: it is made anew": {
			product: restricting(defaultTierOnly, restrictedBefore, func(p *api.LicensedProduct) {
				p.Status.Restriction.InForce.Tiers = tiersOf(defaultTierOnly, "default")
			}), day: 40, outcome: planned(defaultTierOnly, true),
			want:       status(api.RestrictionActive, inForce(defaultTierOnly, "", 35)),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-05T00:00:00Z"+stopped),
			ready:      complete,
		},

		"paused, with a reason": {
			product: restricting(defaultTierOnly, restrictedBefore, pausing(40, 43, "change freeze")), day: 40,
			outcome: planned(defaultTierOnly, false),
			want: status(api.RestrictionPaused, preview(defaultTierOnly, defaultTierOnly, ""),
				paused(40, 43, "change freeze")),
			restricted: restricted(isFalse, "Paused",
				"Restriction paused until 2026-02-13T00:00:00Z (change freeze)."+resume),
			ready: complete,
		},
		"paused, without a reason, and being lifted": {
			product: restricting(defaultTierOnly, restrictedBefore, pausing(40, 43, "")), day: 40,
			outcome: planned(defaultTierOnly, true),
			want: status(api.RestrictionPaused, preview(defaultTierOnly, defaultTierOnly, ""),
				paused(40, 43, "")),
			restricted: restricted(isFalse, "Paused", "Restriction paused until 2026-02-13T00:00:00Z."+resume),
			ready:      ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"paused for a year": {
			product: restricting(defaultTierOnly, pausing(40, 405, "")), day: 40,
			outcome: planned(defaultTierOnly, false),
			want:    status(api.RestrictionPaused, preview(defaultTierOnly, defaultTierOnly, ""), paused(40, 54, "")),
			restricted: restricted(isFalse, "Paused",
				"Restriction paused until 2026-02-24T00:00:00Z."+resume+
					" The pause is cut to the maximum of 14 days."),
			ready: complete,
		},
		"paused before it is due": {
			product: restricting(readOnly, pausing(9, 11, "")), day: 10, outcome: planned(readOnly, false),
			want:       status(api.RestrictionPaused, preview(readOnly, readOnly, ""), paused(9, 11, "")),
			restricted: restricted(isFalse, "Paused", "Restriction paused until 2026-01-12T00:00:00Z."+resume),
			ready:      complete,
		},
		"paused, and a Windows node": {
			product: restricting(defaultTierOnly, pausing(40, 43, "")), day: 40, caps: &windows,
			outcome: planned(readOnly, false),
			want: status(api.RestrictionPaused, preview(readOnly, readOnly, api.ModeReasonWindowsNode),
				paused(40, 43, "")),
			restricted: restricted(isFalse, "Paused", "Restriction paused until 2026-02-13T00:00:00Z."+resume+
				" Windows nodes limit the mode to ReadOnly."),
			ready: complete,
		},
		"to be paused": {
			product: restricting(readOnly, restrictedBefore, pausing(41, 43, "change freeze")), day: 40,
			outcome:    planned(readOnly, true),
			want:       status(api.RestrictionActive, inForce(readOnly, "", 35), paused(41, 43, "change freeze")),
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-02-05T00:00:00Z"+frozen),
			ready:      complete,
		},
		"paused once, and in force again": {
			product: restricting(readOnly, pausing(37, 40, "change freeze")), day: 40,
			outcome:    planned(readOnly, false),
			want:       status(api.RestrictionActive, inForce(readOnly, "", 40)),
			restricted: restricted(isTrue, "ReadOnly", "Since 2026-02-10T00:00:00Z"+frozen),
			ready:      ready(isFalse, "Applying", restriction.ApplyingMessage),
		},

		"renewed, and being lifted": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40, keys: []finding{k},
			outcome: planned(defaultTierOnly, true),
			want:    status(api.RestrictionScheduled, preview(defaultTierOnly, defaultTierOnly, ""), licensed),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (DefaultTierOnly) takes effect at 2026-04-21T00:00:00Z unless the license is renewed"+
					simulate),
			ready: ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"not planned yet, and in force before: what was stays": {
			product: restricting(defaultTierOnly, restrictedBefore), day: 40,
			want: status(api.RestrictionActive, inForce(defaultTierOnly, "", 35), func(s *api.RestrictionStatus) {
				s.InForce.Tiers, s.InForce.Policies = tiersOf(defaultTierOnly, "former"), counted(9, 8, 7)
				s.SparedTiers, s.Bypasses = []api.SparedTier{{Name: "kube-admin", Reason: api.TierSparedBuiltIn}},
					bypassing("former", "former.first")
			}),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-05T00:00:00Z"+stopped),
		},
		"not planned yet, and to come into force: what was announced": {
			product: restricting(defaultTierOnly, announcedBefore), day: 30,
			want: status(api.RestrictionActive, inForce(defaultTierOnly, "", 30), func(s *api.RestrictionStatus) {
				s.InForce.Tiers, s.InForce.Policies = tiersOf(defaultTierOnly, "former"), counted(9, 8, 7)
				s.SparedTiers = []api.SparedTier{{Name: "kube-admin", Reason: api.TierSparedBuiltIn}}
			}),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-01-31T00:00:00Z"+stopped),
			ready:      ready(isFalse, "Applying", restriction.ApplyingMessage),
		},
		"not planned yet, and new": {
			product: restricting(defaultTierOnly), day: 10,
			want: status(api.RestrictionScheduled, func(s *api.RestrictionStatus) {
				s.Preview, s.SparedTiers = &api.RestrictionPreview{Mode: defaultTierOnly}, nil
			}),
			restricted: restricted(isFalse, "NotDue",
				"Restriction (DefaultTierOnly) takes effect at 2026-01-31T00:00:00Z unless the license is renewed"+
					simulate),
		},
		"without tiers": {
			product: restricting(defaultTierOnly), day: 40,
			outcome: planned(defaultTierOnly, true, func(o *restriction.Outcome) {
				o.Effects, o.Reason, o.Message = new((&restriction.ProductPlan{}).Effects()), api.ReasonAPINotInstalled,
					"There are none."
			}),
			want: status(api.RestrictionActive, inForce(defaultTierOnly, "", 40), func(s *api.RestrictionStatus) {
				s.SparedTiers, s.InForce.Tiers, s.InForce.Policies = nil, nil, counted(0, 0, 0)
			}),
			restricted: restricted(isTrue, "DefaultTierOnly", "Since 2026-02-10T00:00:00Z"+stopped),
			ready:      ready(isFalse, "APINotInstalled", "There are none."),
		},
	} {
		t.Run(name, func(t *testing.T) {
			caps := uncapped
			if test.caps != nil {
				caps = *test.caps
			}
			if test.clocks == license.ClocksUnknown {
				test.clocks = license.ClocksAgree
			}
			// look is what is found and written so long after that day has begun.
			look := func(product *api.LicensedProduct, later time.Duration) (*assess.Assessment, *restrictionView) {
				found := assessedBy(license.ClockReading{Now: day(test.day).Add(later), Agreement: test.clocks},
					product, test.keys...)
				return found, viewOf(found, caps, test.outcome)
			}
			found, s := look(test.product, 300*time.Millisecond)
			written := productStatus(found, observations{inUse(1, 4), nil, s})
			status := written.Restriction
			if diff := cmp.Diff(&test.want, status); diff != "" {
				t.Errorf("status: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.restricted, restrictedCondition(found, s, status)); diff != "" {
				t.Errorf("Restricted: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.ready, restrictionReadyCondition(found, s)); diff != "" {
				t.Errorf("RestrictionReady: -want +got:\n%s", diff)
			}

			// What has been written and read back is not written again, nor a moment later: that would never end.
			again := test.product.DeepCopy()
			again.Status = stored(t, written)
			for _, later := range []time.Duration{300 * time.Millisecond, time.Minute} {
				found, s := look(again, later)
				rewritten := productStatus(found, observations{inUse(1, 4), nil, s})
				if !equality.Semantic.DeepEqual(again.Status, rewritten) {
					t.Errorf("written again %s into the day: -first +again:\n%s", later,
						cmp.Diff(again.Status, rewritten))
				}
			}
		})
	}
}

// stored is a status as an API server gives it back.
func stored(t *testing.T, status api.LicensedProductStatus) api.LicensedProductStatus {
	t.Helper()
	text, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var back api.LicensedProductStatus
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// What an outcome says is what the condition says, unless the restriction has begun or ended since. Of a product that
// asks for no restriction only trouble is told.
func TestRestrictionReadyCondition(t *testing.T) {
	type told struct {
		Status metav1.ConditionStatus
		Reason string
	}
	const active, scheduled, none = api.RestrictionActive, api.RestrictionScheduled, api.RestrictionNone
	for _, test := range []struct {
		state   api.RestrictionState
		inForce bool
		// want is by the reason of the outcome.
		want map[string]told
	}{
		{active, true, map[string]told{
			"Complete": {isTrue, "Complete"}, "APINotInstalled": {isFalse, "APINotInstalled"},
			"Forbidden": {isFalse, "Forbidden"}, "ApplyFailed": {isFalse, "ApplyFailed"},
			"LockNotInForce": {isFalse, "LockNotInForce"}, "Bypassed": {isFalse, "Bypassed"},
			"Applying": {isFalse, "Applying"},
		}},
		{scheduled, false, map[string]told{
			"Complete": {isTrue, "Complete"}, "APINotInstalled": {isFalse, "APINotInstalled"},
			"Forbidden": {isFalse, "Forbidden"}, "ApplyFailed": {isFalse, "ApplyFailed"},
			"LockNotInForce": {isFalse, "LockNotInForce"}, "Bypassed": {isFalse, "Bypassed"},
			"Applying": {isFalse, "Applying"},
		}},
		{active, false, map[string]told{
			"Complete": {isFalse, "Applying"}, "APINotInstalled": {isFalse, "APINotInstalled"},
			"Forbidden": {isFalse, "Applying"}, "ApplyFailed": {isFalse, "Applying"},
		}},
		{scheduled, true, map[string]told{
			"Complete": {isFalse, "Applying"}, "APINotInstalled": {isFalse, "APINotInstalled"},
			"Forbidden": {isFalse, "Applying"}, "ApplyFailed": {isFalse, "Applying"},
			"LockNotInForce": {isFalse, "Applying"}, "Bypassed": {isFalse, "Applying"},
		}},
		{none, false, map[string]told{
			"Complete": {}, "APINotInstalled": {}, "Forbidden": {isFalse, "Forbidden"},
			"ApplyFailed": {isFalse, "ApplyFailed"}, "LockNotInForce": {}, "Bypassed": {},
			"Applying": {isFalse, "Applying"},
		}},
		{none, true, map[string]told{
			"Complete": {isFalse, "Applying"}, "APINotInstalled": {},
			"Forbidden": {isFalse, "Applying"},
		}},
	} {
		for reason, want := range test.want {
			t.Run(fmt.Sprintf("%s, %s in force %t", reason, test.state, test.inForce), func(t *testing.T) {
				s := &restrictionView{
					state: test.state,
					outcome: &restriction.Outcome{
						InForce:   test.inForce,
						Readiness: restriction.Readiness{Reason: reason, Message: "So it is."},
					},
				}
				if test.state != none {
					s.Mode = defaultTierOnly
				}
				got := restrictionReadyCondition(&assess.Assessment{Product: acme()}, s)
				if diff := cmp.Diff(want, told{got.Status, got.Reason}); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if want.Reason == reason && reason != "Applying" && got.Message != "So it is." {
					t.Errorf("it says %q", got.Message)
				}
			})
		}
	}
}

// An operator that has just started, or is asked for another product's lock in the same tier, has no news of a
// restriction that holds already.
func TestRestrictionReadyIsKeptWhileTheLockIsAskedForAgain(t *testing.T) {
	for name, test := range map[string]struct {
		reason       string
		heldBefore   bool
		wantReadyNow string // empty: what was said stays
	}{
		"it was complete":                           {api.ReasonComplete, true, ""},
		"policies went past it":                     {api.ReasonBypassed, true, ""},
		"the lock was missing":                      {api.ReasonLockNotInForce, true, ""},
		"it was on its way":                         {api.ReasonApplying, true, api.ReasonApplying},
		"it could not be applied":                   {api.ReasonApplyFailed, true, api.ReasonApplying},
		"nothing was restricted, and that complete": {api.ReasonComplete, false, api.ReasonApplying},
	} {
		t.Run(name, func(t *testing.T) {
			product := acme()
			product.Status.Conditions = []metav1.Condition{{
				Type:   api.ConditionRestrictionReady,
				Status: metav1.ConditionFalse, Reason: test.reason,
			}}
			if test.heldBefore {
				product.Status.Restriction = &api.RestrictionStatus{
					InForce: &api.RestrictionInForce{Mode: defaultTierOnly, SinceTime: new(metav1.NewTime(day(1)))},
				}
			}
			s := &restrictionView{
				state: api.RestrictionActive,
				outcome: &restriction.Outcome{
					InForce:   true,
					Readiness: restriction.Readiness{Reason: api.ReasonApplying, IsProving: true},
				},
			}
			s.Mode = defaultTierOnly
			got := ""
			if ready := restrictionReadyCondition(&assess.Assessment{Product: product}, s); ready != nil {
				got = ready.Reason
			}
			if got != test.wantReadyNow {
				t.Errorf("it says %q now, not %q", got, test.wantReadyNow)
			}
		})
	}
}

func TestRestrictionEvents(t *testing.T) {
	status := func(restricted, ready string) *api.LicensedProductStatus {
		s := &api.LicensedProductStatus{}
		if restricted != "" {
			inForce := reconcile.ConditionStatus(restricted == "ReadOnly" || restricted == "DefaultTierOnly")
			s.Conditions = append(s.Conditions,
				condition("Restricted", inForce, 3, 20, restricted, "It is "+restricted+"."))
		}
		if ready != "" {
			s.Conditions = append(s.Conditions,
				condition("RestrictionReady", reconcile.ConditionStatus(ready == "Complete"), 3, 20,
					ready, "All is "+ready+"."))
		}
		return s
	}
	for name, test := range map[string]struct {
		from, to *api.LicensedProductStatus
		want     []reconcile.Event
	}{
		"new, and to come":       {status("", ""), status("NotDue", ""), nil},
		"new, and not requested": {status("", ""), status("NotRequested", ""), nil},
		"new, and complete":      {status("NotDue", ""), status("NotDue", "Complete"), nil},
		"new, and in force": {
			status("", ""), status("DefaultTierOnly", ""),
			[]reconcile.Event{warning("Restricted", "It is DefaultTierOnly.")},
		},
		"new, and paused": {
			status("", ""), status("Paused", ""),
			[]reconcile.Event{normal("RestrictionPaused", "It is Paused.")},
		},
		"new, and disputed": {
			status("", ""), status("ClockDisputed", ""),
			[]reconcile.Event{warning("RestrictionClockDisputed", "It is ClockDisputed.")},
		},
		"nothing": {status("ReadOnly", "Complete"), status("ReadOnly", "Complete"), nil},
		"it comes into force": {
			status("NotDue", "Complete"), status("ReadOnly", "Applying"),
			[]reconcile.Event{warning("Restricted", "It is ReadOnly.")},
		},
		"and completely": {
			status("ReadOnly", "Applying"), status("ReadOnly", "Complete"),
			[]reconcile.Event{normal("RestrictionComplete", "All is Complete.")},
		},
		"and gets stronger": {
			status("ReadOnly", "Complete"), status("DefaultTierOnly", "Complete"),
			[]reconcile.Event{warning("Restricted", "It is DefaultTierOnly.")},
		},
		"and gets gentler": {
			status("DefaultTierOnly", "Complete"), status("ReadOnly", "Complete"),
			[]reconcile.Event{warning("Restricted", "It is ReadOnly.")},
		},
		"it is lifted by a key": {
			status("ReadOnly", "Complete"), status("NotDue", "Applying"),
			[]reconcile.Event{normal("RestrictionLifted", "Restriction ended. It is NotDue.")},
		},
		"it is lifted by the terms": {
			status("ReadOnly", "Complete"), status("NotRequested", ""),
			[]reconcile.Event{normal("RestrictionLifted", "Restriction ended. It is NotRequested.")},
		},
		"it is lifted by the owner": {
			status("ReadOnly", "Complete"), status("Observed", "Complete"),
			[]reconcile.Event{normal("RestrictionLifted", "Restriction ended. It is Observed.")},
		},
		"it is lifted by a pause": {
			status("ReadOnly", "Complete"), status("Paused", "Applying"),
			[]reconcile.Event{normal("RestrictionPaused", "It is Paused.")},
		},
		"a pause is over, and it is in force": {
			status("Paused", "Complete"), status("ReadOnly", "Complete"),
			[]reconcile.Event{warning("Restricted", "It is ReadOnly.")},
		},
		"a pause is over, and it is to come": {status("Paused", "Complete"), status("NotDue", "Complete"), nil},
		"the clocks come to agree": {
			status("ClockDisputed", "Complete"), status("ReadOnly", "Complete"),
			[]reconcile.Event{warning("Restricted", "It is ReadOnly.")},
		},
		"the clocks agree, and it is to come": {status("ClockDisputed", "Complete"), status("NotDue", "Complete"), nil},
		"a right is missing": {
			status("ReadOnly", "Applying"), status("ReadOnly", "Forbidden"),
			[]reconcile.Event{warning("RestrictionNotReady", "All is Forbidden.")},
		},
		"a write fails": {
			status("ReadOnly", "Complete"), status("ReadOnly", "ApplyFailed"),
			[]reconcile.Event{warning("RestrictionNotReady", "All is ApplyFailed.")},
		},
		"the lock is not in force": {
			status("ReadOnly", "Applying"), status("ReadOnly", "LockNotInForce"),
			[]reconcile.Event{warning("RestrictionNotReady", "All is LockNotInForce.")},
		},
		"bypassed": {
			status("ReadOnly", "Complete"), status("ReadOnly", "Bypassed"),
			[]reconcile.Event{warning("RestrictionNotReady", "All is Bypassed.")},
		},
		"from one trouble to another": {
			status("ReadOnly", "Forbidden"), status("ReadOnly", "Bypassed"),
			[]reconcile.Event{warning("RestrictionNotReady", "All is Bypassed.")},
		},
		"out of trouble": {
			status("ReadOnly", "Bypassed"), status("ReadOnly", "Complete"),
			[]reconcile.Event{normal("RestrictionComplete", "All is Complete.")},
		},
		"out of trouble, not requested": {status("Observed", "Forbidden"), status("NotRequested", ""), nil},
		"there are no tiers":            {status("NotDue", "Complete"), status("NotDue", "APINotInstalled"), nil},
		"there are tiers": {
			status("NotDue", "APINotInstalled"), status("NotDue", "Complete"),
			[]reconcile.Event{normal("RestrictionComplete", "All is Complete.")},
		},
		"it comes into force, and into trouble": {
			status("NotDue", "Complete"), status("ReadOnly", "Forbidden"),
			[]reconcile.Event{
				warning("Restricted", "It is ReadOnly."),
				warning("RestrictionNotReady", "All is Forbidden."),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			transitions := &transitions{from: test.from.Conditions, to: test.to.Conditions}
			transitions.addRestriction()
			if diff := cmp.Diff(test.want, transitions.events); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Pauses begin and end on time: their instants are boundaries too.
func TestNextLookAtAPause(t *testing.T) {
	for name, test := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"before it begins": {day(40).Add(-10 * time.Minute), 10*time.Minute + 5*time.Millisecond},
		"before it ends":   {day(43).Add(-10 * time.Minute), 10*time.Minute + 5*time.Millisecond},
		"after it":         {day(43), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			found := assessedBy(license.ClockReading{Now: test.now, Agreement: license.ClocksUnknown},
				restricting(defaultTierOnly, pausing(40, 43, "")))
			if got := reconcile.At(found.Time.Clock, nextLook(found)).RequeueAfter; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Whatever vendors and cluster owners write, the API takes it: the message of a restriction in at most 2048 characters,
// that of a condition in what conditions take.
func TestLongTextsFitTheStatus(t *testing.T) {
	p := restricting(defaultTierOnly, pausing(50, 60, strings.Repeat("€", 300)))
	p.Name = strings.Repeat("n", 253)
	p.Spec.Vendor, p.Spec.RenewalURL = strings.Repeat("€", 128), "https://"+strings.Repeat("€", 1016)
	for _, now := range []int{40, 55} {
		status := productStatusOf(assessedOn(now, p), inUse(1, 4), nil)
		if inForce := status.Restriction.InForce; inForce != nil && len([]rune(inForce.Message)) > 2048 {
			t.Errorf("the message has %d characters", len([]rune(inForce.Message)))
		}
		if reason := []rune(status.Restriction.Pause.Reason); len(reason) != 256 {
			t.Errorf("the reason of the pause has %d characters", len(reason))
		}
		if message := reconcile.FindCondition(status.Conditions, "Restricted").Message; len(message) > 4096 ||
			!strings.HasSuffix(message, ".") {
			t.Errorf("Restricted says, in %d bytes: %s", len(message), message)
		}
	}
}
