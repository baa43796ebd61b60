// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import "sync"

// All is the name in the one request of a controller that works on everything at once.
const All = "all"

// Board holds the latest of something, by name, for other controllers to read. It is passive: a controller that sets an
// entry pulls the Trigger of the readers. The zero Board is empty. Entries must not be changed after they are set.
type Board[T any] struct {
	mu      sync.RWMutex
	entries map[string]T
}

// Get returns the entry of that name; false: there is none.
func (b *Board[T]) Get(name string) (T, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	entry, ok := b.entries[name]
	return entry, ok
}

// Set sets the entry of that name.
func (b *Board[T]) Set(name string, entry T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]T{}
	}
	b.entries[name] = entry
}

// Delete deletes the entry of that name, if there is one.
func (b *Board[T]) Delete(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, name)
}

// DeleteFunc deletes the entries for which del is true. It is called with the board locked.
func (b *Board[T]) DeleteFunc(del func(name string, entry T) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, entry := range b.entries {
		if del(name, entry) {
			delete(b.entries, name)
		}
	}
}
