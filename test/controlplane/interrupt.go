// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ErrInterrupted is the cause of the end of a context of UntilInterrupted.
var ErrInterrupted = errors.New("interrupted")

// UntilInterrupted returns a context for a command that is to clean up behind itself: it ends with Ctrl-C, a request to
// terminate, the end of the terminal, or the end of the process that started this one, since go run passes no signal
// on. A second signal ends the process at once, and the guardian cleans up.
func UntilInterrupted(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		awaitInterruption(ctx, signals)
		cancel(ErrInterrupted)
	}()
	return ctx, func() { cancel(context.Canceled) }
}

func awaitInterruption(ctx context.Context, signals <-chan os.Signal) {
	starter := os.Getppid()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for os.Getppid() == starter {
		select {
		case <-signals:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
