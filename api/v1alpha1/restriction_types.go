// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RestrictionMode says what a restriction does to the policies of the tiers that it selects.
// +kubebuilder:validation:Enum=Observe;ReadOnly;DefaultTierOnly
type RestrictionMode string

// The modes of a restriction, from the gentlest to the strongest. None ever touches a built-in or system tier.
const (
	// RestrictionObserve touches nothing and tells what would be touched.
	RestrictionObserve RestrictionMode = "Observe"
	// RestrictionReadOnly keeps applying the policies that are there, and refuses to create and to change any. Reading
	// and deleting work.
	RestrictionReadOnly RestrictionMode = "ReadOnly"
	// RestrictionDefaultTierOnly stops applying the tiers' policies to pods. It does not change them: a
	// renewal applies them again as they are.
	RestrictionDefaultTierOnly RestrictionMode = "DefaultTierOnly"
)

// The annotations by which a cluster owner puts a product's restriction off. kubectl license pause and resume set and
// remove them.
const (
	// RestrictionPauseAnnotation on a LicensedProduct puts its restriction off, for at most MaxRestrictionPauseDays
	// from the first instant on: the two instants between which, in RFC 3339 and with a slash between them, as in
	// 2027-03-01T08:00:00Z/2027-03-04T08:00:00Z.
	RestrictionPauseAnnotation = "license-operator.io/restriction-pause"
	// RestrictionPauseReasonAnnotation says why, in at most 256 characters.
	RestrictionPauseReasonAnnotation = "license-operator.io/restriction-pause-reason"
)

// MaxRestrictionPauseDays is how long a pause may be, in days of 24 hours. A longer one ends then.
const MaxRestrictionPauseDays = 14

// Bounds of a status.
const (
	// MaxListedTiers is how many tiers each list of a status holds.
	MaxListedTiers = 1000
	// MaxListedBypasses is how many bypasses it names.
	MaxListedBypasses = 16
)

// RestrictionSpec says what a restriction does, and to which policy tiers. Built-in and system tiers are never
// restricted, nor any that the cluster owner has labeled license-operator.io/restriction: never.
// +kubebuilder:validation:XValidation:rule="self.mode == 'Observe' || has(self.tierSelector)",message="tierSelector is required with mode ReadOnly and DefaultTierOnly: {} selects every custom tier"
type RestrictionSpec struct {
	// mode says what a restriction does: Observe touches nothing, ReadOnly refuses to create and change policies,
	// DefaultTierOnly no longer applies them to pods.
	// +required
	Mode RestrictionMode `json:"mode,omitempty"`

	// tierSelector selects the tiers (projectcalico.org/v3) that are restricted, by their labels; {}: every custom
	// tier.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || size(self.matchLabels) <= 64",message="at most 64 matchLabels"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) <= 64",message="at most 64 matchExpressions"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="the operator of a matchExpression is In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : !has(e.values) || size(e.values) == 0)",message="matchExpressions with In or NotIn need values; those with Exists or DoesNotExist take none"
	TierSelector *metav1.LabelSelector `json:"tierSelector,omitempty"`
}

// RestrictionBasis says what an effective time was computed from.
// +kubebuilder:validation:Enum=CoverageEnd;NeverLicensed;LicenseLost
type RestrictionBasis string

// What an effective time is computed from.
const (
	// RestrictionBasisCoverageEnd is the end of what the keys cover.
	RestrictionBasisCoverageEnd RestrictionBasis = "CoverageEnd"
	// RestrictionBasisNeverLicensed is the product's creation and its unlicensed period.
	RestrictionBasisNeverLicensed RestrictionBasis = "NeverLicensed"
	// RestrictionBasisLicenseLost is the loss of the last usable key other than by time: usableUntilTime as it was, or
	// the loss and the unlicensed period, whichever is earlier.
	RestrictionBasisLicenseLost RestrictionBasis = "LicenseLost"
)

// RestrictionState says how the restriction of a product stands.
// +kubebuilder:validation:Enum=None;Scheduled;Active;Paused
type RestrictionState string

// The states of a restriction.
const (
	// RestrictionNone is a product that nothing is restricted for: its terms or the cluster owner (--max-restriction)
	// say so.
	RestrictionNone RestrictionState = "None"
	// RestrictionScheduled is a restriction that has yet to start.
	RestrictionScheduled RestrictionState = "Scheduled"
	// RestrictionActive is a restriction that is in force.
	RestrictionActive RestrictionState = "Active"
	// RestrictionPaused is a restriction that the cluster owner has put off for a while, due or not.
	RestrictionPaused RestrictionState = "Paused"
)

// RestrictionStatus says what happens after the grace period, when, and to what.
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || !has(self.inForce)",message="a restriction is in force or has a preview"
type RestrictionStatus struct {
	// state is None, Scheduled, Active or Paused.
	// +optional
	State RestrictionState `json:"state,omitempty"`

	// effectiveTime is the instant from which the product's restriction applies.
	// +optional
	EffectiveTime *metav1.Time `json:"effectiveTime,omitempty"`

	// basis says what effectiveTime was computed from.
	// +optional
	Basis RestrictionBasis `json:"basis,omitempty"`

	// usableUntilTime is the end of the last grace period of the keys that are usable now, staged renewals left aside:
	// should they all be lost, effectiveTime is no later.
	// +optional
	UsableUntilTime *metav1.Time `json:"usableUntilTime,omitempty"`

	// maxMode is the strongest mode of any product that the cluster owner allows (--max-restriction).
	// +optional
	MaxMode RestrictionMode `json:"maxMode,omitempty"`

	// sparedNamespace is the operator's own. No restriction touches its pods, so that a renewal always arrives.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	SparedNamespace string `json:"sparedNamespace,omitempty"`

	// pause is what the cluster owner has asked for with the annotation license-operator.io/restriction-pause, until it
	// is over.
	// +optional
	Pause *RestrictionPause `json:"pause,omitempty"`

	// preview is what a restriction would do to what is there now, while none is in force. It is absent where none is
	// asked for.
	// +optional
	Preview *RestrictionPreview `json:"preview,omitempty"`

	// inForce is the restriction that is in force.
	// +optional
	InForce *RestrictionInForce `json:"inForce,omitempty"`

	// sparedTiers are those that the tierSelector selects and that are never restricted, sorted by name; at most 1000
	// are listed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	SparedTiers []SparedTier `json:"sparedTiers,omitempty"`

	// bypasses are the policies that go on being applied to pods in spite of mode DefaultTierOnly.
	// +optional
	Bypasses *RestrictionBypasses `json:"bypasses,omitempty"`
}

// RestrictionPause is a time for which the cluster owner puts a restriction off.
type RestrictionPause struct {
	// sinceTime is when the pause begins.
	// +required
	SinceTime *metav1.Time `json:"sinceTime,omitempty"`

	// untilTime is when it ends, at most 14 days later.
	// +required
	UntilTime *metav1.Time `json:"untilTime,omitempty"`

	// reason that was given for it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
}

// RestrictionModeReason says why a mode is another one than the terms ask for.
// +kubebuilder:validation:Enum=MaxRestriction;WindowsNode;TierDeleting
type RestrictionModeReason string

// Why a mode is another one than the terms ask for. Of a product, the first that holds is given.
const (
	// ModeReasonMaxRestriction: --max-restriction is gentler.
	ModeReasonMaxRestriction RestrictionModeReason = "MaxRestriction"
	// ModeReasonWindowsNode: ReadOnly stands in for DefaultTierOnly, since the cluster has a Windows node
	// (projectcalico/calico#13208).
	ModeReasonWindowsNode RestrictionModeReason = "WindowsNode"
	// ModeReasonTierDeleting: ReadOnly stands in for DefaultTierOnly in a tier that is being deleted: a pass policy
	// would keep it from going. What is in it is applied for as long as it takes, and counts as a bypass.
	ModeReasonTierDeleting RestrictionModeReason = "TierDeleting"
)

// RestrictionPreview is what a restriction would do.
type RestrictionPreview struct {
	// mode that it would have.
	// +required
	Mode RestrictionMode `json:"mode,omitempty"`

	// modeReason says why that is another one than the terms ask for: MaxRestriction (--max-restriction), or
	// WindowsNode (the cluster has one).
	// +optional
	ModeReason RestrictionModeReason `json:"modeReason,omitempty"`

	// tiers that would be restricted, sorted by name; at most 1000 are listed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Tiers []RestrictedTier `json:"tiers,omitempty"`

	// policies that would be affected.
	// +optional
	Policies *AffectedPolicies `json:"policies,omitempty"`
}

// RestrictionInForce is a restriction that is in force. The admission policies of config/admission go by it, and by
// sparedNamespace.
type RestrictionInForce struct {
	// mode of the restriction, ReadOnly or DefaultTierOnly.
	// +required
	Mode RestrictionMode `json:"mode,omitempty"`

	// modeReason says why that is another one than the terms ask for: MaxRestriction (--max-restriction), or
	// WindowsNode (the cluster has one).
	// +optional
	ModeReason RestrictionModeReason `json:"modeReason,omitempty"`

	// sinceTime is when it came into force.
	// +required
	SinceTime *metav1.Time `json:"sinceTime,omitempty"`

	// tiers that are restricted, sorted by name; at most 1000 are listed, and any beyond that are not locked.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Tiers []RestrictedTier `json:"tiers,omitempty"`

	// policies that are affected.
	// +optional
	Policies *AffectedPolicies `json:"policies,omitempty"`

	// message is what those are told whose changes are refused: which product, since when, and where to renew.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
}

// RestrictedTier is a tier that is or would be restricted.
type RestrictedTier struct {
	// name of the tier.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// mode of the restriction in this tier, ReadOnly or DefaultTierOnly. In a tier that is being deleted the latter
	// becomes the former, since what would have to be in it would keep it from going.
	// +required
	Mode RestrictionMode `json:"mode,omitempty"`
}

// AffectedPolicies are how many policies stop being applied to pods, or, in mode ReadOnly, cannot be changed. They are
// counted anew some seconds after a change.
type AffectedPolicies struct {
	// total is how many.
	// +required
	// +kubebuilder:validation:Minimum=0
	Total *int32 `json:"total,omitempty"`

	// allowing is how many of them have a rule that allows.
	// +required
	// +kubebuilder:validation:Minimum=0
	Allowing *int32 `json:"allowing,omitempty"`

	// denying is how many of them have a rule that denies.
	// +required
	// +kubebuilder:validation:Minimum=0
	Denying *int32 `json:"denying,omitempty"`
}

// TierSpareReason says why a tier is never restricted.
// +kubebuilder:validation:Enum=BuiltIn;System;Never
type TierSpareReason string

// Why a tier is never restricted. The first that holds is given.
const (
	// TierSparedBuiltIn: every Calico has it.
	TierSparedBuiltIn TierSpareReason = "BuiltIn"
	// TierSparedSystem: it is for Calico's own components, by its name or by the label projectcalico.org/system-tier.
	TierSparedSystem TierSpareReason = "System"
	// TierSparedNever: the cluster owner has labeled it license-operator.io/restriction: never.
	TierSparedNever TierSpareReason = "Never"
)

// SparedTier is a tier that is never restricted.
type SparedTier struct {
	// name of the tier.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// reason is BuiltIn or System (Calico's own), or Never (the tier's label license-operator.io/restriction: never).
	// +required
	Reason TierSpareReason `json:"reason,omitempty"`
}

// RestrictionBypasses are the policies that go on being applied to pods in spite of mode DefaultTierOnly.
type RestrictionBypasses struct {
	// total is how many.
	// +required
	// +kubebuilder:validation:Minimum=1
	Total int32 `json:"total,omitempty"`

	// policies are the first 16 of them, by tier, namespace and name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Policies []BypassingPolicy `json:"policies,omitempty"`
}

// BypassReason says how a policy comes to be applied.
// +kubebuilder:validation:Enum=SortsFirst;TierDeleting
type BypassReason string

// How a policy comes to be applied in spite of DefaultTierOnly.
const (
	// BypassSortsFirst: Calico evaluates it before the pass policy. There is no lesser order than that one's, so a
	// policy of the same order and a smaller name is first.
	BypassSortsFirst BypassReason = "SortsFirst"
	// BypassTierDeleting: its tier is being deleted, and so has no pass policy.
	BypassTierDeleting BypassReason = "TierDeleting"
)

// BypassingPolicy is a policy that goes on being applied to pods.
type BypassingPolicy struct {
	// kind of the policy, of projectcalico.org/v3: NetworkPolicy or GlobalNetworkPolicy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// namespace of a NetworkPolicy.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the policy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// tier that it is in.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Tier string `json:"tier,omitempty"`

	// reason is SortsFirst (it comes before everything the operator can put first) or TierDeleting (its tier is being
	// deleted).
	// +required
	Reason BypassReason `json:"reason,omitempty"`
}
