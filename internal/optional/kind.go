// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package optional follows the objects of kinds that a cluster may have or not, and may get or lose at any time. No
// restart is needed for that, and nothing is polled: definitions of kinds say when one appears and disappears.
package optional

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/internal/apierror"
)

// Definition is a kind of object that brings other kinds to a cluster.
type Definition string

const (
	// CustomResourceDefinition brings kinds that the cluster's own API server serves.
	CustomResourceDefinition Definition = "CustomResourceDefinition"
	// APIService brings kinds that another API server serves.
	APIService Definition = "APIService"
)

var (
	// ErrUnknown is returned until it is known whether the cluster has the kind.
	ErrUnknown = errors.New("it is not known yet whether the cluster has the kind")
	// ErrNotInstalled is returned where the cluster does not have the kind.
	ErrNotInstalled = errors.New("the cluster does not have the kind")
	// ErrNotServed is an ErrNotInstalled of a kind that is defined and not served: it will come, or come back, with
	// what is stored of it.
	ErrNotServed error = notServedError{}
)

type notServedError struct{}

func (notServedError) Error() string {
	return "the kind is defined, but the API server does not serve it"
}

func (notServedError) Is(target error) bool { return target == ErrNotInstalled }

// Options of New.
type Options struct {
	Client   dynamic.Interface
	Resource schema.GroupVersionResource
	// DefinedBy are the definitions any of which may bring the kind.
	DefinedBy []Definition
	// Namespace of the objects; empty: all.
	Namespace     string
	LabelSelector string
	// Transform returns what is kept of an object.
	Transform func(*unstructured.Unstructured) metav1.ObjectMetaAccessor
	// KindChanged is called when the kind as a whole has changed: its objects can be read, or cannot any more.
	KindChanged func()
	// ObjectChanged is called with an object that has changed, as it was and as it is.
	ObjectChanged func(metav1.ObjectMetaAccessor)
}

// Kind follows the objects of one kind while the cluster has it. It is a manager.Runnable of the leader.
//
// No callback runs while a Kind is locked: each may use the Kind. Callbacks may run at the same time, and say that
// something changed, not what: the Kind may have changed again.
type Kind struct {
	options Options
	// redefined has an entry when SetDefined was called. One is enough.
	redefined chan struct{}

	mu sync.Mutex
	// definitions are those looked at, and whether each of them brings the kind.
	definitions map[Definition]bool
	isDefined   bool
	// stop ends the current run, which begins once the kind is defined.
	stop context.CancelFunc
	// objects are those of the kind, and unavailable is why they cannot be read. Both are nil while neither is known.
	objects     toolscache.Store
	unavailable error
	// logged is the last failure that was logged.
	logged error
}

// New returns a Kind that follows nothing until it is started.
func New(options Options) *Kind {
	return &Kind{options: options, redefined: make(chan struct{}, 1), definitions: map[Definition]bool{}}
}

// Name of the kind, as in CustomResourceDefinitions.
func (k *Kind) Name() string { return k.options.Resource.GroupResource().String() }

// DefinitionName is the name of the definition that brings the kind; empty: definitions of that kind do not.
func (k *Kind) DefinitionName(by Definition) string {
	switch {
	case !slices.Contains(k.options.DefinedBy, by):
		return ""
	case by == APIService:
		return k.options.Resource.Version + "." + k.options.Resource.Group
	default:
		return k.Name()
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: only the leader needs the objects.
func (*Kind) NeedLeaderElection() bool { return true }

// Start follows the objects whenever the kind is defined, until ctx ends.
func (k *Kind) Start(ctx context.Context) error {
	log := logf.FromContext(ctx).WithValues("kind", k.Name())
	for ctx.Err() == nil {
		if run := k.begin(logf.IntoContext(ctx, log)); run != nil {
			log.Info("Kind appeared")
			k.run(run)
			if ctx.Err() == nil {
				log.Info("Kind disappeared")
			}
			continue
		}
		select {
		case <-k.redefined:
		case <-ctx.Done():
		}
	}
	return nil
}

// begin returns the context of a run, which ends when the kind disappears; nil: the kind is not defined.
func (k *Kind) begin(ctx context.Context) context.Context {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isDefined {
		return nil
	}
	ctx, k.stop = context.WithCancel(ctx)
	return ctx
}

// SetDefined says whether a definition brings the kind. The kind disappears when all have been looked at, and none
// does.
func (k *Kind) SetDefined(by Definition, isDefined bool) {
	if k.setDefined(by, isDefined) {
		k.options.KindChanged()
	}
}

func (k *Kind) setDefined(by Definition, isDefined bool) (kindChanged bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.definitions[by] = isDefined
	if slices.Contains(slices.Collect(maps.Values(k.definitions)), true) {
		k.isDefined = true
		select {
		case k.redefined <- struct{}{}:
		default:
		}
		return false
	}
	if len(k.definitions) < len(k.options.DefinedBy) {
		return false // not all have been looked at
	}
	k.isDefined = false
	if k.stop != nil {
		k.stop()
		k.stop = nil
	}
	return k.set(nil, ErrNotInstalled)
}

// set changes what is known of the kind, and returns whether that is news. Of the same failure the first error stays.
func (k *Kind) set(objects toolscache.Store, unavailable error) (kindChanged bool) {
	if objects == k.objects && apierror.Same(unavailable, k.unavailable) {
		return false
	}
	k.objects, k.unavailable = objects, unavailable
	return true
}

// setDuring is set, unless ctx has ended: then the kind has disappeared.
func (k *Kind) setDuring(ctx context.Context, objects toolscache.Store, unavailable error) {
	k.mu.Lock()
	kindChanged := ctx.Err() == nil && k.set(objects, unavailable)
	k.mu.Unlock()
	if kindChanged {
		k.options.KindChanged()
	}
}

// IsDecided reports whether the definitions have said that the cluster has the kind, or that it does not.
func (k *Kind) IsDecided() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.isDefined || k.unavailable != nil
}

// Get returns what is kept of an object in the kind's namespace; nil: there is none. Its error is that of List.
func (k *Kind) Get(name string) (any, error) {
	objects, err := k.store()
	if err != nil {
		return nil, err
	}
	object, _, err := objects.GetByKey(toolscache.NewObjectName(k.options.Namespace, name).String())
	return object, err
}

// List returns what is kept of all objects. Its error is ErrUnknown, ErrNotInstalled, ErrNotServed, or that of the API
// server.
func (k *Kind) List() ([]any, error) {
	objects, err := k.store()
	if err != nil {
		return nil, err
	}
	return objects.List(), nil
}

func (k *Kind) store() (toolscache.Store, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.unavailable != nil:
		return nil, k.unavailable
	case k.objects == nil:
		return nil, ErrUnknown
	}
	return k.objects, nil
}

func (k *Kind) isAvailable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.objects != nil
}
