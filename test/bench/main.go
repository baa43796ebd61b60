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

// settings are what the command line says.
type settings struct {
	// managers are measured in turn. Targets are for the last.
	managers []candidate
	keys     int
	nodes    int
	tiers    int
	policies int
	waves    []wave
	touched  int
	lead     time.Duration
	idle     time.Duration
	// waveWindow is within which the keys of a wave expire.
	waveWindow time.Duration
	parts      string
}

// candidate is a manager that is measured.
type candidate struct{ name, path string }

// measurement is one of the things that can be measured.
type measurement struct {
	name, what string
	bench      func(ctx context.Context, s settings, out io.Writer) error
}

var measurements = []measurement{
	{"verification", "", benchVerification},
	{"own", "keys that each have a product", inTurn(benchOwn)},
	{"shared", "keys that share ten products", inTurn(benchShared)},
	{"wave", "many keys of one product, which expire within a minute", benchWaves},
	{"touch", "one change among keys that are as large as they can be, all of one product", benchTouch},
	{"nodes", "what they cost and how soon they count", inTurn(benchNodes)},
	{"scrape", "one of as many products as keys", inTurn(benchScrape)},
	{"restriction", "of all tiers, at its start and at its end", inTurn(benchRestriction)},
	{"report", "the license report of as many products as keys", inTurn(benchReport)},
}

// inTurn measures one manager after the other, each with tables of its own.
func inTurn(
	bench func(ctx context.Context, s settings, binary string, out io.Writer) error,
) func(context.Context, settings, io.Writer) error {
	return func(ctx context.Context, s settings, out io.Writer) error {
		for _, m := range s.managers {
			if len(s.managers) > 1 {
				fmt.Fprintf(out, "\n## With %s\n", m.name)
			}
			if err := bench(ctx, s, m.path, out); err != nil {
				return err
			}
		}
		return nil
	}
}

func main() { os.Exit(bench()) }

// bench returns the exit code, once everything is stopped and removed.
func bench() int {
	log.SetLogger(logr.Discard()) // controller-runtime would complain that it has nowhere to log to
	s, err := parseSettings(os.Args[1:])
	if err != nil {
		say("%v", err)
		return 2
	}
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

func parseSettings(arguments []string) (settings, error) {
	s := settings{waveWindow: window}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	manager := flags.String("manager", "bin/manager", "the manager to measure")
	against := flags.String("against", "", "another manager, which is measured first: wave and touch compare the two "+
		"in one table, all others print the tables of each")
	flags.IntVar(&s.keys, "keys", 1000, "how many keys")
	flags.IntVar(&s.nodes, "nodes", 5000, "how many nodes, a tenth of which have heartbeats")
	flags.IntVar(&s.tiers, "tiers", 50, "how many policy tiers are restricted")
	flags.IntVar(&s.policies, "policies", 10_000, "how many network policies are in them")
	waves := flags.String("waves", defaultWaves, "what wave measures: how many keys of how many products")
	flags.IntVar(&s.touched, "touched", 600, "how many large keys there are for touch")
	flags.DurationVar(&s.lead, "lead", 0, "how long before its first boundary a key is issued, since all have to be "+
		"applied by then; 0: as the machine needs")
	flags.DurationVar(&s.idle, "idle", 2*time.Minute,
		"how long requests are counted, and memory may settle, while nothing is due")
	var names, all []string
	for _, m := range measurements {
		names = append(names, m.name)
		all = append(all, strings.TrimSuffix(m.name+", "+m.what, ", "))
	}
	flags.StringVar(&s.parts, "run", strings.Join(names, ","), "what to measure: "+strings.Join(all, "; "))
	_ = flags.Parse(arguments) // ends the process where it fails
	for name := range strings.SplitSeq(s.parts, ",") {
		if !slices.Contains(names, name) {
			return s, fmt.Errorf("-run does not know %q: it knows %s", name, strings.Join(names, ", "))
		}
	}
	var err, errWaves error
	s.managers, err = candidates(*against, *manager)
	s.waves, errWaves = parseWaves(*waves)
	return s, errors.Join(err, errWaves)
}

// candidates are the managers in files, of which the first may be missing. They are called as the files are.
func candidates(against, manager string) ([]candidate, error) {
	var found []candidate
	for _, path := range []string{against, manager} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("there is no manager: %w; run: make build", err)
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		found = append(found, candidate{filepath.Base(path), absolute})
	}
	if len(found) == 2 && found[0].name == found[1].name {
		found[0].name, found[1].name = against, manager
	}
	return found, nil
}

func run(ctx context.Context, s settings, out io.Writer) error {
	fmt.Fprintln(out, machine())
	for _, m := range measurements {
		if !slices.Contains(strings.Split(s.parts, ","), m.name) {
			continue
		}
		if err := m.bench(ctx, s, out); err != nil {
			return err
		}
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
