// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Outcome is what the restriction of a product comes to, and what has come of it in the cluster.
type Outcome struct {
	// UID and Generation of the product that it is for.
	UID        types.UID
	Generation int64
	// Mode under the caps, and whether it restricts.
	Mode    api.RestrictionMode
	InForce bool
	// Effects are nil where they cannot be known.
	Effects *Effects
	Readiness
}

// IsFor tells whether it is the outcome for a product as it is now.
func (o *Outcome) IsFor(product *api.LicensedProduct) bool {
	return o.UID == product.UID && o.Generation == product.Generation
}

// Readiness is what the condition RestrictionReady says.
type Readiness struct {
	Reason, Message string
	// IsProving tells whether everything is in place but the proof that the admission policies hold it.
	IsProving bool
}

// ApplyingMessage is the message of reason Applying.
const ApplyingMessage = "Applying: writing pass policies and testing that the admission policies reject changes."

// Announced is what the status of a product says about when it restricts, and how; empty: it does not.
func Announced(product *api.LicensedProduct) (inForce api.RestrictionInForce) {
	if status := product.Status.Restriction; status != nil && status.InForce != nil {
		inForce.SinceTime, inForce.Mode = status.InForce.SinceTime, status.InForce.Mode
	}
	return inForce
}
