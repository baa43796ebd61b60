// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// The directions in which a policy makes the default tier deny by default.
func TestDefaultDenialDirections(t *testing.T) {
	for _, test := range []struct{ spec, kubernetes, calico string }{
		// Types that are named, and those that the rules imply.
		{`{}`, "Ingress", "Ingress"},
		{`{types: [], policyTypes: []}`, "Ingress", "Ingress"},
		{`{types: [Egress], policyTypes: [Egress]}`, "Egress", "Egress"},
		{`{types: [Egress, Ingress], policyTypes: [Egress, Ingress]}`, "Ingress Egress", "Ingress Egress"},
		{`{egress: [{action: Allow, protocol: TCP, to: [{podSelector: {}}]}]}`, "Ingress Egress", "Egress"},
		{`{ingress: [{action: Allow, protocol: TCP, from: [{podSelector: {}}]}], egress: [{action: Log, ports: ` +
			`[{port: 53}]}]}`, "Ingress Egress", "Ingress Egress"},
		// Rules after which no traffic is denied by default.
		{`{ingress: [{action: Allow}]}`, "", ""},
		{`{ingress: [{action: Pass}]}`, "", ""},
		{`{ingress: [{action: Allow, metadata: {annotations: {why: because}}, source: {}, destination: {nets: []}, ` +
			`notProtocol: null}]}`, "", ""},
		{`{ingress: [{action: Deny, ports: [{port: 22}]}, {action: Allow}], types: [Ingress, Egress], policyTypes: ` +
			`[Ingress, Egress]}`, "Egress", "Egress"},
		// Rules after which some traffic is.
		{`{ingress: [{action: Deny, from: [{podSelector: {}}]}]}`, "Ingress", "Ingress"},
		{`{ingress: [{action: Log, from: [{podSelector: {}}]}]}`, "Ingress", "Ingress"},
		{`{ingress: [{action: Allow, source: {selector: all()}, ports: [{port: 80}]}]}`, "Ingress", "Ingress"},
		{`{ingress: [{action: Allow, ipVersion: 4, ports: [{port: 80}]}]}`, "Ingress", "Ingress"},
		// Calico's own: other tiers, and policies that do not act on pods.
		{`{tier: default}`, "Ingress", "Ingress"},
		{`{tier: security}`, "Ingress", ""},
		{`{preDNAT: true}`, "Ingress", ""},
		{`{doNotTrack: true}`, "Ingress", ""},
		{`{types: Ingress, ingress: 5}`, "", "Ingress"},
	} {
		var policy unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(`{metadata: {name: p}, spec: `+test.spec+`}`), &policy.Object); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []calico.PolicyKind{calico.GlobalNetworkPolicy, calico.NetworkPolicy} {
			calico := denialOfCalico(kind, &policy)
			if got := strings.Join(calico.Directions, " "); got != test.calico {
				t.Errorf("Calico's %s %s: got %q, want %q", kind, test.spec, got, test.calico)
			}
		}
		var own networkingv1.NetworkPolicy
		if yaml.Unmarshal([]byte(`{spec: `+test.spec+`}`), &own) != nil {
			continue // An API server takes no such thing.
		}
		if got := strings.Join(denialOfKubernetes(&own).Directions, " "); got != test.kubernetes {
			t.Errorf("Kubernetes' %s: got %q, want %q", test.spec, got, test.kubernetes)
		}
	}
}
