// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	latenessTarget = time.Second
	memoryTarget   = 60_000_000

	// settle is how long after the last state its events may still be on their way.
	settle = 10 * time.Second
	// patience is how late a state may be until it counts as missing.
	patience = time.Minute
)

// result is what was measured of a population.
type result struct {
	title    string
	recorder *recorder
	active   span
	quiet    span
	audit    []controlplane.AuditEvent
	// took is how long it took to apply everything.
	took time.Duration
	// cpu is how long the manager kept a core busy from the first boundary to the last.
	cpu time.Duration
	// Memory with nothing to look after, with all applied, after the last boundary, after the idle time; and the most
	// at any time.
	empty, applied, lived, rested memory
	peak                          int64
}

// memory is what the manager had resident at a moment, in bytes.
type memory struct{ all, anonymous int64 }

func memoryOf(manager *controlplane.Manager) (memory, error) {
	all, err := manager.RSS()
	anonymous, errAnonymous := manager.AnonymousRSS()
	return memory{all, anonymous}, errors.Join(err, errAnonymous)
}

// benchOwn is benchLife with keys that have a product each.
func benchOwn(ctx context.Context, s settings, binary string, out io.Writer) error {
	title := fmt.Sprintf("%s keys, each of a product of its own", number(s.keys))
	return benchLife(ctx, s, binary, &population{keys: s.keys, products: s.keys}, title, out)
}

// benchShared is benchLife with keys that share products.
func benchShared(ctx context.Context, s settings, binary string, out io.Writer) error {
	title := fmt.Sprintf("%s keys, shared by %d products", number(s.keys), sharedProducts)
	return benchLife(ctx, s, binary, &population{keys: s.keys, products: sharedProducts}, title, out)
}

// benchLife has a population live on a control plane of its own, and prints what the operator did.
func benchLife(ctx context.Context, s settings, binary string, p *population, title string, out io.Writer) error {
	return withOperator(ctx, binary,
		title, func(plane *controlplane.ControlPlane, manager *controlplane.Manager) error {
			r := &result{title: title}
			if err := r.measure(ctx, s, plane, manager, p); err != nil {
				return err
			}
			return r.print(out)
		})
}

// withOperator calls do with the operator, ready, on a control plane of its own.
func withOperator(
	ctx context.Context, binary, title string, do func(*controlplane.ControlPlane, *controlplane.Manager) error,
) error {
	return withControlPlane(ctx, title, func(plane *controlplane.ControlPlane) error {
		return whileOperatorRuns(ctx, plane,
			binary, func(manager *controlplane.Manager) error { return do(plane, manager) })
	})
}

// withControlPlane calls do with a control plane that the operator is installed on and does not run on.
func withControlPlane(ctx context.Context, title string, do func(*controlplane.ControlPlane) error) (err error) {
	say("%s: starting the control plane and the operator", title)
	plane, err := controlplane.Start(ctx, controlplane.Options{Audit: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if err := plane.InstallOperator(ctx); err != nil {
		return err
	}
	return do(plane)
}

// whileOperatorRuns calls do with the operator, ready, and then stops it. After a failure the control plane's end is
// its end.
func whileOperatorRuns(
	ctx context.Context, plane *controlplane.ControlPlane, binary string, do func(*controlplane.Manager) error,
) error {
	manager, err := plane.StartManager(ctx, controlplane.ManagerOptions{Binary: binary})
	if err != nil {
		return err
	}
	if err := manager.WaitReady(ctx); err != nil {
		return err
	}
	if err := do(manager); err != nil {
		return fmt.Errorf("%w; the end of the operator's log:\n%s", err, manager.LogTail(20))
	}
	return manager.Stop()
}

func (r *result) measure(
	ctx context.Context, s settings, plane *controlplane.ControlPlane, manager *controlplane.Manager, p *population,
) error {
	// The watches end before what they watch does.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := plane.NewClient()
	if err != nil {
		return err
	}
	if err := r.apply(ctx, s, c, manager, p); err != nil {
		return err
	}
	if err := r.live(ctx, manager, p); err != nil {
		return err
	}
	if err := r.rest(ctx, s, manager); err != nil {
		return err
	}
	r.audit, err = plane.AuditEvents()
	return err
}

// apply creates the population, and waits until the operator has told of every key that it is valid.
func (r *result) apply(
	ctx context.Context, s settings, c client.WithWatch, manager *controlplane.Manager, p *population,
) error {
	if err := pause(ctx, 3*time.Second); err != nil { // the manager's first memory is that of its start
		return err
	}
	var err error
	if r.empty, err = memoryOf(manager); err != nil {
		return err
	}
	if r.recorder, err = record(ctx, c, p); err != nil {
		return err
	}
	v, err := newVendor(time.Now())
	if err != nil {
		return err
	}
	say("%s: applying them", r.title)
	start := time.Now()
	if err := p.createProducts(ctx, c, v); err != nil {
		return err
	}
	issued := time.Now().UTC().Truncate(time.Second)
	p.plan(issued.Add(lead(s, p, time.Since(start))))
	productsTook := time.Since(start)
	if err := p.createKeys(ctx, c, v, issued); err != nil {
		return err
	}
	say("%s: products created in %s, keys in %s", r.title, productsTook.Round(time.Millisecond),
		(time.Since(start) - productsTook).Round(time.Millisecond))
	if err := r.recorder.awaitAll(ctx, stateValid, p.opens); err != nil {
		return fmt.Errorf("%w; see --lead", err)
	}
	r.took = time.Since(start)
	r.applied, err = memoryOf(manager)
	return err
}

// lead is generous: the keys take as long to create as the products did, one by one, and the operator has both to look
// at.
func lead(s settings, p *population, productsTook time.Duration) time.Duration {
	if s.lead > 0 {
		return s.lead
	}
	keysTake := productsTook * time.Duration(p.keys) / time.Duration(p.products)
	return (30*time.Second + 6*keysTake).Truncate(time.Second)
}

// live waits while the population goes through its boundaries.
func (r *result) live(ctx context.Context, manager *controlplane.Manager, p *population) error {
	say("%s: applied and valid after %s; boundaries from %s to %s", r.title, r.took.Round(100*time.Millisecond),
		p.opens.Format(time.TimeOnly), p.closes.Format(time.TimeOnly))
	if err := pause(ctx, time.Until(p.opens)); err != nil {
		return err
	}
	before, err := manager.CPUTime()
	if err != nil {
		return err
	}
	for _, state := range []string{stateGracePeriod, stateExpired} {
		if err := r.recorder.awaitAll(ctx, state, p.closes.Add(patience)); err != nil {
			return err
		}
	}
	after, err := manager.CPUTime()
	if err != nil {
		return err
	}
	r.cpu = after - before
	if err := pause(ctx, settle); err != nil {
		return err
	}
	r.active = span{p.opens, time.Now()}
	r.lived, err = memoryOf(manager)
	return err
}

// rest waits while nothing is due.
func (r *result) rest(ctx context.Context, s settings, manager *controlplane.Manager) error {
	say("%s: nothing is due any more; counting requests for %s", r.title, s.idle)
	r.quiet.from = time.Now()
	if err := pause(ctx, s.idle); err != nil {
		return err
	}
	r.quiet.to = time.Now()
	var err, errPeak error
	r.rested, err = memoryOf(manager)
	r.peak, errPeak = manager.PeakRSS()
	return errors.Join(err, errPeak)
}

// pause waits, unless it is interrupted.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *result) print(out io.Writer) error {
	return errors.Join(r.printLateness(out), r.printIdle(out), r.printMemory(out))
}

func (r *result) printLateness(out io.Writer) error {
	keys, products := r.recorder.lateness(keyResource), r.recorder.lateness(productResource)
	keyWrites, productWrites := statusWrites(r.audit, r.active, keyResource),
		statusWrites(r.audit, r.active, productResource)
	created, patched := eventWrites(r.audit, r.active)
	worst := max(percentile(keys, 99), percentile(products, 99))
	once := ""
	if p := r.recorder.population; p.keys == p.products {
		// Where keys share a product, it is also written to when one of them passes a boundary that changes nothing but
		// the product's timeMark.
		once = verdict("1", keyWrites.total == len(keys) && productWrites.total == len(products))
	}
	perTransition := func(n int, of []time.Duration) string { return fmt.Sprintf("%.3f", float64(n)/float64(len(of))) }
	return table(out, fmt.Sprintf("%s: the %.0f s of their boundaries", r.title, window.Seconds()),
		[]string{"", "keys", "products", "target"},
		[]string{"transitions", number(len(keys)), number(len(products)), ""},
		[]string{
			"lateness at a watch, p50", milliseconds(percentile(keys, 50)), milliseconds(percentile(products, 50)),
			"",
		},
		[]string{
			"lateness at a watch, p99", milliseconds(percentile(keys, 99)), milliseconds(percentile(products, 99)),
			verdict("≤ "+milliseconds(latenessTarget), worst <= latenessTarget),
		},
		[]string{
			"lateness at a watch, max", milliseconds(keys[len(keys)-1]), milliseconds(products[len(products)-1]),
			"",
		},
		[]string{"status writes", number(keyWrites.total), number(productWrites.total), ""},
		[]string{
			"status writes per transition", perTransition(keyWrites.total, keys),
			perTransition(productWrites.total, products), once,
		},
		[]string{"most status writes to one object", number(keyWrites.most()), number(productWrites.most()), ""},
		[]string{
			"conflicts, failures", fmt.Sprintf("%d, %d", keyWrites.conflicts, keyWrites.failures),
			fmt.Sprintf("%d, %d", productWrites.conflicts, productWrites.failures), "",
		},
		[]string{
			"events created, counted up", fmt.Sprintf("%s, %s for both", number(created), number(patched)), "",
			"",
		},
		[]string{"CPU time of the manager", fmt.Sprintf("%.1f s for both", r.cpu.Seconds()), "", ""},
	)
}

func (r *result) printIdle(out io.Writer) error {
	idle := requestsDuring(r.audit, r.quiet)
	for _, e := range idle.others {
		say("%s: while idle: %s %s", r.title, e.Verb, e.Path)
	}
	return table(out,
		fmt.Sprintf("%s: requests in %.0f s of idleness", r.title, r.quiet.to.Sub(r.quiet.from).Seconds()),
		[]string{"", "requests", "target"},
		[]string{"renewing the lease", number(idle.leases), ""},
		[]string{"watch (re)connections", number(idle.watches), ""},
		[]string{"anything else", number(len(idle.others)), verdict("0", len(idle.others) == 0)},
	)
}

func (r *result) printMemory(out io.Writer) error {
	row := func(when string, m memory) []string {
		return []string{when, megabytes(m.all), megabytes(m.anonymous), megabytes(m.all - m.anonymous), ""}
	}
	return table(out, r.title+": resident memory of the manager",
		[]string{"", "RSS", "its data", "pages of its binary", "target"},
		row("with nothing to look after", r.empty),
		row("all applied", r.applied),
		row("after the last boundary", r.lived),
		row("after the idle time", r.rested),
		[]string{
			"the most at any time", megabytes(r.peak), "", "",
			verdict("< "+megabytes(memoryTarget), r.peak < memoryTarget),
		},
	)
}
