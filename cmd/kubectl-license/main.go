// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-license is the kubectl plugin of license-operator.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/license-operator/license-operator/internal/cli"
	"github.com/license-operator/license-operator/internal/cli/command"
)

func main() {
	env := command.Environment{
		IOStreams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Now:       time.Now, Random: rand.Reader,
	}
	os.Exit(cli.Run(context.Background(), env, os.Args))
}
