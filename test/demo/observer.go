// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// kind of what is seen.
type kind string

const (
	aProduct kind = "product"
	aKey     kind = "key"
	aPolicy  kind = "policy"
	anEvent  kind = "event"
)

// sighting is something that a watch has shown, at the moment it did.
type sighting struct {
	at time.Time
	// id tells one object from another.
	id   string
	kind kind
	// name of the object; of what an event is about.
	name string
	// about is the kind that an event is about.
	about kind
	// state of a key or product; empty: it has just been applied, or deleted.
	state   string
	deleted bool
	// version of a policy: another one whenever anything about it has changed.
	version string
	// byOperator tells of a policy that it is the operator's, so that its coming and going has a cause and is none.
	byOperator bool
	// reason of an event; of a key's condition Ready.
	reason string
	// active is the reason of a key's condition Active; the name of a product's active key.
	active string
	// restricts is when a product's restriction takes effect, restriction its state, and affects what it is about.
	restricts   time.Time
	restriction api.RestrictionState
	affects     string
	// warning and note of an event.
	warning bool
	note    string
	// boundaries are the instants at which a key changes by time alone: its begin, its expiry, the end of its grace
	// period.
	boundaries [3]time.Time
	// was is the state before, again whether there was any before, and onlyAffects whether nothing but affects is
	// another.
	was                string
	again, onlyAffects bool
}

func (s *sighting) sameAs(other *sighting) bool {
	return s.sameButAffects(other) && s.affects == other.affects
}

func (s *sighting) sameButAffects(other *sighting) bool {
	return s.state == other.state && s.reason == other.reason && s.active == other.active &&
		s.version == other.version &&
		s.restricts.Equal(other.restricts) && s.restriction == other.restriction
}

// observer sees everything that happens to keys, products and policies, by watches, tells it at once, and remembers it.
type observer struct {
	client client.WithWatch
	out    *console
	loops  sync.WaitGroup

	mu      sync.Mutex
	history []sighting
	last    map[string]sighting
	// news is closed, and replaced, when history has grown.
	news chan struct{}
}

func startObserver(ctx context.Context, config *rest.Config, out *console) (*observer, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{api.AddToScheme, corev1.AddToScheme, eventsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("creating a client to watch with: %w", err)
	}
	o := &observer{client: c, out: out, last: map[string]sighting{}, news: make(chan struct{})}
	for _, list := range []client.ObjectList{
		&api.LicensedProductList{}, &api.LicenseKeyList{}, policyList(calico.GlobalNetworkPolicy),
		policyList(calico.NetworkPolicy), &eventsv1.EventList{},
	} {
		watcher, err := c.Watch(ctx, list)
		if err != nil {
			return nil, fmt.Errorf("watching: %w", err)
		}
		o.loops.Go(func() {
			for ctx.Err() == nil {
				for event := range watcher.ResultChan() {
					o.see(time.Now(), event)
				}
				// A watch ends now and then; the next one begins with everything there is, which is told once.
				if watcher, err = c.Watch(ctx, list); err != nil {
					return
				}
			}
			watcher.Stop()
		})
	}
	return o, nil
}

func policyList(kind calico.PolicyKind) client.ObjectList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(calico.Version.WithKind(string(kind) + "List"))
	return list
}

// wait returns when nothing is told any more.
func (o *observer) wait() { o.loops.Wait() }

func (o *observer) see(at time.Time, event watch.Event) {
	s, ok := sightingOf(event.Object)
	if !ok {
		return
	}
	s.at = at
	o.mu.Lock()
	defer o.mu.Unlock()
	before, seen := o.last[s.id]
	switch {
	case event.Type == watch.Deleted && s.kind == anEvent: // grown old
		delete(o.last, s.id)
		return
	case event.Type == watch.Deleted:
		delete(o.last, s.id)
		s = sighting{at: at, kind: s.kind, name: s.name, deleted: true, byOperator: s.byOperator}
	case seen && s.sameAs(&before):
		return
	default:
		s.was, s.again, s.onlyAffects = before.state, seen, seen && s.sameButAffects(&before)
		o.last[s.id] = s
	}
	o.history = append(o.history, s)
	o.out.sighting(&s, o.cause(&s))
	close(o.news)
	o.news = make(chan struct{})
}

// isDoing tells that somebody has done something, and that it is not what came of it.
func (s *sighting) isDoing() bool { return s.kind != anEvent && s.state == "" && !s.byOperator }

// cause is the latest thing known to have been due, or to have been done by somebody, when s was seen.
func (o *observer) cause(s *sighting) time.Time {
	var latest time.Time
	consider := func(t time.Time) {
		if t.After(latest) && !t.After(s.at) {
			latest = t
		}
	}
	for i := range o.history {
		seen := &o.history[i]
		if seen.isDoing() {
			consider(seen.at)
		}
		for _, boundary := range seen.boundaries {
			consider(boundary)
		}
	}
	return latest
}

func sightingOf(object runtime.Object) (sighting, bool) {
	switch o := object.(type) {
	case *api.LicenseKey:
		return ofKey(o), true
	case *api.LicensedProduct:
		return ofProduct(o), true
	case *unstructured.Unstructured:
		return ofPolicy(o), true
	case *eventsv1.Event:
		return ofEvent(o)
	default:
		return sighting{}, false
	}
}

func ofKey(k *api.LicenseKey) sighting {
	s := sighting{
		id: string(k.UID), kind: aKey, name: k.Name, state: string(k.Status.State),
		reason: reasonOf(k.Status.Conditions, api.ConditionReady),
		active: reasonOf(k.Status.Conditions, api.ConditionActive),
	}
	for i, t := range []*metav1.Time{k.Status.NotBeforeTime, k.Status.ExpiryTime, k.Status.GraceEndTime} {
		if t != nil {
			s.boundaries[i] = t.Time
		}
	}
	return s
}

func ofProduct(p *api.LicensedProduct) sighting {
	s := sighting{
		id: string(p.UID), kind: aProduct, name: p.Name, state: string(p.Status.State),
		active: p.Status.ActiveLicenseKeyName,
	}
	r := p.Status.Restriction
	if r == nil {
		return s
	}
	s.restriction = r.State
	if r.EffectiveTime != nil {
		s.restricts = r.EffectiveTime.Time
	}
	switch {
	case r.InForce != nil:
		s.affects = affected(r.InForce.Tiers, r.InForce.Policies)
	case r.Preview != nil:
		s.affects = affected(r.Preview.Tiers, r.Preview.Policies)
	}
	return s
}

// affected says what a restriction is about; empty: that has yet to be found out.
func affected(tiers []api.RestrictedTier, policies *api.AffectedPolicies) string {
	if policies == nil {
		return ""
	}
	where := fmt.Sprintf("%d tiers", len(tiers))
	if len(tiers) == 1 {
		where = "tier " + tiers[0].Name
	}
	return fmt.Sprintf("policies in %s: %d (%d allow, %d deny)", where, *policies.Total, *policies.Allowing,
		*policies.Denying)
}

func ofPolicy(p *unstructured.Unstructured) sighting {
	return sighting{
		id: string(p.GetUID()), kind: aPolicy, name: p.GetName(), version: p.GetResourceVersion(),
		byOperator: p.GetLabels()[calico.PassPolicyLabel] == calico.PassPolicyLabelValue,
	}
}

func ofEvent(e *eventsv1.Event) (sighting, bool) {
	about := map[string]kind{"LicenseKey": aKey, "LicensedProduct": aProduct}[e.Regarding.Kind]
	return sighting{
		id: string(e.UID), kind: anEvent, name: e.Regarding.Name, about: about,
		reason: e.Reason, warning: e.Type == corev1.EventTypeWarning, note: e.Note,
	}, about != ""
}

func reasonOf(conditions []metav1.Condition, conditionType string) string {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return c.Reason
	}
	return ""
}

// seenSoFar is where await is to start so as to miss nothing from now on.
func (o *observer) seenSoFar() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.history)
}

// await returns the first sighting from a place in history on that matches, and waits for it if need be.
func (o *observer) await(ctx context.Context, from int, matches func(*sighting) bool) (sighting, error) {
	for {
		o.mu.Lock()
		news := o.news
		for ; from < len(o.history); from++ {
			if s := o.history[from]; matches(&s) {
				o.mu.Unlock()
				return s, nil
			}
		}
		o.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return sighting{}, context.Cause(ctx)
		}
	}
}

// boundariesOf are the boundaries of a key, as it was last seen.
func (o *observer) boundariesOf(name string) [3]time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found [3]time.Time
	for i := range o.history {
		if s := &o.history[i]; s.kind == aKey && s.name == name {
			found = s.boundaries
		}
	}
	return found
}
