// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

const operatorNamespace = "license-operator-system"

func wanted() *calico.PassPolicy {
	return &calico.PassPolicy{
		Name: "security.license-operator-pass", Tier: "security",
		Labels: map[string]string{calico.PassPolicyLabel: calico.PassPolicyLabelValue},
		Annotations: map[string]string{
			calico.ProductsAnnotation: "mesh,zeta",
			calico.SinceAnnotation:    "2026-11-01T00:00:00Z",
		},
		Owners: []string{"mesh", "zeta"},
		Spec:   calico.PassSpec("security", operatorNamespace),
	}
}

func owners() []metav1.OwnerReference {
	return []metav1.OwnerReference{
		{APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct", Name: "mesh", UID: "1"},
		{APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct", Name: "zeta", UID: "2"},
	}
}

func TestExistingMatches(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Existing)
		want   bool
	}{
		"as wanted":                     {func(*Existing) {}, true},
		"edited":                        {func(m *Existing) { m.Neutral = false }, false},
		"moved":                         {func(m *Existing) { m.Tier = "platform" }, false},
		"of no tier":                    {func(m *Existing) { m.Tier = "" }, false},
		"with a label of someone else":  {func(m *Existing) { m.Labels["team"] = "net" }, true},
		"without the label":             {func(m *Existing) { m.Labels = nil }, false},
		"with the label made to say no": {func(m *Existing) { m.Labels[calico.PassPolicyLabel] = "false" }, false},
		"with the label emptied":        {func(m *Existing) { m.Labels[calico.PassPolicyLabel] = "" }, false},
		"with an annotation of someone": {func(m *Existing) { m.Annotations["example.com/note"] = "why?" }, true},
		"without the annotations":       {func(m *Existing) { m.Annotations = nil }, false},
		"without one annotation": {
			func(m *Existing) { delete(m.Annotations, calico.SinceAnnotation) },
			false,
		},
		"with another product annotated": {
			func(m *Existing) { m.Annotations[calico.ProductsAnnotation] = "mesh" },
			false,
		},
		"with owners in another order": {func(m *Existing) { slices.Reverse(m.Owners) }, true},
		"without owners":               {func(m *Existing) { m.Owners = nil }, false},
		"without one of the owners":    {func(m *Existing) { m.Owners = m.Owners[:1] }, false},
		"with one twice":               {func(m *Existing) { m.Owners = append(m.Owners, m.Owners[0]) }, false},
		"with a foreign one": {func(m *Existing) {
			m.Owners = append(m.Owners, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "9"})
		}, false},
		"with an earlier product as owner": {func(m *Existing) { m.Owners[1].UID = "3" }, false},
		"with an owner of another version": {
			func(m *Existing) { m.Owners[0].APIVersion = "license-operator.io/v1" },
			false,
		},
		"with an owner of another kind":    {func(m *Existing) { m.Owners[0].Kind = "LicenseKey" }, false},
		"with an owner of another name":    {func(m *Existing) { m.Owners[0].Name = "wasp" }, false},
		"with an owner that it would hold": {func(m *Existing) { m.Owners[0].BlockOwnerDeletion = new(true) }, false},
		"with one that it would not hold":  {func(m *Existing) { m.Owners[0].BlockOwnerDeletion = new(false) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			made := &Existing{
				UID: "7", Neutral: true, Tier: "security", Labels: maps.Clone(wanted().Labels),
				Annotations: maps.Clone(wanted().Annotations), Owners: owners(),
			}
			test.change(made)
			before := slices.Clone(made.Owners)
			if got := made.Matches(wanted(), owners()); got != test.want {
				t.Errorf("got %t for %+v", got, made)
			}
			if diff := cmp.Diff(before, made.Owners); diff != "" {
				t.Errorf("the cache was changed: %s", diff)
			}
		})
	}
}

// A pass policy without an owner is as wanted without owners: a product may be gone while its restriction is being
// lifted.
func TestExistingMatchesWithoutOwners(t *testing.T) {
	pass := wanted()
	made := &Existing{Neutral: true, Tier: "security", Labels: pass.Labels, Annotations: pass.Annotations}
	if !made.Matches(pass, nil) || !made.Matches(pass, []metav1.OwnerReference{}) || made.Matches(pass, owners()) {
		t.Error("owners that are not there count")
	}
}

// What is written is as wanted, once it is read; otherwise it would be written forever.
func TestWhatIsWrittenIsAsWanted(t *testing.T) {
	e := &Enforcer{operatorNamespace: operatorNamespace}
	written := e.object(wanted(), owners())
	text, err := written.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	read := &unstructured.Unstructured{}
	if err := read.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	read.SetUID("7")
	want := &Existing{
		UID: "7", Neutral: true, Tier: "security", Labels: wanted().Labels,
		Annotations: wanted().Annotations,
		Owners:      owners(),
	}
	got := e.existing(read)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !got.Matches(wanted(), owners()) {
		t.Error("it would be written again")
	}
}

// stored is a policy as wanted that is on the cluster, but for some changes.
func stored(changes ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	policy := (&Enforcer{operatorNamespace: operatorNamespace}).object(wanted(), owners())
	policy.SetUID("7")
	for _, change := range changes {
		change(policy)
	}
	return policy
}

func edited(policy *unstructured.Unstructured) {
	spec := calico.PassSpec("security", operatorNamespace)
	spec["ingress"] = []any{map[string]any{"action": "Deny"}}
	policy.Object["spec"] = spec
}

func stripped(policy *unstructured.Unstructured) {
	policy.SetLabels(nil)
	policy.SetAnnotations(nil)
	policy.SetOwnerReferences(nil)
}

func annotated(policy *unstructured.Unstructured) {
	annotations := policy.GetAnnotations()
	annotations["example.com/note"] = "why?"
	policy.SetAnnotations(annotations)
}

func TestEnsure(t *testing.T) {
	e := &Enforcer{operatorNamespace: operatorNamespace}
	const writing = "writing the pass policy of tier security: "
	for name, test := range map[string]struct {
		// made is what the cache has, and there what the cluster has.
		made, there *unstructured.Unstructured
		// alters is what a webhook does to what is written.
		alters func(*unstructured.Unstructured)

		verbs []string
		want  *unstructured.Unstructured
		err   string
	}{
		"nothing there": {
			verbs: []string{"create"},
			want:  stored(func(p *unstructured.Unstructured) { p.SetUID("") }),
		},
		"as wanted: not a request": {made: stored(), there: stored(), want: stored()},
		"annotated by someone":     {made: stored(annotated), there: stored(annotated), want: stored(annotated)},
		"edited": {
			made: stored(edited), there: stored(edited), verbs: []string{"get", "update"},
			want: stored(),
		},
		"edited and annotated": {
			made: stored(edited, annotated), there: stored(edited, annotated),
			verbs: []string{"get", "update"}, want: stored(annotated),
		},
		"without any mark": {
			made: stored(edited), there: stored(stripped), verbs: []string{"get", "update"},
			want: stored(),
		},
		"there, and yet to be seen": {there: stored(), verbs: []string{"create", "get"}, want: stored()},
		"another's, and yet to be seen": {
			there: stored(edited), verbs: []string{"create", "get"}, want: stored(edited),
			err: writing + `globalnetworkpolicies.projectcalico.org "security.license-operator-pass" already exists`,
		},
		"seen, and gone by now": {
			made: stored(edited), verbs: []string{"get"},
			err: writing + `globalnetworkpolicies.projectcalico.org "security.license-operator-pass" not found`,
		},
		"seen, and another by now": {
			made: stored(edited), there: stored(func(p *unstructured.Unstructured) { p.SetUID("8") }),
			verbs: []string{"get"},
			want:  stored(func(p *unstructured.Unstructured) { p.SetUID("8") }),
			err: writing +
				`Operation cannot be fulfilled on globalnetworkpolicies.projectcalico.org ` +
				`"security.license-operator-pass": another object has this name now`,
		},
		"altered on the way when it is new": {
			alters: edited, verbs: []string{"create"},
			want: stored(edited, func(p *unstructured.Unstructured) { p.SetUID("") }),
			err:  writing + "object was modified on write (mutating webhook?)",
		},
		"stripped of its marks on the way: its name and spec will tell": {
			alters: stripped, verbs: []string{"create"},
			want: stored(stripped, func(p *unstructured.Unstructured) { p.SetUID("") }),
			err:  writing + "object was modified on write (mutating webhook?)",
		},
		"altered and stripped on the way: it would not be recognized, so it is deleted": {
			alters: func(p *unstructured.Unstructured) { stripped(p); edited(p) }, verbs: []string{"create", "delete"},
			err: writing + "object was modified on write (mutating webhook?)",
		},
		"altered on the way when it is repaired": {
			made: stored(edited), there: stored(edited), alters: edited, verbs: []string{"get", "update"},
			want: stored(edited),
			err:  writing + "object was modified on write (mutating webhook?)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, verbs := cluster(test.there, test.alters)
			var made *Existing
			if test.made != nil {
				made = e.existing(test.made)
			}
			err := New(client, operatorNamespace).Ensure(t.Context(), wanted(), owners(), made)
			if diff := cmp.Diff(test.err, messageOf(err)); diff != "" {
				t.Errorf("error: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.verbs, *verbs); diff != "" {
				t.Errorf("requests: -want +got:\n%s", diff)
			}
			got, err := client.Tracker().Get(calico.GlobalNetworkPolicies, "", wanted().Name)
			if test.want == nil {
				if !apierrors.IsNotFound(err) {
					t.Errorf("there is %v, %v", got, err)
				}
				return
			}
			if diff := cmp.Diff(runtime.Object(test.want), got); diff != "" || err != nil {
				t.Errorf("stored: %v, -want +got:\n%s", err, diff)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	gone := apierrors.NewNotFound(calico.GlobalNetworkPolicies.GroupResource(), "x")
	another := apierrors.NewConflict(calico.GlobalNetworkPolicies.GroupResource(), "x",
		errors.New("the UID in the precondition is another"))
	for name, test := range map[string]struct {
		answer error
		want   string
	}{
		"deleted":        {nil, ""},
		"gone already":   {gone, ""},
		"another by now": {another, ""},
		"refused": {
			errors.New("the webhook says no"),
			"deleting the pass policy security.license-operator-pass: the webhook says no",
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := cluster(stored(), nil)
			var preconditions *metav1.Preconditions
			client.PrependReactor("delete",
				"globalnetworkpolicies", func(action clienttesting.Action) (bool, runtime.Object, error) {
					if remove, ok := action.(clienttesting.DeleteActionImpl); ok {
						preconditions = remove.DeleteOptions.Preconditions
					}
					return true, nil, test.answer
				})
			err := New(client, operatorNamespace).Delete(t.Context(), wanted().Name, &Existing{UID: "7"})
			if diff := cmp.Diff(test.want, messageOf(err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(&metav1.Preconditions{UID: new(types.UID("7"))}, preconditions); diff != "" {
				t.Errorf("it may be another's: %s", diff)
			}
		})
	}
}

// cluster has that policy, nil for none, and a webhook that alters what is written to it. It notes down the requests.
func cluster(
	there *unstructured.Unstructured, alters func(*unstructured.Unstructured),
) (client *fake.FakeDynamicClient, verbs *[]string) {
	var objects []runtime.Object
	if there != nil {
		objects = append(objects, there.DeepCopy())
	}
	client = fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		calico.GlobalNetworkPolicies: "GlobalNetworkPolicyList",
	}, objects...)
	verbs = new([]string)
	client.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		*verbs = append(*verbs, action.GetVerb())
		var written runtime.Object
		switch a := action.(type) {
		case clienttesting.CreateActionImpl:
			written = a.Object
		case clienttesting.UpdateActionImpl:
			written = a.Object
		}
		if policy, ok := written.(*unstructured.Unstructured); ok && alters != nil {
			alters(policy)
		}
		return false, nil, nil
	})
	return client, verbs
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
