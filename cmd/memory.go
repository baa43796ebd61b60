// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
)

// garbageShare is how much garbage may pile up before it is collected, in percent of what is alive; Go's default is 100. The operator is there to wait: memory
// is what it costs a cluster, and in the busiest minute that make bench has it uses a few hundredths of a core.
const garbageShare = 50

// collectSooner trades processor time for memory, unless GOGC says otherwise.
func collectSooner() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbageShare)
	}
}
