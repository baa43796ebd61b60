// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The benchmarks of license-operator: what a verification costs, and how late, how chatty and how large the operator is
// with many keys, with many nodes, and with many network policies to restrict, on a real API server. The tables go to
// the standard output, as Markdown, and what is being done meanwhile to the standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/license-operator/license-operator/test/controlplane"
)

// What can be measured.
const (
	partVerification = "verification"
	partOwn          = "own"
	partShared       = "shared"
	partNodes        = "nodes"
	partScrape       = "scrape"
	partRestriction  = "restriction"
	partReport       = "report"
)

// settings are what the command line says.
type settings struct {
	binDir   string
	keys     int
	nodes    int
	tiers    int
	policies int
	lead     time.Duration
	idle     time.Duration
	parts    string
}

func (s *settings) measures(part string) bool {
	return slices.Contains(strings.Split(s.parts, ","), part)
}

func main() { os.Exit(bench()) }

// bench returns the exit code, once everything is stopped and removed.
func bench() int {
	var s settings
	log.SetLogger(logr.Discard()) // controller-runtime would complain that it has nowhere to log to
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&s.binDir, "bin-dir", "bin", "the folder with manager")
	flags.IntVar(&s.keys, "keys", 1000, "how many keys")
	flags.IntVar(&s.nodes, "nodes", 5000, "how many nodes, a tenth of which have heartbeats")
	flags.IntVar(&s.tiers, "tiers", 50, "how many policy tiers are restricted")
	flags.IntVar(&s.policies, "policies", 10_000, "how many network policies are in them")
	flags.DurationVar(&s.lead, "lead", 0, "how long before its first boundary a key is issued, since all have to be "+
		"applied by then; 0: as the machine needs")
	flags.DurationVar(&s.idle, "idle", 2*time.Minute,
		"how long requests are counted, and memory may settle, while nothing is due")
	flags.StringVar(&s.parts, "run",
		strings.Join([]string{partVerification, partOwn, partShared, partNodes, partScrape, partRestriction,
			partReport}, ","),
		"what to measure: verification; own, keys that each have a product; shared, keys that share ten products; "+
			"nodes, what they cost and how soon they count; "+
			"scrape, one of as many products as keys; restriction, of all tiers, at its start and at its end; "+
			"report, the license report of as many products as keys")
	_ = flags.Parse(os.Args[1:]) // ends the process where it fails

	ctx, stop := controlplane.UntilInterrupted(context.Background())
	defer stop()
	switch err := run(ctx, s, os.Stdout); {
	case err == nil:
	case errors.Is(context.Cause(ctx), controlplane.ErrInterrupted):
		say("Interrupted: everything is stopped and removed")
		return 130
	default:
		say("Failed: %v", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, s settings, out io.Writer) error {
	manager, err := filepath.Abs(filepath.Join(s.binDir, "manager"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(manager); err != nil {
		return fmt.Errorf("there is no manager in %s; run: make build", s.binDir)
	}
	fmt.Fprintln(out, machine())
	if s.measures(partVerification) {
		if err := benchVerification(ctx, out); err != nil {
			return err
		}
	}
	if s.measures(partOwn) {
		p := &population{keys: s.keys, products: s.keys}
		title := fmt.Sprintf("%s keys, each of a product of its own", number(s.keys))
		if err := benchLife(ctx, s, manager, p, title, out); err != nil {
			return err
		}
	}
	if s.measures(partShared) {
		p := &population{keys: s.keys, products: sharedProducts}
		title := fmt.Sprintf("%s keys, shared by %d products", number(s.keys), sharedProducts)
		if err := benchLife(ctx, s, manager, p, title, out); err != nil {
			return err
		}
	}
	if s.measures(partNodes) {
		if err := benchNodes(ctx, s, manager, out); err != nil {
			return err
		}
	}
	if s.measures(partScrape) {
		if err := benchScrape(ctx, s, manager, out); err != nil {
			return err
		}
	}
	if s.measures(partRestriction) {
		if err := benchRestriction(ctx, s, manager, out); err != nil {
			return err
		}
	}
	if s.measures(partReport) {
		return benchReport(ctx, s, manager, out)
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
