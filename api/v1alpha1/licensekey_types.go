// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LicenseKeyState says where in its life a key is.
// +kubebuilder:validation:Enum=Invalid;NotYetValid;Valid;GracePeriod;Expired
type LicenseKeyState string

// The states of a key. The intervals are half-open: an instant belongs to the state that begins at it.
const (
	// LicenseKeyInvalid is a key that does not verify; condition Ready says why.
	LicenseKeyInvalid LicenseKeyState = "Invalid"
	// LicenseKeyNotYetValid is a verified key before its notBeforeTime.
	LicenseKeyNotYetValid LicenseKeyState = "NotYetValid"
	// LicenseKeyValid is a verified key from its notBeforeTime up to its expiryTime.
	LicenseKeyValid LicenseKeyState = "Valid"
	// LicenseKeyGracePeriod is a verified key from its expiryTime up to its graceEndTime. Everything still works.
	LicenseKeyGracePeriod LicenseKeyState = "GracePeriod"
	// LicenseKeyExpired is a verified key from its graceEndTime on.
	LicenseKeyExpired LicenseKeyState = "Expired"
)

// SecretKeyReference names one entry of a Secret in the operator's own namespace.
type SecretKeyReference struct {
	// name of the Secret, in the namespace the operator runs in.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key of the entry in the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// LicenseKeySpec is what the customer was given, and for which product.
// +kubebuilder:validation:ExactlyOneOf=token;tokenSecretRef
type LicenseKeySpec struct {
	// productName is the LicensedProduct that this key is for. It cannot be changed: a key for another product is
	// another object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="productName is immutable: create another LicenseKey for another product"
	ProductName string `json:"productName,omitempty"`

	// token is the license itself, a compact JWS as docs/token-format.md describes. A renewal that has begun may
	// replace it in place; one that has yet to begin is another LicenseKey. White space around it is ignored.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Token string `json:"token,omitempty"`

	// tokenSecretRef names the entry of a Secret that holds the token, for those who treat it as a secret.
	// +optional
	TokenSecretRef *SecretKeyReference `json:"tokenSecretRef,omitempty"`

	// certificate is a chain of PEM certificates, the signer's own first, each followed by the one that issued it, up
	// to a trust anchor of the product, which may be left out. Without it the token's own x5c header is the chain.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	Certificate string `json:"certificate,omitempty"`
}

// LicenseKeyStatus is what the operator found out about a key.
type LicenseKeyStatus struct {
	// conditions are Ready (the key verifies; an expired key stays Ready) and Active (this key decides the product's
	// state).
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

	// state says where in its life the key is.
	// +optional
	State LicenseKeyState `json:"state,omitempty"`

	// licenseID is the vendor's identifier of the license (claim jti).
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LicenseID string `json:"licenseID,omitempty"`

	// customer is the holder of the license (claim sub).
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Customer string `json:"customer,omitempty"`

	// issuedTime is when the license was issued (claim iat).
	// +optional
	IssuedTime *metav1.Time `json:"issuedTime,omitempty"`

	// notBeforeTime is when the license begins (claim nbf, by default iat).
	// +optional
	NotBeforeTime *metav1.Time `json:"notBeforeTime,omitempty"`

	// expiryTime is when the license expires and its grace period begins (claim exp).
	// +optional
	ExpiryTime *metav1.Time `json:"expiryTime,omitempty"`

	// graceEndTime is when the grace period is over (claims exp and grace_period).
	// +optional
	GraceEndTime *metav1.Time `json:"graceEndTime,omitempty"`

	// features that the license grants, while it is Valid or in its GracePeriod.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=128
	Features []string `json:"features,omitempty"`

	// limits that the license sets, while it is Valid or in its GracePeriod.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Limits []Limit `json:"limits,omitempty"`
}

// Limit is how much of one thing is licensed.
type Limit struct {
	// name of what is limited: nodes, cores, or anything that the vendor counts. Names that the operator does not count
	// are carried, not checked.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// value is how many of it the license allows, zero included.
	// +required
	// +kubebuilder:validation:Minimum=0
	Value *int64 `json:"value,omitempty"`
}

// LicenseKey is a license key that a customer was given for a LicensedProduct.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=lk,categories=licensing
// +kubebuilder:printcolumn:name="Product",type=string,JSONPath=`.spec.productName`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Customer",type=string,JSONPath=`.status.customer`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiryTime`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Grace End",type=string,priority=1,JSONPath=`.status.graceEndTime`
// +kubebuilder:printcolumn:name="License ID",type=string,priority=1,JSONPath=`.status.licenseID`
type LicenseKey struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the customer was given.
	// +required
	Spec LicenseKeySpec `json:"spec,omitzero"`

	// status is what the operator found out.
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status LicenseKeyStatus `json:"status,omitzero"`
}

// LicenseKeyList is a list of LicenseKeys.
// +kubebuilder:object:root=true
type LicenseKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []LicenseKey `json:"items"`
}
