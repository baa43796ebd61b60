// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/license-operator/license-operator/internal/restriction"
)

func TestSpared(t *testing.T) {
	for name, test := range map[string]struct {
		tier restriction.Tier
		want restriction.SpareReason
	}{
		"a custom tier":              {restriction.Tier{Name: "security"}, ""},
		"default":                    {restriction.Tier{Name: "default"}, restriction.SparedBuiltIn},
		"kube-admin":                 {restriction.Tier{Name: "kube-admin"}, restriction.SparedBuiltIn},
		"kube-baseline":              {restriction.Tier{Name: "kube-baseline"}, restriction.SparedBuiltIn},
		"adminnetworkpolicy":         {restriction.Tier{Name: "adminnetworkpolicy"}, restriction.SparedBuiltIn},
		"baselineadminnetworkpolicy": {restriction.Tier{Name: "baselineadminnetworkpolicy"}, restriction.SparedBuiltIn},
		"calico-system":              {restriction.Tier{Name: "calico-system"}, restriction.SparedSystem},
		"allow-tigera":               {restriction.Tier{Name: "allow-tigera"}, restriction.SparedSystem},
		"labeled as a system tier":   {restriction.Tier{Name: "platform", Labels: labels.Set{"projectcalico.org/system-tier": "true"}}, restriction.SparedSystem},
		"labeled as no system tier":  {restriction.Tier{Name: "platform", Labels: labels.Set{"projectcalico.org/system-tier": "false"}}, ""},
		"labeled never":              {restriction.Tier{Name: "payments", Labels: labels.Set{"license-operator.io/restriction": "never"}}, restriction.SparedNever},
		"labeled otherwise":          {restriction.Tier{Name: "payments", Labels: labels.Set{"license-operator.io/restriction": "always"}}, ""},
		"no label makes default a tier to restrict": {restriction.Tier{Name: "default", Labels: labels.Set{"license-operator.io/restriction": "always"}}, restriction.SparedBuiltIn},
		"a name that only begins like one":          {restriction.Tier{Name: "default-2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restriction.Spared(test.tier); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
