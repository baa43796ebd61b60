// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// product is short, so that kubectl's table of it fits a terminal.
	product   = "acme"
	vendorDir = "acme-ca"

	editedKey, firstKey, renewalKey, stagedKey = "acme-0", "acme-1", "acme-2", "acme-3"

	// goal is how late a state may be by design, and allowed how late it may be here: other work on the machine must not fail the demo.
	goal    = time.Second
	allowed = 2 * time.Second
	// patience is how long something is waited for until it counts as missing.
	patience = 15 * time.Second
)

// story is what is told on a stage.
type story struct {
	*stage
	chapters int
	// boundaries is how many states were seen to change at one, worst the latest of them.
	boundaries int
	worst      time.Duration
}

// tell tells the story. An error is a state that was late or missing, or anything else that went wrong.
func tell(on *stage) error {
	s := &story{stage: on}
	for _, chapter := range []func() error{s.beginning, s.edited, s.valid, s.renewedLate, s.renewedAhead} {
		if err := chapter(); err != nil {
			return err
		}
	}
	s.out.title(fmt.Sprintf("%d states were due to change at a boundary; the latest was seen %d ms after it.", s.boundaries, s.worst.Milliseconds()))
	s.out.paragraph(fmt.Sprintf("The goal is %.0f s. The demo itself fails beyond %.0f s, since it may share its machine with others.",
		goal.Seconds(), allowed.Seconds()))
	return nil
}

func (s *story) chapter(title, text string) {
	s.chapters++
	s.out.chapter(s.chapters, title, text)
}

func (s *story) beginning() error {
	s.out.blank()
	s.out.paragraph("What follows is real. Each line with a time (UTC) is what a watch on the API server showed at that moment, " +
		"and how long that was after its cause: a boundary in time, or something applied.")
	s.chapter("A vendor, their product, and three nodes",
		"The vendor makes a root and a signer once. The product comes with the root's certificate: keys that lead to it are the vendor's.")
	if _, err := s.shell("kubectl license ca create --dir " + vendorDir + " --vendor Acme"); err != nil {
		return err
	}
	root, err := s.read(vendorDir + "/ca.crt")
	if err != nil {
		return err
	}
	if err := errors.Join(s.write("product.yaml", productManifest(root)), s.write("nodes.yaml", nodesManifest())); err != nil {
		return err
	}
	seen := s.observer.seenSoFar()
	if _, err := s.shell("kubectl apply -f nodes.yaml -f product.yaml"); err != nil {
		return err
	}
	if err := s.expectApplied(seen, aProduct, product, state(aProduct, product, "Unlicensed"), event(aProduct, product, "TermsAccepted"), event(aProduct, product, "Unlicensed")); err != nil {
		return err
	}
	return s.tables("kubectl get nodes", "kubectl get lprod")
}

func (s *story) edited() error {
	s.chapter("A key that somebody has edited",
		"The vendor issues a key for 5 nodes. Somebody makes that 5000. The signature does not fit any more: the key counts for nothing, and harms nothing.")
	if _, err := s.shell(issue(editedKey, "--valid-for 365d --nodes 5")); err != nil {
		return err
	}
	manifest, err := s.read(editedKey + ".yaml")
	if err != nil {
		return err
	}
	manifest, err = withClaim(manifest, `"nodes":5`, `"nodes":5000`)
	if err != nil {
		return err
	}
	if err := s.write(editedKey+"-edited.yaml", manifest); err != nil {
		return err
	}
	seen := s.observer.seenSoFar()
	if _, err := s.shell("kubectl apply -f " + editedKey + "-edited.yaml"); err != nil {
		return err
	}
	return s.expectApplied(seen, aKey, editedKey, state(aKey, editedKey, "Invalid"), event(aKey, editedKey, "SignatureInvalid"))
}

func (s *story) valid() error {
	s.chapter("A key that is valid for 10 seconds, with 8 seconds of grace", "")
	seen := s.observer.seenSoFar()
	if err := s.issueAndApply(firstKey, "--valid-for 10s --grace 8s --nodes 5"); err != nil {
		return err
	}
	if err := s.expectApplied(seen, aKey, firstKey, both(firstKey, "Valid")...); err != nil {
		return err
	}
	if err := s.tables("kubectl get lprod", "kubectl get lk"); err != nil {
		return err
	}
	return s.graceAndExpiry()
}

func (s *story) graceAndExpiry() error {
	boundaries := s.observer.boundariesOf(firstKey)
	expiry, graceEnd := boundaries[1], boundaries[2]
	if err := s.expectAt(expiry, both(firstKey, "GracePeriod")...); err != nil {
		return err
	}
	s.out.blank()
	s.out.paragraph("Nobody has renewed. Everything goes on working, and says until when.")
	if err := s.tables("kubectl get lprod"); err != nil {
		return err
	}
	if err := s.expectAt(graceEnd, both(firstKey, "Expired")...); err != nil {
		return err
	}
	s.out.blank()
	s.out.paragraph("The grace period is over.")
	return s.tables("kubectl get lprod", "kubectl get lk")
}

func (s *story) renewedLate() error {
	s.chapter("A renewal, late", "The customer applies a new key, and all is well at once. The old one stays until somebody deletes it.")
	seen := s.observer.seenSoFar()
	if err := s.issueAndApply(renewalKey, "--valid-for 10s --grace 10s --nodes 5"); err != nil {
		return err
	}
	return s.expectApplied(seen, aKey, renewalKey, both(renewalKey, "Valid")...)
}

func (s *story) renewedAhead() error {
	expiry := s.observer.boundariesOf(renewalKey)[1]
	s.chapter("The next renewal, ahead of time",
		"This one begins at the instant at which the present one expires. It waits until then, and the product is covered without a gap.")
	seen := s.observer.seenSoFar()
	if err := s.issueAndApply(stagedKey, "--not-before "+expiry.UTC().Format(time.RFC3339)+" --valid-for 365d --nodes 8"); err != nil {
		return err
	}
	if err := s.expectApplied(seen, aKey, stagedKey, state(aKey, stagedKey, "NotYetValid"), event(aKey, stagedKey, "NotYetValid")); err != nil {
		return err
	}
	if err := s.tables("kubectl get lk"); err != nil {
		return err
	}
	err := s.expectAt(expiry,
		state(aKey, renewalKey, "GracePeriod"), event(aKey, renewalKey, "GracePeriod"),
		state(aKey, stagedKey, "Valid"), event(aKey, stagedKey, "Valid"),
		productBy(stagedKey, "Valid"))
	if err != nil {
		return err
	}
	s.out.blank()
	return s.tables("kubectl get lprod", "kubectl get lk")
}

func (s *story) tables(commands ...string) error {
	for _, command := range commands {
		if err := s.show(command); err != nil {
			return err
		}
	}
	return nil
}

// issue is a command that writes a key of that name to a file of that name.
func issue(name, terms string) string {
	return fmt.Sprintf("kubectl license issue --signer %s --product %s --customer 'Example GmbH' \\\n  %s --name %s > %s.yaml",
		vendorDir, product, terms, name, name)
}

func (s *story) issueAndApply(name, terms string) error {
	if _, err := s.shell(issue(name, terms)); err != nil {
		return err
	}
	_, err := s.shell("kubectl apply -f " + name + ".yaml")
	return err
}

// expectation is something that has to be seen.
type expectation struct {
	what    string
	matches func(*sighting) bool
	// prompt tells that it has to be seen in time, and not just seen: a state, and not the event that tells of it.
	prompt bool
}

func state(of kind, name, state string) expectation {
	return expectation{
		what:    fmt.Sprintf("%s %s in state %s", of, name, state),
		matches: func(s *sighting) bool { return s.kind == of && s.name == name && s.state == state },
		prompt:  true,
	}
}

func productBy(key, state string) expectation {
	return expectation{
		what:    fmt.Sprintf("product %s in state %s by key %s", product, state, key),
		matches: func(s *sighting) bool { return s.kind == aProduct && s.state == state && s.active == key },
		prompt:  true,
	}
}

func event(about kind, name, reason string) expectation {
	return expectation{
		what: fmt.Sprintf("an event %s of %s %s", reason, about, name),
		matches: func(s *sighting) bool {
			return s.kind == anEvent && s.about == about && s.name == name && s.reason == reason
		},
	}
}

// both are that the key and the product by it come into a state, and that events tell so.
func both(key, to string) []expectation {
	return []expectation{state(aKey, key, to), event(aKey, key, to), productBy(key, to), event(aProduct, product, to)}
}

// expectApplied waits for what is to happen once an object has been applied, which was after seen.
func (s *story) expectApplied(seen int, of kind, name string, expected ...expectation) error {
	applied, err := s.observer.await(s.ctx, seen, func(s *sighting) bool { return s.kind == of && s.name == name })
	if err != nil {
		return err
	}
	_, err = s.expect(seen, applied.at, "it was applied", expected)
	s.out.blank()
	return err
}

// expectAt waits for what is to happen at a boundary.
func (s *story) expectAt(boundary time.Time, expected ...expectation) error {
	seen := s.observer.seenSoFar()
	stop := s.countDown(boundary)
	defer stop()
	worst, err := s.expect(seen, boundary, "its boundary "+boundary.UTC().Format("15:04:05"), expected)
	s.worst = max(s.worst, worst)
	for _, e := range expected {
		if e.prompt {
			s.boundaries++
		}
	}
	return err
}

// expect waits for all that is expected, and returns how late the latest was.
func (s *story) expect(seen int, due time.Time, since string, expected []expectation) (time.Duration, error) {
	missing := errors.New("missing")
	ctx, cancel := context.WithDeadlineCause(s.ctx, due.Add(patience), missing)
	defer cancel()
	var worst time.Duration
	for _, e := range expected {
		found, err := s.observer.await(ctx, seen, e.matches)
		if errors.Is(err, missing) {
			return 0, fmt.Errorf("%s was not seen within %s after %s", e.what, patience, since)
		}
		if err != nil {
			return 0, err
		}
		late := found.at.Sub(due)
		if e.prompt {
			worst = max(worst, late)
		}
		if e.prompt && late > allowed {
			return 0, fmt.Errorf("%s was seen %s after %s, which is later than the %s this demo allows", e.what, late.Round(time.Millisecond), since, allowed)
		}
		if late < 0 {
			return 0, fmt.Errorf("%s was seen %s before %s", e.what, -late, since)
		}
	}
	return worst, nil
}

// countDown shows on a terminal how long it takes yet.
func (s *story) countDown(until time.Time) (stop func()) {
	ctx, cancel := context.WithDeadline(s.ctx, until)
	go func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			s.out.passing(fmt.Sprintf("  … until %s: %.0f s", until.UTC().Format("15:04:05"), max(0, time.Until(until).Seconds())))
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

func productManifest(root string) string {
	return fmt.Sprintf(`apiVersion: license-operator.io/v1alpha1
kind: LicensedProduct
metadata:
  name: %s
spec:
  vendor: Acme
  renewalURL: https://acme.example/renew
  unlicensedGracePeriodDays: 30
  trustAnchors: |
    %s
`, product, strings.ReplaceAll(strings.TrimSpace(root), "\n", "\n    "))
}

func nodesManifest() string {
	var manifest strings.Builder
	for _, name := range []string{"node-a", "node-b", "node-c"} {
		fmt.Fprintf(&manifest, "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: %s\n", name)
	}
	return manifest.String()
}

// withClaim replaces part of the claims in the token of a manifest, and leaves the signature as it is.
func withClaim(manifest, from, to string) (string, error) {
	before, token, found := strings.Cut(manifest, "token: ")
	token, after, _ := strings.Cut(token, "\n")
	parts := strings.Split(token, ".")
	if !found || len(parts) != 3 {
		return "", errors.New("found no token in the manifest")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !strings.Contains(string(claims), from) {
		return "", fmt.Errorf("found no %s in the claims %q: %w", from, claims, err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), from, to, 1)))
	return before + "token: " + strings.Join(parts, ".") + "\n" + after, nil
}
