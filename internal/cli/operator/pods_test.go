// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestReadyPods(t *testing.T) {
	pod := func(name string, ready corev1.ConditionStatus, ports ...corev1.ContainerPort) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "operators", Name: name, Labels: PodLabels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{
				{Name: "sidecar"}, {Name: "manager", Ports: ports},
			}},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			},
		}
	}
	reader := fake.NewClientBuilder().WithObjects(
		pod("c-unnamed", corev1.ConditionTrue, corev1.ContainerPort{ContainerPort: 1}),
		pod("b-unready", corev1.ConditionFalse),
		pod("a-named", corev1.ConditionTrue, corev1.ContainerPort{Name: "probes", ContainerPort: 8081},
			corev1.ContainerPort{Name: "https", ContainerPort: 9443}),
	).Build()
	got, err := ReadyPods(t.Context(), reader, "operators")
	if err != nil {
		t.Fatal(err)
	}
	want := []Pod{
		{types.NamespacedName{Namespace: "operators", Name: "a-named"}, 9443},
		{types.NamespacedName{Namespace: "operators", Name: "c-unnamed"}, 8443},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
