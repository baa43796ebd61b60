// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LicensedProductState says what the keys that a product has now amount to.
// +kubebuilder:validation:Enum=Unlicensed;Valid;GracePeriod;Expired
type LicensedProductState string

// The states of a product: that of its active key, or Unlicensed without one.
const (
	// LicensedProductUnlicensed is a product without a key that verifies and has begun.
	LicensedProductUnlicensed LicensedProductState = "Unlicensed"
	// LicensedProductValid is a product whose active key is Valid.
	LicensedProductValid LicensedProductState = "Valid"
	// LicensedProductGracePeriod is a product whose active key is in its GracePeriod. Everything still works.
	LicensedProductGracePeriod LicensedProductState = "GracePeriod"
	// LicensedProductExpired is a product whose active key, the best it has, is Expired.
	LicensedProductExpired LicensedProductState = "Expired"
)

// ClockResetAnnotation on a LicensedProduct asks the operator once, for each new value of at most 64 characters, to
// forget the product's timeMark and to believe the clock again. kubectl license clock reset sets it.
const ClockResetAnnotation = "license-operator.io/clock-reset-requested"

// DefaultUnlicensedGracePeriodDays is how long a product may stay without a license before a restriction where its spec
// does not say.
const DefaultUnlicensedGracePeriodDays = 30

// Where a product's spec.alerts does not say when to warn.
const (
	// DefaultExpiryWarningDays is how long before coverageEndTime a warning begins.
	DefaultExpiryWarningDays = 60
	// DefaultExpiryCriticalDays is how long before coverageEndTime the alert becomes critical.
	DefaultExpiryCriticalDays = 14
	// DefaultUsageWarningPercent is the share of a limit from which on its use is warned of.
	DefaultUsageWarningPercent = 90
)

// The names of what the operator counts. A limit of another name is carried, and not checked.
const (
	// UsageNodes is how many nodes the product's usage.nodeSelector selects.
	UsageNodes = "nodes"
	// UsageCores is how many CPU cores these nodes have together: their capacity, rounded up.
	UsageCores = "cores"
)

// MaxMonthlyPeaks is how many months status.monthlyPeaks holds: this one, and a year before it.
const MaxMonthlyPeaks = 13

// LicensedProductSpec is the vendor's terms.
type LicensedProductSpec struct {
	// vendor is who ships the product, for messages.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Vendor string `json:"vendor,omitempty"`

	// renewalURL is where a license is renewed. Every warning quotes it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^(https?://|mailto:)[^\s]+$`
	RenewalURL string `json:"renewalURL,omitempty"`

	// audience is what keys must be issued for (claim aud). The default is the object's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Audience string `json:"audience,omitempty"`

	// trustAnchors are PEM CA certificates, at most 64: the chain of a key must end in one of them.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="self.contains('-----BEGIN CERTIFICATE-----')",message="trustAnchors must hold at least one PEM block of type CERTIFICATE"
	// +kubebuilder:validation:XValidation:rule="!self.contains('PRIVATE KEY-----')",message="trustAnchors must never hold a private key: paste ca.crt, not ca.key"
	TrustAnchors string `json:"trustAnchors,omitempty"`

	// revocations name licenses and certificates that are not accepted any more.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	Revocations []Revocation `json:"revocations,omitempty"`

	// unlicensedGracePeriodDays is how long the product may stay without a license, from its creation or from the loss
	// of its last usable key, before a restriction takes effect, in days of 24 hours.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3650
	UnlicensedGracePeriodDays *int32 `json:"unlicensedGracePeriodDays,omitempty"`

	// usage says what counts as use of the product.
	// +optional
	Usage *UsageSpec `json:"usage,omitempty"`

	// restriction says what happens to network policies after the grace period. Absent: nothing, ever.
	// +optional
	Restriction *RestrictionSpec `json:"restriction,omitempty"`

	// alerts are the thresholds of the product's alerts.
	// +optional
	// +kubebuilder:default={expiryWarningDays: 60, expiryCriticalDays: 14, usageWarningPercent: 90}
	Alerts *AlertsSpec `json:"alerts,omitempty"`
}

// UsageSpec says what counts as use of a product.
type UsageSpec struct {
	// nodeSelector selects the nodes that count, ready or not, by their labels; {} and none at all: every node.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || size(self.matchLabels) <= 64",message="at most 64 matchLabels"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) <= 64",message="at most 64 matchExpressions"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="the operator of a matchExpression is In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : !has(e.values) || size(e.values) == 0)",message="matchExpressions with In or NotIn need values; those with Exists or DoesNotExist take none"
	NodeSelector *metav1.LabelSelector `json:"nodeSelector,omitempty"`
}

// AlertsSpec are the thresholds of a product's alerts.
// +kubebuilder:validation:XValidation:rule="self.expiryCriticalDays < self.expiryWarningDays",message="expiryCriticalDays must be less than expiryWarningDays: the alert warns first and is critical then"
type AlertsSpec struct {
	// expiryWarningDays is how long before status.coverageEndTime LicenseExpiring begins to warn, in days of 24 hours.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	ExpiryWarningDays int32 `json:"expiryWarningDays,omitempty"`

	// expiryCriticalDays is how long before status.coverageEndTime LicenseExpiring becomes critical, in days of 24
	// hours.
	// +optional
	// +kubebuilder:default=14
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	ExpiryCriticalDays int32 `json:"expiryCriticalDays,omitempty"`

	// usageWarningPercent is the share of a limit, in percent, from which on LicenseNodesNearLimit and
	// LicenseCoresNearLimit warn.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	UsageWarningPercent int32 `json:"usageWarningPercent,omitempty"`
}

// Revocation names one license, or one certificate and with it every key whose chain it is in.
// +kubebuilder:validation:ExactlyOneOf=licenseID;certificateSHA256
type Revocation struct {
	// licenseID is the identifier of the revoked license (claim jti).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	LicenseID string `json:"licenseID,omitempty"`

	// certificateSHA256 is the SHA-256 fingerprint of the revoked certificate in hexadecimal, in the notation of
	// openssl x509 -fingerprint (with colons) or without colons.
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=95
	// +kubebuilder:validation:Pattern=`^[0-9a-fA-F]{2}(:?[0-9a-fA-F]{2}){31}$`
	CertificateSHA256 string `json:"certificateSHA256,omitempty"`
}

// LicensedProductStatus is what the operator found out about a product.
type LicensedProductStatus struct {
	// conditions are Ready (the terms are usable; never depends on a key), Licensed, WithinLimits (going over a limit
	// blocks nothing), AlertsReady (the product's PrometheusRule is in place), Restricted (a restriction is in force),
	// RestrictionReady (what is in force, or lifted, is so completely; absent where none is asked for), and ClockSkewed
	// (present only when True).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec that this status was computed from; -1: none yet.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state says what the keys that the product has now amount to.
	// +optional
	State LicensedProductState `json:"state,omitempty"`

	// activeLicenseKeyName is the LicenseKey that decides the product's state.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ActiveLicenseKeyName string `json:"activeLicenseKeyName,omitempty"`

	// expiryTime is when the active key expires.
	// +optional
	ExpiryTime *metav1.Time `json:"expiryTime,omitempty"`

	// graceEndTime is when the active key's grace period is over.
	// +optional
	GraceEndTime *metav1.Time `json:"graceEndTime,omitempty"`

	// coverageEndTime is the end of the last grace period that the present keys reach without a gap, staged renewals
	// included.
	// +optional
	CoverageEndTime *metav1.Time `json:"coverageEndTime,omitempty"`

	// features that the active key grants, while it is Valid or in its GracePeriod.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=128
	Features []string `json:"features,omitempty"`

	// limits that the active key sets, while it is Valid or in its GracePeriod.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Limits []Limit `json:"limits,omitempty"`

	// usage is what is in use now, of each thing that the operator counts: nodes and cores.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Usage []Usage `json:"usage,omitempty"`

	// monthlyPeaks are the most that was ever in use at a time, in each of the last 13 months that the operator counted
	// in, the latest last. A peak is never lowered.
	// +optional
	// +listType=map
	// +listMapKey=month
	// +kubebuilder:validation:MaxItems=13
	MonthlyPeaks []MonthlyPeak `json:"monthlyPeaks,omitempty"`

	// timeMark is the latest instant that the operator has recorded. Time never runs backwards behind it.
	// +optional
	TimeMark *metav1.Time `json:"timeMark,omitempty"`

	// lastHandledClockReset is the value of the clock-reset-requested annotation that was last acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledClockReset string `json:"lastHandledClockReset,omitempty"`

	// trustAnchors are the last spec.trustAnchors that could be used. Keys are verified against them while the present
	// ones cannot be.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	TrustAnchors string `json:"trustAnchors,omitempty"`

	// restriction says what happens after the grace period, when, and to what.
	// +optional
	Restriction *RestrictionStatus `json:"restriction,omitempty"`
}

// Usage is how much of one thing is in use.
type Usage struct {
	// name of what is counted: nodes or cores.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// value is how many are in use.
	// +required
	// +kubebuilder:validation:Minimum=0
	Value *int64 `json:"value,omitempty"`
}

// MonthlyPeak is the most that was in use at a time within one month.
type MonthlyPeak struct {
	// month in UTC, as in 2027-03.
	// +required
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=7
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-(0[1-9]|1[0-2])$`
	Month string `json:"month,omitempty"`

	// usage is the peak of each thing that the operator counts; they need not fall into the same moment.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Usage []Usage `json:"usage,omitempty"`
}

// LicensedProduct is a product that needs a license, and its vendor's terms.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=lprod,categories=licensing
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Active Key",type=string,JSONPath=`.status.activeLicenseKeyName`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiryTime`
// +kubebuilder:printcolumn:name="Grace End",type=string,JSONPath=`.status.graceEndTime`
// +kubebuilder:printcolumn:name="Restriction",type=string,JSONPath=`.status.restriction.state`
// +kubebuilder:printcolumn:name="Restricts At",type=string,JSONPath=`.status.restriction.effectiveTime`
// +kubebuilder:printcolumn:name="Within Limits",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="WithinLimits")].reason`
// +kubebuilder:printcolumn:name="Alerts",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="AlertsReady")].reason`
// +kubebuilder:printcolumn:name="Restriction Ready",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="RestrictionReady")].reason`
// +kubebuilder:printcolumn:name="Ready",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Vendor",type=string,priority=1,JSONPath=`.spec.vendor`
// +kubebuilder:printcolumn:name="Coverage End",type=string,priority=1,JSONPath=`.status.coverageEndTime`
type LicensedProduct struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the vendor's terms.
	// +required
	Spec LicensedProductSpec `json:"spec,omitzero"`

	// status is what the operator found out.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status LicensedProductStatus `json:"status,omitzero"`
}

// LicensedProductList is a list of LicensedProducts.
// +kubebuilder:object:root=true
type LicensedProductList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []LicensedProduct `json:"items"`
}
