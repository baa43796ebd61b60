// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of both kinds.
const (
	// ConditionReady of a LicenseKey: the key verifies; an expired key stays Ready. Of a LicensedProduct: its terms are
	// usable, whatever its keys.
	ConditionReady = "Ready"
)

// Condition types of a LicenseKey.
const (
	// ConditionActive is True of the one key that decides its product's state.
	ConditionActive = "Active"
)

// Condition types of a LicensedProduct.
const (
	// ConditionLicensed is True while a key is Valid or in its GracePeriod.
	ConditionLicensed = "Licensed"
	// ConditionWithinLimits is False while more is in use than the active key allows. That blocks nothing.
	ConditionWithinLimits = "WithinLimits"
	// ConditionAlertsReady is True while the product's PrometheusRule is in place.
	ConditionAlertsReady = "AlertsReady"
	// ConditionRestricted is True while a restriction is in force, with its mode as the reason.
	ConditionRestricted = "Restricted"
	// ConditionRestrictionReady is True while the restriction is in force, or lifted, completely. It is absent where
	// none is asked for.
	ConditionRestrictionReady = "RestrictionReady"
	// ConditionClockSkewed is present, and True, only while clock skew is detected.
	ConditionClockSkewed = "ClockSkewed"
)

// Reasons of a LicenseKey's Ready condition. All but ReasonVerified come with status False.
const (
	// ReasonVerified: signature, chain, claims, audience and cluster hold, and nothing of it is revoked.
	ReasonVerified = "Verified"
	// ReasonProductNotFound: there is no LicensedProduct of that name yet.
	ReasonProductNotFound = "ProductNotFound"
	// ReasonSecretNotFound: the Secret is not there, or has no such entry.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonTokenMalformed: the token is not a compact JWS within the bounds of the profile.
	ReasonTokenMalformed = "TokenMalformed"
	// ReasonAlgorithmNotAllowed: the token's algorithm is not on the list, or does not fit the signer's key.
	ReasonAlgorithmNotAllowed = "AlgorithmNotAllowed"
	// ReasonUntrustedCertificate: the chain does not lead from an acceptable signer to a trust anchor.
	ReasonUntrustedCertificate = "UntrustedCertificate"
	// ReasonSignatureInvalid: the signature is not the signer's.
	ReasonSignatureInvalid = "SignatureInvalid"
	// ReasonClaimsInvalid: a claim is missing, of the wrong type, out of bounds or contradicts another.
	ReasonClaimsInvalid = "ClaimsInvalid"
	// ReasonOutsideCertificateValidity: the license was issued before, or outlives, a certificate of its chain.
	ReasonOutsideCertificateValidity = "OutsideCertificateValidity"
	// ReasonAudienceMismatch: the key was issued for another product.
	ReasonAudienceMismatch = "AudienceMismatch"
	// ReasonClusterMismatch: the key was issued for other clusters.
	ReasonClusterMismatch = "ClusterMismatch"
	// ReasonLicenseRevoked: the product's revocations name the license.
	ReasonLicenseRevoked = "LicenseRevoked"
	// ReasonCertificateRevoked: the product's revocations name a certificate of the chain.
	ReasonCertificateRevoked = "CertificateRevoked"
)

// Reasons of a LicenseKey's Active condition. All but ReasonInForce come with status False.
const (
	// ReasonInForce: this key decides the product's state.
	ReasonInForce = "InForce"
	// ReasonStandby: another key of the product decides.
	ReasonStandby = "Standby"
	// ReasonNotYetValid: the key takes over once it begins.
	ReasonNotYetValid = "NotYetValid"
	// ReasonExpired: the key has expired and its grace period is over; of Licensed: so it is for the product.
	ReasonExpired = "Expired"
	// ReasonNotVerified: the key does not verify; condition Ready says why.
	ReasonNotVerified = "NotVerified"
)

// Reasons of a LicensedProduct's Ready condition.
const (
	// ReasonTermsAccepted: the terms are usable.
	ReasonTermsAccepted = "TermsAccepted"
	// ReasonTrustAnchorsInvalid: the trust anchors cannot be used; the last that could be count.
	ReasonTrustAnchorsInvalid = "TrustAnchorsInvalid"
	// ReasonTierSelectorInvalid: restriction.tierSelector is no label selector, so nothing is restricted.
	ReasonTierSelectorInvalid = "TierSelectorInvalid"
	// ReasonNodeSelectorInvalid: usage.nodeSelector is no label selector, so nothing is counted.
	ReasonNodeSelectorInvalid = "NodeSelectorInvalid"
)

// Reasons of a LicensedProduct's Licensed condition, besides ReasonExpired.
const (
	// ReasonValid: the active key is Valid.
	ReasonValid = "Valid"
	// ReasonGracePeriod: the active key has expired and is in its grace period.
	ReasonGracePeriod = "GracePeriod"
	// ReasonUnlicensed: no key verifies and has begun.
	ReasonUnlicensed = "Unlicensed"
)

// Reasons of a LicensedProduct's WithinLimits condition.
const (
	// ReasonWithinLimits: nothing exceeds its limit.
	ReasonWithinLimits = "WithinLimits"
	// ReasonNoLimits: there is no key, or the operator counts none of its limits.
	ReasonNoLimits = "NoLimits"
	// ReasonLimitExceeded: more is in use than the active key allows.
	ReasonLimitExceeded = "LimitExceeded"
)

// Reasons of a LicensedProduct's AlertsReady condition.
const (
	// ReasonRuleApplied: the PrometheusRule is as it should be.
	ReasonRuleApplied = "RuleApplied"
	// ReasonAPINotInstalled: the cluster has no such kind.
	ReasonAPINotInstalled = "APINotInstalled"
	// ReasonForbidden: the operator may not write it.
	ReasonForbidden = "Forbidden"
	// ReasonApplyFailed: the API server refused it, or the name is another's.
	ReasonApplyFailed = "ApplyFailed"
)

// Reasons of a LicensedProduct's Restricted condition. All but the modes come with status False.
const (
	// ReasonReadOnly: the policies of the tiers in status.restriction.inForce cannot be changed.
	ReasonReadOnly = string(RestrictionReadOnly)
	// ReasonDefaultTierOnly: the policies of the tiers in status.restriction.inForce are not applied to pods.
	ReasonDefaultTierOnly = string(RestrictionDefaultTierOnly)
	// ReasonNotRequested: the terms have no restriction.
	ReasonNotRequested = "NotRequested"
	// ReasonNotDue: status.restriction.effectiveTime is to come.
	ReasonNotDue = "NotDue"
	// ReasonObserved: the restriction is only observed, by the terms or by --max-restriction.
	ReasonObserved = "Observed"
	// ReasonPaused: the cluster owner has put the restriction off for a while.
	ReasonPaused = "Paused"
	// ReasonClockDisputed: the restriction is due by one of two clocks that disagree.
	ReasonClockDisputed = "ClockDisputed"
)

// Reasons of a LicensedProduct's RestrictionReady condition, besides ReasonAPINotInstalled, ReasonForbidden and
// ReasonApplyFailed.
const (
	// ReasonComplete: everything is as the restriction, or its end, wants it.
	ReasonComplete = "Complete"
	// ReasonApplying: it is being put into force or lifted.
	ReasonApplying = "Applying"
	// ReasonBypassed: some policies go on being applied; status.restriction.bypasses names them.
	ReasonBypassed = "Bypassed"
	// ReasonLockNotInForce: changes in restricted tiers are not refused, since the admission policies are not there or
	// do not work.
	ReasonLockNotInForce = "LockNotInForce"
)

// Reasons of a LicensedProduct's ClockSkewed condition.
const (
	// ReasonNodeClock: the operator's clock and the API server's differ by more than 5 minutes.
	ReasonNodeClock = "NodeClock"
	// ReasonBehindMark: the operator's clock is more than 60 seconds behind timeMark, which stands in for it.
	ReasonBehindMark = "BehindMark"
)
