// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// reasonAbsent stands for the reason of a condition that is not there: the operator has not looked yet.
const reasonAbsent = ""

// sharedReason is the products whose condition has the same reason, and what it says of the first.
type sharedReason struct {
	names   []string
	message string
}

// productsBy are the products whose condition of a type is not there or other than True, by its reasons.
func productsBy(products []productFacts, condition string) map[string]*sharedReason {
	found := map[string]*sharedReason{}
	for _, product := range products {
		at := meta.FindStatusCondition(product.conditions, condition)
		if at == nil {
			at = &metav1.Condition{Reason: reasonAbsent}
		}
		if at.Status == metav1.ConditionTrue {
			continue
		}
		if found[at.Reason] == nil {
			found[at.Reason] = &sharedReason{message: at.Message}
		}
		found[at.Reason].names = append(found[at.Reason].names, product.name)
	}
	return found
}

func (i *snapshot) checkOperatorClock() check {
	const name = "OperatorClock"
	if c, is := unread(name, &i.products); is {
		return c
	}
	var skewed []string
	var message string
	for _, product := range i.products.value {
		if at := meta.FindStatusCondition(product.conditions, api.ConditionClockSkewed); at != nil &&
			at.Status == metav1.ConditionTrue {
			skewed, message = append(skewed, product.name), at.Message
		}
	}
	if len(skewed) > 0 {
		return problem(name, "Correct the clocks of the nodes, and of the control plane. If a clock was ahead once: "+
			"kubectl license clock reset "+text.ShellQuote(skewed[0]),
			"clock skew detected for %s: %s", someNames(skewed), message)
	}
	return good(name, "no product reports clock skew")
}

func (i *snapshot) checkProducts() check {
	const name = "Products"
	if c, is := unread(name, &i.products); is {
		return c
	}
	all := int64(len(i.products.value))
	unready := productsBy(i.products.value, api.ConditionReady)
	unseen := unready[reasonAbsent]
	delete(unready, reasonAbsent)
	var refused []string
	for reason, shared := range unready {
		for _, product := range shared.names {
			refused = append(refused, fmt.Sprintf("%s (%s)", product, reason))
		}
	}
	slices.Sort(refused)
	switch {
	case all == 0:
		return good(name, "there are no LicensedProducts")
	case len(refused) > 0:
		return problem(name, "See what is wrong with them (kubectl license status), and ask their vendors.",
			"the terms of %d of %s are not accepted: %s", len(refused), text.Plural(all, "product"), someNames(refused))
	case unseen != nil:
		return warning(name, "The operator does within a second. If it does not, see the lines Pods and Leader.",
			"%d of %s not reconciled yet: %s", len(unseen.names), text.Plural(all,
				"product"), someNames(unseen.names))
	default:
		return good(name, "the terms of %s accepted", text.Count(all, "product are", "products are"))
	}
}

func (i *snapshot) checkKeys() check {
	const name = "Keys"
	if c, is := unread(name, &i.keys); is {
		return c
	}
	all := int64(len(i.keys.value))
	var refused, unseen []string
	for _, key := range i.keys.value {
		switch {
		case key.ready == nil:
			unseen = append(unseen, key.name)
		case key.ready.Status != metav1.ConditionTrue:
			refused = append(refused, fmt.Sprintf("%s (%s)", key.name, key.ready.Reason))
		}
	}
	switch {
	case all == 0:
		return good(name, "there are no LicenseKeys")
	case len(refused) > 0:
		return warning(name, "See why: kubectl license keys", "%d of %s not verify: %s", len(refused),
			text.Count(all, "key does", "keys do"), someNames(refused))
	case len(unseen) > 0:
		return warning(name, "The operator does within a second. If it does not, see the lines Pods and Leader.",
			"%d of %s not reconciled yet: %s", len(unseen), text.Plural(all, "key"), someNames(unseen))
	default:
		return good(name, "%s", text.Count(all, "key verifies", "keys verify"))
	}
}
