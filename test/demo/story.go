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

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

const (
	// product is short, so that kubectl's table of it fits a terminal.
	product   = "acme"
	vendorDir = "acme-ca"

	editedKey, firstKey, renewalKey, stagedKey = "acme-0", "acme-1", "acme-2", "acme-3"

	// passPolicy is what the operator puts into tier security to have none of its policies applied.
	passPolicy = "security.license-operator-pass"

	// goal is how late a state may be by design, and allowed how late it may be here: other work on the machine must
	// not fail the demo.
	goal    = time.Second
	allowed = 2 * time.Second
	// patience is how long something is waited for until it counts as missing.
	patience = 15 * time.Second
)

// story is what is told on a stage.
type story struct {
	*stage
	chapters int
	// boundaries is how many changes were due at one, worst how late the latest was seen.
	boundaries int
	worst      time.Duration
}

// tell tells the story. An error is a state that was late or missing, or anything else that went wrong.
func tell(on *stage) error {
	s := &story{stage: on}
	for _, chapter := range []func() error{s.policies, s.terms, s.edited, s.valid, s.renewedLate, s.renewedAhead} {
		if err := chapter(); err != nil {
			return err
		}
	}
	s.out.title(fmt.Sprintf("%d changes were due at a boundary; the latest was seen %d ms after it.", s.boundaries,
		s.worst.Milliseconds()))
	s.out.paragraph(fmt.Sprintf("The goal is %.0f s. The demo itself fails beyond %.0f s, since it may share its "+
		"machine with others.",
		goal.Seconds(), allowed.Seconds()))
	return nil
}

func (s *story) chapter(title, text string) {
	s.chapters++
	s.out.chapter(s.chapters, title, text)
}

func (s *story) policies() error {
	s.out.blank()
	s.out.paragraph("What follows is real. Each line with a time (UTC) is what a watch on the API server showed at " +
		"that moment, " +
		"and how long that was after its cause: a boundary in time, or something applied.")
	s.chapter("Three nodes, and policies in a tier of their own",
		"Before there is any license, somebody has a tier with three policies. What they are now is kept, to be "+
			"compared later.")
	if err := errors.Join(s.write("nodes.yaml", nodesManifest()), s.write("policies.yaml", policiesManifest)); err !=
		nil {
		return err
	}
	seen, before := s.observer.seenSoFar(), time.Now()
	if _, err := s.shell("kubectl apply -f nodes.yaml -f policies.yaml"); err != nil {
		return err
	}
	expected := []expectation{
		policy("security.allow-dns"), policy("security.deny-metadata"),
		policy("security.database"),
	}
	if _, err := s.expect(seen, before, "it was to be applied", expected); err != nil {
		return err
	}
	s.out.blank()
	if err := s.tables("kubectl get nodes", "kubectl get tiers"); err != nil {
		return err
	}
	_, err := s.shell(currentPolicies("before.yaml"))
	return err
}

func (s *story) terms() error {
	s.chapter("A vendor and their product",
		"The vendor makes a root and a signer once. The product comes with the root's certificate: keys that lead "+
			"to it are the vendor's. It also "+
			"says what happens after the grace period: policies in the customer's own tiers are not applied to "+
			"pods. What that would mean can be read from the first second on.")
	if _, err := s.shell("kubectl license ca create --dir " + vendorDir + " --vendor Acme"); err != nil {
		return err
	}
	root, err := s.read(vendorDir + "/ca.crt")
	if err != nil {
		return err
	}
	if err := s.write("product.yaml", productManifest(root)); err != nil {
		return err
	}
	if err := s.tables("tail -n 3 product.yaml"); err != nil {
		return err
	}
	seen := s.observer.seenSoFar()
	if _, err := s.shell("kubectl apply -f product.yaml"); err != nil {
		return err
	}
	err = s.expectApplied(seen, aProduct, product,
		state(aProduct, product, "Unlicensed"), event(aProduct, product, "TermsAccepted"),
		event(aProduct, product, "Unlicensed"),
		affects("policies in tier security: 3 (2 allow, 2 deny)"))
	if err != nil {
		return err
	}
	return s.tables("kubectl get lprod", "kubectl license simulate "+product)
}

func (s *story) edited() error {
	s.chapter("A key that somebody has edited",
		"The vendor issues a key for 5 nodes. Somebody makes that 5000. The signature does not fit any more: the "+
			"key counts for nothing, and harms nothing.")
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
	return s.expectApplied(seen, aKey, editedKey, state(aKey, editedKey, "Invalid"),
		event(aKey, editedKey, "SignatureInvalid"))
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
	expected := append(both(firstKey, "Expired"), restrictionInState(api.RestrictionActive), pass(false),
		event(aProduct, product, "Restricted"),
		event(aProduct, product, "RestrictionComplete"))
	if err := s.expectAt(graceEnd, expected...); err != nil {
		return err
	}
	s.out.blank()
	s.out.paragraph("The grace period is over. One policy has come, first in its tier. It passes pod traffic on to " +
		"the next tier, so that no other policy in this one is " +
		"applied. Its annotations say who made it, and why.")
	if err := s.tables("kubectl get lprod", "kubectl get lk", "kubectl get globalnetworkpolicies"); err != nil {
		return err
	}
	return s.show(fmt.Sprintf("kubectl annotate globalnetworkpolicy %s --list | fold -sw %d", passPolicy, width))
}

func (s *story) renewedLate() error {
	s.chapter("A renewal, late", "The customer applies a new key, and all is well at once: that one policy goes. "+
		"The old key stays until somebody deletes it.")
	seen := s.observer.seenSoFar()
	if err := s.issueAndApply(renewalKey, "--valid-for 10s --grace 10s --nodes 5"); err != nil {
		return err
	}
	expected := append(both(renewalKey, "Valid"), restrictionInState(api.RestrictionScheduled), pass(true),
		event(aProduct, product, "RestrictionLifted"),
		event(aProduct, product, "RestrictionComplete"))
	if err := s.expectApplied(seen, aKey, renewalKey, expected...); err != nil {
		return err
	}
	// Where anything differs cmp says so, fails, and with it the demo.
	for _, command := range []string{currentPolicies("after.yaml"), "cmp before.yaml after.yaml"} {
		if _, err := s.shell(command); err != nil {
			return err
		}
	}
	s.out.blank()
	s.out.paragraph("The tier and its three policies are as they were: same uid, same resourceVersion, same bytes.")
	return nil
}

func (s *story) renewedAhead() error {
	expiry := s.observer.boundariesOf(renewalKey)[1]
	s.chapter("The next renewal, ahead of time",
		"This one begins at the instant at which the present one expires. It waits until then, and the product is "+
			"covered without a gap.")
	seen := s.observer.seenSoFar()
	if err := s.issueAndApply(stagedKey,
		"--not-before "+expiry.UTC().Format(time.RFC3339)+" --valid-for 365d --nodes 8"); err != nil {
		return err
	}
	if err := s.expectApplied(seen, aKey, stagedKey, state(aKey, stagedKey, "NotYetValid"),
		event(aKey, stagedKey, "NotYetValid")); err != nil {
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

// currentPolicies is a command that writes the customer's policies to a file, with all that the API server says of
// them.
func currentPolicies(file string) string {
	return "kubectl get -f policies.yaml -o yaml --show-managed-fields > " + file
}

// issue is a command that writes a key of that name to a file of that name.
func issue(name, terms string) string {
	return fmt.Sprintf("kubectl license issue --signer %s --product %s --customer 'Example GmbH' \\\n  %s --name %s "+
		"> %s.yaml",
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

func restrictionInState(state api.RestrictionState) expectation {
	return expectation{
		what:    fmt.Sprintf("product %s with its restriction in state %s", product, state),
		matches: func(s *sighting) bool { return s.kind == aProduct && s.restriction == state },
		prompt:  true,
	}
}

// affects is that the product says what its restriction is about.
func affects(what string) expectation {
	return expectation{
		what:    fmt.Sprintf("product %s that says of its restriction: %s", product, what),
		matches: func(s *sighting) bool { return s.kind == aProduct && s.affects == what },
	}
}

func policy(name string) expectation {
	return expectation{
		what:    "policy " + name,
		matches: func(s *sighting) bool { return s.kind == aPolicy && s.name == name },
	}
}

// pass is that the pass policy comes or goes.
func pass(goes bool) expectation {
	what := "the beginning of policy "
	if goes {
		what = "the end of policy "
	}
	return expectation{
		what:    what + passPolicy,
		matches: func(s *sighting) bool { return s.kind == aPolicy && s.name == passPolicy && s.deleted == goes },
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
			return 0, fmt.Errorf("%s was seen %s after %s, which is later than the %s this demo allows", e.what,
				late.Round(time.Millisecond), since, allowed)
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
			s.out.passing(fmt.Sprintf("  … until %s: %.0f s", until.UTC().Format("15:04:05"),
				max(0, time.Until(until).Seconds())))
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// policiesManifest are the customer's, in a tier of theirs.
const policiesManifest = `apiVersion: projectcalico.org/v3
kind: Tier
metadata:
  name: security
spec:
  order: 200
  defaultAction: Pass
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: security.allow-dns
spec:
  tier: security
  order: 10
  selector: all()
  types: [Egress]
  egress:
  - action: Allow
    protocol: UDP
    destination: {ports: [53]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: security.deny-metadata
spec:
  tier: security
  order: 20
  selector: all()
  types: [Egress]
  egress:
  - action: Deny
    destination: {nets: [169.254.169.254/32]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: security.database
  namespace: default
spec:
  tier: security
  order: 30
  selector: app == 'database'
  types: [Ingress]
  ingress:
  - action: Allow
    protocol: TCP
    source: {selector: app == 'api'}
    destination: {ports: [5432]}
  - action: Deny
`

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
  restriction:
    mode: DefaultTierOnly
    tierSelector: {}
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
