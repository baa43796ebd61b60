// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestAt(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		boundary time.Time
		want     time.Duration
	}{
		"nothing known: an hour":  {time.Time{}, time.Hour},
		"far off: an hour":        {now.Add(48 * time.Hour), time.Hour},
		"at hand: just after it":  {now.Add(1500 * time.Millisecond), 1505 * time.Millisecond},
		"passed already: at once": {now.Add(-time.Minute), 5 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := At(now, test.boundary, time.Time{}, now.Add(2*time.Hour)).RequeueAfter; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
		defer queue.ShutDown()
		queued := func() []string {
			synctest.Wait()
			names := []string{}
			for range queue.Len() {
				request, _ := queue.Get()
				names = append(names, request.Name)
				queue.Done(request)
			}
			return names
		}
		trigger := NewTrigger("first", "second")
		trigger.Add("too early", 0)
		if err := trigger.Start(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"first", "second"}, queued()); diff != "" {
			t.Errorf("at the start: -want +got:\n%s", diff)
		}
		trigger.Add("later", time.Minute)
		trigger.Add("now", 0)
		trigger.Add("now", time.Hour)
		if diff := cmp.Diff([]string{"now"}, queued()); diff != "" {
			t.Errorf("at once: -want +got:\n%s", diff)
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"later"}, queued()); diff != "" {
			t.Errorf("after a minute: -want +got:\n%s", diff)
		}
	})
}

func TestConditions(t *testing.T) {
	first, second := metav1.Unix(1000, 0), metav1.Unix(2000, 0)
	before := []metav1.Condition{
		{Type: "Same", Status: metav1.ConditionTrue, LastTransitionTime: first, ObservedGeneration: 1, Reason: "Old"},
		{Type: "Changed", Status: metav1.ConditionTrue, LastTransitionTime: first, ObservedGeneration: 1},
		{Type: "Gone", Status: metav1.ConditionTrue, LastTransitionTime: first, ObservedGeneration: 1},
	}
	got := Conditions(before, second, 2,
		metav1.Condition{
			Type: "Same", Status: metav1.ConditionTrue, Reason: "New", Message: strings.Repeat("é", 3000),
		},
		metav1.Condition{Type: "Changed", Status: metav1.ConditionFalse},
		metav1.Condition{Type: "New", Status: metav1.ConditionUnknown})
	want := []metav1.Condition{
		{
			Type: "Same", Status: metav1.ConditionTrue, LastTransitionTime: first, ObservedGeneration: 2, Reason: "New",
			Message: strings.Repeat("é", 2046) + "...",
		},
		{Type: "Changed", Status: metav1.ConditionFalse, LastTransitionTime: second, ObservedGeneration: 2},
		{Type: "New", Status: metav1.ConditionUnknown, LastTransitionTime: second, ObservedGeneration: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(want[1], FindCondition(got, "Changed")); diff != "" {
		t.Errorf("found: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(metav1.Condition{}, FindCondition(got, "Gone")); diff != "" {
		t.Errorf("not found: -want +got:\n%s", diff)
	}
}

func TestSingleLine(t *testing.T) {
	if got := SingleLine(errors.Join(errors.New("one"), errors.New("two"))); got != "one; two" {
		t.Errorf("got %q", got)
	}
}

func TestRecord(t *testing.T) {
	recorder := events.NewFakeRecorder(10)
	Record(recorder, &corev1.Node{}, []Event{
		{Warning: true, Reason: "Expired", Note: "100 % of it."},
		{Reason: "Valid", Note: strings.Repeat("x", 2000)},
	})
	close(recorder.Events)
	var got []string
	for e := range recorder.Events {
		got = append(got, e)
	}
	want := []string{"Warning Expired 100 % of it.", "Normal Valid " + strings.Repeat("x", 1021) + "..."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAfterFailedWrite(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "", nil)
	if result, err := AfterFailedWrite(conflict); err != nil || result.RequeueAfter != conflictDelay {
		t.Errorf("conflict: got %v, %v", result, err)
	}
	failure := errors.New("no connection")
	if result, err := AfterFailedWrite(failure); !errors.Is(err, failure) || !result.IsZero() {
		t.Errorf("failure: got %v, %v", result, err)
	}
}
