// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package restriction

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// planRequests starts a trigger, and returns how many plans were requested with it since the last call.
func planRequests(t *testing.T, trigger *reconcile.Trigger) func() int {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
	t.Cleanup(queue.ShutDown)
	if err := trigger.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return func() int {
		time.Sleep(time.Second) // in a bubble
		count := queue.Len()
		for range count {
			request, _ := queue.Get()
			queue.Done(request)
		}
		return count
	}
}

// refusing is a cluster that answers a verb for global network policies, one answer after the other.
func refusing(verb string, answers ...error) *fake.FakeDynamicClient {
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{calico.GlobalNetworkPolicies: "GlobalNetworkPolicyList"})
	client.PrependReactor(verb, calico.GlobalNetworkPolicies.Resource,
		func(clienttesting.Action) (bool, runtime.Object, error) {
			answer := answers[0]
			if len(answers) > 1 {
				answers = answers[1:]
			}
			return answer != nil, nil, answer
		})
	return client
}

func inWest() tierAction {
	return tierAction{pass: &calico.PassPolicy{
		Name: "west.license-operator-pass", Tier: "west", Spec: calico.PassSpec("west", "license-operator-system"),
	}}
}

// A failure is returned, for the metrics to count it. Of the same failure the first text stays, and a plan is requested
// when it is news.
func TestFailuresOfPassPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := func(text string) error { return apierrors.NewInternalError(errors.New(text)) }
		s := &state{}
		s.plans.Set(reconcile.All, &plan{actions: map[string]tierAction{"west": inWest()}})
		r := passesWith(refusing("create", broken("1"), broken("2"), apierrors.NewTimeoutError("3", 1), nil), s)
		plans := planRequests(t, r.planTrigger)
		type told struct {
			Err   string
			After time.Duration
			Plans int
		}
		var got []told
		for range 4 {
			result, err := r.Reconcile(t.Context(), reconcile.Request("west"))
			g := told{After: result.RequeueAfter, Plans: plans()}
			if err != nil {
				g.Err = err.Error()
			}
			got = append(got, g)
		}
		const writing = "writing the pass policy of tier west: "
		want := []told{
			{writing + "Internal error occurred: 1", 0, 1},
			{writing + "Internal error occurred: 1", 0, 0},
			{writing + "Timeout: 3", 0, 1},
			{"", doneTrust, 1},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// While a lock may still come into force it is tested again soon. Then it is a failure, and the delays go on growing.
func TestFailuresOfLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &state{}
		s.plans.Set(reconcile.All, &plan{notices: map[string][]string{"west": {"No license"}}})
		refusal := errors.New("some other refusal")
		answers := []error{}
		for range lockPatience + 1 {
			answers = append(answers, refusal)
		}
		answers = append(answers, errors.New("No license covers it"))
		r := &lockReconciler{
			enforcer: enforcement.New(refusing("create", answers...), "license-operator-system"), state: s,
			trigger: reconcile.NewTrigger(), planTrigger: reconcile.NewTrigger(),
		}
		plans := planRequests(t, r.planTrigger)
		reconciled := func() (ctrl.Result, error) { return r.Reconcile(t.Context(), reconcile.Request("west")) }
		var after []time.Duration
		for range lockPatience - 1 {
			result, err := reconciled()
			if err != nil {
				t.Errorf("while it may still come into force: %v", err)
			}
			after = append(after, result.RequeueAfter)
		}
		const ms, second = time.Millisecond, time.Second
		want := []time.Duration{250 * ms, 500 * ms, second, 2 * second, 4 * second, 8 * second, 16 * second}
		if diff := cmp.Diff(want, after); diff != "" || missingLockRetry.First != 32*second {
			t.Errorf("then after %s: -want +got:\n%s", missingLockRetry.First, diff)
		}
		for i, want := range []int{1, 0} {
			if _, err := reconciled(); !errors.Is(err, refusal) {
				t.Errorf("when it is missing: %v", err)
			}
			if got := plans(); got != want {
				t.Errorf("%d plans were requested at time %d", got, i)
			}
		}
		if result, err := reconciled(); err != nil || !result.IsZero() || plans() != 1 {
			t.Errorf("in force: %v, %v", result, err)
		}
	})
}

// After a refusal the API server is asked which permission is missing: one that is, an administrator can grant.
func TestRefusedPassPolicies(t *testing.T) {
	permission := func(verb, resource, name string) any {
		p := map[string]any{"group": "projectcalico.org", "version": "v3", "resource": resource, "verb": verb}
		if name != "" {
			p["name"] = name
		}
		return p
	}
	const policies, inTiers = "globalnetworkpolicies", "tier.globalnetworkpolicies"
	getTier := permission("get", "tiers", "west")
	create := []any{getTier, permission("create", policies, ""), permission("create", inTiers, "")}
	update := []any{
		getTier, permission("get", policies, ""), permission("get", inTiers, ""), permission("update", policies, ""),
		permission("update", inTiers, ""),
	}
	existing := &enforcement.Existing{UID: "7", Tier: "west"}
	repairing, deleting := inWest(), tierAction{deletes: map[string]*enforcement.Existing{"west.x": existing}}
	repairing.existing = existing
	for name, test := range map[string]struct {
		refused string
		action  tierAction
		// missing is which of the permissions is, counted from 0; -1: none.
		missing int
		asked   []any
	}{
		"to create":                      {"create", inWest(), 1, create[:2]},
		"to create, in the tier":         {"create", inWest(), 2, create},
		"to get the tier":                {"create", inWest(), 0, create[:1]},
		"to create, and by a webhook":    {"create", inWest(), -1, create},
		"to read what is to be repaired": {"get", repairing, 1, update[:2]},
		"to repair, and by a webhook":    {"get", repairing, -1, update},
		"to delete": {
			"delete", deleting, 2,
			[]any{getTier, permission("delete", policies, ""), permission("delete", inTiers, "")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := refusing(test.refused, apierrors.NewForbidden(calico.GlobalNetworkPolicies.GroupResource(), "",
				errors.New("no")))
			var asked []any
			client.PrependReactor("create", "selfsubjectaccessreviews",
				func(action clienttesting.Action) (bool, runtime.Object, error) {
					review := action.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured).DeepCopy()
					attributes, _, _ := unstructured.NestedMap(review.Object, "spec", "resourceAttributes")
					review.Object["status"] = map[string]any{"allowed": len(asked) != test.missing}
					asked = append(asked, attributes)
					return true, review, nil
				})
			err := passesWith(client, &state{}).do(t.Context(), &test.action)
			if !apierrors.IsForbidden(err) || apierror.IsPermissionMissing(err) != (test.missing >= 0) {
				t.Errorf("got %v, a missing permission: %t", err, apierror.IsPermissionMissing(err))
			}
			if diff := cmp.Diff(test.asked, asked); diff != "" {
				t.Errorf("asked: -want +got:\n%s", diff)
			}
		})
	}
}
