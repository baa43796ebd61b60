// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wait

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/command"
)

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
