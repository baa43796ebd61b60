// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// environment is what commands know of the world besides files and the cluster. Tests bring their own, so that the same
// input gives the same output.
type environment struct {
	genericiooptions.IOStreams
	// now is the clock. A command reads it once: two readings differ.
	now func() time.Time
	// random is where the identifiers of licenses come from. Private keys do not: package token makes those.
	random io.Reader
}

// thisSecond is the reading of the clock for what is issued: whole seconds, as certificates and tokens have them.
func (e *environment) thisSecond() time.Time { return e.now().UTC().Truncate(time.Second) }
