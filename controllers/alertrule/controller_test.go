// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrule

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/optional"
	"github.com/license-operator/license-operator/internal/reconcile"
)

const namespace = "monitoring"

// products are those in the cache.
type products []*api.LicensedProduct

func (p products) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for _, product := range p {
		if product.Name == key.Name {
			product.DeepCopyInto(into.(*api.LicensedProduct))
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (p products) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	for _, product := range p {
		into.(*api.LicensedProductList).Items = append(into.(*api.LicensedProductList).Items, *product)
	}
	return nil
}

func mesh() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "mesh", UID: "1", Generation: 3},
		Spec:       api.LicensedProductSpec{Vendor: "Acme"},
	}
}

// cluster is an API server that has PrometheusRules, and may refuse to write them.
type cluster struct {
	*fake.FakeDynamicClient
	// refusal of writes, and whether reviews say that the permission is there.
	refusal error
	allowed bool
	// writes are those that were not refused.
	writes []string
}

func newCluster(rules ...runtime.Object) *cluster {
	c := &cluster{FakeDynamicClient: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{prometheusRules: "PrometheusRuleList"}, rules...)}
	for _, verb := range []string{"create", "patch"} {
		c.PrependReactor(verb, "prometheusrules", func(clienttesting.Action) (bool, runtime.Object, error) {
			if c.refusal == nil {
				c.writes = append(c.writes, verb)
			}
			return c.refusal != nil, nil, c.refusal
		})
	}
	c.PrependReactor("create", "selfsubjectaccessreviews",
		func(action clienttesting.Action) (bool, runtime.Object, error) {
			review := action.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured).DeepCopy()
			review.Object["status"] = map[string]any{"allowed": c.allowed}
			return true, review, nil
		})
	return c
}

func forbidden(text string) error {
	return apierrors.NewForbidden(prometheusRules.GroupResource(), "", errors.New(text))
}

func reconcilerOf(c dynamic.Interface, all ...*api.LicensedProduct) *Reconciler {
	return newReconciler(products(all), c, Options{
		Options: alerting.Options{Namespace: namespace, Labels: map[string]string{"release": "prometheus"}},

		ProductTrigger: reconcile.NewTrigger(),
	})
}

// following has a reconciler's kind followed, in a bubble, until the test ends.
func following(t *testing.T, r *Reconciler) {
	stopped := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	go func() { stopped <- r.Kind().Start(ctx) }()
	t.Cleanup(func() {
		stop()
		<-stopped
	})
	r.Kind().SetDefined(optional.CustomResourceDefinition, true)
	synctest.Wait()
}

func (c *cluster) rule(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	rule, err := c.Resource(prometheusRules).Namespace(namespace).Get(t.Context(), alerting.RuleName("mesh"),
		metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

func condition(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: "AlertsReady", Status: status, Reason: reason, Message: message}
}

func TestRulesAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		r := reconcilerOf(c, mesh())
		if r.Decided() || r.Condition(mesh()) != nil {
			t.Errorf("at first: decided %t, %v", r.Decided(), r.Condition(mesh()))
		}
		following(t, r)
		if !r.Decided() || r.Condition(mesh()) != nil {
			t.Errorf("before it is reconciled: decided %t, %v", r.Decided(), r.Condition(mesh()))
		}
		reconciled := func(when string, writes ...string) {
			t.Helper()
			c.writes = nil
			if result, err := r.Reconcile(t.Context(), reconcile.Request("mesh")); err != nil || !result.IsZero() {
				t.Errorf("%s: %v, %v", when, result, err)
			}
			if diff := cmp.Diff(writes, c.writes); diff != "" {
				t.Errorf("%s: -want +got:\n%s", when, diff)
			}
			synctest.Wait()
		}
		reconciled("there is none", "create")
		want := condition(metav1.ConditionTrue, "RuleApplied",
			`PrometheusRule "mesh" in namespace "monitoring" is applied.`)
		if diff := cmp.Diff(&want, r.Condition(mesh())); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		reconciled("it is as wanted")
		another := mesh()
		another.Generation = 4
		if got := r.Condition(another); got != nil {
			t.Errorf("another generation: %v", got)
		}
		content := c.rule(t).Object["spec"]

		rule := c.rule(t)
		rule.Object["spec"] = map[string]any{"groups": []any{}}
		rule.SetResourceVersion("2")
		labels := rule.GetLabels()
		labels["team"] = "platform"
		rule.SetLabels(labels)
		_, err := c.Resource(prometheusRules).Namespace(namespace).Update(t.Context(), rule, metav1.UpdateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		reconciled("someone changed it", "patch")
		if diff := cmp.Diff(content, c.rule(t).Object["spec"]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := c.rule(t).GetLabels()["team"]; got != "platform" {
			t.Errorf("the label that someone else added is %q", got)
		}
	})
}

// A failure is returned, for the metrics to count it. Of the same failure the first text stays.
func TestFailures(t *testing.T) {
	const writing = `writing PrometheusRule "mesh" in namespace "monitoring": `
	for name, test := range map[string]struct {
		rules    []runtime.Object
		refusals []error
		allowed  bool
		want     metav1.Condition
	}{
		"a permission is missing": {
			refusals: []error{forbidden("no"), forbidden("still no")},
			want: condition(metav1.ConditionFalse, "Forbidden",
				`Missing permission, or no namespace "monitoring": `+writing+
					`prometheusrules.monitoring.coreos.com is forbidden: no. Create the namespace, and grant the `+
					`permissions in config/rbac there.`),
		},
		"a quota is used up": {
			refusals: []error{forbidden("exceeded quota"), forbidden("exceeded quota")}, allowed: true,
			want: condition(metav1.ConditionFalse, "ApplyFailed", "Alerts are not applied: "+writing+
				"prometheusrules.monitoring.coreos.com is forbidden: exceeded quota. The operator retries."),
		},
		"first a webhook, then the quota": {
			refusals: []error{apierrors.NewInternalError(errors.New("webhook")), forbidden("exceeded quota")},
			allowed:  true,
			want: condition(metav1.ConditionFalse, "ApplyFailed", "Alerts are not applied: "+writing+
				"prometheusrules.monitoring.coreos.com is forbidden: exceeded quota. The operator retries."),
		},
		"the name is taken": {
			rules: []runtime.Object{&unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
				"metadata": map[string]any{"name": "mesh", "namespace": namespace},
			}}},
			refusals: []error{nil, nil},
			want: condition(metav1.ConditionFalse, "ApplyFailed", "Alerts are not applied: "+writing+
				"another PrometheusRule has this name: rename it, or set --alerts-namespace. The operator retries."),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				c.allowed = test.allowed
				r := reconcilerOf(c, mesh())
				following(t, r)
				for _, rule := range test.rules {
					// It has no label of the operator's, so that the kind does not see it.
					if err := c.Tracker().Add(rule); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				r.kind = emptyKind(t)
				for _, c.refusal = range test.refusals {
					if _, err := r.Reconcile(t.Context(), reconcile.Request("mesh")); err == nil {
						t.Error("no error")
					}
				}
				if diff := cmp.Diff(&test.want, r.Condition(mesh())); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

// emptyKind is that of a cluster that has no rules with the operator's label.
func emptyKind(t *testing.T) *optional.Kind {
	r := reconcilerOf(newCluster())
	following(t, r)
	return r.Kind()
}

func TestUnreadable(t *testing.T) {
	r := reconcilerOf(newCluster())
	for name, test := range map[string]struct {
		err  error
		want metav1.Condition
	}{
		"not installed": {optional.ErrNotInstalled, condition(metav1.ConditionFalse, "APINotInstalled",
			"The cluster does not have prometheusrules.monitoring.coreos.com, so there are no alerts. Install "+
				"prometheus-operator, or this CustomResourceDefinition alone.")},
		"not served": {optional.ErrNotServed, condition(metav1.ConditionFalse, "APINotInstalled",
			"The API server does not serve version v1 of prometheusrules.monitoring.coreos.com. Alerts follow as soon "+
				"as it does.")},
		"forbidden": {apierror.OfRead(forbidden("no")), condition(metav1.ConditionFalse, "Forbidden",
			`Missing permission to read PrometheusRules in namespace "monitoring": `+
				`prometheusrules.monitoring.coreos.com is forbidden: no. Grant the permissions in config/rbac there.`)},
		"broken": {errors.Join(errors.New("one"), errors.New("two")), condition(metav1.ConditionFalse, "ApplyFailed",
			`Failed to read PrometheusRules in namespace "monitoring": one; two. The operator retries.`)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&test.want, r.condition("mesh", test.err, result{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The results of before are forgotten when the kind changes, and those of products that are gone.
func TestResultsAreForgotten(t *testing.T) {
	r := reconcilerOf(newCluster(), mesh())
	set := func() {
		for i := range 3 {
			r.results.Set(fmt.Sprintf("product-%d", i), result{product: "1"})
		}
	}
	count := func() (n int) {
		for i := range 3 {
			if _, known := r.results.Get(fmt.Sprintf("product-%d", i)); known {
				n++
			}
		}
		return n
	}
	set()
	if _, err := r.Reconcile(t.Context(), reconcile.Request("product-1")); err != nil || count() != 2 {
		t.Errorf("%v, %d are left", err, count())
	}
	r.requestAll()
	if count() != 0 {
		t.Errorf("%d are left", count())
	}
}

func TestRetries(t *testing.T) {
	if first, last := retry.Delay(1), retry.Delay(100); first != time.Second || last != 5*time.Minute {
		t.Errorf("from %s to %s", first, last)
	}
}
