// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// recorder notes when a watch first showed each object in each state.
type recorder struct {
	population *population

	mu   sync.Mutex
	seen map[object]map[string]time.Time
	// missing is how many keys, and how many products, have not been seen in a state yet.
	missing map[string]map[string]int
	// changed is closed, and replaced, when something new has been seen.
	changed chan struct{}
}

func record(ctx context.Context, c client.WithWatch, p *population) (*recorder, error) {
	r := &recorder{
		population: p, seen: map[object]map[string]time.Time{}, missing: map[string]map[string]int{},
		changed: make(chan struct{}),
	}
	for _, state := range states {
		r.missing[state] = map[string]int{keyResource: p.keys, productResource: p.products}
	}
	for _, list := range []client.ObjectList{&api.LicenseKeyList{}, &api.LicensedProductList{}} {
		watcher, err := c.Watch(ctx, list)
		if err != nil {
			return nil, fmt.Errorf("watching: %w", err)
		}
		go r.follow(ctx, c, list, watcher)
	}
	return r, nil
}

// follow notes what a watch shows, and what the watches show that take over where one ends: an API server ends those
// that it cannot get rid of its events to.
func (r *recorder) follow(ctx context.Context, c client.WithWatch, list client.ObjectList, watcher watch.Interface) {
	var version string
	for {
		for event := range watcher.ResultChan() {
			r.note(time.Now(), event)
			if o, ok := event.Object.(client.Object); ok {
				version = o.GetResourceVersion()
			}
		}
		watcher.Stop()
		if ctx.Err() != nil {
			return
		}
		say("A watch of %T has ended and goes on from version %s", list, version)
		var err error
		if watcher, err = c.Watch(ctx, list,
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}}); err != nil {
			say("Watching %T again failed, so nothing more will be seen: %v", list, err)
			return
		}
	}
}

// The states that every object goes through; a key and a product call them the same.
const (
	stateValid       = string(api.LicenseKeyValid)
	stateGracePeriod = string(api.LicenseKeyGracePeriod)
	stateExpired     = string(api.LicenseKeyExpired)
)

var states = []string{stateValid, stateGracePeriod, stateExpired}

func (r *recorder) note(at time.Time, event watch.Event) {
	of, state := stateOf(event)
	if !slices.Contains(states, state) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[of] == nil {
		r.seen[of] = map[string]time.Time{}
	}
	if _, again := r.seen[of][state]; again {
		return
	}
	r.seen[of][state] = at
	r.missing[state][of.resource]--
	close(r.changed)
	r.changed = make(chan struct{})
}

func stateOf(event watch.Event) (object, string) {
	switch o := event.Object.(type) {
	case *api.LicenseKey:
		return object{keyResource, o.Name}, string(o.Status.State)
	case *api.LicensedProduct:
		return object{productResource, o.Name}, string(o.Status.State)
	default:
		return object{}, ""
	}
}

// awaitAll waits until every object has been seen in a state. That the deadline came first is an error.
func (r *recorder) awaitAll(ctx context.Context, state string, deadline time.Time) error {
	keys, products, err := r.await(ctx, state, deadline)
	if err != nil || keys+products == 0 {
		return err
	}
	return fmt.Errorf("%d keys and %d products were not seen %s by %s, such as %s",
		keys, products, state, deadline.UTC().Format(time.TimeOnly), r.oneNotSeen(state))
}

// await waits until every object has been seen in a state, at most until the deadline, and tells how many keys and
// products have not been.
func (r *recorder) await(ctx context.Context, state string, deadline time.Time) (keys, products int, err error) {
	late := errors.New("late")
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, late)
	defer cancel()
	for {
		r.mu.Lock()
		keys, products = r.missing[state][keyResource], r.missing[state][productResource]
		changed := r.changed
		r.mu.Unlock()
		if keys+products == 0 {
			return 0, 0, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, late) {
				return keys, products, err
			}
			return keys, products, nil
		}
	}
}

// oneNotSeen tells of one of the objects that have not been seen in a state.
func (r *recorder) oneNotSeen(state string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for of, life := range r.population.life {
		if _, seen := r.seen[of][state]; !seen {
			return fmt.Sprintf("%s %s, which expires at %s and was seen %v", of.resource, of.name,
				life.expiry.UTC().Format(time.TimeOnly), r.seen[of])
		}
	}
	return "none"
}

// lateness is how long after their boundaries the states of a resource's objects were seen, in order.
func (r *recorder) lateness(resource string) []time.Duration {
	end := time.Now() // all have been seen
	all := append(r.after(resource, stateGracePeriod, func(l life) time.Time { return l.expiry }, end),
		r.after(resource, stateExpired, func(l life) time.Time { return l.graceEnd }, end)...)
	slices.Sort(all)
	return all
}

// after is how long after a boundary a resource's objects were seen in a state, in order. One that was not seen by the
// end counts as seen then.
func (r *recorder) after(
	resource, state string, boundary func(life) time.Time, end time.Time,
) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []time.Duration
	for of, life := range r.population.life {
		if of.resource != resource {
			continue
		}
		at, seen := r.seen[of][state]
		if !seen {
			at = end
		}
		all = append(all, at.Sub(boundary(life)))
	}
	slices.Sort(all)
	return all
}

// percentile of durations in order.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}
