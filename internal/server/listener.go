// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
)

// limitedListener keeps at most max connections open. For one more it closes the oldest of those whose callers were not
// let in, and the new one where all were. A listener that waits until another connection ends would let anyone who
// holds max connections keep out Prometheus, and the kubelet, which then restarts the operator.
type limitedListener struct {
	net.Listener
	max int
	// bytes is how much a caller may send before it is let in: net/http bounds headers, and crypto/tls keeps up to
	// 64 KiB of a ClientHello that does not end.
	bytes int64

	mu   sync.Mutex
	open int
	// waiting are the connections whose callers were not let in, in the order in which they came.
	waiting list.List
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, listener: l}
		c.left.Store(l.bytes)
		closed := l.add(c)
		if closed != nil {
			_ = closed.Conn.Close()
		}
		if closed != c {
			return c, nil
		}
	}
}

// add takes note of a connection and returns the one to close for it, if any.
func (l *limitedListener) add(c *conn) (closed *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max {
		oldest := l.waiting.Front()
		if oldest == nil {
			return c
		}
		closed = oldest.Value.(*conn)
		l.remove(closed)
	}
	l.open++
	c.isOpen, c.waits = true, l.waiting.PushBack(c)
	return closed
}

// remove forgets a connection; it may be called again.
func (l *limitedListener) remove(c *conn) {
	if c.isOpen {
		c.isOpen = false
		l.open--
		l.stopWaiting(c)
	}
}

func (l *limitedListener) stopWaiting(c *conn) {
	if c.waits != nil {
		l.waiting.Remove(c.waits)
		c.waits = nil
	}
}

// errTooMuch ends the connection of a caller that sent too much before it was let in.
var errTooMuch = errors.New("the caller sent too much before it was let in")

// conn is a connection of a limitedListener.
type conn struct {
	net.Conn
	listener *limitedListener
	// left is how many bytes the caller may send.
	left atomic.Int64

	// isOpen and waits are under the listener's lock.
	isOpen bool
	// waits is its place among those that wait; nil: it is not one of them.
	waits *list.Element
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Add(-int64(n)) < 0 && err == nil {
		err = errTooMuch
	}
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// letIn exempts a connection from being closed for others, and for what its caller sends.
func (c *conn) letIn() {
	c.left.Store(math.MaxInt64)
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.listener.stopWaiting(c)
}

type connKey struct{}

// withConn is a ConnContext of http.Server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}
