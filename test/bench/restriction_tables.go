// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

// restrictionRequests are what the operator asked for on account of a restriction, but for its lease and its watches.
type restrictionRequests struct {
	// created and deleted are pass policies, statuses the writes to the status of products and keys, and events those
	// that were created or counted up.
	created, deleted, statuses, events int
	// conflicts are the status writes that came too late.
	conflicts int
	// probes are the dry runs that ask whether the lock refuses what it has to.
	probes int
	// others are everything else, and whatever was refused.
	others []controlplane.AuditEvent
}

func restrictionRequestsDuring(events []controlplane.AuditEvent, during span) restrictionRequests {
	var found restrictionRequests
	for _, e := range requestsDuring(events, during).others {
		isStatus := e.Subresource == "status" && (e.Resource == productResource || e.Resource == keyResource)
		isPolicy := e.Group == calico.Version.Group && e.Resource == calico.GlobalNetworkPolicies.Resource
		switch {
		case isPolicy && strings.Contains(e.Path, "dryRun=All"):
			found.probes++
		case isStatus && e.Code == 409:
			found.conflicts++
		case e.Code >= 300:
			found.others = append(found.others, e)
		case isPolicy && e.Verb == "create":
			found.created++
		case isPolicy && e.Verb == "delete":
			found.deleted++
		case isStatus:
			found.statuses++
		case e.Resource == "events":
			found.events++
		default:
			found.others = append(found.others, e)
		}
	}
	return found
}

func (b *restrictionBench) print(out io.Writer) error {
	return errors.Join(
		b.printTurn(out, &b.start, "a restriction comes into force", "after the boundary"),
		b.printTurn(out, &b.end, "a renewal lifts it", "after the key was applied"),
		b.printOneByOne(out),
		b.printMemory(out),
		b.printQuiet(out),
		b.printEdits(out),
	)
}

// tellOthers says what requests there were that should not be.
func (b *restrictionBench) tellOthers(when string, others []controlplane.AuditEvent) {
	for _, e := range others {
		say("%s: %s: %s %s: %d", b.title, when, e.Verb, e.Path, e.Code)
	}
}

func (t *turn) after(moment time.Time) string { return milliseconds(moment.Sub(t.from)) }

// took is how long after the first moment all pass policies were there, or gone.
func (t *turn) took() time.Duration { return t.passes[len(t.passes)-1].Sub(t.from) }

func (b *restrictionBench) printTurn(out io.Writer, t *turn, what, since string) error {
	did := restrictionRequestsDuring(b.audit, t.during)
	b.tellOthers(what, did.others)
	once := verdict(number(b.tiers)+", 0", did.created == b.tiers && did.deleted == 0)
	if t == &b.end {
		once = verdict("0, "+number(b.tiers), did.created == 0 && did.deleted == b.tiers)
	}
	return table(out, b.title+": "+what,
		[]string{"", "measured", "target"},
		[]string{"pass policies created, deleted", fmt.Sprintf("%d, %d", did.created, did.deleted), once},
		[]string{"the first of them seen at a watch, " + since, t.after(t.passes[0]), ""},
		[]string{"half of them", t.after(t.passes[len(t.passes)/2]), ""},
		[]string{
			"all of them", t.after(t.passes[len(t.passes)-1]),
			verdict("≤ "+milliseconds(turnTarget), t.took() <= turnTarget),
		},
		[]string{"status says so", t.after(t.told), ""},
		[]string{"condition RestrictionReady is " + t.reason, t.after(t.final), ""},
		[]string{
			"status writes to the product and its keys, conflicts",
			fmt.Sprintf("%d, %d", did.statuses, did.conflicts), "",
		},
		[]string{"dry runs that ask for the lock", number(did.probes), ""},
		[]string{"events", number(did.events), ""},
		[]string{"any other request", number(len(did.others)), verdict("0", len(did.others) == 0)},
		[]string{"policies of users changed", number(t.changed), verdict("0", t.changed == 0)},
		[]string{"CPU time of the manager", fmt.Sprintf("%.2f s", t.cpu.Seconds()), ""},
	)
}

func (b *restrictionBench) printOneByOne(out io.Writer) error {
	row := func(what string, writes, changed int, took time.Duration) []string {
		return []string{what, number(writes), number(changed), milliseconds(took)}
	}
	start, end := restrictionRequestsDuring(b.audit, b.start.during), restrictionRequestsDuring(b.audit, b.end.during)
	return table(out, fmt.Sprintf("%s: a restriction beside changing each policy, %d at a time", b.title, creators),
		[]string{"", "writes", "policies of users changed", "took"},
		row("put into force", start.created+start.deleted, b.start.changed, b.start.took()),
		row("each policy changed to match nothing", b.policies, b.policies, b.off),
		row("lifted", end.created+end.deleted, b.end.changed, b.end.took()),
		row("each policy changed back", b.policies, b.policies, b.back),
	)
}

func (b *restrictionBench) printMemory(out io.Writer) error {
	resident := func(when string, m memory) []string {
		return []string{when, megabytes(m.all), megabytes(m.anonymous), "", ""}
	}
	held := func(when string, m heldMemory) []string {
		return []string{when, megabytes(m.all), megabytes(m.anonymous), megabytes(m.live), ""}
	}
	each := func(m heldMemory, policies int) []string {
		of := func(with, without int64) string { return kilobytes((with - without) / int64(max(1, policies))) }
		return []string{
			"that is, for each policy", of(m.all, b.empty.all), of(m.anonymous, b.empty.anonymous),
			of(m.live, b.empty.live),
			verdict("≤ "+kilobytes(policyMemoryTarget), m.all-b.empty.all <= policyMemoryTarget*int64(policies)),
		}
	}
	return table(out, b.title+": memory of the manager",
		[]string{"", "RSS", "its data", "alive after a collection", "target"},
		held("with the tiers and no policies, after a quiet time", b.empty),
		resident("all policies just created", b.created),
		held("after a quiet time", b.grown),
		each(b.grown, b.policies-1),
		[]string{"the most at any time", megabytes(b.grownPeak), "", "", ""},
		[]string{
			"another process, which finds them there: the most by the time it has counted them",
			megabytes(b.startPeak), "", "", "",
		},
		held("with a restriction in force, after a quiet time", b.started),
		each(b.started, b.policies),
		[]string{"time from being ready to having counted them", milliseconds(b.startTook), "", "", ""},
	)
}

func kilobytes(bytes int64) string { return fmt.Sprintf("%.1f kB", float64(bytes)/1e3) }

// tellReconciles says which controllers looked at something, and returns how often.
func (b *restrictionBench) tellReconciles(when string, o *observed) string {
	reconciles := 0.0
	for labels, n := range o.reconciles {
		say("%s: %s: %.0f reconciles of %s", b.title, when, n, labels)
		reconciles += n
	}
	return fmt.Sprintf("%.0f", reconciles)
}

func (b *restrictionBench) printQuiet(out io.Writer) error {
	const when = "nothing changes"
	all, did := requestsDuring(b.audit, b.quiet.span), restrictionRequestsDuring(b.audit, b.quiet.span)
	b.tellOthers(when, did.others)
	others := len(all.others) - did.probes
	return table(out, fmt.Sprintf("%s: restricted, %.0f s in which %s", b.title, b.quiet.to.Sub(b.quiet.from).Seconds(),
		when),
		[]string{"", "measured", "target"},
		[]string{"requests to renew the lease", number(all.leases), ""},
		[]string{"watch (re)connections", number(all.watches), ""},
		[]string{"dry runs that ask for the lock, where it is missing", number(did.probes), ""},
		[]string{"any other request", number(others), verdict("0", others == 0)},
		[]string{"reconciles", b.tellReconciles(when, &b.quiet), ""},
		[]string{"CPU time of the manager", fmt.Sprintf("%.2f s", b.quiet.cpu.Seconds()), ""},
	)
}

func (b *restrictionBench) printEdits(out io.Writer) error {
	const when = "policies change one after the other"
	did := restrictionRequestsDuring(b.audit, b.edited.span)
	b.tellOthers(when, did.others)
	took := b.edited.to.Sub(b.edited.from)
	most := int(took/countEvery) + 1
	writes := did.created + did.deleted + did.events + len(did.others)
	return table(out, fmt.Sprintf("%s: restricted, %.0f s in which %s", b.title, took.Seconds(), when),
		[]string{"", "measured", "target"},
		[]string{fmt.Sprintf("changes, one each %d ms, each of which changes what is counted",
			editEvery.Milliseconds()), number(b.edits), ""},
		[]string{
			"status writes, conflicts", fmt.Sprintf("%d, %d", did.statuses, did.conflicts),
			verdict(fmt.Sprintf("≤ %d", most), did.statuses <= most),
		},
		[]string{"dry runs that ask for the lock, where it is missing", number(did.probes), ""},
		[]string{"any other request", number(writes), verdict("0", writes == 0)},
		[]string{"status right, after the last change", milliseconds(b.editsTold), ""},
		[]string{"reconciles", b.tellReconciles(when, &b.edited), ""},
		[]string{"CPU time of the manager", fmt.Sprintf("%.2f s", b.edited.cpu.Seconds()), ""},
	)
}
