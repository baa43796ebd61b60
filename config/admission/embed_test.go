// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

func TestObjectsAreWhatIsInstalled(t *testing.T) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../default")
	if err != nil {
		t.Fatal(err)
	}
	var want []*unstructured.Unstructured
	for _, resource := range built.Resources() {
		if resource.GetGvk().Group != admissionregistrationv1.GroupName {
			continue
		}
		content, err := resource.Map()
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{Object: content}
		labels := object.GetLabels()
		labels["app.kubernetes.io/managed-by"] = "license-operator"
		object.SetLabels(labels)
		want = append(want, object)
	}
	got := admission.Objects()
	if len(got) != 6 {
		t.Errorf("%d objects, not three policies and their bindings", len(got))
	}
	byName := func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetName(), b.GetName()))
	}
	slices.SortFunc(want, byName)
	slices.SortFunc(got, byName)
	if d := diff.Diff(want, got); d != "" {
		t.Errorf("-config/default +Objects:\n%s", d)
	}
}

func TestObjectsAreTheCallers(t *testing.T) {
	admission.Objects()[0].SetName("changed")
	if name := admission.Objects()[0].GetName(); name != "license-operator-lock" {
		t.Errorf("got %s", name)
	}
}

func TestPoliciesComeBeforeTheirBindings(t *testing.T) {
	seen := map[string]bool{}
	for _, object := range admission.Objects() {
		if policy, bound, _ := unstructured.NestedString(object.Object, "spec", "policyName"); bound && !seen[policy] {
			t.Errorf("%s comes before its policy", object.GetName())
		}
		seen[object.GetName()] = true
	}
}

func policies(t *testing.T) map[string]*admissionregistrationv1.ValidatingAdmissionPolicy {
	t.Helper()
	found := map[string]*admissionregistrationv1.ValidatingAdmissionPolicy{}
	for _, object := range admission.Objects() {
		if object.GetKind() != "ValidatingAdmissionPolicy" {
			continue
		}
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, policy,
			true); err != nil {
			t.Fatalf("%s: %v", object.GetName(), err)
		}
		found[strings.TrimPrefix(policy.Name, "license-operator-")] = policy
	}
	return found
}

func expressions(policy *admissionregistrationv1.ValidatingAdmissionPolicy) map[string]string {
	found := map[string]string{}
	for _, v := range policy.Spec.Variables {
		found[v.Name] = v.Expression
	}
	return found
}

func TestLockAndNoticeMeanTheSame(t *testing.T) {
	lock, notice := policies(t)["lock"], policies(t)["notice"]
	if d := diff.Diff(lock.Spec.MatchConditions, notice.Spec.MatchConditions); d != "" {
		t.Errorf("conditions: -lock +notice:\n%s", d)
	}
	said := expressions(notice)
	for name, expression := range expressions(lock) {
		if d := diff.Diff(expression, said[name]); d != "" {
			t.Errorf("variable %s: -lock +notice:\n%s", name, d)
		}
	}
}

func TestSparedTiersAreThoseOfThePlan(t *testing.T) {
	names := append(calico.BuiltInTiers(), calico.SystemTiers()...)
	want := "['" + strings.Join(names, "', '") + "']"
	if got := expressions(policies(t)["lock"])["spared"]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A message that is an expression may fail, and then the other one is what users see. Kubernetes takes no line breaks
// in either.
func TestEveryRefusalHasAMessage(t *testing.T) {
	for name, policy := range policies(t) {
		for i, validation := range policy.Spec.Validations {
			if validation.MessageExpression == "" || validation.Message == "" ||
				strings.Contains(validation.Message, "\n") {
				t.Errorf("%s, validation %d: %q", name, i, validation.Message)
			}
		}
	}
}
