// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

const operatorNamespace = "license-operator-system"

// object is decoded as what an API server says is.
func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: fields}
}

func TestTierOf(t *testing.T) {
	for name, test := range map[string]struct {
		object string
		want   calico.Tier
	}{
		"plain": {
			`{"metadata": {"name": "security"}, "spec": {"order": 100, "defaultAction": "Deny"}}`,
			calico.Tier{Name: "security"},
		},
		"no spec": {`{"metadata": {"name": "security"}}`, calico.Tier{Name: "security"}},
		"with labels": {
			`{"metadata": {"name": "security", "labels": {"team": "net"}}}`,
			calico.Tier{Name: "security", Labels: labels.Set{"team": "net"}},
		},
		"deleted": {
			`{"metadata": {"name": "security", "deletionTimestamp": "2027-03-01T08:00:00Z"}}`,
			calico.Tier{Name: "security", Deleting: true},
		},
		"no name":     {`{}`, calico.Tier{}},
		"of no types": {`{"metadata": {"name": 7, "labels": ["team"]}}`, calico.Tier{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, calico.TierOf(object(t, test.object))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPolicyOf(t *testing.T) {
	// seen is a GlobalNetworkPolicy security.x of tier security, and what else there is to it.
	seen := func(changes ...func(*calico.Policy)) calico.Policy {
		p := calico.Policy{
			Kind: calico.GlobalNetworkPolicy, Name: "security.x", Tier: "security",
			ForPods: true,
		}
		for _, change := range changes {
			change(&p)
		}
		return p
	}
	allows := func(p *calico.Policy) { p.Allows = true }
	denies := func(p *calico.Policy) { p.Denies = true }
	marked := func(p *calico.Policy) { p.Marked = true }
	hostOnly := func(p *calico.Policy) { p.ForPods = false }
	tierless := func(p *calico.Policy) { p.Tier = "" }
	orderOf := func(order float64) func(*calico.Policy) { return func(p *calico.Policy) { p.Order = &order } }
	neutral := func(p *calico.Policy) { p.Neutral = true; p.Order = new(calico.PassOrder) }

	const name = `"metadata": {"name": "security.x"}`
	with := func(spec string) string { return `{` + name + `, "spec": {"tier": "security", ` + spec + `}}` }
	branded := func(metadata string) string {
		return `{"metadata": {"name": "security.x", ` + metadata + `}, "spec": {"tier": "security"}}`
	}
	for name, test := range map[string]struct {
		kind   calico.PolicyKind
		object string
		want   calico.Policy
	}{
		"nothing but a tier": {object: `{` + name + `, "spec": {"tier": "security"}}`, want: seen()},
		"no spec":            {object: `{` + name + `}`, want: seen(tierless)},
		"an empty spec":      {object: `{` + name + `, "spec": {}}`, want: seen(tierless)},
		"a spec that is null": {
			object: `{` + name + `, "spec": null}`, want: seen(tierless),
		},
		"a spec that is a list": {object: `{` + name + `, "spec": [{"tier": "security"}]}`, want: seen(tierless)},
		"a spec of no types": {
			object: `{` + name +
				`, "spec": {"tier": {"name": "security"}, "order": "1", "ingress": {"action": "Deny"}, "egress": ` +
				`"Allow", "doNotTrack": {}, "preDNAT": ["true"]}}`,
			want: seen(tierless),
		},
		"rules of no types": {
			object: with(
				`"ingress": [null, "Deny", ["Deny"], {"action": {"Deny": true}}, {"action": ["Deny"]}, {}, 7]`),
			want: seen(),
		},
		"no object": {object: `{}`, want: seen(tierless, func(p *calico.Policy) { p.Name = "" })},

		"an order":           {object: with(`"order": 100.5`), want: seen(orderOf(100.5))},
		"a whole order":      {object: with(`"order": 100`), want: seen(orderOf(100))},
		"an order of nought": {object: with(`"order": 0`), want: seen(orderOf(0))},
		"an order below":     {object: with(`"order": -1e3`), want: seen(orderOf(-1000))},
		"a whole order beyond integers": {
			object: with(`"order": -99999999999999999999`),
			want:   seen(orderOf(-99999999999999999999)),
		},
		"the least order": {
			object: with(`"order": -1.7976931348623157e308`),
			want:   seen(orderOf(calico.PassOrder)),
		},
		"an order that is null":   {object: with(`"order": null`), want: seen()},
		"an order that is a word": {object: with(`"order": "first"`), want: seen()},
		"allowing what comes in":  {object: with(`"ingress": [{"action": "Allow"}]`), want: seen(allows)},
		"allowing what goes out":  {object: with(`"egress": [{"action": "Allow"}]`), want: seen(allows)},
		"denying what comes in":   {object: with(`"ingress": [{"action": "Deny"}]`), want: seen(denies)},
		"denying what goes out": {
			object: with(`"egress": [{"action": "Deny", "protocol": "TCP"}]`),
			want:   seen(denies),
		},
		"one way each": {
			object: with(`"ingress": [{"action": "Allow"}], "egress": [{"action": "Deny"}]`),
			want:   seen(allows, denies),
		},
		"both, after others": {
			object: with(`"ingress": [{"action": "Log"}, {"action": "Pass"}, {"action": "Deny"}, {"action": "Allow"}]`),
			want:   seen(allows, denies),
		},
		"neither": {
			object: with(`"ingress": [{"action": "Log"}, {"action": "Pass"}], "egress": []`), want: seen(),
		},
		"actions that are none": {
			object: with(`"ingress": [{"action": "allow"}, {"action": "DENY"}, {"action": ""}]`), want: seen(),
		},
		"not tracked": {
			object: with(`"doNotTrack": true, "applyOnForward": true`),
			want:   seen(hostOnly),
		},
		"before DNAT": {
			object: with(`"preDNAT": true, "applyOnForward": true`),
			want:   seen(hostOnly),
		},
		"on what is forwarded too":     {object: with(`"applyOnForward": true`), want: seen()},
		"tracked, and not before DNAT": {object: with(`"doNotTrack": false, "preDNAT": false`), want: seen()},
		"not tracked, as a word":       {object: with(`"doNotTrack": "true"`), want: seen()},
		"of another tier than its name": {
			object: `{` + name + `, "spec": {"tier": "platform"}}`,
			want:   seen(func(p *calico.Policy) { p.Tier = "platform" }),
		},
		"of a kind that has a namespace": {
			kind: calico.NetworkPolicy,
			object: `{"metadata": {"name": "security.x", "namespace": "shop"}, "spec": {"tier": "security", ` +
				`"order": 7, "egress": [{"action": "Deny"}]}}`,
			want: seen(denies,
				orderOf(7), func(p *calico.Policy) { p.Kind, p.Namespace = calico.NetworkPolicy, "shop" }),
		},

		"marked by the label": {
			object: branded(`"labels": {"license-operator.io/pass-policy": "true"}`),
			want:   seen(marked),
		},
		"the label says otherwise": {
			object: branded(`"labels": {"license-operator.io/pass-policy": "false"}`),
			want:   seen(),
		},
		"the label says nothing": {
			object: branded(`"labels": {"license-operator.io/pass-policy": ""}`),
			want:   seen(),
		},
		"labels of no types": {
			object: branded(`"labels": {"license-operator.io/pass-policy": true}`),
			want:   seen(),
		},
		"an annotation is not a mark": {
			object: branded(`"annotations": {"license-operator.io/pass-policy": "true"}`),
			want:   seen(),
		},
		"marked by an owner": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "license-operator.io/v1alpha1", "kind": "LicensedProduct", ` +
					`"name": "mesh", "uid": "1"}]`), want: seen(marked),
		},
		"marked by an owner of a version ahead": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "license-operator.io/v2", "kind": "LicensedProduct", "name": ` +
					`"mesh", "uid": "1"}]`), want: seen(marked),
		},
		"marked by one owner of several": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"}, ` +
					`{"apiVersion": "license-operator.io/v1alpha1", "kind": "LicensedProduct", "name": "mesh", ` +
					`"uid": "2"}]`),
			want: seen(marked),
		},
		"an owner of another kind": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "license-operator.io/v1alpha1", "kind": "LicenseKey", "name": ` +
					`"mesh", "uid": "1"}]`), want: seen(),
		},
		"an owner of another group": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "example.com/v1alpha1", "kind": "LicensedProduct", "name": ` +
					`"mesh", "uid": "1"}]`), want: seen(),
		},
		"an owner of no group": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "v1", "kind": "LicensedProduct", "name": "mesh", "uid": "1"}]`),
			want: seen(),
		},
		"an owner whose version is invalid": {
			object: branded(
				`"ownerReferences": [{"apiVersion": "license-operator.io/v1/v2", "kind": "LicensedProduct", "name": ` +
					`"mesh", "uid": "1"}]`), want: seen(),
		},
		"owners of no types": {
			object: branded(`"ownerReferences": ["LicensedProduct", {"kind": 7}]`),
			want:   seen(),
		},
		"neutral": {object: `{` + name + `, "spec": ` + passSpecJSON + `}`, want: seen(neutral)},
		"neutral, but exempting no namespace": {
			object: `{` + name +
				`, "spec": {"tier": "security", "order": -1.7976931348623157e308, "selector": "all()", "types": ` +
				`["Ingress", "Egress"], "ingress": [{"action": "Pass"}], "egress": [{"action": "Pass"}]}}`,
			want: seen(orderOf(calico.PassOrder)),
		},
		"neutral and marked": {
			object: `{"metadata": {"name": "security.x", "labels": {"license-operator.io/pass-policy": "true", ` +
				`"team": "net"}}, "spec": ` + passSpecJSON + `}`, want: seen(neutral, marked),
		},
		"of a kind that is never ours": {
			kind: calico.NetworkPolicy,
			object: `{"metadata": {"name": "security.x", "namespace": "shop", "labels": ` +
				`{"license-operator.io/pass-policy": "true"}}, "spec": ` + passSpecJSON + `}`,
			want: seen(orderOf(calico.PassOrder),
				func(p *calico.Policy) { p.Kind, p.Namespace = calico.NetworkPolicy, "shop" }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			kind := test.kind
			if kind == "" {
				kind = calico.GlobalNetworkPolicy
			}
			policy := object(t, test.object)
			got := calico.PolicyOf(kind, policy, operatorNamespace)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(object(t, test.object), policy); diff != "" {
				t.Errorf("the object was changed: %s", diff)
			}
		})
	}
}

// What the operator writes is what it recognises, once it has been through an API server.
func TestPolicyOfAPassPolicy(t *testing.T) {
	text, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"name":   "security.license-operator-pass",
			"labels": map[string]any{calico.PassPolicyLabel: calico.PassPolicyLabelValue},
		},
		"spec": calico.PassSpec("security", operatorNamespace),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := calico.Policy{
		Kind: calico.GlobalNetworkPolicy, Name: "security.license-operator-pass", Tier: "security",
		Order: new(calico.PassOrder), ForPods: true, Neutral: true, Marked: true,
	}
	got := calico.PolicyOf(calico.GlobalNetworkPolicy, object(t, string(text)), operatorNamespace)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
