// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// firstObstructedRetry is how long the operator waits, where it cannot follow a kind, before it asks whether it can
	// by now. At each further time it waits twice as long, up to lastRefusedRetry where it may not, since nothing tells
	// it when it may, and up to lastUnservedRetry where the kind is not served: that it is has most often to do with
	// its definition, of which it hears.
	firstObstructedRetry = 250 * time.Millisecond
	lastRefusedRetry     = 5 * time.Second
	lastUnservedRetry    = 10 * time.Minute
	// obstructionPatience is how many times it asks, some 8 seconds in all, before what it last knew counts for
	// nothing: an API server that starts denies what it grants a moment later, and has yet to serve what it has stored.
	obstructionPatience = 5
)

// optionalKind follows the objects of a kind that a cluster may have or not, and may get or lose while the operator
// runs. The reconcilers of what defines kinds tell it which.
type optionalKind struct {
	client   dynamic.Interface
	resource schema.GroupVersionResource
	// definedBy are the kinds of object any of which may bring this one: customResourceDefinition, apiService.
	definedBy []string
	// namespace of the objects; empty: all.
	namespace string
	selector  string
	// transform makes of an object what is kept of it.
	transform func(*unstructured.Unstructured) metav1.ObjectMetaAccessor
	// kindChanged is called when there is news of the kind as a whole, and objectChanged when there is of one object,
	// as it was or is.
	kindChanged   func()
	objectChanged func(metav1.ObjectMetaAccessor)

	mu sync.Mutex
	// isDefined tells of those of definedBy that have been looked at whether they bring the kind.
	isDefined map[string]bool
	// end ends the following; nil while there is nothing to follow. On news the following hears that a definition is
	// another now.
	end  context.CancelFunc
	news chan struct{}
	// objects are those of the kind, and obstacle why they cannot be known. Both are nil until either is found out.
	objects  toolscache.Store
	obstacle error
}

// name of the kind, as a CustomResourceDefinition that brings it is called.
func (k *optionalKind) name() string { return k.resource.GroupResource().String() }

// apiServiceName is the name of the APIService that brings the kind where an API server other than the cluster's own
// serves it.
func (k *optionalKind) apiServiceName() string {
	return k.resource.Version + "." + k.resource.Group
}

// define takes note of whether one of the definitions is there. While any is, the objects are followed until ctx ends.
func (k *optionalKind) define(ctx context.Context, by string, isThere bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isDefined == nil {
		k.isDefined = map[string]bool{}
	}
	k.isDefined[by] = isThere
	switch wanted := slices.Contains(slices.Collect(maps.Values(k.isDefined)), true); {
	case wanted && k.end == nil:
		ctx, k.end = context.WithCancel(ctx)
		k.news = make(chan struct{}, 1)
		logf.FromContext(ctx).Info("Kind appeared", "kind", k.name())
		go k.follow(ctx, k.news)
	case wanted:
		select {
		case k.news <- struct{}{}:
		default: // It has yet to hear of an earlier one.
		}
	case !wanted && len(k.isDefined) == len(k.definedBy):
		if k.end != nil {
			logf.FromContext(ctx).Info("Kind disappeared", "kind", k.name())
			k.end()
			k.end = nil
		}
		k.learn(nil, errNotInstalled)
	}
}

var (
	// errNotInstalled: the cluster does not have a kind.
	errNotInstalled = errors.New("the cluster does not have the kind")
	// errNotServed is errNotInstalled of a kind that is defined all the same: it will come, or come back, and what was
	// stored of it is still there.
	errNotServed = fmt.Errorf("%w, though it is defined", errNotInstalled)
	// errNotKnownYet: whether it does has still to be found out.
	errNotKnownYet = errors.New("it is not known yet whether the cluster has the kind")
)

// store has what is kept of the objects. Its error is errNotKnownYet, errNotInstalled, or the API server's refusal to
// tell; when that changes, kindChanged is called.
func (k *optionalKind) store() (toolscache.Store, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.obstacle != nil:
		return nil, k.obstacle
	case k.objects == nil:
		return nil, errNotKnownYet
	}
	return k.objects, nil
}

// get is what is kept of an object in the kind's namespace, nil where there is none. Its error is that of store.
func (k *optionalKind) get(name string) (any, error) {
	objects, err := k.store()
	if err != nil {
		return nil, err
	}
	object, _, err := objects.GetByKey(toolscache.NewObjectName(k.namespace, name).String())
	return object, err
}

// list is what is kept of all objects. Its error is that of store.
func (k *optionalKind) list() ([]any, error) {
	objects, err := k.store()
	if err != nil {
		return nil, err
	}
	return objects.List(), nil
}

// isDecided tells whether it has been found out, since the operator has started, that the cluster has the kind or that
// it does not.
func (k *optionalKind) isDecided() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.end != nil || k.obstacle != nil
}

// learn takes note of what is known of the kind as a whole.
func (k *optionalKind) learn(objects toolscache.Store, obstacle error) {
	if objects == k.objects && saysTheSame(obstacle, k.obstacle) {
		return
	}
	k.objects, k.obstacle = objects, obstacle
	k.kindChanged()
}

// learnUntil is learn, unless ctx has ended: then the kind has disappeared meanwhile.
func (k *optionalKind) learnUntil(ctx context.Context, objects toolscache.Store, obstacle error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() == nil {
		k.learn(objects, obstacle)
	}
}

// saysTheSame tells whether two errors are the same to whoever reads them.
func saysTheSame(a, b error) bool {
	if a == nil || b == nil {
		return a == b //nolint:errorlint // nil is compared with nil
	}
	return inALine(a) == inALine(b)
}

func (k *optionalKind) follow(ctx context.Context, news <-chan struct{}) {
	obstructions := 0
	for {
		wasKnown, obstacle := k.followUntilObstructed(ctx)
		if ctx.Err() != nil {
			return
		}
		if wasKnown {
			obstructions = 0
		}
		last := lastRefusedRetry
		if apierrors.IsNotFound(obstacle) {
			last = lastUnservedRetry
		}
		retry := min(firstObstructedRetry<<min(obstructions, 20), last)
		if obstructions++; obstructions > obstructionPatience || !k.isKnown() {
			if apierrors.IsNotFound(obstacle) {
				// A definition is there some moments before what it defines is served, and gone some moments after; or
				// it does not serve this version.
				obstacle = errNotServed
			} else if k.isNews(obstacle) {
				logf.FromContext(ctx).Error(obstacle, "Failed to watch an optional kind, trying again until it can be",
					"kind", k.name(), "namespace", k.namespace)
			}
			k.learnUntil(ctx, nil, obstacle)
		}
		select {
		case <-time.After(retry):
		case <-news:
			obstructions = 0
		case <-ctx.Done():
			return
		}
	}
}

// isKnown tells whether the objects are known, or were until a moment ago.
func (k *optionalKind) isKnown() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.objects != nil
}

// isNews tells whether another obstacle than this is known, or none.
func (k *optionalKind) isNews(obstacle error) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !saysTheSame(k.obstacle, obstacle)
}

// followUntilObstructed follows the objects until ctx ends, or the API server says that there are none of the kind or
// that the operator may not: then it returns what it said, and whether they were known until then.
func (k *optionalKind) followUntilObstructed(ctx context.Context) (wereKnown bool, obstacle error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	objects := &pagedList{objects: k.client.Resource(k.resource).Namespace(k.namespace), selector: k.selector,
		transform: k.transform}
	informer := toolscache.NewSharedIndexInformer(objects.listerWatcher(), &unstructured.Unstructured{}, 0,
		toolscache.Indexers{})
	err := errors.Join(
		informer.SetTransform(func(object any) (any, error) {
			switch o := object.(type) {
			case *listedObject:
				return o.ObjectMetaAccessor, nil
			case *unstructured.Unstructured:
				return k.transform(o), nil
			default:
				return object, nil
			}
		}),
		informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *toolscache.Reflector, err error) {
			if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
				end(err)
				return
			}
			if !k.isKnown() {
				// What was last known stands; but here somebody is waiting for the first word.
				k.learnUntil(ctx, nil, err)
			}
			toolscache.DefaultWatchErrorHandler(ctx, r, err)
		}),
	)
	if err != nil {
		return false, err
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    k.note,
		UpdateFunc: func(before, after any) { k.note(before); k.note(after) }, // whose it was is news to them too
		DeleteFunc: k.note,
	}); err != nil {
		return false, err
	}
	go func() {
		select {
		case <-informer.HasSyncedChecker().Done():
			k.learnUntil(ctx, informer.GetStore(), nil)
		case <-ctx.Done():
		}
	}()
	informer.RunWithContext(ctx)
	return informer.HasSynced(), context.Cause(ctx)
}

func (k *optionalKind) note(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if o, ok := object.(metav1.ObjectMetaAccessor); ok {
		k.objectChanged(o)
	}
}
