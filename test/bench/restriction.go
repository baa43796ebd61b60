// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	restricting = "acme-mesh"

	turnTarget         = 2 * time.Second
	policyMemoryTarget = 2_000

	// untilExpiry is how long before its expiry the key is issued that ends, and graceAfter how long its grace period
	// is.
	untilExpiry = 10 * time.Second
	graceAfter  = 5 * time.Second

	// editEvery is how often a policy is changed, 100 times a minute, and editFor for how long at most.
	editEvery = time.Minute / 100
	editFor   = time.Minute
	// countEvery is how long the operator may leave what it says of policies as it was, so that not each change of one
	// is a write.
	countEvery = 5 * time.Second
)

// restrictionResult is what was measured with tiers and policies.
type restrictionResult struct {
	title string
	// empty is the memory with the tiers and no policies, grown that of the same process once they were created,
	// started that of one that found them there; each is after a quiet time. created is right after they were.
	empty, grown, started heldMemory
	created               memory
	// grownPeak is the most of the former process, startPeak that of the latter by the time it had counted them,
	// startTook later than it was ready.
	grownPeak, startPeak int64
	startTook            time.Duration

	// start is the restriction coming into force, and end its being lifted.
	start, end turn
	quiet      observed
	// edits are how many policies were changed while edited was observed, and editsTold is how long after the last of
	// them the status was right.
	edits     int
	edited    observed
	editsTold time.Duration
	// off is how long it took to have each policy match nothing, and back to have it match again what it had.
	off, back time.Duration
	audit     []controlplane.AuditEvent
}

// heldMemory is what the manager has resident at a moment, and live what its last collection of garbage has left of its
// heap.
type heldMemory struct {
	memory
	live int64
}

// turn is a restriction coming into force, or being lifted, as watches show it.
type turn struct {
	// from is the boundary, or the moment before the key was applied that renews.
	from time.Time
	// passes are when each pass policy came, or went, in order; told is when the status said so, and final when it said
	// what has come of it, for that reason.
	passes      []time.Time
	told, final time.Time
	reason      string
	// during is from the first moment to one at which nothing more was to come, and changed how many of the users'
	// policies have changed in it.
	during  span
	changed int
	cpu     time.Duration
}

// observed is what the manager did in a while.
type observed struct {
	span
	// reconciles is how often a controller looked at something, by its name.
	reconciles map[string]float64
	cpu        time.Duration
}

// restrictionBench is what it is measured with.
type restrictionBench struct {
	settings
	*restrictionResult
	plane  *controlplane.ControlPlane
	client client.WithWatch
	vendor *vendor
}

// benchRestriction measures what a restriction of many policies costs, how soon it is there and how soon gone again,
// and beside it what changing each of them does.
func benchRestriction(ctx context.Context, s settings, binary string, out io.Writer) error {
	title := fmt.Sprintf("%s policies in %d tiers", number(s.policies), s.tiers)
	return withControlPlane(ctx, title, func(plane *controlplane.ControlPlane) error {
		b := &restrictionBench{settings: s, restrictionResult: &restrictionResult{title: title}, plane: plane}
		if err := b.measure(ctx, binary); err != nil {
			return err
		}
		return b.print(out)
	})
}

func (b *restrictionBench) measure(ctx context.Context, binary string) error {
	definitions, err := controlplane.CalicoDefinitions(ctx)
	if err != nil {
		return err
	}
	if err := b.plane.Install(ctx, definitions...); err != nil {
		return err
	}
	if b.client, err = b.plane.NewClient(); err != nil {
		return err
	}
	if b.vendor, err = newVendor(time.Now()); err != nil {
		return err
	}
	if err := whileOperatorRuns(ctx, b.plane,
		binary, func(manager *controlplane.Manager) error { return b.grow(ctx, manager) }); err != nil {
		return err
	}
	// The last comes while the operator is down: one that has counted it has seen them all.
	if err := createPolicies(ctx, b.client, b.policies-1, 1, b.tiers); err != nil {
		return err
	}
	if err := whileOperatorRuns(ctx, b.plane,
		binary, func(manager *controlplane.Manager) error { return b.live(ctx, manager) }); err != nil {
		return err
	}
	if err := b.changeOneByOne(ctx); err != nil {
		return err
	}
	b.audit, err = b.plane.AuditEvents()
	return err
}

// grow has an operator, with nothing but tiers at first, see all policies but the last come.
func (b *restrictionBench) grow(ctx context.Context, manager *controlplane.Manager) error {
	from, err := newScraper(ctx, b.plane, manager)
	if err != nil {
		return err
	}
	if err := createTiers(ctx, b.client, b.tiers); err != nil {
		return err
	}
	if err := b.createProduct(ctx); err != nil {
		return err
	}
	if _, err := b.awaitCounts(ctx, 0, 0); err != nil {
		return err
	}
	say("%s: none yet; memory is looked at in %s", b.title, b.idle)
	if b.empty, err = memoryAfter(ctx, b.idle, manager, from); err != nil {
		return err
	}
	say("%s: creating them", b.title)
	if err := createPolicies(ctx, b.client, 0, b.policies-1, b.tiers); err != nil {
		return err
	}
	if _, err := b.awaitCounts(ctx, b.policies-1, b.policies-1); err != nil {
		return err
	}
	if b.created, err = memoryOf(manager); err != nil {
		return err
	}
	say("%s: all there; memory is looked at in %s", b.title, b.idle)
	if b.grown, err = memoryAfter(ctx, b.idle, manager, from); err != nil {
		return err
	}
	b.grownPeak, err = manager.PeakRSS()
	return err
}

func (b *restrictionBench) createProduct(ctx context.Context) error {
	return b.client.Create(ctx, &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: restricting},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew", TrustAnchors: b.vendor.anchor,
			Restriction: &api.RestrictionSpec{
				Mode:         api.RestrictionDefaultTierOnly,
				TierSelector: &metav1.LabelSelector{},
			},
		},
	})
}

// live has an operator, which finds all policies there, restrict them and lift the restriction again.
func (b *restrictionBench) live(ctx context.Context, manager *controlplane.Manager) error {
	ready := time.Now()
	counted, err := b.awaitCounts(ctx, b.policies, b.policies)
	if err != nil {
		return err
	}
	b.startTook = counted.Sub(ready)
	if b.startPeak, err = manager.PeakRSS(); err != nil {
		return err
	}
	from, err := newScraper(ctx, b.plane, manager)
	if err != nil {
		return err
	}
	if err := b.restrict(ctx, manager); err != nil {
		return err
	}
	say("%s: restricted; counting requests for %s", b.title, b.idle)
	if b.quiet, err = observe(ctx, manager, from, func() error { return pause(ctx, b.idle) }); err != nil {
		return err
	}
	if b.started, err = memoryAfter(ctx, 0, manager, from); err != nil {
		return err
	}
	say("%s: changing one each %s", b.title, editEvery)
	if b.edited, err = observe(ctx, manager, from, func() error { return b.edit(ctx) }); err != nil {
		return err
	}
	return b.renew(ctx, manager)
}

// restrict has the restriction come into force.
func (b *restrictionBench) restrict(ctx context.Context, manager *controlplane.Manager) error {
	issued := time.Now().UTC().Truncate(time.Second)
	boundary := issued.Add(untilExpiry + graceAfter)
	if err := b.applyKey(ctx, "first", issued, issued.Add(untilExpiry), graceAfter); err != nil {
		return err
	}
	say("%s: to be restricted at %s", b.title, boundary.Format(time.TimeOnly))
	return b.follow(ctx, manager, &b.start, watch.Added, func() (time.Time, error) {
		return boundary,
			pause(ctx, time.Until(boundary))
	})
}

// renew has it lifted again.
func (b *restrictionBench) renew(ctx context.Context, manager *controlplane.Manager) error {
	say("%s: renewing", b.title)
	return b.follow(ctx, manager, &b.end, watch.Deleted, func() (time.Time, error) {
		now := time.Now()
		issued := now.UTC().Truncate(time.Second)
		return now, b.applyKey(ctx, "renewal", issued, issued.AddDate(1, 0, 0), 0)
	})
}

func (b *restrictionBench) applyKey(
	ctx context.Context, name string, issued, expiry time.Time, grace time.Duration,
) error {
	jws, err := b.vendor.signer.Sign(b.vendor.claims(name, restricting, issued, expiry, grace))
	if err != nil {
		return err
	}
	return b.client.Create(ctx, &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       api.LicenseKeySpec{ProductName: restricting, Token: jws},
	})
}

// follow watches while the restriction comes into force (Added) or is lifted (Deleted), which cause brings about; it
// tells the moment from which that is due.
func (b *restrictionBench) follow(
	ctx context.Context, manager *controlplane.Manager, t *turn, passes watch.EventType,
	cause func() (time.Time, error),
) error {
	before, err := versionsOfPolicies(ctx, b.client)
	if err != nil {
		return err
	}
	watching, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not all was seen within %s", patience))
	defer cancel()
	passWatch, err := b.client.Watch(watching, metadataOf(calico.GlobalNetworkPolicy),
		client.MatchingLabels{calico.PassPolicyLabel: calico.PassPolicyLabelValue})
	if err != nil {
		return fmt.Errorf("watching pass policies: %w", err)
	}
	productWatch, err := b.client.Watch(watching, &api.LicensedProductList{})
	if err != nil {
		return fmt.Errorf("watching products: %w", err)
	}
	cpuBefore, err := manager.CPUTime()
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() error { return t.followPasses(watching, passWatch, passes, b.tiers) })
	group.Go(func() error { return t.followProduct(watching, productWatch, passes == watch.Added) })
	t.from, err = cause()
	if err != nil {
		cancel()
	}
	// a write too many may still come
	if err := errors.Join(err, group.Wait(), pause(ctx, min(settle, b.idle))); err != nil {
		return err
	}
	t.during = span{t.from, time.Now()}
	cpuAfter, errCPU := manager.CPUTime()
	after, errAfter := versionsOfPolicies(ctx, b.client)
	t.cpu, t.changed = cpuAfter-cpuBefore, changedPolicies(before, after)
	return errors.Join(errCPU, errAfter)
}

// followPasses notes when a watch shows so many events of a type.
func (t *turn) followPasses(ctx context.Context, watcher watch.Interface, of watch.EventType, count int) error {
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if event.Type != of {
			continue
		}
		if t.passes = append(t.passes, time.Now()); len(t.passes) == count {
			return nil
		}
	}
	return fmt.Errorf("of %d pass policies %d were seen %s: %w", count, len(t.passes), of, context.Cause(ctx))
}

// followProduct notes when a watch shows what the product says of its restriction.
func (t *turn) followProduct(ctx context.Context, watcher watch.Interface, inForce bool) error {
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		product, ok := event.Object.(*api.LicensedProduct)
		if !ok || product.Status.Restriction == nil || (product.Status.Restriction.InForce != nil) != inForce {
			continue
		}
		now := time.Now()
		if t.told.IsZero() {
			t.told = now
		}
		if ready := meta.FindStatusCondition(product.Status.Conditions, api.ConditionRestrictionReady); ready != nil &&
			ready.Reason != api.ReasonApplying {
			t.final, t.reason = now, ready.Reason
			return nil
		}
	}
	return fmt.Errorf("the status has not said what has come of it: %w", context.Cause(ctx))
}

// edit changes one policy after the other, each so that it denies nothing any more, and waits until the status says so
// of all.
func (b *restrictionBench) edit(ctx context.Context) error {
	ticker := time.NewTicker(editEvery)
	defer ticker.Stop()
	for b.edits = 0; b.edits < min(b.policies, int(min(editFor, b.idle)/editEvery)); b.edits++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		const allow = `{"spec":{"ingress":[{"action":"Allow"}],"egress":[{"action":"Allow"}]}}`
		if err := patchPolicy(ctx, b.client, b.edits, b.tiers, allow); err != nil {
			return err
		}
	}
	last := time.Now()
	counted, err := b.awaitCounts(ctx, b.policies, b.policies-b.edits)
	b.editsTold = counted.Sub(last)
	return errors.Join(err, pause(ctx, min(settle, b.idle))) // a write too many may still come
}

// awaitCounts waits until a watch has shown how many policies the product's restriction affects or would affect, and
// how many of them deny, and tells when that was.
func (b *restrictionBench) awaitCounts(ctx context.Context, total, denying int) (time.Time, error) {
	type counts struct{ total, denying int }
	want, got := counts{total, denying}, counts{-1, -1}
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(ctx, patience, late)
	defer cancel()
	watcher, err := b.client.Watch(ctx, &api.LicensedProductList{})
	if err != nil {
		return time.Time{}, fmt.Errorf("watching products: %w", err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if product, ok := event.Object.(*api.LicensedProduct); ok {
			if affected := affectedBy(product.Status.Restriction); affected != nil {
				got = counts{int(*affected.Total), int(*affected.Denying)}
			}
		}
		if got == want {
			return time.Now(), nil
		}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, late) {
		return time.Time{}, fmt.Errorf("waiting for the status to count the policies: %w", cause)
	}
	return time.Time{}, fmt.Errorf("the status counts %+v policies after %s; it should count %+v", got, patience, want)
}

// affectedBy are how many policies a restriction affects, or would affect; nil: it does not say.
func affectedBy(status *api.RestrictionStatus) *api.AffectedPolicies {
	switch {
	case status == nil:
		return nil
	case status.InForce != nil:
		return status.InForce.Policies
	case status.Preview != nil:
		return status.Preview.Policies
	default:
		return nil
	}
}

// changeOneByOne does what a restriction could do instead: each policy is changed to match nothing, and changed back.
func (b *restrictionBench) changeOneByOne(ctx context.Context) error {
	say("%s: changing each of them, and back, without the operator", b.title)
	start := time.Now()
	if err := selectEach(ctx, b.client, b.policies, b.tiers, func(int) string { return nothing }); err != nil {
		return err
	}
	b.off = time.Since(start)
	start = time.Now()
	if err := selectEach(ctx, b.client, b.policies, b.tiers, selectorOf); err != nil {
		return err
	}
	b.back = time.Since(start)
	return nil
}

// observe tells what the manager does during something. What is scraped for is scraped for before and after.
func observe(ctx context.Context, manager *controlplane.Manager, from *scraper, during func() error) (observed, error) {
	var o observed
	before, err := from.scrape(ctx, acceptV2)
	if err != nil {
		return o, err
	}
	cpuBefore, err := manager.CPUTime()
	if err != nil {
		return o, err
	}
	o.from = time.Now()
	if err := during(); err != nil {
		return o, err
	}
	o.to = time.Now()
	cpuAfter, errCPU := manager.CPUTime()
	after, err := from.scrape(ctx, acceptV2)
	if err := errors.Join(errCPU, err); err != nil {
		return o, err
	}
	o.cpu, o.reconciles = cpuAfter-cpuBefore, reconcilesBetween(before, after)
	return o, nil
}

// The metrics of Go's runtime.
const (
	liveHeapMetric    = "go_gc_heap_live_bytes"
	collectionsMetric = "go_gc_cycles_total_gc_cycles_total"
)

// collections of garbage are waited for until what is alive has been told from what is not: what pools keep, goes with
// the second.
const collections = 2

// memoryAfter is what the manager has resident after a while, and what is alive of its heap.
func memoryAfter(
	ctx context.Context, quiet time.Duration, manager *controlplane.Manager, from *scraper,
) (heldMemory, error) {
	if err := pause(ctx, quiet); err != nil {
		return heldMemory{}, err
	}
	resident, err := memoryOf(manager)
	if err != nil {
		return heldMemory{}, err
	}
	// Scraping makes enough garbage for collections to come.
	first := -1.0
	for deadline := time.Now().Add(patience); ; {
		got, err := from.scrape(ctx, acceptV2)
		if err != nil {
			return heldMemory{}, err
		}
		live, hasLive := got.value(liveHeapMetric)
		collected, hasCollected := got.value(collectionsMetric)
		if first < 0 {
			first = collected
		}
		switch {
		case !hasLive || !hasCollected:
			return heldMemory{}, fmt.Errorf("the manager does not export %s and %s", liveHeapMetric, collectionsMetric)
		case collected >= first+collections:
			return heldMemory{resident, int64(live)}, nil
		case time.Now().After(deadline):
			return heldMemory{}, fmt.Errorf("there were only %.0f collections of garbage within %s", collected-first,
				patience)
		}
	}
}
