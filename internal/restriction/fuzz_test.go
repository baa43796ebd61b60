// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// FuzzPauseOf looks for pauses that last too long, and for ones that an API server would refuse, with the whole status,
// or give back as another.
func FuzzPauseOf(f *testing.F) {
	for _, value := range []string{
		"", "/", "72h", "2027-03-01T08:00:00Z/2027-03-04T08:00:00Z", "2027-03-01T08:00:00Z/2028-03-04T08:00:00Z",
		"2027-03-01T08:00:00.5+01:00/2027-03-01T08:00:00,7-08:00",
		"0000-01-01T00:00:00+23:59/0000-01-02T00:00:00Z", "9999-12-31T00:00:00Z/9999-12-31T23:59:59-23:59",
		"2027-03-04T08:00:00Z/2027-03-01T08:00:00Z",
	} {
		f.Add(value, "change freeze\n\u202e")
	}
	f.Fuzz(func(t *testing.T, value, reason string) {
		pause, err := restriction.PauseOf(annotated(value, reason))
		if err != nil {
			if message := err.Error(); pause != nil || len(message) > 1024 ||
				strings.ContainsFunc(message, unicode.IsControl) || !utf8.ValidString(message) {
				t.Errorf("got %v, %q", pause, message)
			}
			return
		}
		since, until := pause.SinceTime.Time, pause.UntilTime.Time
		if lasts := until.Sub(since); lasts < time.Second || lasts > 14*24*time.Hour {
			t.Errorf("%q lasts %s", value, lasts)
		}
		if utf8.RuneCountInString(pause.Reason) > 256 || !utf8.ValidString(pause.Reason) ||
			strings.ContainsFunc(pause.Reason, unicode.IsControl) {
			t.Errorf("the reason became %q", pause.Reason)
		}
		text, err := json.Marshal(pause)
		if err != nil {
			t.Fatal(err)
		}
		var stored api.RestrictionPause
		if err := json.Unmarshal(text, &stored); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(pause, &stored); diff != "" {
			t.Errorf("-computed +stored:\n%s", diff)
		}
		if again, err := restriction.PauseOf(annotated(restriction.PauseAnnotation(since, until),
			pause.Reason)); err != nil || !cmp.Equal(pause.UntilTime, again.UntilTime) ||
			!cmp.Equal(pause.SinceTime, again.SinceTime) {
			t.Errorf("written again: %v, %v", again, err)
		}
	})
}

// FuzzPolicyOf looks for policies, which anyone may write, that keep others from being seen, and for ones of a
// user that a plan would delete or write to.
func FuzzPolicyOf(f *testing.F) {
	encoded, err := json.Marshal(calico.PassSpec("security", operatorNamespace))
	if err != nil {
		f.Fatal(err)
	}
	passSpec := string(encoded)
	for _, policy := range []string{
		`{}`, `{"metadata": null, "spec": null}`, `{"metadata": [], "spec": "x"}`,
		`{"metadata": {"name": "security.license-operator-pass", "labels": {"license-operator.io/pass-policy": ` +
			`"true"}}, "spec": ` + passSpec + `}`,
		`{"metadata": {"name": "security.license-operator-pass"}, "spec": ` + passSpec + `}`,
		`{"metadata": {"name": "security.x", "ownerReferences": [{"apiVersion": "license-operator.io/v1alpha1", ` +
			`"kind": "LicensedProduct"}]}, "spec": {"tier": "security", "order": -1.7976931348623157e308, ` +
			`"ingress": [{"action": "Deny"}]}}`,
		`{"metadata": {"name": 1, "namespace": {}, "labels": [], "ownerReferences": [[]]}, "spec": {"order": "x", ` +
			`"tier": 1, "ingress": [[]], "egress": {}, "doNotTrack": []}}`,
	} {
		f.Add(policy)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var fields map[string]any
		if json.Unmarshal([]byte(text), &fields) != nil {
			return
		}
		policy := &unstructured.Unstructured{Object: fields}
		if namespaced := calico.PolicyOf(calico.NetworkPolicy, policy,
			operatorNamespace); namespaced.Marked || namespaced.Neutral {
			t.Errorf("a NetworkPolicy is taken for ours: %+v", namespaced)
		}
		p := calico.PolicyOf(calico.GlobalNetworkPolicy, policy, operatorNamespace)
		if p.Neutral && (p.Order == nil || *p.Order != calico.PassOrder || p.Allows || p.Denies || !p.ForPods) {
			t.Errorf("neutral: %+v", p)
		}
		leavesAlone(t, []*unstructured.Unstructured{policy}, restriction.MakePlan(
			restriction.Seen{
				Tiers:    []calico.Tier{tier("security"), {Name: p.Tier}},
				Policies: []calico.Policy{p},
			},
			[]restriction.Product{product("mesh", defaultTierOnly)}, open,
		))
	})
}
