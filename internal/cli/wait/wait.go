// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wait waits for an answer of the operator: until it is there, the time is over, or Ctrl-C is pressed.
package wait

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// interval is how often things are read while the operator is awaited. A watch would need another permission for
// the sake of a few requests.
const interval = 500 * time.Millisecond

// Why polling ends without an answer, unless reading fails.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrUnanswered  = errors.New("no answer")
)

// Poll reads something of the cluster until it has the answer. What was read last is returned in any case; empty where
// nothing was. Where the time ends while the API server is in trouble, or silent, that is the error.
func Poll[T any](
	ctx context.Context, timeout time.Duration, read func(context.Context, *T) error, answered func(*T) bool,
) (*T, error) {
	last := new(T)
	var lastRead error
	err := wait.PollUntilContextTimeout(ctx, interval, timeout, true, func(ctx context.Context) (bool, error) {
		next, slow := new(T), time.AfterFunc(interval, func() {})
		err := read(ctx, next)
		inTime := slow.Stop()
		if err != nil && ctx.Err() != nil && inTime {
			return false, nil // The time is over, which says nothing of what is read.
		}
		if lastRead = err; err != nil {
			// Others may pass: an API server that restarts, say.
			return false, final(err)
		}
		last = next
		return answered(last), nil
	})
	switch {
	case err == nil:
		return last, nil
	case ctx.Err() != nil:
		return last, ErrInterrupted
	case lastRead != nil:
		return last, lastRead
	default:
		return last, ErrUnanswered
	}
}

// final is the error where trying again is of no use.
func final(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return err
	}
	return nil
}

// Interruptible has Ctrl-C end the waiting from here on, so that what remains can be said.
func Interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

// AddTimeoutFlag is for commands that wait for the operator.
func AddTimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", 30*time.Second,
		"how long to wait for the operator: a `DURATION` such as 2m")
	command.CompleteFlag(cmd, "timeout", "30s", "2m")
}

// CheckTimeout refuses a time that is over before it begins.
func CheckTimeout(cmd *cobra.Command, timeout time.Duration) error {
	if timeout <= 0 {
		return command.UsageError(cmd, "--timeout %s: want more than 0s", timeout)
	}
	return nil
}
