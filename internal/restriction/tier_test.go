// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

func TestSpared(t *testing.T) {
	for name, test := range map[string]struct {
		tier restriction.Tier
		want api.TierSpareReason
	}{
		"a custom tier":              {restriction.Tier{Name: "security"}, ""},
		"default":                    {restriction.Tier{Name: "default"}, api.TierSparedBuiltIn},
		"kube-admin":                 {restriction.Tier{Name: "kube-admin"}, api.TierSparedBuiltIn},
		"kube-baseline":              {restriction.Tier{Name: "kube-baseline"}, api.TierSparedBuiltIn},
		"adminnetworkpolicy":         {restriction.Tier{Name: "adminnetworkpolicy"}, api.TierSparedBuiltIn},
		"baselineadminnetworkpolicy": {restriction.Tier{Name: "baselineadminnetworkpolicy"}, api.TierSparedBuiltIn},
		"calico-system":              {restriction.Tier{Name: "calico-system"}, api.TierSparedSystem},
		"allow-tigera":               {restriction.Tier{Name: "allow-tigera"}, api.TierSparedSystem},
		"labeled as a system tier": {restriction.Tier{Name: "platform",
			Labels: labels.Set{"projectcalico.org/system-tier": "true"}}, api.TierSparedSystem},
		"labeled as no system tier": {restriction.Tier{Name: "platform",
			Labels: labels.Set{"projectcalico.org/system-tier": "false"}}, ""},
		"labeled never": {restriction.Tier{Name: "payments",
			Labels: labels.Set{"license-operator.io/restriction": "never"}}, api.TierSparedNever},
		"labeled otherwise": {restriction.Tier{Name: "payments",
			Labels: labels.Set{"license-operator.io/restriction": "always"}}, ""},
		"no label makes default a tier to restrict": {restriction.Tier{Name: "default",
			Labels: labels.Set{"license-operator.io/restriction": "always"}}, api.TierSparedBuiltIn},
		"a name that only begins like one": {restriction.Tier{Name: "default-2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restriction.Spared(test.tier); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
