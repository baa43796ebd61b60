// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

func TestExemption(t *testing.T) {
	for name, test := range map[string]struct {
		tier calico.Tier
		want api.TierSpareReason
	}{
		"a custom tier":              {calico.Tier{Name: "security"}, ""},
		"default":                    {calico.Tier{Name: "default"}, api.TierSparedBuiltIn},
		"kube-admin":                 {calico.Tier{Name: "kube-admin"}, api.TierSparedBuiltIn},
		"kube-baseline":              {calico.Tier{Name: "kube-baseline"}, api.TierSparedBuiltIn},
		"adminnetworkpolicy":         {calico.Tier{Name: "adminnetworkpolicy"}, api.TierSparedBuiltIn},
		"baselineadminnetworkpolicy": {calico.Tier{Name: "baselineadminnetworkpolicy"}, api.TierSparedBuiltIn},
		"calico-system":              {calico.Tier{Name: "calico-system"}, api.TierSparedSystem},
		"allow-tigera":               {calico.Tier{Name: "allow-tigera"}, api.TierSparedSystem},
		"labeled as a system tier": {calico.Tier{
			Name:   "platform",
			Labels: labels.Set{"projectcalico.org/system-tier": "true"},
		}, api.TierSparedSystem},
		"labeled as no system tier": {calico.Tier{
			Name:   "platform",
			Labels: labels.Set{"projectcalico.org/system-tier": "false"},
		}, ""},
		"labeled never": {calico.Tier{
			Name:   "payments",
			Labels: labels.Set{"license-operator.io/restriction": "never"},
		}, api.TierSparedNever},
		"labeled otherwise": {calico.Tier{
			Name:   "payments",
			Labels: labels.Set{"license-operator.io/restriction": "always"},
		}, ""},
		"no label makes default a tier to restrict": {calico.Tier{
			Name:   "default",
			Labels: labels.Set{"license-operator.io/restriction": "always"},
		}, api.TierSparedBuiltIn},
		"a name that only begins like one": {calico.Tier{Name: "default-2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.tier.Exemption(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
