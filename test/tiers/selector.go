// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
)

// Selector is a conjunction of tests on labels: the part of Calico's selector language that tests here need.
type Selector struct {
	terms []term
}

// term is all() where it has no operator.
type term struct {
	operator   string
	key, value string
}

const label = `[A-Za-z0-9_./-]+`

var (
	hasTerm     = regexp.MustCompile(`^has\((` + label + `)\)$`)
	compareTerm = regexp.MustCompile(`^(` + label + `)\s*(==|!=)\s*"([^"]*)"$`)
)

// parsed keeps what was read: there are few selectors in many clusters.
var parsed sync.Map

// ParseSelector reads terms joined by &&, each of them all(), has(k), k == "v" or k != "v". The empty selector is
// all(). Whatever else Calico has is an error here: no parentheses, no ||, no negation but !=, no sets, no single
// quotes, and no && in a value.
func ParseSelector(text string) (Selector, error) {
	if s, ok := parsed.Load(text); ok {
		return s.(Selector), nil
	}
	var s Selector
	if strings.TrimSpace(text) == "" {
		return s, nil
	}
	for part := range strings.SplitSeq(text, "&&") {
		part = strings.TrimSpace(part)
		if part == "all()" {
			s.terms = append(s.terms, term{})
		} else if m := hasTerm.FindStringSubmatch(part); m != nil {
			s.terms = append(s.terms, term{operator: "has", key: m[1]})
		} else if m := compareTerm.FindStringSubmatch(part); m != nil {
			s.terms = append(s.terms, term{operator: m[2], key: m[1], value: m[3]})
		} else {
			return Selector{}, fmt.Errorf("unknown term %q of selector %q", part, text)
		}
	}
	parsed.Store(text, s)
	return s, nil
}

// Matches tells whether labels fulfill all terms. A comparison with != also holds where the label is missing.
func (s Selector) Matches(labels map[string]string) bool {
	for _, t := range s.terms {
		value, found := labels[t.key]
		switch t.operator {
		case "has":
			if !found {
				return false
			}
		case "==":
			if !found || value != t.value {
				return false
			}
		case "!=":
			if found && value == t.value {
				return false
			}
		}
	}
	return true
}

// The labels that Calico itself gives to workload endpoints: that of their namespace, and, with this prefix, those that
// the namespace has, its name among them.
const (
	namespaceLabel     = "projectcalico.org/namespace"
	namespaceNameLabel = "projectcalico.org/name"
	namespacePrefix    = "pcns."
)

// inNamespaces joins a selector of namespaces to one of endpoints, in the way of Calico's
// globalnetworkpolicyprocessor.go: its labels get the prefix, and all(), on either side, comes to mean whatever has a
// namespace. So it is all() that leaves out host endpoints, and not that there is a selector of namespaces.
func (s Selector) inNamespaces(namespaces Selector) Selector {
	var joined Selector
	for _, t := range s.terms {
		joined.terms = append(joined.terms, t.ofWorkloads())
	}
	for _, t := range namespaces.terms {
		if t.operator != "" {
			t.key = namespacePrefix + t.key
		}
		joined.terms = append(joined.terms, t.ofWorkloads())
	}
	return joined
}

func (t term) ofWorkloads() term {
	if t.operator == "" {
		return term{operator: "has", key: namespaceLabel}
	}
	return t
}

// inNamespace restricts a selector to the workload endpoints of one namespace.
func (s Selector) inNamespace(name string) Selector {
	return Selector{terms: append(s.terms[:len(s.terms):len(s.terms)],
		term{operator: "==", key: namespaceLabel, value: name})}
}

// effectiveLabels are the labels that selectors see of a workload endpoint.
func effectiveLabels(own map[string]string, namespace string, namespaceLabels map[string]string) map[string]string {
	labels := make(map[string]string, len(own)+len(namespaceLabels)+2)
	for key, value := range namespaceLabels {
		labels[namespacePrefix+key] = value
	}
	maps.Copy(labels, own)
	labels[namespaceLabel] = namespace
	labels[namespacePrefix+namespaceNameLabel] = namespace
	return labels
}
