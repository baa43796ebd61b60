// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// reasonAbsent is the reason of a condition that does not exist: the operator has not reconciled the object yet.
const reasonAbsent = ""

// sharedReason is objects whose condition has the same reason.
type sharedReason struct {
	reason string
	names  []string
	// message is the first object's.
	message string
}

func (s *sharedReason) String() string {
	return fmt.Sprintf("%s (%s): %s", someNames(s.names), s.reason, s.message)
}

// unreadyBy groups the objects whose condition of a type is absent or not True, by the condition's reason.
func unreadyBy(condition string, objects []objectFacts) map[string]*sharedReason {
	found := map[string]*sharedReason{}
	for _, object := range objects {
		at := meta.FindStatusCondition(object.conditions, condition)
		if at == nil {
			at = &metav1.Condition{Reason: reasonAbsent}
		}
		if at.Status == metav1.ConditionTrue {
			continue
		}
		if found[at.Reason] == nil {
			found[at.Reason] = &sharedReason{reason: at.Reason, message: at.Message}
		}
		found[at.Reason].names = append(found[at.Reason].names, object.name)
	}
	return found
}

// notReady are the objects that are not ready, each with its reason, and those that the operator has not reconciled.
func notReady(objects []objectFacts) (rejected, pending []string) {
	for reason, shared := range unreadyBy(api.ConditionReady, objects) {
		if reason == reasonAbsent {
			pending = shared.names
			continue
		}
		for _, name := range shared.names {
			rejected = append(rejected, fmt.Sprintf("%s (%s)", name, reason))
		}
	}
	slices.Sort(rejected)
	return rejected, pending
}

func (i *snapshot) checkOperatorClock() check {
	var skewed []string
	var message string
	for _, product := range i.products.value {
		if at := meta.FindStatusCondition(product.conditions, api.ConditionClockSkewed); at != nil &&
			at.Status == metav1.ConditionTrue {
			skewed, message = append(skewed, product.name), at.Message
		}
	}
	if len(skewed) > 0 {
		return fail("Correct the clocks of the nodes and of the control plane. If a clock was ahead before: "+
			"kubectl license clock reset "+text.ShellQuote(skewed[0]),
			"clock skew detected for %s: %s", someNames(skewed), message)
	}
	return pass("no product reports clock skew")
}

func (i *snapshot) checkProducts() check {
	all := len(i.products.value)
	rejected, pending := notReady(i.products.value)
	switch {
	case all == 0:
		return pass("there are no LicensedProducts")
	case len(rejected) > 0:
		return fail("See the reason with kubectl license status, and ask the vendor.",
			"the terms of %d of %s are not accepted: %s", len(rejected), text.Plural(all, "product"),
			someNames(rejected))
	case len(pending) > 0:
		return warn(waitForIt, "%d of %s not reconciled yet: %s", len(pending), text.Plural(all, "product"),
			someNames(pending))
	default:
		return pass("the terms of %s accepted", text.Count(all, "product are", "products are"))
	}
}

func (i *snapshot) checkKeys() check {
	all := len(i.keys.value)
	rejected, pending := notReady(i.keys.value)
	switch {
	case all == 0:
		return pass("there are no LicenseKeys")
	case len(rejected) > 0:
		return warn("See why: kubectl license keys", "%d of %s not verify: %s", len(rejected),
			text.Count(all, "key does", "keys do"), someNames(rejected))
	case len(pending) > 0:
		return warn(waitForIt, "%d of %s not reconciled yet: %s", len(pending), text.Plural(all, "key"),
			someNames(pending))
	default:
		return pass("%s", text.Count(all, "key verifies", "keys verify"))
	}
}

func (i *snapshot) checkAlerts() check {
	if !i.hasMonitoring() {
		return pass("prometheus-operator not found, so there are no PrometheusRules; for alerts without it see " +
			"docs/monitoring.md")
	}
	if c, is := unread(&i.products); is {
		return c
	}
	missing := unreadyBy(api.ConditionAlertsReady, i.products.value)
	switch {
	case missing[api.ReasonForbidden] != nil:
		return fail("Give it in that namespace the permissions that config/rbac gives it in its own: "+
			"docs/monitoring.md",
			"the operator is not allowed to write the PrometheusRule of %s", missing[api.ReasonForbidden])
	case missing[api.ReasonApplyFailed] != nil:
		return fail(seeLog, "the operator could not write the PrometheusRule of %s", missing[api.ReasonApplyFailed])
	case len(i.products.value) == 0:
		return pass("no products, so no alerts")
	case len(missing) > 0:
		var names []string
		for shared := range maps.Values(missing) {
			names = append(names, shared.names...)
		}
		slices.Sort(names)
		return warn(waitForIt, "no PrometheusRules yet for %s", someNames(names))
	default:
		return pass("each product has its PrometheusRule")
	}
}
