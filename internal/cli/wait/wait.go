// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wait waits for an answer of the operator until it is there, the timeout is over, or Ctrl-C is pressed.
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

// interval is how often an object is read. A watch would need another permission and save only a few requests.
const interval = 500 * time.Millisecond

// Why polling ends without an answer, if reading did not fail.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrUnanswered  = errors.New("no answer")
)

// Poll reads something in the cluster until it has the answer. It always returns what it read last, or an empty T. If
// the timeout ends while reading fails or hangs, it returns that error.
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
			return false, nil // The timeout is over: this is not an error of the API server.
		}
		if lastRead = err; err != nil {
			if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
				return false, err
			}
			return false, nil // Other errors may pass, such as those of an API server that restarts.
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

// Interruptible returns a context that Ctrl-C ends, so that the command can still print a message.
func Interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

// AddTimeoutFlag adds --timeout to a command that waits for the operator.
func AddTimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", 30*time.Second,
		"how long to wait for the operator: a `DURATION` such as 2m")
	command.CompleteFlag(cmd, "timeout", "30s", "2m")
}

// CheckTimeout refuses a timeout that is not positive.
func CheckTimeout(cmd *cobra.Command, timeout time.Duration) error {
	if timeout <= 0 {
		return command.UsageError(cmd, "--timeout %s: want more than 0s", timeout)
	}
	return nil
}
