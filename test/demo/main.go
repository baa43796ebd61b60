// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The demo of license-operator: a license key lives its life on a real API server, and all that happens is told as it
// happens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/test/controlplane"
)

const exitInterrupted = 130

func main() { os.Exit(demo()) }

// demo returns the exit code, once everything is stopped and removed.
func demo() int {
	log.SetLogger(logr.Discard()) // controller-runtime would complain that it has nowhere to log to
	flags := flag.NewFlagSet("demo", flag.ExitOnError)
	once := flags.Bool("once", false, "end when the story is told, instead of staying up")
	binDir := flags.String("bin-dir", "bin", "the folder with manager and kubectl-license")
	_ = flags.Parse(os.Args[1:]) // ends the process where it fails

	ctx, stop := controlplane.UntilInterrupted(context.Background())
	defer stop()
	out := newConsole(os.Stdout)
	err := run(ctx, out, *binDir, *once)
	switch {
	case err == nil:
	case errors.Is(err, controlplane.ErrInterrupted):
		out.line("Interrupted: everything is stopped and removed.")
		return exitInterrupted
	default:
		out.failure(err)
		return 1
	}
	return 0
}

func run(ctx context.Context, out *console, binDir string, once bool) (err error) {
	binaries, err := findBinaries(binDir)
	if err != nil {
		return err
	}
	out.title("license-operator: a license key lives its life, on a real API server")
	s, err := openStage(ctx, out, binaries)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := tell(s); err != nil {
		return s.explain(err)
	}
	if once {
		return nil
	}
	return s.explain(s.stayUp())
}

// causeOf is err, or what ended ctx and with it whatever was under way.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// findBinaries returns the folder as an absolute path.
func findBinaries(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"manager", "kubectl-license"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("there is no %s in %s; run: make build", name, dir)
		}
	}
	return dir, nil
}
