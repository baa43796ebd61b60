// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// refusedRetry is how long the operator waits, where it may not follow a kind, before it asks whether it may by now: nothing tells it.
	refusedRetry = 5 * time.Second
	// firstServedRetry is how long it waits for a kind whose definition is there to be served; at each further time twice as long, up to refusedRetry.
	firstServedRetry = 250 * time.Millisecond
)

// optionalKind follows the objects of a kind that a cluster may have or not, and may get or lose while the operator runs. The reconciler of
// CustomResourceDefinitions tells it which.
type optionalKind struct {
	client    dynamic.Interface
	resource  schema.GroupVersionResource
	namespace string
	selector  string
	// transform makes of an object what is kept of it.
	transform func(*unstructured.Unstructured) metav1.Object
	// kindChanged is called when there is news of the kind as a whole, and objectChanged when there is of one object, as it was or is.
	kindChanged   func()
	objectChanged func(metav1.Object)

	mu sync.Mutex
	// end ends the following; nil while there is nothing to follow.
	end context.CancelFunc
	// objects are those of the kind, and obstacle why they cannot be known. Both are nil until either is found out.
	objects  toolscache.Store
	obstacle error
}

// crdName is the name of the CustomResourceDefinition that brings the kind.
func (k *optionalKind) crdName() string { return k.resource.GroupResource().String() }

// appeared has the objects followed until ctx ends or the kind disappears.
func (k *optionalKind) appeared(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end != nil {
		return
	}
	ctx, k.end = context.WithCancel(ctx)
	logf.FromContext(ctx).Info("Kind appeared", "kind", k.crdName())
	go k.follow(ctx)
}

// disappeared ends the following.
func (k *optionalKind) disappeared(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end != nil {
		logf.FromContext(ctx).Info("Kind disappeared", "kind", k.crdName())
		k.end()
		k.end = nil
	}
	k.learn(nil, errNotInstalled)
}

var (
	// errNotInstalled: the cluster does not have a kind, or does not serve it yet.
	errNotInstalled = errors.New("the cluster does not have the kind")
	// errNotKnownYet: whether it does has still to be found out.
	errNotKnownYet = errors.New("it is not known yet whether the cluster has the kind")
)

// get is what is kept of an object, nil where there is none. Its error is errNotKnownYet, errNotInstalled, or the API server's refusal to tell; when that changes,
// kindChanged is called.
func (k *optionalKind) get(name string) (metav1.Object, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.obstacle != nil:
		return nil, k.obstacle
	case k.objects == nil:
		return nil, errNotKnownYet
	}
	object, found, err := k.objects.GetByKey(toolscache.NewObjectName(k.namespace, name).String())
	if err != nil || !found {
		return nil, err
	}
	return object.(metav1.Object), nil
}

// isDecided tells whether it has been found out, since the operator has started, that the cluster has the kind or that it does not.
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
	return a.Error() == b.Error()
}

func (k *optionalKind) follow(ctx context.Context) {
	absences, told := 0, false
	for {
		obstacle := k.followUntilObstructed(ctx)
		if ctx.Err() != nil {
			return
		}
		retry := refusedRetry
		if apierrors.IsNotFound(obstacle) {
			// A definition is there some moments before what it defines is served, and gone some moments after; or it does not serve this version.
			obstacle = errNotInstalled
			retry = min(firstServedRetry<<min(absences, 10), refusedRetry)
			absences++
		} else if !told {
			logf.FromContext(ctx).Error(obstacle, "Failed to watch an optional kind, trying again until it can be", "kind", k.crdName(), "namespace", k.namespace)
			told = true
		}
		k.learnUntil(ctx, nil, obstacle)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return
		}
	}
}

// followUntilObstructed follows the objects until ctx ends, or the API server says that there are none of the kind or that the operator may not: then it returns what it
// said.
func (k *optionalKind) followUntilObstructed(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	informer := dynamicinformer.NewFilteredDynamicInformer(k.client, k.resource, k.namespace, 0, toolscache.Indexers{},
		func(o *metav1.ListOptions) { o.LabelSelector = k.selector }).Informer()
	err := errors.Join(
		informer.SetTransform(func(object any) (any, error) {
			if o, ok := object.(*unstructured.Unstructured); ok {
				return k.transform(o), nil
			}
			return object, nil
		}),
		informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *toolscache.Reflector, err error) {
			if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
				end(err)
				return
			}
			toolscache.DefaultWatchErrorHandler(ctx, r, err)
		}),
	)
	if err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    k.note,
		UpdateFunc: func(before, after any) { k.note(before); k.note(after) }, // whose it was is news to them too
		DeleteFunc: k.note,
	}); err != nil {
		return err
	}
	go func() {
		select {
		case <-informer.HasSyncedChecker().Done():
			k.learnUntil(ctx, informer.GetStore(), nil)
		case <-ctx.Done():
		}
	}()
	informer.RunWithContext(ctx)
	return context.Cause(ctx)
}

func (k *optionalKind) note(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if o, ok := object.(metav1.Object); ok {
		k.objectChanged(o)
	}
}
