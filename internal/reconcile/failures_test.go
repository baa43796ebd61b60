// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/license-operator/license-operator/internal/backoff"
)

// errorsOf returns how many failed reconciles of a controller the metrics count.
func errorsOf(t *testing.T, controller string) float64 {
	t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_errors_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if metric.GetLabel()[0].GetValue() == controller {
				return metric.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no errors of controller %s in the metrics", controller)
	return 0
}

// Failures are counted and retried, and logged when they begin, or are another one.
func TestFailuresAreCountedAndLoggedOnce(t *testing.T) {
	refusal := func(text string) error {
		tiers := schema.GroupResource{Resource: "tiers"}
		return fmt.Errorf("writing: %w", apierrors.NewForbidden(tiers, "a", errors.New(text)))
	}
	answers := []error{
		refusal("1"), refusal("2"), refusal("3"), refusal("4"), errors.New("broken"), errors.New("broken"), nil,
		refusal("5"), refusal("6"), nil,
	}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var logged []string
		log := funcr.New(func(_, line string) {
			mu.Lock()
			defer mu.Unlock()
			if _, text, isError := strings.Cut(line, `"error"=`); isError {
				text, _, _ = strings.Cut(text, ` "controller"`)
				logged = append(logged, text)
			}
		}, funcr.Options{})
		trigger := NewTrigger("a")
		var tried []int // after so many seconds
		start := time.Now()
		options := Options{Retry: backoff.Policy{First: time.Second, Last: 5 * time.Second}}.of("failing", log)
		options.Reconciler = reconcile.Func(func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			tried = append(tried, int(time.Since(start).Seconds()))
			err := answers[len(tried)-1]
			if err == nil && len(tried) < len(answers) {
				trigger.Add(request.Name, time.Minute)
			}
			logf.FromContext(ctx).Info("Tried")
			return ctrl.Result{}, err
		})
		c, err := controller.NewUnmanaged("failing", options)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Watch(trigger); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- c.Start(ctx) }()
		time.Sleep(time.Hour)
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]int{0, 1, 3, 7, 12, 17, 22, 82, 83, 85}, tried); diff != "" {
			t.Errorf("tried: -want +got:\n%s", diff)
		}
		if diff := cmp.Diff([]string{
			`"writing: tiers \"a\" is forbidden: 1"`, `"broken"`, `"writing: tiers \"a\" is forbidden: 5"`,
		}, logged); diff != "" {
			t.Errorf("logged: -want +got:\n%s", diff)
		}
		if got := errorsOf(t, "failing"); got != 8 {
			t.Errorf("%v errors were counted", got)
		}
	})
}

// Of two requests that fail in the same way each is logged.
func TestEachRequestIsLogged(t *testing.T) {
	var logged []string
	log := funcr.New(func(_, line string) { logged = append(logged, line) }, funcr.Options{Verbosity: 1})
	f := newFailures(defaultRetry)
	for _, name := range []string{"a", "b", "a"} {
		f.logger(log, Request(name)).WithName("n").WithValues("of", name).Error(errors.New("broken"), "Failed")
	}
	want := []string{
		`"msg"="Failed" "error"="broken" "of"="a"`, `"msg"="Failed" "error"="broken" "of"="b"`,
		`"level"=1 "msg"="Failed" "of"="a" "error"="broken"`,
	}
	if diff := cmp.Diff(want, logged); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
