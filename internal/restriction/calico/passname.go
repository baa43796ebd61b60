// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

const (
	passName = "license-operator-pass"
	// maxTierInName is how many bytes of a tier's name go into a policy's name: the API server accepts 253 in all.
	maxTierInName = 200
)

// NamePrefix returns what the names of the operator's policies in a tier begin with. That is the tier's name, as every
// version of Calico requires. A tier's name with a dot or of more than 200 bytes is altered; such a tier is only
// possible where a policy's name need not begin with its tier.
func NamePrefix(tier string) string {
	if !strings.Contains(tier, ".") && len(tier) <= maxTierInName {
		return tier
	}
	sum := sha256.Sum256([]byte(tier))
	plain := strings.ReplaceAll(tier[:min(len(tier), maxTierInName)], ".", "-")
	return plain + "-" + hex.EncodeToString(sum[:4])
}

// PassName returns the name for the pass policy of a tier, given the operator's policies in that tier and the names
// that are taken. It keeps the name of an existing one, preferably of one with the right spec, so that nothing is
// written and no traffic changes for the sake of a nicer name. Otherwise it is the first name that is free.
func PassName(tier string, ours []*Policy, taken map[string]bool) string {
	var kept *Policy
	for _, policy := range ours {
		n := passNumber(policy.Name)
		if n == 0 || policy.Name != passPolicyName(tier, n) || taken[policy.Name] {
			continue
		}
		if kept == nil || policy.Neutral && !kept.Neutral ||
			policy.Neutral == kept.Neutral && n < passNumber(kept.Name) {
			kept = policy
		}
	}
	if kept != nil {
		return kept.Name
	}
	for n := 1; ; n++ {
		if name := passPolicyName(tier, n); !taken[name] {
			return name
		}
	}
}

// IsPassName reports whether a pass policy, of whichever tier, may have that name.
func IsPassName(name string) bool { return passNumber(name) > 0 }

// passPolicyName is the nth name, from 1 on, that a tier's pass policy may have.
func passPolicyName(tier string, n int) string {
	name := NamePrefix(tier) + "." + passName
	if n > 1 {
		name += "-" + strconv.Itoa(n)
	}
	return name
}

// passNumber is the number of a name among the names of pass policies, of whichever tier; 0 if it is not such a name.
func passNumber(name string) int {
	_, last, _ := strings.Cut(name, ".")
	if last == passName {
		return 1
	}
	suffix, _ := strings.CutPrefix(last, passName+"-")
	n, _ := strconv.Atoi(suffix)
	if n < 2 || last != passName+"-"+strconv.Itoa(n) {
		return 0
	}
	return n
}
