// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Waiting ends when the operator has rejected this key by these terms.
func TestRefusal(t *testing.T) {
	ready := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{
			{Type: api.ConditionReady, Status: status, Reason: reason},
			{Type: api.ConditionActive, Status: metav1.ConditionFalse, Reason: api.ReasonNotVerified},
		}
	}
	for name, test := range map[string]struct {
		conditions []metav1.Condition
		// keySeen and productSeen are the observed generations; both objects have generation 2.
		keySeen, productSeen int64
		want                 bool
	}{
		"not reconciled":                    {nil, 0, 2, false},
		"reconciled with the earlier token": {ready(metav1.ConditionFalse, api.ReasonSignatureInvalid), 1, 2, false},
		"reconciled with the earlier terms": {ready(metav1.ConditionFalse, api.ReasonSignatureInvalid), 2, 1, false},
		"product not found":                 {ready(metav1.ConditionFalse, api.ReasonProductNotFound), 2, 2, false},
		"unknown": {
			ready(metav1.ConditionUnknown, api.ReasonSignatureInvalid), 2, 2,
			false,
		},
		"accepted":                      {ready(metav1.ConditionTrue, api.ReasonVerified), 2, 2, false},
		"rejected":                      {ready(metav1.ConditionFalse, api.ReasonSignatureInvalid), 2, 2, true},
		"rejected: for another cluster": {ready(metav1.ConditionFalse, api.ReasonClusterMismatch), 2, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			said := &operatorView{
				key: api.LicenseKey{
					ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh-1", Generation: 2},
					Status:     api.LicenseKeyStatus{ObservedGeneration: test.keySeen, Conditions: test.conditions},
				},
				product: api.LicensedProduct{
					ObjectMeta: metav1.ObjectMeta{Generation: 2},
					Status:     api.LicensedProductStatus{ObservedGeneration: test.productSeen},
				},
			}
			if got := said.refuses(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
