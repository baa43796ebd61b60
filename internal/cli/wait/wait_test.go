// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The errors differ if the operator or if the API server does not answer.
func TestPollTellsWhoIsSilent(t *testing.T) {
	refused := errors.New("connection refused")
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, test := range map[string]struct {
		// read is called with the number of the attempt, from 1.
		read func(ctx context.Context, n int) error
		want error
	}{
		"the operator":   {func(context.Context, int) error { return nil }, ErrUnanswered},
		"the API server": {func(ctx context.Context, _ int) error { return hang(ctx) }, context.DeadlineExceeded},
		"the API server, from some time on": {func(ctx context.Context, n int) error {
			if n > 3 {
				return hang(ctx)
			}
			return nil
		}, context.DeadlineExceeded},
		"the API server, which is down": {func(context.Context, int) error { return refused }, refused},
		"the operator, after an error": {func(_ context.Context, n int) error {
			if n == 2 {
				return refused
			}
			return nil
		}, ErrUnanswered},
		// The timeout ends during a read that is not slow.
		"the operator, at the last moment": {func(ctx context.Context, _ int) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(300 * time.Millisecond):
				return nil
			}
		}, ErrUnanswered},
		"the API server, which is down, at the last moment": {func(ctx context.Context, _ int) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(300 * time.Millisecond):
				return refused
			}
		}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				_, err := Poll(t.Context(),
					5*time.Second+100*time.Millisecond, func(ctx context.Context, _ *int) error {
						n++
						return test.read(ctx, n)
					}, func(*int) bool { return false })
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			})
		})
	}
}
