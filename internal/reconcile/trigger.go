// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Trigger lets other components request a reconcile by name. It is a source of one controller: pass it to
// WatchesRawSource.
type Trigger struct {
	first []string

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// NewTrigger returns a Trigger whose controller reconciles the named objects when it starts.
func NewTrigger(first ...string) *Trigger { return &Trigger{first: first} }

// Start implements source.Source: the controller passes its queue when it starts.
func (t *Trigger) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = queue
	for _, name := range t.first {
		queue.Add(Request(name))
	}
	return nil
}

// Add requests a reconcile after a delay; an earlier request for the same name counts. It does nothing before the
// controller has started, since that begins with every object that it watches and with the names of NewTrigger.
func (t *Trigger) Add(name string, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue != nil {
		t.queue.AddAfter(Request(name), after)
	}
}

// Request is the request for the cluster-scoped object of that name.
func Request(name string) ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Name: name}}
}
