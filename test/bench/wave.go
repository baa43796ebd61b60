// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	// defaultWaves are one of products that share the keys, and then growing ones of a single product.
	defaultWaves = "1000/10,1000/1,3000/1,10000/1"

	// probes are keys that are created only to see how long that takes.
	probes = 200
	// A manager that starts has settleAtLeast, and settleEach for each key, until the first boundary, and no more than
	// settleAtMost: one that needs longer cannot keep up with that many keys.
	settleAtLeast = 30 * time.Second
	settleEach    = 40 * time.Millisecond
	settleAtMost  = 3 * time.Minute
	// wavePatience is how long after the last boundary a wave ends, whatever has not been seen by then.
	wavePatience = 5 * time.Minute

	// noise is how much more processor time the same work may take from one run to the next.
	noise = 1.1
)

// wave is keys that all expire within the window, without a grace period, so that each has one boundary.
type wave struct{ keys, products int }

// parseWaves reads waves such as 1000/10, keys and products, separated by commas.
func parseWaves(text string) ([]wave, error) {
	var waves []wave
	for one := range strings.SplitSeq(text, ",") {
		keysText, productsText, _ := strings.Cut(one, "/")
		keys, errKeys := strconv.Atoi(keysText)
		products, errProducts := strconv.Atoi(productsText)
		if errKeys != nil || errProducts != nil || products < 1 || keys < products {
			return nil, fmt.Errorf("%q is not a number of keys and one of products, such as 1000/10", one)
		}
		waves = append(waves, wave{keys, products})
	}
	return waves, nil
}

func (w wave) String() string {
	if w.products == 1 {
		return number(w.keys) + " keys of one product"
	}
	return fmt.Sprintf("%s keys of %s products", number(w.keys), number(w.products))
}

// waveResult is what was measured of one manager in a wave.
type waveResult struct {
	recorder *recorder
	// settled is how long after the manager's start everything was Valid, or how long it had if unsettled is not zero:
	// as many keys and products were not. settledCPU is its processor time by then.
	settled    time.Duration
	settledCPU time.Duration
	unsettled  int
	// during is from the first boundary until nothing more was to come, and cpu the manager's processor time in it.
	during span
	cpu    time.Duration
	// unseen is how many keys and products were not seen Expired.
	unseen int
	peak   int64
	audit  []controlplane.AuditEvent
	// ended tells that the manager ended by itself, and that there is nothing else to tell of it.
	ended bool
}

// benchWaves prints a table for each wave, and how processor time grows with the keys of one product.
func benchWaves(ctx context.Context, s settings, out io.Writer) error {
	var ofOneProduct []wave
	grown := map[wave][]*waveResult{}
	for _, w := range s.waves {
		var results []*waveResult
		for _, m := range s.managers {
			r, err := w.measure(ctx, s, m)
			if err != nil {
				return err
			}
			results = append(results, r)
		}
		if err := w.print(out, s, results); err != nil {
			return err
		}
		if w.products == 1 {
			ofOneProduct, grown[w] = append(ofOneProduct, w), results
		}
	}
	if len(ofOneProduct) < 2 {
		return nil
	}
	return printGrowth(out, s, ofOneProduct, grown)
}

func (w wave) measure(ctx context.Context, s settings, m candidate) (*waveResult, error) {
	r, title := &waveResult{}, fmt.Sprintf("%s, %s", w, m.name)
	err := withControlPlane(ctx, title, func(plane *controlplane.ControlPlane) error {
		return r.measure(ctx, s, plane, w, m.path, title)
	})
	return r, err
}

func (r *waveResult) measure(
	ctx context.Context, s settings, plane *controlplane.ControlPlane, w wave, binary, title string,
) error {
	// The watches end before what they watch does.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := plane.NewClient()
	if err != nil {
		return err
	}
	p := &population{keys: w.keys, products: w.products}
	if err := createWave(ctx, s, c, p, title); err != nil {
		return err
	}
	if r.recorder, err = record(ctx, c, p); err != nil {
		return err
	}
	started := time.Now()
	manager, err := plane.StartManager(ctx, controlplane.ManagerOptions{Binary: binary})
	if err != nil {
		return err
	}
	defer manager.Kill() // one that has more to do than it can would take its time to stop
	watching, stop := whileRunning(ctx, manager)
	defer stop()
	err = r.settle(watching, manager, p, started, title)
	if err == nil {
		err = r.live(watching, s, manager, p, title)
	}
	select {
	case <-manager.Done():
		say("%s: %v %s after its start; the end of its log:\n%s", title, errEnded,
			time.Since(started).Round(100*time.Millisecond), manager.LogTail(1))
		r.ended = true
		return nil
	default:
	}
	if err != nil {
		return fmt.Errorf("%w; the end of the operator's log:\n%s", err, manager.LogTail(20))
	}
	r.audit, err = plane.AuditEvents()
	return err
}

// errEnded is the cause of the end of a context of whileRunning.
var errEnded = errors.New("the manager ended by itself")

// whileRunning returns a context that ends with the manager.
func whileRunning(parent context.Context, manager *controlplane.Manager) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-manager.Done():
			cancel(errEnded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// createWave creates products and keys while no operator runs, whose work would be counted on the way. The boundaries
// are in the tokens, so when they are due has to be known before.
func createWave(ctx context.Context, s settings, c client.Client, p *population, title string) error {
	v, err := newVendor(time.Now())
	if err != nil {
		return err
	}
	if err := p.createProducts(ctx, c, v); err != nil {
		return err
	}
	each, err := probeCreation(ctx, c, v)
	if err != nil {
		return err
	}
	start := time.Now()
	issued := start.UTC().Truncate(time.Second)
	until := time.Duration(p.keys)*each + min(settleAtLeast+time.Duration(p.keys)*settleEach, settleAtMost)
	if s.lead > 0 {
		until = s.lead
	}
	p.planEnds(issued.Add(until.Truncate(time.Second)), s.waveWindow)
	say("%s: creating the keys, %s each by the look of it", title, each.Round(time.Microsecond))
	if err := p.createKeys(ctx, c, v, issued); err != nil {
		return err
	}
	say("%s: created in %s", title, time.Since(start).Round(time.Millisecond))
	if !time.Now().Before(p.opens) {
		return errors.New("creating the keys took longer than until the first boundary: see -lead")
	}
	return nil
}

// probeCreation tells how long a key takes to create, on average, beside others.
func probeCreation(ctx context.Context, c client.Client, v *vendor) (time.Duration, error) {
	start := time.Now()
	probe := &population{keys: probes, products: 1}
	probe.plan(start.UTC().Truncate(time.Second).Add(time.Hour))
	if err := probe.createKeys(ctx, c, v, start.UTC().Truncate(time.Second)); err != nil {
		return 0, err
	}
	each := time.Since(start) / probes
	return each, probe.deleteKeys(ctx, c)
}

// settle waits until the manager has told of everything that it is Valid, at most until the first boundary.
func (r *waveResult) settle(
	ctx context.Context, manager *controlplane.Manager, p *population, started time.Time, title string,
) error {
	if err := manager.WaitReady(ctx); err != nil {
		return err
	}
	keys, products, err := r.recorder.await(ctx, stateValid, p.opens)
	if err != nil {
		return err
	}
	r.settled, r.unsettled = time.Since(started), keys+products
	if r.settledCPU, err = manager.CPUTime(); err != nil {
		return err
	}
	say("%s: %s after its start the manager has said Valid of all but %d; boundaries from %s to %s", title,
		r.settled.Round(100*time.Millisecond), r.unsettled, p.opens.Format(time.TimeOnly),
		p.closes.Format(time.TimeOnly))
	return nil
}

// live waits while everything expires.
func (r *waveResult) live(
	ctx context.Context, s settings, manager *controlplane.Manager, p *population, title string,
) error {
	if err := pause(ctx, time.Until(p.opens)); err != nil {
		return err
	}
	before, err := manager.CPUTime()
	if err != nil {
		return err
	}
	keys, products, err := r.recorder.await(ctx, stateExpired, p.closes.Add(wavePatience))
	if err != nil {
		return err
	}
	r.unseen = keys + products
	if err := pause(ctx, min(settle, s.idle)); err != nil { // a write too many may still come
		return err
	}
	after, err := manager.CPUTime()
	if err != nil {
		return err
	}
	r.during, r.cpu = span{p.opens, time.Now()}, after-before
	r.peak, err = manager.PeakRSS()
	say("%s: all but %d were seen Expired", title, r.unseen)
	return err
}

// lateness of a resource's objects, in order.
func (r *waveResult) lateness(resource string) []time.Duration {
	return r.recorder.after(resource, stateExpired, func(l life) time.Time { return l.graceEnd }, r.during.to)
}

// of is a value that was measured, unless there is none.
func (r *waveResult) of(value measured) measured {
	if r.ended {
		return measured{text: "ended"}
	}
	return value
}

func (r *waveResult) cpuTime() measured { return r.of(measure(r.cpu, seconds).atLeastIf(r.unseen > 0)) }

func (w wave) print(out io.Writer, s settings, results []*waveResult) error {
	last := results[len(results)-1]
	row := func(label string, value func(*waveResult) measured) []string {
		return compared(results, label, "", func(r *waveResult) measured { return r.of(value(r)) })
	}
	late := func(label, resource string, percent int) []string {
		return row("lateness of "+label, func(r *waveResult) measured {
			return measure(percentile(r.lateness(resource), percent), milliseconds).atLeastIf(r.unseen > 0)
		})
	}
	wrote := func(label string, count func(writes) int, resources ...string) []string {
		return row(label, func(r *waveResult) measured {
			n := 0
			for _, resource := range resources {
				n += count(statusWrites(r.audit, r.during, resource))
			}
			return measure(n, number[int])
		})
	}
	all := func(w writes) int { return w.total }
	seen := row("expiries seen at a watch", func(r *waveResult) measured {
		return measure(w.keys+w.products-r.unseen, number[int])
	})
	seen[len(seen)-1] = verdict(number(w.keys+w.products), last.unseen == 0 && !last.ended)
	return table(out, fmt.Sprintf("%s, which expire within %.0f s", w, s.waveWindow.Seconds()),
		comparisonHead(s.managers),
		row("after its start, until all was Valid", func(r *waveResult) measured {
			return measure(r.settled, seconds).atLeastIf(r.unsettled > 0)
		}),
		row("CPU time until then", func(r *waveResult) measured {
			return measure(r.settledCPU, seconds).atLeastIf(r.unsettled > 0)
		}),
		seen,
		late("keys, p50", keyResource, 50), late("keys, p99", keyResource, 99), late("keys, max", keyResource, 100),
		late("products, p50", productResource, 50), late("products, p99", productResource, 99),
		late("products, max", productResource, 100),
		wrote("status writes of keys", all, keyResource), wrote("status writes of products", all, productResource),
		wrote("conflicts and failures of both", func(w writes) int { return w.conflicts + w.failures },
			keyResource, productResource),
		row("CPU time from the first expiry on", (*waveResult).cpuTime),
		row("the most memory at any time, RSS", func(r *waveResult) measured { return measure(r.peak, megabytes) }),
	)
}

// printGrowth compares the processor time of waves with that of the first.
func printGrowth(out io.Writer, s settings, waves []wave, results map[wave][]*waveResult) error {
	first := waves[0]
	rows := [][]string{comparisonHead(s.managers), compared(results[first], first.String(), "", (*waveResult).cpuTime)}
	for _, w := range waves[1:] {
		more := float64(w.keys) / float64(first.keys)
		cells, met := make([]measured, 0, len(s.managers)), false // what the last manager has met counts
		for i, r := range results[w] {
			cell, smallest := r.cpuTime(), results[first][i]
			met = false
			if !r.ended && !smallest.ended {
				growth := float64(r.cpu) / float64(smallest.cpu)
				cell.text += fmt.Sprintf(", %.1f times", growth)
				met = r.unseen == 0 && growth <= more*noise
			}
			cells = append(cells, cell)
		}
		rows = append(rows, compared(cells, fmt.Sprintf("%s, %.1f times as many", w, more),
			verdict(fmt.Sprintf("≤ %.1f times", more), met), func(cell measured) measured { return cell }))
	}
	return table(out, "CPU time as the keys of one product become more", rows...)
}
