// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command has what all commands of the plugin are made of: their environment, arguments and flags, their help
// and completion, and errors with exit codes.
package command

import (
	"io"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Environment is what commands know of the world besides files and the cluster. Tests bring their own, so that the same
// input gives the same output.
type Environment struct {
	genericiooptions.IOStreams
	// Now is the clock. A command reads it once: two readings differ.
	Now func() time.Time
	// Random is where the identifiers of licenses come from. Private keys do not: package token makes those.
	Random io.Reader
}

// ThisSecond is the reading of the clock for what is issued: whole seconds, as certificates and tokens have them.
func (e *Environment) ThisSecond() time.Time { return e.Now().UTC().Truncate(time.Second) }
