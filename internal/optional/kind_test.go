// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package optional

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/internal/apierror"
)

var tiers = schema.GroupVersionResource{Group: "projectcalico.org", Version: "v3", Resource: "tiers"}

func forbidden() error { return apierrors.NewForbidden(tiers.GroupResource(), "", errors.New("no")) }
func notServed() error { return apierrors.NewNotFound(tiers.GroupResource(), "") }
func broken() error    { return apierrors.NewInternalError(errors.New("broken")) }

// cluster is an API server that can be told to refuse.
type cluster struct {
	t      *testing.T
	client *fake.FakeDynamicClient

	mu sync.Mutex
	// listErr and watchErr are what it answers with, and onWatch returns what a watch gets; nil: all is well.
	listErr, watchErr error
	onWatch           func() watch.Interface
	lists, watches    int
	watchers          []watch.Interface
}

func newCluster(t *testing.T, names ...string) *cluster {
	c := &cluster{t: t, client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{tiers: "TierList"})}
	for _, name := range names {
		c.create(name)
	}
	c.client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lists++
		return c.listErr != nil, nil, c.listErr
	})
	c.client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watches++
		if c.watchErr != nil {
			return true, nil, c.watchErr
		}
		if c.onWatch != nil {
			return true, c.onWatch(), nil
		}
		w, err := c.client.Tracker().Watch(tiers, action.GetNamespace())
		c.watchers = append(c.watchers, w)
		return true, w, err
	})
	return c
}

func tier(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(tiers.GroupVersion().WithKind("Tier"))
	o.SetName(name)
	return o
}

func (c *cluster) create(name string) {
	c.t.Helper()
	if _, err := c.client.Resource(tiers).Create(c.t.Context(), tier(name), metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) delete(name string) {
	c.t.Helper()
	if err := c.client.Resource(tiers).Delete(c.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// answer has all requests from now on answered with an error, or none, and the watches of before end.
func (c *cluster) answer(err error) { c.answers(err, err) }

func (c *cluster) answers(toLists, toWatches error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listErr, c.watchErr = toLists, toWatches
	if toLists != nil || toWatches != nil {
		for _, w := range c.watchers {
			w.Stop()
		}
		c.watchers = nil
	}
}

// requests returns how many lists and watches were requested.
func (c *cluster) requests() (lists, watches int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists, c.watches
}

// follower is a Kind that runs, with what it has called back.
type follower struct {
	*Kind
	t *testing.T

	mu          sync.Mutex
	kindChanges int
	objects     []string
	failures    []string // logged
}

// follow starts a Kind, and has it stopped when the test ends. A goroutine that it leaves behind fails the test, which
// has to run in a bubble.
func follow(t *testing.T, c *cluster) *follower {
	f := &follower{t: t}
	f.Kind = New(Options{
		Client: c.client, Resource: tiers, Transform: observe,
		DefinedBy: []Definition{CustomResourceDefinition, APIService},
		KindChanged: func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.kindChanges++
		},
		ObjectChanged: func(o metav1.ObjectMetaAccessor) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.objects = append(f.objects, o.GetObjectMeta().GetName())
		},
	})
	f.start(t)
	return f
}

func (f *follower) start(t *testing.T) {
	log := funcr.New(func(_, line string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if strings.Contains(line, `"error"=`) {
			f.failures = append(f.failures, line)
		}
	}, funcr.Options{})
	stopped := make(chan error)
	ctx, stop := context.WithCancel(logf.IntoContext(t.Context(), log))
	go func() { stopped <- f.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

// state is what a Kind says, in words.
func state(k *Kind) string {
	objects, err := k.List()
	switch {
	case errors.Is(err, ErrUnknown):
		return "unknown"
	case errors.Is(err, ErrNotServed):
		return "not served"
	case errors.Is(err, ErrNotInstalled):
		return "not installed"
	case apierror.IsPermissionMissing(err):
		return "forbidden"
	case err != nil:
		return "failed: " + err.Error()
	}
	names := []string{}
	for _, o := range objects {
		names = append(names, o.(*observed).Name)
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}

// expect waits until nothing happens any more, and compares the state.
func (f *follower) expect(when, want string) {
	f.t.Helper()
	synctest.Wait()
	if got := state(f.Kind); got != want {
		f.t.Errorf("%s: %s, want %s", when, got, want)
	}
}

// taken returns the callbacks since it was called last.
func (f *follower) taken() (kindChanges int, objects []string) {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	kindChanges, objects = f.kindChanges, f.objects
	f.kindChanges, f.objects = 0, nil
	slices.Sort(objects)
	return kindChanges, objects
}

func (f *follower) expectCalls(when string, kindChanges int, objects ...string) {
	f.t.Helper()
	gotKind, gotObjects := f.taken()
	if gotKind != kindChanges {
		f.t.Errorf("%s: KindChanged was called %d times, want %d", when, gotKind, kindChanges)
	}
	if diff := cmp.Diff(objects, gotObjects); diff != "" {
		f.t.Errorf("%s: ObjectChanged: -want +got:\n%s", when, diff)
	}
}

func (f *follower) expectDecided(when string, want bool) {
	f.t.Helper()
	if got := f.IsDecided(); got != want {
		f.t.Errorf("%s: IsDecided is %t", when, got)
	}
}

func TestKindComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "a")
		f := follow(t, c)
		f.expect("at first", "unknown")
		f.expectDecided("at first", false)
		f.SetDefined(CustomResourceDefinition, false)
		f.expect("no CustomResourceDefinition, and no APIService has been looked for", "unknown")
		f.expectDecided("half", false)
		f.expectCalls("half", 0)
		f.SetDefined(APIService, false)
		f.expect("neither", "not installed")
		f.expectDecided("neither", true)
		f.expectCalls("neither", 1)
		if lists, watches := c.requests(); lists+watches > 0 {
			t.Errorf("%d lists and %d watches of what is not there", lists, watches)
		}

		f.SetDefined(APIService, true)
		f.expect("it appears", "[a]")
		f.expectCalls("it appears", 1, "a")
		c.create("b")
		f.expect("an object is created", "[a b]")
		f.expectCalls("an object is created", 0, "b")
		c.delete("a")
		f.expect("an object is deleted", "[b]")
		f.expectCalls("an object is deleted", 0, "a")
		f.SetDefined(CustomResourceDefinition, true)
		f.SetDefined(APIService, false)
		f.expect("another definition brings it", "[b]")
		f.expectCalls("another definition brings it", 0)

		f.SetDefined(CustomResourceDefinition, false)
		f.expect("it disappears", "not installed")
		f.expectCalls("it disappears", 1)
		before, _ := c.requests()
		time.Sleep(24 * time.Hour)
		if after, _ := c.requests(); after != before {
			t.Errorf("listed %d times while it was not defined", after-before)
		}
		c.create("c")
		f.SetDefined(APIService, true)
		f.expect("it reappears", "[b c]")
		f.expectCalls("it reappears", 1, "b", "c")
	})
}

func TestKindIsDecidedWhileItIsRead(t *testing.T) {
	k := New(Options{DefinedBy: []Definition{CustomResourceDefinition}})
	k.SetDefined(CustomResourceDefinition, true) // and it is not started
	if got := state(k); got != "unknown" || !k.IsDecided() {
		t.Errorf("%s, decided %t", got, k.IsDecided())
	}
}

func TestDefinitionNames(t *testing.T) {
	k := New(Options{Resource: tiers, DefinedBy: []Definition{CustomResourceDefinition, APIService}})
	got := []string{k.Name(), k.DefinitionName(CustomResourceDefinition), k.DefinitionName(APIService)}
	want := []string{"tiers.projectcalico.org", "tiers.projectcalico.org", "v3.projectcalico.org"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	k = New(Options{Resource: tiers, DefinedBy: []Definition{CustomResourceDefinition}})
	if got := k.DefinitionName(APIService); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, newCluster(t, "a"))
		if got, err := f.Get("a"); got != nil || !errors.Is(err, ErrUnknown) {
			t.Errorf("at first: got %v, %v", got, err)
		}
		f.SetDefined(CustomResourceDefinition, true)
		synctest.Wait()
		if got, err := f.Get("a"); err != nil || got.(*observed).Name != "a" {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := f.Get("b"); err != nil || got != nil {
			t.Errorf("what is not there: got %v, %v", got, err)
		}
	})
}

// Each failure is one that the API server answers lists and watches with, beginning at once or while the objects are
// watched, and the states are those of the times after it began.
func TestFailures(t *testing.T) {
	type states map[time.Duration]string
	const second = time.Second
	for name, test := range map[string]struct {
		err       error
		watchOnly bool
		// initially and later are the states where nothing was read before, and where something was.
		initially, later states
		// recovered is how long it takes at most after the failure has ended.
		recovered time.Duration
	}{
		"forbidden": {
			err: forbidden(), initially: states{0: "forbidden", 3600 * second: "forbidden"},
			// An API server that starts denies what it grants some seconds later.
			later: states{0: "[a]", 7 * second: "[a]", 8 * second: "forbidden"}, recovered: 5 * second,
		},
		"forbidden to watch": {
			err: forbidden(), watchOnly: true,
			// What is listed may or may not count until then: the refusal comes at the same time.
			initially: states{8 * second: "forbidden", 3600 * second: "forbidden"},
			later:     states{0: "[a]", 7 * second: "[a]", 8 * second: "forbidden", 3600 * second: "forbidden"},
			recovered: 5 * second,
		},
		"not served": {
			err: notServed(), initially: states{0: "not served", 3600 * second: "not served"},
			later: states{0: "[a]", 7 * second: "[a]", 8 * second: "not served"}, recovered: 600 * second,
		},
		"broken": {
			err:       broken(),
			initially: states{0: "failed: failed to list tiers.projectcalico.org: Internal error occurred: broken"},
			later:     states{0: "[a]", 3600 * second: "[a]"}, recovered: 60 * second,
		},
		"broken for watches": {
			err: broken(), watchOnly: true, initially: states{0: "[a]", 3600 * second: "[a]"},
			later: states{0: "[a]", 3600 * second: "[a]"}, recovered: 60 * second,
		},
	} {
		toLists := test.err
		if test.watchOnly {
			toLists = nil
		}
		for when, want := range map[string]states{"initially": test.initially, "later": test.later} {
			t.Run(name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t, "a")
					f := follow(t, c)
					if when == "later" {
						f.SetDefined(APIService, true)
						f.expect("before", "[a]")
						time.Sleep(time.Hour) // of watching
						c.answers(toLists, test.err)
					} else {
						c.answers(toLists, test.err)
						f.SetDefined(APIService, true)
					}
					start := time.Now()
					for _, after := range sortedKeys(want) {
						time.Sleep(time.Until(start.Add(after)))
						f.expect("after "+after.String(), want[after])
					}
					c.answer(nil)
					c.create("b")
					time.Sleep(test.recovered)
					f.expect("afterwards", "[a b]")
				})
			})
		}
	}
}

func sortedKeys(m map[time.Duration]string) []time.Duration {
	keys := []time.Duration{}
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// A change of a definition is a reason to ask at once.
func TestServedAfterTheDefinitionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "a")
		c.answer(notServed())
		f := follow(t, c)
		f.SetDefined(CustomResourceDefinition, true)
		time.Sleep(time.Hour)
		f.expect("after an hour", "not served")
		f.SetDefined(CustomResourceDefinition, true)
		c.answer(nil)
		time.Sleep(forbiddenRetry.First)
		f.expect("a moment after the definition has changed", "[a]")
	})
}

func TestWatchesEnd(t *testing.T) {
	gone := &apierrors.NewResourceExpired("too old").ErrStatus
	for name, test := range map[string]struct {
		end   func(*watch.FakeWatcher)
		after time.Duration
		// lists says whether it has to list again.
		lists int
	}{
		"closed":   {(*watch.FakeWatcher).Stop, 0, 0},
		"410 Gone": {func(w *watch.FakeWatcher) { w.Error(gone) }, 2 * time.Second, 1},
		"500":      {func(w *watch.FakeWatcher) { w.Error(&metav1.Status{Code: 500}) }, 2 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "a")
				var watchers []*watch.FakeWatcher
				c.onWatch = func() watch.Interface {
					watchers = append(watchers, watch.NewFake())
					return watchers[len(watchers)-1]
				}
				f := follow(t, c)
				f.SetDefined(CustomResourceDefinition, true)
				f.expect("before", "[a]")
				time.Sleep(time.Minute)
				before, _ := c.requests()
				c.create("b")
				test.end(watchers[0])
				synctest.Wait()
				f.expectCalls("meanwhile", 1, "a")
				time.Sleep(test.after)
				synctest.Wait()
				if len(watchers) != 2 {
					t.Fatalf("%d watches", len(watchers))
				}
				watchers[1].Add(tier("c"))
				want := "[a c]" // What the next watch says is all there is, where nothing is listed.
				if test.lists > 0 {
					want = "[a b c]"
				}
				f.expect("afterwards", want)
				if after, _ := c.requests(); after-before != test.lists {
					t.Errorf("listed %d times", after-before)
				}
				if kindChanges, _ := f.taken(); kindChanges > 0 {
					t.Errorf("the kind changed %d times", kindChanges)
				}
			})
		})
	}
}

// However it fails, it asks no more often than the backoff allows, and logs what fails once.
func TestNoBusyLoop(t *testing.T) {
	closed := func() watch.Interface {
		w := watch.NewFake()
		w.Stop()
		return w
	}
	const hours = 4
	// An informer retries after 15 seconds or more, at last.
	const retries = hours*240 + 12
	for name, test := range map[string]struct {
		toLists, toWatches error
		onWatch            func() watch.Interface
		// At most.
		lists, watches, kindChanges int
		// Exactly.
		failures int
	}{
		"all is well":          {nil, nil, nil, 1, 1, 1, 0},
		"forbidden":            {forbidden(), nil, nil, hours*720 + 6, 0, 1, 1},
		"forbidden to watch":   {nil, forbidden(), nil, hours*720 + 6, hours*720 + 6, 7, 1},
		"not served":           {notServed(), nil, nil, hours*6 + 13, 0, 1, 0},
		"not served, to watch": {nil, notServed(), nil, hours*6 + 13, hours*6 + 13, 7, 0},
		"broken":               {broken(), nil, nil, retries, 0, 1, 1},
		"broken, to watch":     {nil, broken(), nil, retries, retries, 2, 1},
		"watches end at once":  {nil, nil, closed, retries, retries, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "a")
				c.onWatch = test.onWatch
				c.answers(test.toLists, test.toWatches)
				f := follow(t, c)
				f.SetDefined(CustomResourceDefinition, true)
				time.Sleep(hours * time.Hour)
				synctest.Wait()
				lists, watches := c.requests()
				f.mu.Lock()
				defer f.mu.Unlock()
				if lists > test.lists || watches > test.watches {
					t.Errorf("%d lists and %d watches, want at most %d and %d",
						lists, watches, test.lists, test.watches)
				}
				if f.kindChanges > test.kindChanges {
					t.Errorf("KindChanged was called %d times, want at most %d", f.kindChanges, test.kindChanges)
				}
				if len(f.failures) != test.failures {
					t.Errorf("%d failures were logged, want %d: %q", len(f.failures), test.failures, f.failures)
				}
			})
		})
	}
}

// A failure is logged again once the objects have been watched in between.
func TestFailuresAreLoggedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "a")
		f := follow(t, c)
		f.SetDefined(CustomResourceDefinition, true)
		for range 3 {
			c.answer(forbidden())
			time.Sleep(time.Hour)
			f.expect("for an hour", "forbidden")
			c.answer(nil)
			time.Sleep(time.Hour)
			f.expect("for an hour", "[a]")
		}
		if len(f.failures) != 3 {
			t.Errorf("logged: %q", f.failures)
		}
	})
}

// The first error of several that mean the same is the one that is shown.
func TestTheFirstErrorStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.answer(apierrors.NewForbidden(tiers.GroupResource(), "", errors.New("user 1 cannot")))
		f := follow(t, c)
		f.SetDefined(CustomResourceDefinition, true)
		synctest.Wait()
		_, first := f.List()
		c.answer(apierrors.NewForbidden(tiers.GroupResource(), "", errors.New("user 2 cannot")))
		time.Sleep(time.Hour)
		if _, err := f.List(); err != first { //nolint:errorlint // the very same
			t.Errorf("%v, then %v", first, err)
		}
		f.expectCalls("all the time", 1)
	})
}

// Callbacks may use the Kind: it is not locked while they run.
func TestCallbacksUseTheKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "a", "b")
		var k *Kind
		var mu sync.Mutex
		seen := map[string]int{}
		use := func() {
			s := state(k)
			k.IsDecided()
			_, _ = k.Get("a")
			k.SetDefined(APIService, false)
			mu.Lock()
			defer mu.Unlock()
			seen[s]++
		}
		k = New(Options{
			Client: c.client, Resource: tiers, DefinedBy: []Definition{CustomResourceDefinition, APIService},
			Transform: observe, KindChanged: use, ObjectChanged: func(metav1.ObjectMetaAccessor) { use() },
		})
		f := &follower{Kind: k, t: t}
		f.start(t)
		k.SetDefined(CustomResourceDefinition, false)
		k.SetDefined(APIService, false)
		k.SetDefined(CustomResourceDefinition, true)
		f.expect("it appears", "[a b]")
		k.SetDefined(CustomResourceDefinition, false)
		f.expect("it disappears", "not installed")
		c.answer(forbidden())
		k.SetDefined(CustomResourceDefinition, true)
		f.expect("it is forbidden", "forbidden")
		mu.Lock()
		defer mu.Unlock()
		// The objects are there when the kind is, and are told of before or after.
		if seen["[a b]"] == 0 || seen["not installed"] == 0 || seen["forbidden"] != 1 {
			t.Errorf("the callbacks saw %v", seen)
		}
	})
}

// Run it with -race.
func TestManyUsersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "a")
		f := follow(t, c)
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				for range 200 {
					state(f.Kind)
					_, _ = f.Get("a")
					f.IsDecided()
					time.Sleep(time.Duration(i) * 100 * time.Microsecond)
				}
			})
		}
		for i, by := range []Definition{CustomResourceDefinition, APIService, CustomResourceDefinition} {
			group.Go(func() {
				for n := range 200 {
					f.SetDefined(by, n%3 > 0)
					time.Sleep(time.Duration(i) * time.Millisecond)
				}
			})
		}
		group.Go(func() {
			for n := range 50 {
				c.answer([]error{nil, forbidden(), broken(), notServed()}[n%4])
				time.Sleep(3 * time.Millisecond)
			}
		})
		group.Wait()
		c.answer(nil)
		f.SetDefined(APIService, false)
		f.SetDefined(CustomResourceDefinition, false)
		f.expect("in the end", "not installed")
		f.SetDefined(CustomResourceDefinition, true)
		time.Sleep(time.Minute)
		f.expect("in the very end", "[a]")
	})
}

// What was known stays so when Start returns, and nothing runs any more: the bubble would say so.
func TestStop(t *testing.T) {
	for name, prepare := range map[string]func(*cluster, *Kind){
		"before it is defined": func(*cluster, *Kind) {},
		"while it is watched":  func(_ *cluster, k *Kind) { k.SetDefined(APIService, true) },
		"while it is not there": func(_ *cluster, k *Kind) {
			k.SetDefined(APIService, true)
			k.SetDefined(APIService, false)
		},
		"while it waits to retry": func(c *cluster, k *Kind) {
			c.answer(forbidden())
			k.SetDefined(APIService, true)
		},
		"while an informer retries": func(c *cluster, k *Kind) {
			c.answer(broken())
			k.SetDefined(APIService, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "a")
				k := New(Options{
					Client: c.client, Resource: tiers, DefinedBy: []Definition{APIService}, Transform: observe,
					KindChanged: func() {}, ObjectChanged: func(metav1.ObjectMetaAccessor) {},
				})
				ctx, stop := context.WithCancel(t.Context())
				stopped := make(chan error, 1)
				go func() { stopped <- k.Start(ctx) }()
				prepare(c, k)
				synctest.Wait()
				before := state(k)
				stop()
				if err := <-stopped; err != nil {
					t.Error(err)
				}
				if after := state(k); after != before {
					t.Errorf("%s, and %s before", after, before)
				}
				lists, watches := c.requests()
				k.SetDefined(APIService, true)
				time.Sleep(time.Hour)
				if l, w := c.requests(); l != lists || w != watches {
					t.Errorf("%d lists and %d watches after it was stopped", l-lists, w-watches)
				}
			})
		})
	}
}
