// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package calico

import "k8s.io/apimachinery/pkg/runtime/schema"

// Version is the API version of tiers and policies. The operator uses no other, whichever storage Calico has behind it.
var Version = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}

// The resources of tiers and policies.
var (
	Tiers                 = Version.WithResource("tiers")
	GlobalNetworkPolicies = Version.WithResource("globalnetworkpolicies")
	NetworkPolicies       = Version.WithResource("networkpolicies")
)

// PolicyKind is a kind of policy that is in a tier and is applied. Staged kinds are never applied and are not among
// them.
type PolicyKind string

// The kinds of policies, as projectcalico.org/v3 names them.
const (
	GlobalNetworkPolicy PolicyKind = "GlobalNetworkPolicy"
	NetworkPolicy       PolicyKind = "NetworkPolicy"
)
