// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package optional

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/internal/apierror"
	"github.com/license-operator/license-operator/internal/backoff"
)

var (
	// forbiddenRetry is short at the end: nothing says when a permission is granted.
	forbiddenRetry = backoff.Policy{First: 250 * time.Millisecond, Last: 5 * time.Second}
	// notServedRetry is long at the end: a change of the definition, which SetDefined reports, most often ends it.
	notServedRetry = backoff.Policy{First: 250 * time.Millisecond, Last: 10 * time.Minute}
)

const (
	// patience is how many times in a row the API server may refuse, within some 8 seconds, before what was read counts
	// no more: one that starts denies what it grants a moment later, and does not serve yet what it has stored.
	patience = 5
	// stableAfter is how long the objects have to be watched before earlier refusals are forgotten.
	stableAfter = 5 * time.Second
)

// run follows the objects until ctx ends: the kind has disappeared.
func (k *Kind) run(ctx context.Context) {
	for failures := 0; ; {
		wasStable, err := k.follow(ctx, failures > 0)
		if ctx.Err() != nil {
			return
		}
		if failures++; wasStable {
			failures = 1
		}
		retry := forbiddenRetry
		if apierrors.IsNotFound(err) {
			// A definition is there a moment before its kind is served, and goes a moment after it; or it does not
			// serve this version.
			retry, err = notServedRetry, ErrNotServed
		}
		if failures > patience || !k.isAvailable() {
			k.log(ctx, err)
			k.setDuring(ctx, nil, apierror.OfRead(err))
		}
		select {
		case <-time.After(retry.Delay(failures)):
		case <-k.redefined:
			failures = 0
		case <-ctx.Done():
			return
		}
	}
}

// follow follows the objects until ctx ends, or the API server says that there is no such kind or that reading it is
// forbidden: that is the error. Any other failure it retries, and what was read before stays. It returns whether the
// objects could be watched for some time.
//
// After a refusal the objects count as read only when they can be watched, too: an operator that may list but not
// watch would otherwise see the kind come and go with each attempt.
func (k *Kind) follow(ctx context.Context, wasRefused bool) (wasStable bool, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	watched := make(chan struct{})
	informer, err := k.newInformer(end, sync.OnceFunc(func() { close(watched) }))
	if err != nil {
		return false, err
	}
	var isStable atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		synced := informer.HasSyncedChecker().Done()
		if !happens(ctx, synced) || wasRefused && !happens(ctx, watched) {
			return
		}
		k.setDuring(ctx, informer.GetStore(), nil)
		if happens(ctx, watched) && happens(ctx, time.After(stableAfter)) {
			isStable.Store(true)
		}
	})
	informer.RunWithContext(ctx)
	group.Wait()
	return isStable.Load(), context.Cause(ctx)
}

// happens waits for something, and returns whether it happened before ctx ended.
func happens[T any](ctx context.Context, something <-chan T) bool {
	select {
	case <-something:
		return true
	case <-ctx.Done():
		return false
	}
}

// newInformer returns an informer that calls end when the API server refuses, and watching when a watch begins.
func (k *Kind) newInformer(end context.CancelCauseFunc, watching func()) (toolscache.SharedIndexInformer, error) {
	objects := &pagedList{
		objects:  k.options.Client.Resource(k.options.Resource).Namespace(k.options.Namespace),
		selector: k.options.LabelSelector, transform: k.options.Transform,
		watching: func() {
			k.mu.Lock()
			k.logged = nil // the next failure is logged, even if it is the same
			k.mu.Unlock()
			watching()
		},
	}
	informer := toolscache.NewSharedIndexInformerWithOptions(objects.listerWatcher(), &unstructured.Unstructured{},
		toolscache.SharedIndexInformerOptions{ObjectDescription: k.Name()})
	_, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    k.notify,
		UpdateFunc: func(before, after any) { k.notify(before); k.notify(after) }, // It may concern others than before.
		DeleteFunc: k.notify,
	})
	return informer, errors.Join(err,
		informer.SetTransform(k.transform),
		informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *toolscache.Reflector, err error) {
			if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
				end(err)
				return
			}
			if !k.isAvailable() {
				k.setDuring(ctx, nil, err) // a caller may be waiting for the error
			}
			k.log(ctx, err)
		}),
	)
}

// transform returns what is kept of an object.
func (k *Kind) transform(object any) (any, error) {
	switch o := object.(type) {
	case *listedObject:
		return o.ObjectMetaAccessor, nil
	case *unstructured.Unstructured:
		return k.options.Transform(o), nil
	default:
		return object, nil
	}
}

// notify says that an object has changed.
func (k *Kind) notify(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if o, ok := object.(metav1.ObjectMetaAccessor); ok {
		k.options.ObjectChanged(o)
	}
}

// log logs a failure, unless it is the last that was logged. That a watch or a list is too old is not a failure, and a
// kind that is not served is reported where its objects are needed.
func (k *Kind) log(ctx context.Context, err error) {
	isOld := errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
	if isOld || errors.Is(err, ErrNotServed) {
		return
	}
	k.mu.Lock()
	isNews := !apierror.Same(err, k.logged)
	k.logged = err
	k.mu.Unlock()
	if isNews {
		logf.FromContext(ctx).Error(err, "Failed to watch an optional kind, retrying", "namespace", k.options.Namespace)
	}
}
