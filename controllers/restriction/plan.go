// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// plan is a plan for all products, with what it was made of. It is not changed once it is made.
type plan struct {
	restriction.Plan
	products []product
	existing map[string]*enforcement.Existing
	// unseen says what could not be read. Then it is not known what the restrictions affect.
	unseen error
	// actions are to be carried out, by tier.
	actions map[string]tierAction
	// notices are those that the admission policies have to quote, by the tiers in which they are tested.
	notices map[string][]string
}

// product is a product, with what its restriction is planned by.
type product struct {
	restriction.Product
	object *api.LicensedProduct
}

// makePlan plans the restrictions of products. A restriction that is due and was not announced is not due yet: its
// status comes first. A restriction that pass policies prove to be in force stays, should the status be lost.
func makePlan(seen observation, products []product, caps restriction.Caps) *plan {
	p := &plan{products: products, existing: seen.existing, unseen: seen.err()}
	planned := make([]restriction.Product, 0, len(products))
	uids := map[string]types.UID{}
	for i := range products {
		product := &products[i]
		if product.Since.IsZero() && (product.Due || product.Disputed) {
			product.Since = p.ownedSince(product)
			product.Due, product.Disputed = !product.Since.IsZero(), false
		}
		planned = append(planned, product.Product)
		uids[product.Name] = product.object.UID
	}
	p.Plan = restriction.MakePlan(seen.Seen, planned, caps)
	p.limitToObserved(seen)
	p.actions = actionsOf(&p.Plan, p.existing, uids)
	p.notices = map[string][]string{}
	for i := range p.Products {
		if tier := lockedTier(&p.Products[i]); tier != "" && p.notices[tier] == nil {
			p.notices[tier] = p.noticesIn(tier)
		}
	}
	return p
}

// ownedSince is since when a product restricts a tier, by the annotation of a pass policy that it owns; zero: it owns
// none.
func (p *plan) ownedSince(product *product) time.Time {
	for _, existing := range p.existing {
		if slices.ContainsFunc(existing.Owners,
			func(owner metav1.OwnerReference) bool { return owner.UID == product.object.UID }) {
			if since, err := time.Parse(time.RFC3339, existing.Annotations[calico.SinceAnnotation]); err == nil {
				return since
			}
			return product.EffectiveTime
		}
	}
	return time.Time{}
}

// limitToObserved takes out of a plan what cannot be known. Without the global policies nothing is written: it is
// unknown what exists. Without the tiers nothing is restricted that was not, and what is restricted stays; but a pass
// policy that no product needs any more can be deleted all the same.
func (p *plan) limitToObserved(seen observation) {
	switch {
	case seen.globalErr != nil:
		p.Tiers, p.Delete = nil, nil
	case seen.tiersErr != nil && !isGone(seen.tiersErr):
		p.Tiers = nil
		p.Delete = slices.DeleteFunc(p.Delete, func(name string) bool {
			return slices.ContainsFunc(p.Products, func(product restriction.ProductPlan) bool {
				return product.InForce && p.isOwner(product.Name, name)
			})
		})
	}
}

// isGone tells whether the cluster does not have the kind, and so none of its objects.
func isGone(err error) bool {
	return errors.Is(err, optional.ErrNotInstalled) && !errors.Is(err, optional.ErrNotServed)
}

func (p *plan) isOwner(product, policy string) bool {
	existing := p.existing[policy]
	return existing != nil && slices.ContainsFunc(existing.Owners, func(owner metav1.OwnerReference) bool {
		return license.IsProduct(owner) && owner.Name == product
	})
}

// lockedTier is a tier in which the lock has to reject something for that product; empty: there is none.
func lockedTier(product *restriction.ProductPlan) string {
	if !product.InForce || len(product.Affects) == 0 {
		return ""
	}
	return product.Affects[0].Tier
}

// noticesIn are those of all products that have a restriction in force in a tier. The API server quotes one of several
// policies that reject the same request, and it may be any.
func (p *plan) noticesIn(tier string) []string {
	var notices []string
	for i, product := range p.products {
		planned := &p.Products[i]
		if planned.InForce && slices.ContainsFunc(planned.Affects,
			func(e restriction.TierEffect) bool { return e.Tier == tier }) {
			notices = append(notices, product.Notice(product.Since))
		}
	}
	return notices
}

// tierAction is what is to be done in one tier: ensure the pass policy, then delete others of the operator's. While the
// name of a pass policy changes there are two for a moment, and never none.
type tierAction struct {
	// pass is nil where none is to be ensured; existing is the policy of its name.
	pass     *calico.PassPolicy
	owners   []metav1.OwnerReference
	existing *enforcement.Existing
	// deletes are to be deleted, by name.
	deletes map[string]*enforcement.Existing
}

// actionsOf is what is to be done for a plan, by tier.
func actionsOf(
	planned *restriction.Plan, existing map[string]*enforcement.Existing, uids map[string]types.UID,
) map[string]tierAction {
	actions := map[string]tierAction{}
	for i := range planned.Tiers {
		pass := planned.Tiers[i].Pass
		if pass == nil {
			continue
		}
		action := tierAction{pass: pass, owners: ownersOf(pass, uids), existing: existing[pass.Name]}
		if action.existing == nil || !action.existing.Matches(action.pass, action.owners) {
			actions[pass.Tier] = action
		}
	}
	for _, name := range planned.Delete {
		if e := existing[name]; e != nil {
			action := actions[e.Tier]
			if action.deletes == nil {
				action.deletes = map[string]*enforcement.Existing{}
			}
			action.deletes[name] = e
			actions[e.Tier] = action
		}
	}
	return actions
}

// ownersOf are the products that need a pass policy: it is deleted with the last of them, even while the operator is
// down.
func ownersOf(pass *calico.PassPolicy, uids map[string]types.UID) []metav1.OwnerReference {
	owners := make([]metav1.OwnerReference, 0, len(pass.Owners))
	for _, product := range pass.Owners {
		owners = append(owners, metav1.OwnerReference{
			APIVersion: api.GroupVersion.String(), Kind: "LicensedProduct", Name: product, UID: uids[product],
		})
	}
	return owners
}
