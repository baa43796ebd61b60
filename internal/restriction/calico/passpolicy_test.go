// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// passSpecJSON is what a cluster shows, written out.
const passSpecJSON = `{
	"tier": "security",
	"order": -1.7976931348623157e308,
	"selector": "all()",
	"namespaceSelector": "has(projectcalico.org/name) && projectcalico.org/name != \"license-operator-system\"",
	"types": ["Ingress", "Egress"],
	"ingress": [{"action": "Pass"}],
	"egress": [{"action": "Pass"}]
}`

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestPassSpec(t *testing.T) {
	got := calico.PassSpec("security", "license-operator-system")
	if diff := cmp.Diff(decoded(t, passSpecJSON), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, decoded(t, string(text))); diff != "" {
		t.Errorf("it does not survive JSON: -before +after:\n%s", diff)
	}
}

func TestIsNeutral(t *testing.T) {
	rules := func(list ...any) []any { return list }
	for name, test := range map[string]struct {
		with    map[string]any // nil removes a field
		neutral bool
	}{
		"as it is":                  {nil, true},
		"of another tier":           {map[string]any{"tier": "platform"}, true},
		"types the other way round": {map[string]any{"types": rules("Egress", "Ingress")}, true},
		"fields that hold nothing": {map[string]any{
			"doNotTrack": false, "preDNAT": false, "applyOnForward": false,
			"serviceAccountSelector": "", "performanceHints": rules(),
		}, true},
		"rules as an older API writes them": {
			map[string]any{
				"ingress": rules(map[string]any{
					"action": "Pass", "source": map[string]any{},
					"destination": map[string]any{"nets": rules()}, "icmp": nil,
				}),
			}, true,
		},
		"without a tier":         {map[string]any{"tier": nil}, false},
		"without an order":       {map[string]any{"order": nil}, false},
		"of a greater order":     {map[string]any{"order": -math.MaxFloat32}, false},
		"of the greatest order":  {map[string]any{"order": math.MaxFloat64}, false},
		"of an integer order":    {map[string]any{"order": int64(math.MinInt64)}, false},
		"of another selector":    {map[string]any{"selector": "has(app)"}, false},
		"without a selector":     {map[string]any{"selector": nil}, false},
		"exempting no namespace": {map[string]any{"namespaceSelector": nil}, false},
		"sparing another namespace": {
			map[string]any{
				"namespaceSelector": `has(projectcalico.org/name) && projectcalico.org/name != "kube-system"`,
			}, false,
		},
		"of one type":               {map[string]any{"types": rules("Ingress")}, false},
		"of one type twice":         {map[string]any{"types": rules("Ingress", "Ingress")}, false},
		"of no types":               {map[string]any{"types": nil}, false},
		"of three types":            {map[string]any{"types": rules("Ingress", "Egress", "Ingress")}, false},
		"of odd types":              {map[string]any{"types": rules(map[string]any{}, rules())}, false},
		"types that are not a list": {map[string]any{"types": "Ingress"}, false},
		"allowing": {
			map[string]any{"ingress": rules(map[string]any{"action": "Allow"})},
			false,
		},
		"passing some": {
			map[string]any{"egress": rules(map[string]any{"action": "Pass", "protocol": "TCP"})}, false,
		},
		"with a rule before": {
			map[string]any{"egress": rules(map[string]any{"action": "Deny", "protocol": "TCP"},
				map[string]any{"action": "Pass"})}, false,
		},
		"with a rule after": {
			map[string]any{"egress": rules(map[string]any{"action": "Pass"}, map[string]any{"action": "Deny"})}, false,
		},
		"with an empty rule after": {
			map[string]any{"egress": rules(map[string]any{"action": "Pass"}, map[string]any{})}, false,
		},
		"one way only":              {map[string]any{"egress": nil}, false},
		"not tracked":               {map[string]any{"doNotTrack": true, "applyOnForward": true}, false},
		"for some service accounts": {map[string]any{"serviceAccountSelector": "has(name)"}, false},
		"with a field yet unknown":  {map[string]any{"scope": "Some"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			spec := decoded(t, passSpecJSON)
			for field, value := range test.with {
				if value == nil {
					delete(spec, field)
					continue
				}
				spec[field] = value
			}
			if got := calico.IsNeutral(spec, "license-operator-system"); got != test.neutral {
				t.Errorf("got %t for %v", got, spec)
			}
		})
	}
	if calico.IsNeutral(nil, "license-operator-system") {
		t.Error("no spec is neutral")
	}
}
