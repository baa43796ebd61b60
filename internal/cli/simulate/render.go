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

// renderer writes a simulation for humans.
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
	n := &renderer{simulation: s, out: &text}
	n.render()
	_, err := out.Write(text.Bytes())
	return err
}

func (n *renderer) render() {
	if len(n.Products) == 0 {
		fmt.Fprintln(n.out, "There are no LicensedProducts.")
		return
	}
	n.say("", n.headline())
	n.gap()
	for i := range n.Products {
		n.product(&n.Products[i])
	}
	sections := n.sections()
	if slices.ContainsFunc(sections, func(s section) bool { return s.stops() }) {
		n.gap()
		n.say("", "opens: the policy denies, and what it denies is left to the tiers after it. closes: it allows, "+
			"and what it allows is left to the tiers after it."+n.sparedPods())
	}
	for i := range sections {
		n.tier(&sections[i])
	}
	n.defaultTier()
}

func (n *renderer) sparedPods() string {
	if n.SparedNamespace == "" {
		return ""
	}
	return fmt.Sprintf(" The pods in the operator's namespace %s are exempt.", n.SparedNamespace)
}

// say writes running text after an indent.
func (n *renderer) say(indent, text string) { fmt.Fprintln(n.out, term.Wrap(text, indent, indent)) }

func (n *renderer) gap() { fmt.Fprintln(n.out) }

func (n *renderer) headline() string {
	at := text.Time(n.Time.Time)
	names := strings.Join(n.TimeProducts, " and ")
	switch n.TimeReason {
	case timeRestrictionStarts:
		return fmt.Sprintf("As of %s (in %s), when the first restriction to come starts, for %s:", at,
			text.Distance(n.now, n.Time.Time), names)
	case timePauseEnds:
		return fmt.Sprintf("As of %s (in %s), when a pause ends and the first restriction to come starts, for %s:", at,
			text.Distance(n.now, n.Time.Time), names)
	case timeNow:
		return fmt.Sprintf("As of %s, which is now, since no further restriction is to come as things are:", at)
	default:
		return fmt.Sprintf("As of %s, as asked for:", at)
	}
}

func (n *renderer) product(p *simulatedProduct) {
	fmt.Fprintln(n.out, term.Wrap(fmt.Sprintf("%s: %s; %s.", p.Name, p.State, p.Restriction.text()), "", "  "))
	r := &p.Restriction
	if !r.isListed() {
		return
	}
	would := ""
	if !r.InForce {
		would = "would be "
	}
	if len(r.Tiers) == 0 {
		n.say("  ", fmt.Sprintf("No tier %srestricted: its tierSelector selects none that could be.",
			cmp.Or(would, "is ")))
	} else {
		n.say("  ", fmt.Sprintf("%s %srestricted: %s.", text.Plural(int64(len(r.Tiers)), "tier"), would,
			r.effectText()))
	}
	if len(r.SparedTiers) > 0 {
		n.say("  ", "Never restricted: "+sparedText(r.SparedTiers)+".")
	}
}

// isListed tells whether the tiers of a restriction are shown: those in force, and those that are only observed. What a
// restriction to come would do is for the time when it comes.
func (r *simulatedRestriction) isListed() bool {
	return r.InForce || r.Reason == api.ReasonObserved
}

func (r *simulatedRestriction) text() string {
	words := "restriction " + string(r.State)
	switch {
	case r.Reason == api.ReasonNotRequested:
		return "no restriction is asked for"
	case r.Reason == api.ReasonObserved && !r.AskedMode.Restricts():
		return words + ", since its terms only observe"
	case r.Reason == api.ReasonObserved:
		return words + fmt.Sprintf(", since --max-restriction is Observe (asked for: %s)", r.AskedMode)
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
		return fmt.Sprintf("%s (asked for: %s; --max-restriction allows no more)", r.Mode, r.AskedMode)
	case api.ModeReasonWindowsNode:
		return fmt.Sprintf("%s (asked for: %s; a node runs Windows, where that would block)", r.Mode, r.AskedMode)
	default:
		return string(r.Mode)
	}
}

// effectText counts what a restriction does.
func (r *simulatedRestriction) effectText() string {
	var stopping, frozen, opens, closes, bypasses int64
	for i := range r.Tiers {
		tier := &r.Tiers[i]
		bypasses += int64(len(tier.Bypasses))
		if tier.Mode.Freezes() {
			frozen += int64(len(tier.Policies))
			continue
		}
		stopping += int64(len(tier.Policies))
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
		parts = append(parts, text.Count(frozen, "policy", "policies")+" applied, and not to be changed")
	}
	if bypasses > 0 {
		parts = append(parts, text.Count(bypasses, "policy", "policies")+" applied all the same")
	}
	if len(parts) == 0 {
		return "no policy is affected"
	}
	return strings.Join(parts, "; ")
}

// sparedText names tiers by the reason that keeps restrictions from them.
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

// section is what is told of one tier.
type section struct {
	simulatedTier
	inForce bool
}

// stops tells whether policies stop being applied.
func (s *section) stops() bool {
	return s.Mode.Suspends() && len(s.Policies) > 0
}

// sections are the tiers: first those that a restriction is in force in, each once and as all restrictions together
// leave it, then those that are only observed.
func (n *renderer) sections() []section {
	var inForce, observed []section
	for _, tier := range n.Tiers {
		inForce = append(inForce, section{simulatedTier: tier, inForce: true})
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
				observed = append(observed,
					section{simulatedTier: simulatedTier{affectedTier: tier, Products: []string{p.Name}}})
			} else {
				observed[known].Products = append(observed[known].Products, p.Name)
			}
		}
	}
	slices.SortStableFunc(observed, func(a, b section) int { return cmp.Compare(a.Name, b.Name) })
	return append(inForce, observed...)
}

func (n *renderer) tier(s *section) {
	n.gap()
	would := ""
	if !s.inForce {
		would = "would be "
	}
	n.say("", fmt.Sprintf("Tier %s: %s%s, for %s", s.Name, would, s.Mode, strings.Join(s.Products, ", ")))
	n.say("  ", s.text())
	if len(s.Policies) > 0 {
		n.policies(s)
	}
	if len(s.Bypasses) > 0 && s.Mode.Suspends() {
		n.bypasses(s)
	}
}

// text says what becomes of a tier.
func (s *section) text() string {
	count := int64(len(s.Policies))
	switch {
	case s.ModeReason == api.ModeReasonTierDeleting:
		return "The tier is being deleted, and what would have to be in it would keep it from going: until it is " +
			"gone, its policies are applied. Changing or creating any is refused."
	case s.Mode.Freezes() && count == 0:
		return "It has no policies. Creating any is refused."
	case s.Mode.Freezes():
		return text.Count(count, "policy goes", "policies go") +
			" on being applied. Changing or creating any is refused; reading and deleting work."
	case count == 0:
		return "It has no policies that would stop being applied to pods."
	}
	text := text.Count(count, "policy is", "policies are") + " not applied to pods."
	if s.DefaultAction == actionDeny {
		text += " Nor is the tier's default action, Deny: of the pods that they select, what no rule matches is " +
			"left to the tiers after it."
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
		kind, name := policy.Kind, inNamespace(policy.Namespace, policy.Name)
		if s.stops() {
			g.Add(policy.effect(), kind, name)
		} else {
			g.Add(kind, name)
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
	n.say("  ", "Applied all the same, since nothing can be put before them:")
	g := &term.Grid{}
	g.Add("KIND", "POLICY")
	for _, bypass := range s.Bypasses {
		g.Add(bypass.Kind, inNamespace(bypass.Namespace, bypass.Name))
	}
	g.Write(n.out)
}

// defaultTier tells where what was allowed meets a denial.
func (n *renderer) defaultTier() {
	if !n.closes() {
		return
	}
	n.gap()
	of := "its policies"
	if n.withoutKubernetes {
		of = "Calico's policies in it (Kubernetes' own could not be listed)"
	}
	if len(n.DefaultDenials) == 0 {
		n.say("", fmt.Sprintf("None of %s makes the default tier deny by default: what closes above passes there, "+
			"unless a rule denies it.", of))
		return
	}
	n.say("", fmt.Sprintf("By %s the default tier denies by default here: what closes above is denied there, unless "+
		"a rule allows it.", of))
	g := &term.Grid{}
	g.Add("NAMESPACE", "DIRECTION", "POLICY, AND FOR WHOM")
	for i := range n.DefaultDenials {
		d := &n.DefaultDenials[i]
		g.Add(cmp.Or(d.Namespace, "(all)"), strings.ToLower(strings.Join(d.Directions, ", ")), d.kindText()+" "+d.Name)
		g.Add("", "", text.Printable(d.Pods))
	}
	g.Write(n.out)
}

// kindText tells Calico's NetworkPolicies from Kubernetes' own.
func (d *defaultDenial) kindText() string {
	if d.Kind == kindNetworkPolicy && d.APIVersion == networkingv1.SchemeGroupVersion.String() {
		return d.Kind
	}
	if d.Kind == kindNetworkPolicy {
		return "Calico " + d.Kind
	}
	return d.Kind
}
