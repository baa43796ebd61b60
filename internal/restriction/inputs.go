// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// Seen is what exists in the cluster, in any order. A plan reads it and does not change it.
type Seen struct {
	Tiers    []calico.Tier
	Policies []calico.Policy
}

// Product is what a plan needs to know of a product. The caller decides what makes it Due, Disputed or Paused.
type Product struct {
	Name string
	// Vendor and RenewalURL are for the annotations of pass policies; RenewalURL may be empty.
	Vendor, RenewalURL string
	// Mode is the one in the product's terms; empty means none, which restricts nothing and affects nothing.
	Mode api.RestrictionMode
	// TierSelector selects tiers by their labels; nil selects none.
	TierSelector labels.Selector
	// Due is true from the effective time on, once the restriction may start, and for as long as it is in force.
	Due bool
	// Disputed is true while the restriction would be due but may not start, because the clocks disagree.
	Disputed bool
	// Paused is true while the cluster owner pauses the restriction.
	Paused bool
	// Since is when the restriction came into force; zero before that. EffectiveTime is when it takes effect.
	Since, EffectiveTime time.Time
}

// Caps are the limits that the cluster owner and the cluster set for restrictions, other than by labels on tiers.
type Caps struct {
	// MaxMode is the strongest mode of any product (--max-restriction). A value that is not a mode, the empty string
	// included, counts as Observe: a mistake restricts nothing.
	MaxMode api.RestrictionMode
	// WindowsNode is true while the cluster has one. There, a Pass in the last tier that applies to a pod blocks its
	// traffic (projectcalico/calico#13208), so ReadOnly replaces DefaultTierOnly.
	WindowsNode bool
	// OperatorNamespace is where the operator runs. Its pods are exempt, so that a renewal always arrives.
	OperatorNamespace string
}
