// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

// renderer prints a simulation for people.
type renderer struct {
	*simulation
	out io.Writer
}

// print prints the simulation, as text or in a format for programs.
func (s *simulation) print(out io.Writer, format string) error {
	if format != "" {
		return output.Write(out, format, s)
	}
	var text bytes.Buffer
	(&renderer{simulation: s, out: &text}).render()
	_, err := text.WriteTo(out)
	return err
}

func (n *renderer) render() {
	if len(n.Products) == 0 {
		fmt.Fprintln(n.out, "There are no LicensedProducts.")
		return
	}
	n.say("", n.headline())
	fmt.Fprintln(n.out)
	for i := range n.Products {
		n.product(&n.Products[i])
	}
	sections := n.sections()
	if slices.ContainsFunc(sections, func(s section) bool { return s.stops() }) {
		exempt := ""
		if n.SparedNamespace != "" {
			exempt = fmt.Sprintf(" The pods in the operator's namespace %s are exempt.", n.SparedNamespace)
		}
		fmt.Fprintln(n.out)
		n.say("", "opens: traffic that the policy denies goes on to later tiers. closes: traffic that it allows goes "+
			"on to later tiers."+exempt)
	}
	for i := range sections {
		n.tier(&sections[i])
	}
	n.defaultTier()
}

// say prints a text, wrapped and indented.
func (n *renderer) say(indent, text string) { fmt.Fprintln(n.out, term.Wrap(text, indent, indent)) }

func (n *renderer) headline() string {
	at := text.Time(n.Time.Time)
	distance, names := text.Distance(n.now, n.Time.Time), strings.Join(n.TimeProducts, " and ")
	switch n.TimeReason {
	case timeRestrictionStarts:
		return fmt.Sprintf("As of %s (in %s), when the next restriction starts, for %s:", at, distance, names)
	case timePauseEnds:
		return fmt.Sprintf("As of %s (in %s), when a pause ends and the next restriction starts, for %s:", at, distance,
			names)
	case timeNow:
		return fmt.Sprintf("As of %s, which is now: no other restriction will start as things are:", at)
	default:
		return fmt.Sprintf("As of %s, the time of --at:", at)
	}
}

func (n *renderer) product(p *simulatedProduct) {
	fmt.Fprintln(n.out, term.Wrap(fmt.Sprintf("%s: %s; %s.", p.Name, p.State, p.Restriction.text()), "", "  "))
	r := &p.Restriction
	if !r.isListed() {
		return
	}
	would := wouldBe(r.InForce)
	if len(r.Tiers) == 0 {
		n.say("  ", fmt.Sprintf("No tier %srestricted: its tierSelector does not select a tier that can be restricted.",
			cmp.Or(would, "is ")))
	} else {
		n.say("  ", fmt.Sprintf("%s %srestricted: %s.", text.Plural(len(r.Tiers), "tier"), would, r.effectText()))
	}
	if len(r.SparedTiers) > 0 {
		n.say("  ", "Never restricted: "+sparedText(r.SparedTiers)+".")
	}
}

func wouldBe(inForce bool) string {
	if inForce {
		return ""
	}
	return "would be "
}

// isListed tells whether the tiers of a restriction are shown: if it is in force, or only observes.
func (r *simulatedRestriction) isListed() bool { return r.InForce || r.Reason == api.ReasonObserved }

func (r *simulatedRestriction) text() string {
	words := "restriction " + string(r.State)
	switch {
	case r.Reason == api.ReasonNotRequested:
		return "its terms have no restriction"
	case r.Reason == api.ReasonObserved && !r.AskedMode.Restricts():
		return words + ", since its terms only observe"
	case r.Reason == api.ReasonObserved:
		return words + fmt.Sprintf(", since --max-restriction is Observe (terms: %s)", r.AskedMode)
	case r.State == api.RestrictionPaused:
		return words + fmt.Sprintf(" until %s (%s), %s", text.Time(r.Pause.UntilTime.Time), term.Quote(r.Pause.Reason),
			r.modeText())
	case r.SinceTime != nil:
		words += " since " + text.Time(r.SinceTime.Time)
	case r.EffectiveTime != nil:
		words += " for " + text.Time(r.EffectiveTime.Time)
	}
	words += ", " + r.modeText()
	if r.Pause != nil {
		words += fmt.Sprintf("; a pause begins at %s", text.Time(r.Pause.SinceTime.Time))
	}
	return words
}

func (r *simulatedRestriction) modeText() string {
	switch r.ModeReason {
	case api.ModeReasonMaxRestriction:
		return fmt.Sprintf("%s (terms: %s; --max-restriction does not allow it)", r.Mode, r.AskedMode)
	case api.ModeReasonWindowsNode:
		return fmt.Sprintf("%s (terms: %s; a node runs Windows, where it would block traffic)", r.Mode, r.AskedMode)
	default:
		return string(r.Mode)
	}
}

// effectText counts what a restriction does.
func (r *simulatedRestriction) effectText() string {
	var stopping, frozen, opens, closes, bypasses int
	for i := range r.Tiers {
		tier := &r.Tiers[i]
		bypasses += len(tier.Bypasses)
		if tier.Mode.Freezes() {
			frozen += len(tier.Policies)
			continue
		}
		stopping += len(tier.Policies)
		for _, policy := range tier.Policies {
			if policy.Opens {
				opens++
			}
			if policy.Closes {
				closes++
			}
		}
	}
	var parts []string
	if stopping > 0 {
		parts = append(parts, fmt.Sprintf("%s not applied to pods (%s, %s)", text.Count(stopping, "policy", "policies"),
			text.Count(opens, "opens", "open"), text.Count(closes, "closes", "close")))
	}
	if frozen > 0 {
		parts = append(parts, text.Count(frozen, "policy", "policies")+" applied, but read-only")
	}
	if bypasses > 0 {
		parts = append(parts, text.Count(bypasses, "policy", "policies")+" still applied")
	}
	if len(parts) == 0 {
		return "no policy is affected"
	}
	return strings.Join(parts, "; ")
}

// sparedText lists exempt tiers by the reason.
func sparedText(spared []api.SparedTier) string {
	var parts []string
	for _, group := range []struct {
		reason api.TierSpareReason
		words  string
	}{
		{api.TierSparedBuiltIn, "built in"},
		{api.TierSparedSystem, "Calico's own"},
		{api.TierSparedNever, "labeled license-operator.io/restriction: never"},
	} {
		var names []string
		for _, tier := range spared {
			if tier.Reason == group.reason {
				names = append(names, tier.Name)
			}
		}
		if len(names) > 0 {
			parts = append(parts, fmt.Sprintf("%s (%s)", strings.Join(names, ", "), group.words))
		}
	}
	return strings.Join(parts, "; ")
}

// section is the text about one tier.
type section struct {
	simulatedTier
	inForce bool
}

// stops tells whether policies stop being applied.
func (s *section) stops() bool { return s.Mode.Suspends() && len(s.Policies) > 0 }

// sections returns the tiers: first those that are restricted, with the result of all restrictions together, then those
// that are only observed.
func (n *renderer) sections() []section {
	var inForce, observed []section
	for _, tier := range n.Tiers {
		inForce = append(inForce, section{tier, true})
	}
	for i := range n.Products {
		p := &n.Products[i]
		if p.Restriction.InForce || !p.Restriction.isListed() {
			continue
		}
		for _, tier := range p.Restriction.Tiers {
			known := slices.IndexFunc(observed,
				func(s section) bool { return s.Name == tier.Name && s.Mode == tier.Mode })
			if known < 0 {
				observed = append(observed, section{simulatedTier{tier, []string{p.Name}}, false})
			} else {
				observed[known].Products = append(observed[known].Products, p.Name)
			}
		}
	}
	slices.SortStableFunc(observed, func(a, b section) int { return cmp.Compare(a.Name, b.Name) })
	return append(inForce, observed...)
}

func (n *renderer) tier(s *section) {
	fmt.Fprintln(n.out)
	n.say("", fmt.Sprintf("Tier %s: %s%s, for %s", s.Name, wouldBe(s.inForce), s.Mode, strings.Join(s.Products, ", ")))
	n.say("  ", s.text())
	if len(s.Policies) > 0 {
		n.policies(s)
	}
	if len(s.Bypasses) > 0 && s.Mode.Suspends() {
		n.bypasses(s)
	}
}

// text says what happens in a tier.
func (s *section) text() string {
	count := len(s.Policies)
	switch {
	case s.ModeReason == api.ModeReasonTierDeleting:
		return "The tier is being deleted, and a pass policy in it would block that. Its policies are still applied. " +
			"Changing or creating a policy in it is refused."
	case s.Mode.Freezes() && count == 0:
		return "It has no policies. Creating one is refused."
	case s.Mode.Freezes():
		return text.Count(count, "policy is", "policies are") +
			" still applied. Changing or creating a policy is refused; reading and deleting work."
	case count == 0:
		return "It has no policies that would stop being applied to pods."
	}
	text := text.Count(count, "policy is", "policies are") + " not applied to pods."
	if s.DefaultAction == actionDeny {
		text += " The tier's default action, Deny, is not applied either: traffic that does not match a rule goes on " +
			"to later tiers."
	}
	return text
}

func (n *renderer) policies(s *section) {
	g := &term.Grid{}
	if s.stops() {
		g.Add("EFFECT", "KIND", "POLICY")
	} else {
		g.Add("KIND", "POLICY")
	}
	for _, policy := range s.Policies {
		name := inNamespace(policy.Namespace, policy.Name)
		if s.stops() {
			g.Add(policy.effect(), policy.Kind, name)
		} else {
			g.Add(policy.Kind, name)
		}
	}
	g.Write(n.out)
}

func (p *affectedPolicy) effect() string {
	switch {
	case p.Opens && p.Closes:
		return "opens, closes"
	case p.Opens:
		return "opens"
	case p.Closes:
		return "closes"
	default:
		return "-"
	}
}

func inNamespace(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func (n *renderer) bypasses(s *section) {
	n.say("  ", "Still applied, since a policy cannot be put before them:")
	g := &term.Grid{}
	g.Add("KIND", "POLICY")
	for _, bypass := range s.Bypasses {
		g.Add(bypass.Kind, inNamespace(bypass.Namespace, bypass.Name))
	}
	g.Write(n.out)
}

// defaultTier says where the default tier denies traffic that was allowed.
func (n *renderer) defaultTier() {
	if !n.closes() {
		return
	}
	fmt.Fprintln(n.out)
	of := "policies of the default tier"
	if n.withoutKubernetes {
		of = "Calico policies of the default tier (Kubernetes NetworkPolicies could not be listed)"
	}
	if len(n.DefaultDenials) == 0 {
		n.say("", fmt.Sprintf("No %s deny by default: they let traffic of policies that close pass, unless a rule "+
			"denies it.", of))
		return
	}
	n.say("",
		fmt.Sprintf("These %s deny by default: they deny traffic of policies that close, unless a rule allows it.", of))
	g := &term.Grid{}
	g.Add("NAMESPACE", "DIRECTION", "POLICY AND PODS")
	for i := range n.DefaultDenials {
		d := &n.DefaultDenials[i]
		g.Add(cmp.Or(d.Namespace, "(all)"), strings.ToLower(strings.Join(d.Directions, ", ")), d.kindText()+" "+d.Name)
		g.Add("", "", text.Printable(d.Pods))
	}
	g.Write(n.out)
}

// kindText distinguishes Calico's NetworkPolicies from Kubernetes' own.
func (d *defaultDenial) kindText() string {
	if d.Kind == kindNetworkPolicy && d.APIVersion != networkingv1.SchemeGroupVersion.String() {
		return "Calico " + d.Kind
	}
	return d.Kind
}
