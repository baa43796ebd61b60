// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

//go:embed testdata/cluster.yaml
var fixture string

// ReadFixture is the objects of testdata/cluster.yaml.
func ReadFixture(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	var objects []unstructured.Unstructured
	for document := range strings.SplitSeq(fixture, "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

// newCluster is the fixture as a real API server would return it.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	for _, object := range ReadFixture(t) {
		switch object.GetAPIVersion() + " " + object.GetKind() {
		case "license-operator.io/v1alpha1 LicensedProduct":
			c.products = append(c.products, converted[api.LicensedProduct](t, object))
		case "license-operator.io/v1alpha1 LicenseKey":
			c.keys = append(c.keys, converted[api.LicenseKey](t, object))
		case "projectcalico.org/v3 Tier":
			c.tiers = append(c.tiers, object)
		case "projectcalico.org/v3 GlobalNetworkPolicy":
			c.globalPolicies = append(c.globalPolicies, object)
		case "projectcalico.org/v3 NetworkPolicy":
			c.policies = append(c.policies, object)
		case "networking.k8s.io/v1 NetworkPolicy":
			c.kubernetesPolicies = append(c.kubernetesPolicies, converted[networkingv1.NetworkPolicy](t, object))
		default:
			t.Fatalf("what is a %s?", object.GetKind())
		}
	}
	return c
}

func converted[T any](t *testing.T, object unstructured.Unstructured) T {
	t.Helper()
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		t.Fatal(err)
	}
	return typed
}

func (c *cluster) product(t *testing.T, name string) *api.LicensedProduct {
	t.Helper()
	for i := range c.products {
		if c.products[i].Name == name {
			return &c.products[i]
		}
	}
	t.Fatalf("there is no product %s", name)
	return nil
}

// addKey adds a key that verifies.
func (c *cluster) addKey(name, product string, begin, expiry, graceEnd time.Time) {
	key := api.LicenseKey{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: api.LicenseKeySpec{ProductName: product}}
	key.Status = api.LicenseKeyStatus{
		LicenseID: name, IssuedTime: license.Instant(clitest.Present), NotBeforeTime: license.Instant(begin),
		ExpiryTime: license.Instant(expiry), GraceEndTime: license.Instant(graceEnd),
		Conditions: []metav1.Condition{{Type: api.ConditionReady, Status: metav1.ConditionTrue}},
	}
	c.keys = append(c.keys, key)
}

// simulated is a simulation that must succeed.
func simulated(t *testing.T, c *cluster, shown, at string) *simulation {
	t.Helper()
	var instant time.Time
	if at != "" {
		instant = clitest.Date(at)
	}
	found, err := simulate(c, shown, instant, clitest.Present)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func printed(t *testing.T, found *simulation, format string) string {
	t.Helper()
	var out bytes.Buffer
	if err := found.print(&out, format); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// SimulatedText is the output for the fixture, with Calico or without it.
func SimulatedText(t *testing.T, shown, at, format string, calico bool) string {
	t.Helper()
	c := newCluster(t)
	if !calico {
		c.withoutTiers, c.tiers, c.globalPolicies, c.policies = true, nil, nil, nil
	}
	return printed(t, simulated(t, c, shown, at), format)
}

func TestSimulation(t *testing.T) {
	pristine := newCluster(t)
	golden := clitest.Goldens(t)
	e := clitest.NewTranscript(t)
	show := func(note string, change func(c *cluster), shown, at, format string) {
		t.Helper()
		c := newClusterLike(pristine)
		if change != nil {
			change(c)
		}
		e.Note("%s", note)
		found := simulated(t, c, shown, at)
		e.Section("stdout", printed(t, found, format))
		for i, note := range found.notes {
			found.notes[i] = "warning: " + note + "\n"
		}
		e.Section("stderr", strings.Join(found.notes, ""))
		e.Record.WriteString("\n")
	}

	show("What comes first: the pause of acme-db ends.", nil, "", "", "")
	show("What comes first for acme-mesh: the end of its grace period. Tiers that others restrict are theirs.", nil,
		"acme-mesh", "", "")
	show("The same for programs.", nil, "acme-mesh", "", output.JSON)
	show("All products at that time.", nil, "", "2028-01-31", "")
	show("A second before.", nil, "acme-mesh", "2028-01-30T23:59:59Z", "")
	show("While it is paused.", nil, "acme-db", "2026-11-23", output.YAML)
	show("A restriction in force, and no other.", nil, "acme-old", "", "")
	show("A restriction that only observes.", nil, "acme-watch", "", "")
	show("Terms without a restriction.", nil, "zenith", "2027-01-01", "")

	c := newClusterLike(pristine)
	for i := range c.products {
		c.products[i].Status.Restriction.MaxMode = api.RestrictionReadOnly
	}
	show("The cluster owner allows no more than ReadOnly.", func(n *cluster) { *n = *c }, "acme-mesh", "", "")
	show("The cluster owner does not allow restrictions.", func(c *cluster) {
		for i := range c.products {
			c.products[i].Status.Restriction.MaxMode = api.RestrictionObserve
		}
	}, "acme-old", "", "")
	show("A node runs Windows.", func(c *cluster) { c.windowsNode = true }, "acme-old", "", "")
	show("There is no Calico.", func(c *cluster) {
		c.withoutTiers, c.tiers, c.globalPolicies, c.policies = true, nil, nil, nil
	}, "acme-mesh", "", "")
	show("Neither nodes nor Kubernetes' policies may be listed.", func(c *cluster) {
		c.nodesErr, c.kubernetesPolicies, c.kubernetesPoliciesErr = errors.New("not you"), nil, errors.New("nor these")
	}, "acme-old", "", "")
	show("The operator has not reconciled anything yet.", func(c *cluster) {
		for i := range c.products {
			c.products[i].Status = api.LicensedProductStatus{ObservedGeneration: -1}
			c.products[i].CreationTimestamp = metav1.NewTime(clitest.Present)
		}
		for i := range c.keys {
			c.keys[i].Status = api.LicenseKeyStatus{ObservedGeneration: -1}
		}
	}, "acme-mesh", "", "")
	show("A renewal that starts after a gap.", func(c *cluster) {
		c.addKey("acme-mesh-2029", "acme-mesh", clitest.Date("2028-06-01"), clitest.Date("2029-06-01"),
			clitest.Date("2029-07-01"))
	}, "acme-mesh", "2029-08-01", "")
	show("Two restrictions that start at the same time.", func(c *cluster) {
		twin := *c.product(t, "acme-mesh")
		twin.Name = "acme-twin"
		c.products = append(c.products, twin)
		c.addKey("acme-twin-2027", "acme-twin", clitest.Present, clitest.Date("2028-01-01"), clitest.Date("2028-01-31"))
		c.product(t, "acme-db").Annotations = nil
	}, "", "", "")
	show("A pause in the future, and an invalid one.", func(c *cluster) {
		c.product(t,
			"acme-mesh").Annotations = map[string]string{
			api.RestrictionPauseAnnotation: "2028-02-01T00:00:00Z/2028-02-02T00:00:00Z",
		}
		c.product(t, "acme-db").Annotations = map[string]string{api.RestrictionPauseAnnotation: "a while"}
	}, "", "2026-11-23", "")
	show("A clock that is behind the mark, and clocks that disagree.", func(c *cluster) {
		c.product(t, "zenith").Status.TimeMark = license.Instant(clitest.Date("2027-05-01"))
		c.product(t, "acme-watch").Status.Conditions = []metav1.Condition{{
			Type:   api.ConditionClockSkewed,
			Status: metav1.ConditionTrue, Reason: api.ReasonNodeClock,
		}}
	}, "", "2026-11-23", "")
	show("A tierSelector that is none.", func(c *cluster) {
		c.product(t,
			"acme-old").Spec.Restriction.TierSelector = &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Maybe"}},
		}
	}, "acme-old", "", "")
	show("No products.", func(c *cluster) { c.products, c.keys = nil, nil }, "", "", "")
	e.Compare(golden, "simulation")
}

// newClusterLike is a copy whose products may be changed.
func newClusterLike(c *cluster) *cluster {
	copied := *c
	copied.products, copied.keys = nil, nil
	for i := range c.products {
		copied.products = append(copied.products, *c.products[i].DeepCopy())
	}
	for i := range c.keys {
		copied.keys = append(copied.keys, *c.keys[i].DeepCopy())
	}
	return &copied
}

func TestSimulationOfAnotherProduct(t *testing.T) {
	_, err := simulate(newCluster(t), "acme-mash", time.Time{}, clitest.Present)
	var known *command.UserError
	if !errors.As(err, &known) || known.Message != "there is no LicensedProduct acme-mash" {
		t.Errorf("got %v", err)
	}
}

// The output for one product and for all is the plan that the operator makes.
func TestSimulationOfManyPolicies(t *testing.T) {
	const tiers, perTier = 50, 200
	c := newCluster(t)
	c.tiers, c.globalPolicies, c.policies = nil, nil, nil
	for i := range tiers {
		tier := fmt.Sprintf("tier-%02d", i)
		c.tiers = append(c.tiers, calicoObject("Tier", "", tier, map[string]any{}))
		for j := range perTier {
			c.policies = append(c.policies,
				calicoObject("NetworkPolicy", fmt.Sprintf("namespace-%d", j), fmt.Sprintf("%s.policy-%d", tier, j),
					map[string]any{
						"tier": tier, "ingress": []any{map[string]any{"action": "Allow"}},
					}))
		}
	}
	text := printed(t, simulated(t, c, "acme-mesh", ""), "")
	for i := range c.policies {
		policy := &c.policies[i]
		line := fmt.Sprintf("\n  closes  NetworkPolicy  %s/%s\n", policy.GetNamespace(), policy.GetName())
		if strings.Count(text, line) != 1 {
			t.Fatalf("%s/%s has %d lines", policy.GetNamespace(), policy.GetName(), strings.Count(text, line))
		}
	}
	if got, want := strings.Count(text, "\nTier "), tiers; got != want {
		t.Errorf("got %d tiers, want %d", got, want)
	}
}

func calicoObject(kind, namespace, name string, spec map[string]any) unstructured.Unstructured {
	var o unstructured.Unstructured
	o.SetAPIVersion(calico.Version.String())
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	o.Object["spec"] = spec
	return o
}
